"""As much of HTTP/1.1 as the Messages API takes, on asyncio's streams, for the replay server and the recorder.

The other end may be anything on this machine, so heads and bodies have limits, and whoever reads sets a time limit.
"""

from __future__ import annotations

import asyncio
import http
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

HEAD_LIMIT = 128 * 1024
"""How long the head of a request or an answer may be, in bytes; also what a stream's reader has to be made with."""

BODY_LIMIT = 64 * 1024 * 1024
"""How long the body of a request may be, in bytes, packed and unpacked."""

STUCK_SECONDS = 60.0
"""How long the other end may take nothing of what is sent to it."""

LAST_CHUNK = b"0\r\n\r\n"


class HttpError(Exception):
    """The other end does not speak HTTP as we know it, or says too much. The message is for the person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """The first line's three words and the headers, by their names in lower case."""

    words: tuple[str, str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. `target` is as it was sent, with its query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection, None at its end. Raises HttpError, and ConnectionError for one that is cut."""
    head = await read_head(reader)
    if head is None:
        return None
    method, target, version = head.words
    if version not in {"HTTP/1.1", "HTTP/1.0"}:
        raise HttpError(505, f"{version} is not spoken here, HTTP/1.1 is")
    if head.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    if "content-length" in head.headers or "transfer-encoding" in head.headers:
        async for piece in read_body(reader, head.headers):
            body += piece
            if len(body) > BODY_LIMIT:
                raise HttpError(413, f"the request is longer than {BODY_LIMIT} bytes")
    connection = head.headers.get("connection", "").lower()
    keep_alive = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
    return Request(method, target, head.headers, _unpacked(bytes(body), head.headers), keep_alive)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The head of a request or an answer, None where the connection ended instead. Raises as `read_request` does."""
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as cut:
        if cut.partial.strip():
            raise ConnectionResetError("the connection ended inside a head") from cut
        return None
    except asyncio.LimitOverrunError as error:
        raise HttpError(431, f"the head is longer than {HEAD_LIMIT} bytes") from error
    first, *lines = block.decode("latin-1").strip("\r\n").split("\r\n")
    words = first.split(" ", 2)
    if len(words) == 2 and words[0].startswith("HTTP/"):
        words.append("")
    if len(words) != 3:
        raise HttpError(400, "the first line is not one of HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError(400, "a header is not a name, a colon and a value")
        headers[name.lower()] = value.strip()
    return Head((words[0], words[1], words[2]), headers)


async def read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
    """The body piece by piece, as it comes: chunked, of a told length, or up to the connection's end."""
    coding = headers.get("transfer-encoding", "").lower()
    try:
        if coding == "chunked":
            while size := _size((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                yield (await reader.readexactly(size + 2))[:-2]
            while (await reader.readuntil(b"\r\n")) != b"\r\n":
                pass
        elif coding:
            raise HttpError(501, f"the transfer encoding {coding} is not known")
        elif "content-length" in headers:
            left = _size(headers["content-length"].encode("latin-1"), 10)
            while left:
                piece = await reader.read(min(left, 1 << 20))
                if not piece:
                    raise ConnectionResetError("the connection ended inside a body")
                left -= len(piece)
                yield piece
        else:
            while piece := await reader.read(1 << 16):
                yield piece
    except asyncio.IncompleteReadError as cut:
        raise ConnectionResetError("the connection ended inside a body") from cut
    except asyncio.LimitOverrunError as error:
        raise HttpError(400, "a line of a chunked body has no end") from error


def _size(text: bytes, base: int) -> int:
    try:
        size = int(text.strip().decode("ascii"), base)
    except ValueError:
        raise HttpError(400, "the length of a body is not a number") from None
    if not 0 <= size <= BODY_LIMIT:
        raise HttpError(413, f"a body of {size} bytes is longer than {BODY_LIMIT}")
    return size


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
    """A head as it is sent."""
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def status_line(status: int) -> str:
    """The first line of an answer. 529 is the API's own: overloaded."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Overloaded" if status == 529 else "Unknown"
    return f"HTTP/1.1 {status} {phrase}"


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body as it is sent."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Sends, no faster than the other end takes it. Raises ConnectionError when that is gone or stuck."""
    writer.write(data)
    if writer.is_closing():
        raise ConnectionResetError("the connection is closed")
    if not writer.transport.get_write_buffer_size():
        return  # The usual case, and a time limit would cost more than the sending.
    try:
        async with asyncio.timeout(STUCK_SECONDS):
            await writer.drain()
    except TimeoutError:
        raise ConnectionAbortedError(f"nothing was taken for {STUCK_SECONDS:g} seconds") from None
