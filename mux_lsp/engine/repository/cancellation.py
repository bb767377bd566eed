"""Cancel a run, and wait for work that may be cancelled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Cancellation(asyncio.Event):
    """Set when a run is to end: by its person, by a limit, or because others did its work."""

    reason: str | None = None
    """Why, in words; None where its person ended it."""

    def end(self, reason: str | None) -> None:
        """End the run. The first reason counts."""
        if not self.is_set():
            self.reason = reason
            self.set()


async def wait_or_cancelled(work: asyncio.Future[Any], cancelled: asyncio.Event) -> None:
    """Wait until a piece of work is done or was cancelled by a person, whichever is first. The work itself goes on."""
    watch: asyncio.Future[Any] = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()


@asynccontextmanager
async def acquire_slot(places: asyncio.Semaphore, cancelled: asyncio.Event) -> AsyncIterator[None]:
    """Have one of so many places, or none where a person ends the wait for it: `cancelled` is set then."""
    taking = asyncio.ensure_future(places.acquire())
    try:
        await wait_or_cancelled(taking, cancelled)
        yield
    finally:
        if not taking.cancel() and not taking.cancelled():
            places.release()
