"""What ends a run early."""

from __future__ import annotations

import asyncio


class Cancellation(asyncio.Event):
    """Set when a run is to end: by its person, by a limit, or because others did its work."""

    reason: str | None = None
    """Why, in words; None where its person ended it."""

    def end(self, reason: str | None) -> None:
        """End the run. The first reason counts."""
        if not self.is_set():
            self.reason = reason
            self.set()
