"""Frame LSP messages, and read framed ones from blocking and from asyncio streams."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def frame(message: object) -> bytes:
    """The message with its header."""
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def read_body(stream: IO[bytes]) -> bytes:
    """Read the body of the next message. Raises EOFError where the stream ends before it."""
    length = 0
    while (line := stream.readline()) != b"\r\n":
        length = _length(line, length)
    return stream.read(length)


async def read_body_async(reader: asyncio.StreamReader) -> bytes:
    """Read the body of the next message. Raises EOFError where the stream ends before it or in it."""
    length = 0
    while (line := await reader.readline()) != b"\r\n":
        length = _length(line, length)
    return await reader.readexactly(length)


def read_message(stream: IO[bytes]) -> dict[str, Any]:
    """Read the next message. Raises EOFError where the stream ends before it."""
    message: dict[str, Any] = json.loads(read_body(stream))
    return message


def _length(line: bytes, before: int) -> int:
    """Return the length that a line of a header gives, or else the one that was known before."""
    if not line:
        raise EOFError("the server closed the connection")
    name, _, value = line.partition(b":")
    return int(value) if name.lower() == b"content-length" else before
