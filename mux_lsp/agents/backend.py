"""The seam behind which every kind of agent stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mux_lsp.agents.process_table import Process


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    exit_status: int | None
    """128 + n for signal n; None where the agent's end could not be learnt."""
    reason: str | None = None
    """In words, why it did not end well; None where it did."""


@dataclass(frozen=True, slots=True)
class Started:
    """The agent is at work. A later daemon needs `process` to take it up again: note it before anything else."""

    process: Process


# What an agent tells while it works. A kind that asks for permission or counts tokens adds its own classes here.
Event = Started


class Backend(Protocol):
    """One kind of agent. Its output goes to `stdout` and `stderr` in the run's folder as it comes."""

    async def attempt(self, attempt: Attempt, emit: Callable[[Event], None]) -> Outcome:
        """Work on the prompt until the agent has ended and nothing it started is left running.

        Cancelling this coroutine leaves the agent at work, for a later daemon to take up: `cancel` is what ends it.
        Raises AgentError where the agent cannot be started, UsageError where its settings do not fit the attempt.
        """
        ...

    async def resume(self, attempt: Attempt, process: Process) -> Outcome:
        """As `attempt`, for an agent that an earlier daemon started and that may have ended since."""
        ...

    async def cancel(self, attempt: Attempt, process: Process | None) -> None:
        """End the agent and everything it started; `attempt` or `resume`, where one still waits, then returns.

        `process` is None where it was never noted, as when the daemon was killed in that moment.
        """
        ...
