"""Run a trial: check out a tree in a temporary worktree, set it up, and run the checks.

Baselines, restored tests and verifying share this.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.agents import process
from mux_lsp.agents.command import mark
from mux_lsp.engine.checks.runner import run_checks
from mux_lsp.engine.repository.cancellation import acquire_slot
from mux_lsp.engine.repository.command import CommandContext
from mux_lsp.engine.repository.setup import set_up
from mux_lsp.git.repository import discover
from mux_lsp.git.worktrees import SlotState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from mux_lsp.config import RunsSection
    from mux_lsp.core.model import Check, Setup, Snapshot
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.engine.repository.setup import Setups
    from mux_lsp.git.worktrees import Worktree

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """The checks of a task, and what they need."""

    checks: tuple[str, ...]
    folder: str
    """Folder in the repository where the checks run; "" for its root."""
    setup: Setup
    check_seconds: float
    """Maximum duration of one check, in seconds."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A tree to check, and what its checks need."""

    name: str
    """Name of its worktree and processes. No run has this name."""
    room: RepositoryStore
    setups: Setups
    terms: CheckPlan
    snapshot: Snapshot
    base: str
    """Commit of the person's own snapshot from which it descends."""
    output: Path
    """Folder for the checks' output."""
    settings: RunsSection
    places: asyncio.Semaphore
    """Limit on the number of worktrees that are checked at once."""
    cancelled: asyncio.Event
    """Set when a person ends the trial."""
    on_event: Callable[[tuple[Check, ...]], object]
    """Called as each check begins and ends."""


async def run_trial(trial: Trial) -> tuple[Check, ...]:
    """Check out a tree, set it up, run the checks there, and release the worktree at once.

    Returns fewer checks than there are if a person ends it. Raises MuxError if it cannot be done. When it is cancelled
    as an asyncio task (the daemon ends), it stops, and leaves nothing behind.
    """
    async with acquire_slot(trial.places, trial.cancelled):
        if trial.cancelled.is_set():
            return ()
        preparing = asyncio.ensure_future(asyncio.to_thread(_prepare, trial))
        try:
            worktree = await asyncio.shield(preparing)
            return await _check(trial, worktree)
        finally:
            # A thread cannot be stopped, so its worktree exists afterwards in any case.
            worktree = await preparing
            await asyncio.to_thread(_give_back, trial, worktree)


def _prepare(trial: Trial) -> Worktree:
    return trial.room.worktrees.prepare(trial.snapshot, trial.name, repository=discover(trial.room.root))


async def _check(trial: Trial, worktree: Worktree) -> tuple[Check, ...]:
    setup = trial.terms.setup
    await set_up(
        trial.setups, worktree, setup, trial.snapshot, trial.base, settings=trial.settings, cancelled=trial.cancelled
    )
    await asyncio.to_thread(trial.room.worktrees.open_folder, worktree, trial.terms.folder)
    ground = CommandContext(
        folder=worktree.folder / trial.terms.folder,
        output=trial.output,
        mark=mark(trial.name, worktree.folder),
        timeout=trial.terms.check_seconds,
        grace=trial.settings.grace_seconds,
        most_output=trial.settings.output_bytes,
        largest_file=trial.settings.largest_file,
        cancelled=trial.cancelled,
        without=trial.room.keys(),
    )
    return await run_checks(trial.terms.checks, ground, trial.on_event)


def _give_back(trial: Trial, worktree: Worktree) -> None:
    trial.room.worktrees.release(worktree)
    trial.room.worktrees.trim(trial.settings.keep_worktrees)


async def sweep(room: RepositoryStore, used: Collection[str]) -> None:
    """End processes that trials of a killed daemon have left, and remove the worktrees that no run uses. For use at the
    start.

    `used` are the slots of runs.
    """
    try:
        for slot in room.worktrees.slots():
            if slot.state is SlotState.IN_USE and slot.name not in used and slot.run_id is not None:
                await process.end(None, mark(slot.run_id, room.worktrees.reopen(slot.name).folder), 0)
        await asyncio.to_thread(room.worktrees.sweep, used)
    except Exception:
        # A folder that cannot be removed must not keep the daemon from starting.
        log.exception("worktrees of %s that nobody uses could not be removed", room.root)
