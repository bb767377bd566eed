"""Serve HTTP on loopback: accept connections, read their requests in order, and write answers, complete or faulty."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.agents.replay import http1
from mux_lsp.agents.replay.messages_api import STATUS, ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

log = logging.getLogger(__name__)

READ_SECONDS = 120.0
"""Seconds after the end of a request in which the next one must arrive. Then the connection is closed."""

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `path` excludes the secret word and the query."""

    request: http1.Request
    path: str
    query: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    begun: bool = False
    """True if the head of an answer was sent."""
    open: bool = True
    """True if the connection can accept a further request."""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method

    @property
    def body(self) -> bytes:
        """The request's body, decompressed."""
        return self.request.body

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a complete answer in JSON."""
        head = self._head(status, {"content-type": _JSON, "content-length": str(len(body)), **headers})
        await self.send(head if self.method == "HEAD" else head + body)

    async def half(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send the first half of an answer, as a breaking connection does."""
        head = self._head(status, {"content-type": _JSON, "content-length": str(len(body)), **headers})
        await self.send(head + body[: len(body) // 2])

    async def begin_stream(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer in chunks. Send each chunk with `send`, encoded by `http1.chunk`."""
        fixed = {"content-type": _EVENTS, "cache-control": "no-cache", "transfer-encoding": "chunked"}
        await self.send(self._head(status, {**fixed, **headers}))

    async def end_stream(self) -> None:
        """End an answer in chunks."""
        await self.send(http1.LAST_CHUNK)

    async def send(self, data: bytes) -> None:
        """Send bytes unchanged. Raises ConnectionError if the client is gone."""
        await http1.send(self.writer, data)

    def cut(self) -> None:
        """Close the connection once all data has been sent."""
        self.open = False

    async def gone(self) -> None:
        """Wait until the client closes the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        self.begun = True
        self.open = self.open and self.request.keep_alive
        connection = "keep-alive" if self.open else "close"
        return http1.encode_head(http1.status_line(status), {**headers, "connection": connection})


@contextlib.asynccontextmanager
async def listen(answer: Callable[[Exchange], Awaitable[None]], *, port: int = 0) -> AsyncIterator[str]:
    """Serve on 127.0.0.1, and yield the base URL. It ends in a random word, and requests without that word are refused.

    `answer` is called for each request and may raise ConnectionError. On exit, open connections are aborted. Raises
    OSError if the port is not available.
    """
    word = secrets.token_urlsafe(16)
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Created here, since asyncio reports the cancellation of a task that it creates itself as an error.
        task = asyncio.get_running_loop().create_task(_serve(reader, writer, word, answer))
        connections[task] = writer
        task.add_done_callback(connections.pop)

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{word}"
    finally:
        server.close()
        for task, writer in connections.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    word: str,
    answer: Callable[[Exchange], Awaitable[None]],
) -> None:
    """Serve one connection until it is closed."""
    try:
        await _converse(reader, writer, word, answer)
        writer.close()
        async with asyncio.timeout(http1.STUCK_SECONDS):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError) as error:
        log.debug("a connection ended early: %s", error)
    finally:
        # Data not sent yet would keep the connection of a client that does not read.
        writer.transport.abort()


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    word: str,
    answer: Callable[[Exchange], Awaitable[None]],
) -> None:
    """Answer the requests of one connection."""
    requests = http1.Requests(reader, writer)
    going_on = True
    while going_on:
        try:
            async with asyncio.timeout(READ_SECONDS):
                request = await requests.next()
        except http1.HttpError as error:
            refused = http1.Request("POST", "/", {}, b"", keep_alive=False)
            await _refuse(Exchange(refused, "", "", reader, writer), error.status, f"Not understood: {error}.")
            return
        if request is None:
            return
        target, _, query = request.target.partition("?")
        _, first, rest = (*target.split("/", 2), "", "")[:3]
        exchange = Exchange(request, f"/{rest}", query, reader, writer)
        if not hmac.compare_digest(first.encode(), word.encode()):
            await _refuse(exchange, 401, "The base URL has to be the one that the server told when it started.")
        else:
            await _answered(answer, exchange)
        going_on = exchange.open


async def _answered(answer: Callable[[Exchange], Awaitable[None]], exchange: Exchange) -> None:
    try:
        await answer(exchange)
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s %s could not be answered", exchange.method, exchange.path)
        if exchange.begun:
            exchange.cut()
        else:
            await _refuse(exchange, 500, "The server made a mistake; its log has the details.")


async def _refuse(exchange: Exchange, status: int, message: str) -> None:
    kind = next((kind for kind, number in STATUS.items() if number == status), "invalid_request_error")
    request_id = f"req_{secrets.token_hex(12)}"
    error = ApiError(kind, message, status=status)
    await exchange.whole(status, error.body(request_id), {"request-id": request_id})
