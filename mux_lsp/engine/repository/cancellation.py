"""Cancel a run, and wait for work that may be cancelled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Cancellation(asyncio.Event):
    """Set when a run is to end: a person ended it, it reached a limit, or other runs made it unnecessary."""

    reason: str | None = None
    """Reason in words; None if a person ended the run."""

    def end(self, reason: str | None) -> None:
        """End the run. Only the first reason is kept."""
        if not self.is_set():
            self.reason = reason
            self.set()


async def wait_or_cancelled(work: asyncio.Future[Any], cancelled: asyncio.Event) -> None:
    """Wait until the work is done or `cancelled` is set, whichever is first. The work itself is not cancelled."""
    watch: asyncio.Future[Any] = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()


@asynccontextmanager
async def acquire_slot(places: asyncio.Semaphore, cancelled: asyncio.Event) -> AsyncIterator[None]:
    """Hold a slot of `places` in this context. If `cancelled` is set first, the context begins without a slot."""
    taking = asyncio.ensure_future(places.acquire())
    try:
        await wait_or_cancelled(taking, cancelled)
        yield
    finally:
        if not taking.cancel() and not taking.cancelled():
            places.release()
