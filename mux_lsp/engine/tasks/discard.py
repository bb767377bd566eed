"""Discard and restore runs: a discarded run is kept for a while, then deleted automatically.

A discarded run has ended, has no worktree, is not ranked, counts for no agreement and is not reviewed. It can be
inspected, restored and deleted. Text accepted from it stays, and stays on record.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from mux_lsp.core.sanitize import printable
from mux_lsp.errors import MuxError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.state.registry import TaskRegistry

log = logging.getLogger(__name__)

DAY: Final = 86_400.0
"""Seconds in a day."""

AGAIN_SECONDS: Final = 3600.0
"""Seconds after which a failed deletion is tried again."""


class Discards:
    """The discarded runs. Use it on one event loop.

    `free` ends a run with all its processes and releases its worktree. `forget` deletes ended runs of a task; it
    changes the journal before it awaits anything. `days` returns how long discarded runs are kept. `spawn` runs a
    coroutine in the background.
    """

    def __init__(  # noqa: PLR0913  (its collaborators)
        self,
        book: TaskRegistry,
        *,
        free: Callable[[str], Awaitable[None]],
        forget: Callable[[Task, Sequence[Run]], Awaitable[object]],
        days: Callable[[], float],
        spawn: Callable[[Coroutine[None, None, None]], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book
        self._free = free
        self._forget = forget
        self._days = days
        self._spawn = spawn
        self._clock = clock
        self._alarm: asyncio.TimerHandle | None = None
        self._armed_for = days()

    def kept_until(self, run: Run) -> float | None:
        """Return when a discarded run will be deleted, in seconds since the epoch; None for any other run."""
        return None if run.discarded is None else run.discarded + self._days() * DAY

    async def discard(self, id_: str, keep: Collection[str] = ()) -> tuple[str, ...]:
        """Discard a run, or a task's runs except those in `keep`. Returns the ids of those newly discarded.

        All of them or none are recorded before any run is ended. On return they have ended with all their processes,
        and their worktrees are released. Raises UsageError for an unknown id.
        """
        task, named = self._book.resolve_runs(id_)
        known = {run.id for run in task.runs}
        for one in keep:
            if id_ != task.id:
                raise UsageError(f"{id_} is one run: what to keep can be said of a task only.")
            if one not in known:
                raise UsageError(
                    f"{task.id} has no run {printable(one)!r} to keep; `mux-lsp show {task.id}` lists them."
                )
        return await self.throw_away(run.id for run in named if run.id not in keep)

    async def throw_away(self, run_ids: Iterable[str]) -> tuple[str, ...]:
        """Discard these runs of one task, as `discard` does. Runs that were deleted meanwhile are skipped."""
        wanted = self._there(run_ids)
        thrown = tuple(run.id for run in wanted if run.discarded is None)
        # The time is rounded to the precision that the database keeps.
        self._book.discard(thrown, round(self._clock(), 3))
        self._arm()
        await self._ended(wanted)
        return thrown

    def on_recorded(self, run_ids: Iterable[str], at: float) -> None:
        """Apply that the journal has recorded these runs of one task as discarded at this time."""
        self._book.discarded([run.id for run in self._there(run_ids) if run.discarded is None], at)
        self._arm()

    async def ended(self, run_ids: Iterable[str]) -> None:
        """Wait until discarded runs have ended with all their processes, and their worktrees are released."""
        await self._ended(self._there(run_ids))

    async def restore(self, id_: str) -> tuple[str, ...]:
        """Restore a run, or all runs of a task. Returns the ids of those that were discarded.

        Raises UsageError for an unknown id.
        """
        # Runs that are ending must end first. Otherwise a later daemon would continue them.
        await self._ended(run for run in self._book.resolve_runs(id_)[1] if run.discarded is not None)
        back = tuple(run.id for run in self._book.resolve_runs(id_)[1] if run.discarded is not None)
        self._book.discard(back, None)
        self._arm()
        return back

    async def recover(self) -> None:
        """Complete discards that an earlier daemon has left unfinished, and delete the runs whose time is over."""
        await self._ended(run for run in self._book.runs if run.discarded is not None and not run.state.ended)
        await self._forget_what_is_over()

    def configured(self) -> None:
        """Apply reloaded settings."""
        if self._days() != self._armed_for:
            self._arm()

    def close(self) -> None:
        """Cancel the timer."""
        if self._alarm is not None:
            self._alarm.cancel()

    # Internal

    def _there(self, run_ids: Iterable[str]) -> list[Run]:
        there = {run.id: run for run in self._book.runs}
        return [there[run_id] for run_id in run_ids if run_id in there]

    async def _ended(self, runs: Iterable[Run]) -> None:
        await asyncio.gather(*(self._free(run.id) for run in runs))

    def _arm(self, not_before: float = 0.0) -> None:
        """Set the timer for the next deletion, at least `not_before` seconds from now."""
        self.close()
        self._alarm = None
        self._armed_for = self._days()
        moments = [moment for run in self._book.runs if (moment := self.kept_until(run)) is not None]
        if moments:
            seconds = max(not_before, min(moments) - self._clock())
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._spawn(self._forget_what_is_over())

    async def _forget_what_is_over(self) -> None:
        not_before = 0.0
        for task_id in [task.id for task in self._book.tasks() if self._over(task)]:
            try:
                await self._ended(self._over(self._book.task(task_id)))
                # The task is read again, with nothing awaited from here on, because a run may have been restored
                # meanwhile.
                task = self._book.task(task_id)
                if over := self._over(task):
                    log.info("%s: kept long enough: %s", task_id, ", ".join(run.id for run in over))
                    await self._forget(task, over)
            except MuxError as error:
                log.warning("what was thrown away of %s could not be forgotten: %s", task_id, error)
                not_before = AGAIN_SECONDS
        self._arm(not_before)

    def _over(self, task: Task) -> tuple[Run, ...]:
        """Return the runs of a task that were kept long enough."""
        now = self._clock()
        return tuple(run for run in task.runs if (moment := self.kept_until(run)) is not None and moment <= now)
