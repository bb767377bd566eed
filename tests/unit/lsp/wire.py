"""Provide both ends of a server's stream in memory."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mux_lsp.lsp.wire.server import MuxServer


class Written(list[dict[str, Any]]):
    """A stream that keeps the messages written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.append(json.loads(data.partition(b"\r\n\r\n")[2]))
        self._more.set()

    async def have(self, count: int) -> None:
        """Wait until this many messages have been written."""
        while len(self) < count:
            self._more.clear()
            await self._more.wait()

    def close(self) -> None:
        pass


def receive(server: MuxServer, message: dict[str, Any]) -> None:
    """Let a server handle a small message, which it does at once."""
    taking = server.protocol.take({"jsonrpc": "2.0", **message}, size=0)
    with pytest.raises(StopIteration):
        taking.send(None)
