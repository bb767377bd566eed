"""The seam behind which every kind of agent stands."""

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
    """What an agent needs for one run. All paths are absolute."""

    run: str
    task: str
    prompt: str
    repository: Path
    """The root of the person's working tree. Told to the agent, never written to."""
    worktree: Path
    """The root of the hidden worktree."""
    folder: Path
    """Where the agent starts: `worktree` or a folder in it."""
    run_folder: Path
    """The run's own folder for prompt, output and exit status. Made where it is missing."""
    model: str | None = None
    port: int | None = None
    """The first of the run's ten ports."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the agent's environment, over everything else."""
    turn: int = 0
    """Which message this is: 0 for the task's prompt, one more for each that followed."""
    session: str | None = None
    """The agent's own name for the conversation so far, where it has told one."""
    checks: tuple[str, ...] = ()
    """Commands that will judge the result: the person wants them run here, so the agent may run them too."""
    largest_file: int | None = None
    """Bytes. No program of the run writes a larger file, its output among them, unless it asks the system for it."""
    trusted: bool = False
    """Whether the person trusts what the repository itself would have agents run: its hooks and servers."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    exit_status: int | None
    """128 + n for signal n; None where the agent's end could not be learnt."""
    reason: str | None = None
    """In words, why it did not end well; None where it did."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to what an agent asked leave for. `reason` is in words, for the agent to read where it was refused."""

    allowed: bool
    reason: str | None = None
    words: str | None = None
    """What the person said with it, for agents that read no reasons: it is told them as a message."""


class Host(Protocol):
    """Whom an agent tells what it does, and asks for leave."""

    def emit(self, event: Event, offset: int | None = None) -> None:
        """Note what happened. The agent goes on only when it has been noted.

        `offset` says up to where the agent's raw output had been read, where a later daemon could read it again.
        """
        ...

    async def ask(self, request: PermissionRequest) -> Decision:
        """Have a request judged: by rules, or else by a person, for as long as one may take to answer."""
        ...


class Backend(Protocol):
    """One kind of agent. What it prints goes to `stdout` and `stderr` in the run's folder as it comes."""

    async def attempt(self, attempt: Attempt, host: Host) -> Outcome:
        """Work on the prompt until the agent has ended and nothing it started is left running.

        Cancelling this coroutine leaves the agent at work, or where it stands, for a later daemon to take up: `cancel`
        is what ends it. Called again for the same turn of a run, it goes on from what was kept of it.
        Raises AgentError where the agent cannot be started, UsageError where its settings do not fit the attempt.
        """
        ...

    async def resume(self, attempt: Attempt, process: Process, host: Host) -> Outcome:
        """As `attempt`, for an agent that an earlier daemon started and that may have ended since."""
        ...

    async def cancel(self, attempt: Attempt, process: Process | None) -> None:
        """End the agent and everything it started; `attempt` or `resume`, where one still waits, then returns.

        `process` is None where it was never noted, as when the daemon was killed in that moment.
        """
        ...
