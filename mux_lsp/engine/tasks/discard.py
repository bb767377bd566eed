"""Throwing runs away and bringing them back: for a while all of them is kept, then it goes by itself.

A run that was thrown away has ended, has no worktree, competes and agrees no more, and nobody reviews it. It can be
looked at, brought back and deleted. What was accepted of it stays in the text and on record.
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
"""Seconds."""

AGAIN_SECONDS: Final = 3600.0
"""When to try again to forget what could not be."""


class Discards:
    """What a person has thrown away. Lives on one event loop.

    `free` ends a run with all its processes and has its worktree given back. `forget` deletes runs of a task that have
    ended; it does so to the journal before it awaits anything. `days` is how long what was thrown away is kept. `spawn`
    runs a coroutine in the background.
    """

    def __init__(  # noqa: PLR0913  (whatever it is not to know itself)
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
        """When a run that was thrown away is forgotten, in seconds since the epoch; None for any other."""
        return None if run.discarded is None else run.discarded + self._days() * DAY

    async def discard(self, id_: str, keep: Collection[str] = ()) -> tuple[str, ...]:
        """Throw a run away, or a task's runs but those to keep. Returns the ids of those that were not before.

        It is on record, for all of them or none, before any is touched. When it returns they have ended with every
        process and given their worktrees back. Raises UsageError for an unknown id.
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
        """The same for some runs of one task. Those that were deleted meanwhile are passed over."""
        wanted = self._there(run_ids)
        thrown = tuple(run.id for run in wanted if run.discarded is None)
        # What is kept by the database is as exact as that.
        self._book.discard(thrown, round(self._clock(), 3))
        self._arm()
        await self._ended(wanted)
        return thrown

    def noted(self, run_ids: Iterable[str], at: float) -> None:
        """The journal has it that these runs of one task were thrown away at a time."""
        self._book.discarded([run.id for run in self._there(run_ids) if run.discarded is None], at)
        self._arm()

    async def ended(self, run_ids: Iterable[str]) -> None:
        """Wait until runs that were thrown away have ended with every process and given their worktrees back."""
        await self._ended(self._there(run_ids))

    async def restore(self, id_: str) -> tuple[str, ...]:
        """Bring a run back, or all of a task. Returns the ids of those that were thrown away.

        Raises UsageError for an unknown id.
        """
        # What is on its way out comes to its end first: a later daemon would have it go on.
        await self._ended(run for run in self._book.resolve_runs(id_)[1] if run.discarded is not None)
        back = tuple(run.id for run in self._book.resolve_runs(id_)[1] if run.discarded is not None)
        self._book.discard(back, None)
        self._arm()
        return back

    async def take_up(self) -> None:
        """Bring to its end what an earlier daemon has left half done, and forget what is over."""
        await self._ended(run for run in self._book.runs if run.discarded is not None and not run.state.ended)
        await self._forget_what_is_over()

    def configured(self) -> None:
        """The settings were read anew."""
        if self._days() != self._armed_for:
            self._arm()

    def close(self) -> None:
        """Ring no more."""
        if self._alarm is not None:
            self._alarm.cancel()

    # Inside

    def _there(self, run_ids: Iterable[str]) -> list[Run]:
        there = {run.id: run for run in self._book.runs}
        return [there[run_id] for run_id in run_ids if run_id in there]

    async def _ended(self, runs: Iterable[Run]) -> None:
        await asyncio.gather(*(self._free(run.id) for run in runs))

    def _arm(self, not_before: float = 0.0) -> None:
        """Ring when the next run is over, in so many seconds at the earliest."""
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
                # Looked at again, with nothing awaited from here on: one may have been brought back meanwhile.
                task = self._book.task(task_id)
                if over := self._over(task):
                    log.info("%s: kept long enough: %s", task_id, ", ".join(run.id for run in over))
                    await self._forget(task, over)
            except MuxError as error:
                log.warning("what was thrown away of %s could not be forgotten: %s", task_id, error)
                not_before = AGAIN_SECONDS
        self._arm(not_before)

    def _over(self, task: Task) -> tuple[Run, ...]:
        """The runs of a task that were kept long enough."""
        now = self._clock()
        return tuple(run for run in task.runs if (moment := self.kept_until(run)) is not None and moment <= now)
