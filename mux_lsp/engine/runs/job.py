"""Define the data and services that carrying out a run needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mux_lsp.agents.ports import PortBlocks
    from mux_lsp.config import RunsSection
    from mux_lsp.core.model import FileChange, Run, Task
    from mux_lsp.engine.backends import Backends
    from mux_lsp.engine.checks.trial import CheckPlan
    from mux_lsp.engine.repository.cancellation import Cancellation
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.engine.repository.setup import Setups
    from mux_lsp.engine.runs.output import Outputs
    from mux_lsp.engine.runs.permissions import PermissionService
    from mux_lsp.engine.scheduling.queue import AgentSlot
    from mux_lsp.engine.state.clock import Clock
    from mux_lsp.engine.state.registry import Advance, End


@dataclass(frozen=True, slots=True)
class Job:
    """A run to carry out, with its collaborators."""

    run_id: str
    task: Task
    room: RepositoryStore
    setups: Setups
    backends: Backends
    settings: RunsSection
    run_folder: Path
    ports: PortBlocks
    place: AgentSlot
    """Its slot among the agents that may work at once."""
    cancelled: Cancellation
    """Set when the run is to end early."""
    current: Callable[[], Run]
    advance: Advance
    end: End
    clock: Clock
    outputs: Outputs
    asks: PermissionService
    terms: CheckPlan
    """The checks of its result, and what they need."""
    places: asyncio.Semaphore
    """Limit on the number of worktrees that are checked at once."""
    tell_apart: Callable[[], Awaitable[None]]
    """Compares its checks with the baseline, if that is known yet."""
    trusted: bool
    """True if the person trusts commands that the repository itself brings for agents."""
    prompt: Callable[[Run], str]
    read_result: Callable[[str, str], tuple[tuple[FileChange, ...], int]]
    """Returns the changes of a result against its snapshot, and the number of their hunks. For use in a thread."""
