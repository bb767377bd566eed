"""Own the tasks that run in the background until the daemon ends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mux_lsp.engine.state.events import WorkEnded
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mux_lsp.engine.state.events import Event

log = logging.getLogger(__name__)


class BackgroundTasks:
    """Background tasks that nobody awaits. An exception in one of them is logged, never lost.

    This is not a TaskGroup, because a failing task must not cancel the others.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> frozenset[asyncio.Task[None]]:
        """The tasks that have not ended."""
        return frozenset(self._tasks)

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run a coroutine until it ends or the daemon does."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait for them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._emit(WorkEnded())
        error = None if task.cancelled() else task.exception()
        if isinstance(error, MuxError):
            log.warning("%s", error)
        elif error is not None:
            log.error("a bug in mux-lsp", exc_info=error)
