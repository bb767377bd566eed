"""Run one piece of work at a time: all requests that come while it runs are combined into one more run."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

log = logging.getLogger(__name__)


class Coalescer:
    """A caller of `work` on request, with one call running and at most one pending. For use on one event loop.

    `work` handles all requests made before it began. An error that it raises is logged and does not stop the pending
    call. `subject` names the work in the log. `spawn` starts the task that runs it.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[None]],
        subject: str,
        *,
        delay: float = 0.0,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] | None = None,
    ) -> None:
        """`delay` is the time in seconds for which requests are collected before each call."""
        self._work = work
        self._subject = subject
        self._delay = delay
        self._spawn = spawn or asyncio.create_task
        self._task: asyncio.Task[None] | None = None
        self._pending = False
        self._closed = False

    def request(self) -> None:
        """Request a further call of the work, after the running one. Does nothing once closed."""
        if self._closed:
            return
        self._pending = True
        if self._task is None or self._task.done():
            self._task = self._spawn(self._run())

    async def idle(self) -> None:
        """Wait until no call is running or pending."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Cancel the running call, drop the pending one, and accept no more requests."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._pending:
            if self._delay:
                await asyncio.sleep(self._delay)
            self._pending = False
            try:
                await self._work()
            except MuxError as error:
                log.warning("%s: %s", self._subject, error)
            except Exception:
                log.exception("a bug in mux-lsp, in %s", self._subject)
