"""Run one piece of work at a time: all requests that come while it runs become one more run."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

log = logging.getLogger(__name__)


class Coalescer:
    """Calls `work` for requests, with one call running and at most one pending. For use on one event loop.

    `work` handles all that was requested until it began. An error that it raises goes to the log and does not stop
    the pending call. `subject` names the work there. `spawn` starts the task that carries it out.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[None]],
        subject: str,
        *,
        delay: float = 0.0,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] | None = None,
    ) -> None:
        """`delay` is the seconds for which requests are gathered before each call."""
        self._work = work
        self._subject = subject
        self._delay = delay
        self._spawn = spawn or asyncio.create_task
        self._task: asyncio.Task[None] | None = None
        self._pending = False
        self._closed = False

    def request(self) -> None:
        """Have the work done once more, after a call that is running. Does nothing once closed."""
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
