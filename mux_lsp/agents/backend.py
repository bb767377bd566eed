"""Define the interface between the engine and every kind of agent: `Backend`, and `Host` for the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mux_lsp.agents.events import Event
    from mux_lsp.agents.process_table import Process
    from mux_lsp.core.permissions import PermissionRequest


@dataclass(frozen=True, slots=True)
class Attempt:
    """The inputs of an agent for one turn of a run. All paths are absolute."""

    run: str
    task: str
    prompt: str
    repository: Path
    """The root of the person's working tree. The agent learns it, and nothing is written to it."""
    worktree: Path
    """The root of the hidden worktree."""
    folder: Path
    """The agent's working directory: `worktree` or a folder in it."""
    run_folder: Path
    """The run's own folder for prompt, output and exit status. Created if missing."""
    model: str | None = None
    port: int | None = None
    """The first of the run's ten ports."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the agent's environment. They override all others."""
    turn: int = 0
    """The number of the message: 0 for the task's prompt, one more for each message after it."""
    session: str | None = None
    """The agent's own name for the conversation so far, if it has reported one."""
    checks: tuple[str, ...] = ()
    """Commands that will check the result. The person wants them run here, so the agent may run them too."""
    largest_file: int | None = None
    """Maximum size in bytes of a file that a program of the run writes, its output included.

    The limit is soft: a program can raise it for itself.
    """
    trusted: bool = False
    """True if the person trusts the code that the repository itself would have agents run: its hooks and servers."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an attempt."""

    exit_status: int | None
    """The exit status; 128 + n for signal n, None if it could not be determined."""
    reason: str | None = None
    """The reason for a failure, as a sentence for people; None after a success."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a permission request. `reason` is a sentence for the agent to read after a refusal."""

    allowed: bool
    reason: str | None = None
    words: str | None = None
    """The person's message with the answer, for agents that read no reasons: they get it as a further prompt."""


class Host(Protocol):
    """The receiver of an agent's events and permission requests."""

    def emit(self, event: Event, offset: int | None = None) -> None:
        """Record an event. The agent continues only after it has been recorded.

        `offset` is how far the agent's raw output had been read, for output that a later daemon can read again.
        """
        ...

    async def ask(self, request: PermissionRequest) -> Decision:
        """Have a request decided: by rules, or else by a person, however long the person takes to answer."""
        ...


class Backend(Protocol):
    """One kind of agent. Its output is appended to `stdout` and `stderr` in the run's folder while it is produced."""

    async def attempt(self, attempt: Attempt, host: Host) -> Outcome:
        """Work on the prompt until the agent has ended and no process that it started is left.

        Cancelling this coroutine does not end the agent: it goes on working, or stays as it is, until a later daemon
        recovers it. To end it, call `cancel`. Called again for the same turn of a run, it continues from the recorded
        state.

        Raises AgentError if the agent cannot be started, UsageError if its settings do not fit the attempt.
        """
        ...

    async def resume(self, attempt: Attempt, process: Process, host: Host) -> Outcome:
        """Follow an agent that an earlier daemon started, and that may have ended since. Otherwise like `attempt`."""
        ...

    async def cancel(self, attempt: Attempt, process: Process | None) -> None:
        """End the agent and all processes it started. A pending `attempt` or `resume` then returns.

        `process` is None if it was never recorded, for example because the daemon was killed at that moment.
        """
        ...
