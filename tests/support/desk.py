"""Connect a client to an engine in the same process: a real session over streams in memory."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from mux_lsp.callers import Person
from mux_lsp.daemon.connection import ClientReader, Turnstile
from mux_lsp.lsp.session import serve_client
from mux_lsp.lsp.wire.documents import uri_of
from tests.support.client import APPLIES_EDITS, Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mux_lsp.daemon.connection import ClientWriter
    from mux_lsp.engine.engine import Engine


class _Stream(asyncio.StreamReader):
    """One direction of a connection: written data can be read at once."""

    def __init__(self) -> None:
        super().__init__(limit=2**26)
        self.ended = asyncio.Event()

    def write(self, data: bytes) -> None:
        if not self.ended.is_set():
            self.feed_data(data)

    def close(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            self.feed_eof()


class _Line:
    """The connection in place of the bridge between a client and its session."""

    def __init__(self) -> None:
        self.stdin, self.stdout = _Stream(), _Stream()

    def kill(self) -> None:
        self.stdin.close()

    async def wait(self) -> None:
        await self.stdout.ended.wait()


@asynccontextmanager
async def at_desk(engine: Engine, folder: Path, *, applies: bool = False, name: str = "test") -> AsyncIterator[Client]:
    """Yield a client of this engine that has `folder` open. `applies` sets whether it can apply edits."""
    line = _Line()

    async def serve() -> None:
        try:
            incoming = ClientReader(line.stdin, cast("ClientWriter", line.stdout), Turnstile(), name)
            await serve_client(incoming, line.stdout, engine, Person())
        finally:
            line.stdout.close()

    session = asyncio.create_task(serve())
    client = Client(cast("asyncio.subprocess.Process", line), applies=applies)
    try:
        await client.request(
            "initialize",
            {
                "processId": None,
                "clientInfo": {"name": name},
                "rootUri": uri_of(folder),
                "capabilities": {"workspace": APPLIES_EDITS if applies else {}},
                "initializationOptions": {"mux": {"protocol": 2}},
            },
        )
        client.notify("initialized", {})
        yield client
    finally:
        line.kill()
        # No time limit here: a session that does not end is a failure, which the test's own limit reports.
        with contextlib.suppress(EOFError):
            await session
        await client.close()
