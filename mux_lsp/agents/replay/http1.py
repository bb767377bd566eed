"""Read and write HTTP/1.1 on asyncio's streams, for the replay server and the recorder.

h11 parses what the other end sends. Any program on this machine can connect, so heads and bodies are limited in size,
and callers that read set a time limit. Answers of the replay server are written here, because h11 refuses to write the
faulty ones.
"""

from __future__ import annotations

import asyncio
import http
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import h11

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

HEAD_LIMIT = 128 * 1024
"""Maximum length of a head, in bytes."""

BODY_LIMIT = 64 * 1024 * 1024
"""Maximum length of a request's body, in bytes, packed and unpacked."""

STUCK_SECONDS = 60.0
"""Seconds in which the other end has to accept some of the data that is sent to it."""

LAST_CHUNK = b"0\r\n\r\n"

_PIECE: Final = 1 << 16
"""Maximum number of bytes that are read from a connection at once."""


class HttpError(Exception):
    """Invalid or unsupported HTTP from the other end, or a message above the limits. The text is for the person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A complete request. `target` is unchanged, with its query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool


class Requests:
    """The requests of one connection, one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._rest = b""
        """Bytes of the next request that came with the last one."""

    async def next(self) -> Request | None:
        """Return the next request, or None at the end. Raises HttpError, and ConnectionError if it is incomplete."""
        # One h11 connection for each request: h11 does not read the next one before it has written an answer to the
        # last one.
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        if self._rest:
            connection.receive_data(self._rest)
        head = await _event(connection, self._reader)
        if not isinstance(head, h11.Request):
            return None
        headers = _by_name(head.headers)
        _check_length(int(headers.get("content-length", 0)))
        if connection.they_are_waiting_for_100_continue:
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        async for piece in _body(connection, self._reader):
            body += piece
            _check_length(len(body))
        self._rest, _ = connection.trailing_data
        keep_alive = connection.their_state is h11.DONE
        method, target = head.method.decode("ascii"), head.target.decode("latin-1")
        return Request(method, target, headers, _unpacked(bytes(body), headers), keep_alive)


class Answer:
    """The answer to a request that was sent to a server: its status and headers, then its body."""

    def __init__(self, connection: h11.Connection, reader: asyncio.StreamReader, head: h11.Response) -> None:
        self.status = head.status_code
        self.headers = _by_name(head.headers)
        self._connection = connection
        self._reader = reader

    def body(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces as they arrive. Raises HttpError, and ConnectionError if the body is incomplete."""
        return _body(self._connection, self._reader)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> Answer:
    """Send a request, and return its answer as soon as its head has arrived. Raises HttpError and ConnectionError."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
    try:
        head = h11.Request(method=request.method, target=request.target, headers=list(request.headers.items()))
        sent = [connection.send(event) for event in (head, h11.Data(data=request.body), h11.EndOfMessage())]
    except h11.LocalProtocolError as error:
        raise HttpError(400, f"the request cannot be sent on: {error}") from error
    await send(writer, b"".join(part for part in sent if part))
    while isinstance(event := await _event(connection, reader), h11.InformationalResponse):
        pass
    if not isinstance(event, h11.Response):
        raise ConnectionResetError("the connection ended without an answer")
    return Answer(connection, reader, event)


async def _event(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Event | type[h11.PAUSED]:
    try:
        while isinstance(event := connection.next_event(), type) and event is not h11.PAUSED:  # h11.NEED_DATA
            connection.receive_data(await reader.read(_PIECE))
    except h11.RemoteProtocolError as error:
        _, is_closed = connection.trailing_data
        if is_closed:
            raise ConnectionResetError("the connection ended inside a message") from error
        raise HttpError(error.error_status_hint, str(error)) from error
    return event


async def _body(connection: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while isinstance(event := await _event(connection, reader), h11.Data):
        yield bytes(event.data)


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in headers}


def _check_length(length: int) -> None:
    if length > BODY_LIMIT:
        raise HttpError(413, f"the request is longer than {BODY_LIMIT} bytes")


def _unpacked(body: bytes, headers: Mapping[str, str]) -> bytes:
    coding = headers.get("content-encoding", "identity").lower()
    if coding == "identity":
        return body
    if coding != "gzip":
        raise HttpError(415, f"the content encoding {coding} is not known; gzip is")
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacking.decompress(body, BODY_LIMIT)
    except zlib.error:
        raise HttpError(400, "the body is not valid gzip") from None
    if unpacking.unconsumed_tail:
        raise HttpError(413, f"the request is longer than {BODY_LIMIT} bytes")
    if not unpacking.eof:
        raise HttpError(400, "the body is not the whole of a gzip file")
    return unpacked


def encode_head(first: str, headers: Mapping[str, str]) -> bytes:
    """Return an encoded head."""
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def status_line(status: int) -> str:
    """Return the first line of an answer. Status 529 (Overloaded) is specific to the API."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Overloaded" if status == 529 else "Unknown"
    return f"HTTP/1.1 {status} {phrase}"


def chunk(data: bytes) -> bytes:
    """Return an encoded chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send data, no faster than the other end accepts it. Raises ConnectionError if the other end is gone or stuck."""
    writer.write(data)
    if writer.is_closing():
        raise ConnectionResetError("the connection is closed")
    if not writer.transport.get_write_buffer_size():
        return  # The usual case, in which a time limit would cost more than the sending.
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            await writer.drain()
    except TimeoutError:
        raise ConnectionAbortedError(f"nothing was taken for {STUCK_SECONDS:g} seconds") from None
