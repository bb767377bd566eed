"""A tree in a worktree of our own, made ready, and its checks: what a baseline, restored tests and verifying share."""

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

    from mux_lsp.config import Runs
    from mux_lsp.core.model import Check, Setup, Snapshot
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.engine.repository.setup import Setups
    from mux_lsp.git.worktrees import Worktree

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """How results are judged: the checks of a task, and what they need."""

    checks: tuple[str, ...]
    folder: str
    """Where in the repository they are started, "" for its root."""
    setup: Setup
    check_seconds: float
    """How long one of them may take."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A tree to be checked, and all that it takes."""

    name: str
    """What its worktree and its processes are known by. No run has it."""
    room: RepositoryStore
    setups: Setups
    terms: CheckPlan
    snapshot: Snapshot
    base: str
    """The person's own snapshot that it descends from, a commit."""
    output: Path
    """Where the checks' output goes."""
    settings: Runs
    places: asyncio.Semaphore
    """Limits how many worktrees are checked at once."""
    cancelled: asyncio.Event
    """Set when a person ends it."""
    told: Callable[[tuple[Check, ...]], object]
    """Hears of each check that begins or ends."""


async def run_trial(trial: Trial) -> tuple[Check, ...]:
    """Check a tree out, make it ready, run the checks there, and give the worktree back at once.

    Fewer checks than there are come back if a person ends it. Raises MuxError where it cannot be done. When it is
    cancelled as an asyncio task (the daemon ends), it ends as well, and leaves nothing behind.
    """
    async with acquire_slot(trial.places, trial.cancelled):
        if trial.cancelled.is_set():
            return ()
        preparing = asyncio.ensure_future(asyncio.to_thread(_prepare, trial))
        try:
            worktree = await asyncio.shield(preparing)
            return await _check(trial, worktree)
        finally:
            # A thread cannot be stopped: what it makes is there afterwards.
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
    return await run_checks(trial.terms.checks, ground, trial.told)


def _give_back(trial: Trial, worktree: Worktree) -> None:
    trial.room.worktrees.release(worktree)
    trial.room.worktrees.trim(trial.settings.keep_worktrees)


async def sweep(room: RepositoryStore, used: Collection[str]) -> None:
    """After a restart: end what trials of a killed daemon have left at work, and remove the worktrees that no run uses.

    `used` are the slots of runs.
    """
    try:
        for slot in room.worktrees.slots():
            if slot.state is SlotState.IN_USE and slot.name not in used and slot.run_id is not None:
                await process.end(None, mark(slot.run_id, room.worktrees.reopen(slot.name).folder), 0)
        await asyncio.to_thread(room.worktrees.sweep, used)
    except Exception:
        # One folder that cannot be removed must not keep the daemon from starting.
        log.exception("worktrees of %s that nobody uses could not be removed", room.root)
