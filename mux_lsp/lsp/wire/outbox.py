"""Keep the messages to one client in order, even while a large one is being encoded in a thread."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from mux_lsp.lsp.wire import heavy

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = logging.getLogger(__name__)


class Outbox:
    """Passes messages to a writer in the order in which they were posted.

    A client takes the last message as current, so a notification must not overtake an older, large answer.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._waiting: deque[asyncio.Future[bytes] | bytes] = deque()

    def post(self, data: bytes) -> None:
        """Send an encoded message."""
        if self._waiting:
            self._waiting.append(data)
        else:
            self._write(data)

    def post_large(self, encode: Callable[[], bytes]) -> None:
        """Send a message that is encoded in a thread. Messages posted later wait for it."""
        encoding = heavy.encode(encode)
        self._waiting.append(encoding)
        encoding.add_done_callback(self._send)

    def _send(self, _: object) -> None:
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, bytes):
                self._write(first)
            elif not first.done():
                return
            elif not first.cancelled():
                if (error := first.exception()) is not None:
                    log.error("a bug in mux-lsp: a message could not be encoded", exc_info=error)
                else:
                    self._write(first.result())
            self._waiting.popleft()
