"""One client's connection: what comes in is checked before a language server sees it, what goes out is bounded.

A `ClientReader` gives only whole, well-formed messages, so that the reading loop behind it cannot fail. A
`ClientWriter` never blocks and drops a client that does not read. Whatever a client does, it does to itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 64 * 1024 * 1024
"""Bytes that one message may have. No text that a person edits comes near."""

HEADER_LINES = 16
"""Header fields that one message may have. LSP knows two."""

WAITING_LIMIT = 16 * 1024 * 1024
"""Bytes that may wait for a client to read them, beside one message of any size, before more is refused and the client
dropped."""

STALLED_SECONDS = 30.0
"""How long a client may read nothing of what waits for it."""

_PARSE_ERROR, _INVALID_REQUEST = -32700, -32600


class _MalformedError(Exception):
    """The framing is broken: what follows cannot be told apart any more."""


class ClientWriter:
    """The way out to one client. `write` takes whole framed messages and returns at once."""

    def __init__(
        self,
        stream: asyncio.StreamWriter,
        name: str,
        *,
        waiting_limit: int = WAITING_LIMIT,
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self._stream = stream
        self._transport = stream.transport
        self._name = name
        self._waiting_limit = waiting_limit
        self._stalled_seconds = stalled_seconds
        self._pending: list[bytes] = []
        """What is sent with the next turn of the loop, in one call of the system for all that this one brings."""
        self._written = 0
        self._taken = 0
        self._largest = 0
        """Bytes of the largest message since nothing waited: who has asked for it takes a while to read it."""
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """Sends the bytes when the client takes them. After the connection's end they go nowhere, silently."""
        if self._transport.is_closing():
            return
        waiting = self._waiting()
        if waiting > self._waiting_limit + self._largest:
            self._drop(f"does not read: {waiting} bytes wait for it")
            return
        self._largest = max(self._largest, len(data)) if waiting else len(data)
        self._written += len(data)
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._send)
        self._pending.append(data)

    def close(self) -> None:
        """Ends the connection once the client has taken what waits."""
        self._send()
        self._transport.close()

    async def closed(self, seconds: float) -> None:
        """Waits until the connection has ended, and breaks it off after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._stream.wait_closed()
        except TimeoutError:
            self._transport.abort()
        except OSError:  # the client has broken the connection, which ends it just as well
            pass
        finally:
            self._stop_watching()

    def _send(self) -> None:
        pending, self._pending = self._pending, []
        if pending and not self._transport.is_closing():
            self._transport.write(b"".join(pending))
            if self._timer is None and self._waiting():
                self._watch()

    def _waiting(self) -> int:
        return self._transport.get_write_buffer_size() + sum(map(len, self._pending))

    def _watch(self) -> None:
        self._taken = self._written - self._waiting()
        self._timer = asyncio.get_running_loop().call_later(self._stalled_seconds, self._check_progress)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_progress(self) -> None:
        self._timer = None
        waiting = self._waiting()
        if not waiting:
            return
        if self._written - waiting == self._taken:
            self._drop(f"has read nothing for {self._stalled_seconds:g} s: {waiting} bytes wait for it")
            return
        self._watch()

    def _drop(self, reason: str) -> None:
        log.warning("%s dropped: it %s", self._name, reason)
        self._stop_watching()
        self._transport.abort()


class ClientReader:
    """The way in from one client, in the shape that pygls reads: `readline` and `readexactly`.

    Gives each message as one `Content-Length` line, an empty line and a body that is a JSON-RPC object. A body that is
    not is answered here; broken framing ends the connection, which reads as the end of the stream.
    """

    def __init__(self, stream: asyncio.StreamReader, writer: ClientWriter, name: str) -> None:
        self._stream = stream
        self._writer = writer
        self._name = name
        self._lines: list[bytes] = []
        self._body = b""
        self._ended = False
        self._scope: asyncio.Timeout | None = None

    async def readline(self) -> bytes:
        """The next line of a header, or nothing at the end of the stream."""
        if not self._lines:
            body = await self._next_message()
            if body is None:
                return b""
            self._body = body
            self._lines = [b"\r\n", b"Content-Length: %d\r\n" % len(body)]
        return self._lines.pop()

    async def readexactly(self, n: int) -> bytes:
        """The body that the header announced."""
        body, self._body = self._body[:n], self._body[n:]
        return body

    def end(self) -> None:
        """Lets the stream end here, so that the session behind it closes in its own order."""
        self._ended = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def _next_message(self) -> bytes | None:
        while not self._ended:
            try:
                async with asyncio.timeout(None) as self._scope:  # `end` gives it its time
                    body = await self._receive()
            except TimeoutError:
                return None
            except (OSError, asyncio.IncompleteReadError, _MalformedError) as error:
                log.warning("%s dropped: %s", self._name, _reason(error))
                return None
            finally:
                self._scope = None
            if body is None or self._is_message(body):
                return body
        return None

    async def _receive(self) -> bytes | None:
        """The next body, or None if the client closed its side between two messages."""
        length: int | None = None
        for count in range(HEADER_LINES + 1):
            try:
                line = await self._stream.readline()
            except ValueError as error:  # longer than the stream's limit
                raise _MalformedError("a header line without an end") from error
            if not line and not count:
                return None
            if not line.endswith(b"\n"):
                raise _MalformedError("it closed the connection in the middle of a message")
            if not line.strip():
                if length is None:
                    raise _MalformedError("a message without Content-Length")
                return await self._stream.readexactly(length)
            name, colon, value = line.partition(b":")
            if not colon:
                raise _MalformedError(f"not a header: {line[:40]!r}")
            if name.strip().lower() == b"content-length":
                length = _length(value.strip())
        raise _MalformedError(f"more than {HEADER_LINES} header lines")

    def _is_message(self, body: bytes) -> bool:
        """Whether the body is a JSON-RPC message. If not, the client is told so."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, _PARSE_ERROR, "the message is not JSON")
            return False
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self._refuse(None, _INVALID_REQUEST, "the message is not a JSON-RPC 2.0 object")
            return False
        number = message.get("id")
        if isinstance(number, bool) or not isinstance(number, int | str | None):
            self._refuse(None, _INVALID_REQUEST, "the message's id is neither a number nor a string")
            return False
        if "method" in message:
            if isinstance(message["method"], str):
                return True
        elif "id" in message and ("result" in message or "error" in message):
            return True
        self._refuse(number, _INVALID_REQUEST, "the message is no request, notification or response")
        return False

    def _refuse(self, number: int | str | None, code: int, sentence: str) -> None:
        log.warning("%s: %s", self._name, sentence)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": sentence}}
        body = json.dumps(answer).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        raise _MalformedError(f"not a length: {value[:40]!r}")
    length = int(value)
    if length > MESSAGE_LIMIT:
        raise _MalformedError(f"a message of {length} bytes, more than {MESSAGE_LIMIT}")
    return length


def _reason(error: Exception) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection in the middle of a message"
    return str(error)
