"""One client's connection: what comes in is checked before a language server sees it, what goes out is bounded.

A `ClientReader` gives only whole, well-formed messages, so that the reading loop behind it cannot fail. A
`ClientWriter` never blocks and drops a client that does not read. Whatever a client does, it does to itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mux_lsp.daemon import bodies

log = logging.getLogger(__name__)

DOCUMENT_LIMIT = 64 * 1024 * 1024
"""Maximum bytes of a message with the text of a document. No text that a person edits comes near."""

MESSAGE_LIMIT = 8 * 1024 * 1024
"""Maximum bytes of every other message."""

LARGE = 64 * 1024
"""Bytes from which on a message is read in a thread: it would hold up the other clients."""

_readers = ThreadPoolExecutor(4, "large-message")
"""Reads large messages. Not the threads of everybody, which would all wait for four of these."""

HEADER_LINES = 16
"""Header fields that one message may have. LSP knows two."""

WAITING_LIMIT = 16 * 1024 * 1024
"""Bytes that may wait for a client to read them, beside one message of any size, before more is refused and the client
dropped."""

STALLED_SECONDS = 30.0
"""How long a client may read nothing of what waits for it."""

_PIECE = 256 * 1024
"""Bytes of a message that are passed over at a time."""

_PARSE_ERROR, _INVALID_REQUEST, _INVALID_PARAMS = -32700, -32600, -32602


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


class Turnstile:
    """Lets one newcomer at a time be worked for, in the order in which they come.

    A session that begins, and its first message, take longer than all that a client asks later. Two hundred of them at
    once would have everybody wait for all, since an event loop does all that is ready before it looks again.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for a turn: it lasts until whoever has it waits for something else."""
        await self._lock.acquire()
        asyncio.get_running_loop().call_soon(self._lock.release)


class ClientReader:
    """The way in from one client: its messages, one after the other.

    Gives only JSON-RPC objects. A body that is none is answered here, and so is a message that is too large, of which
    no more is kept than its beginning; broken framing ends the connection, which reads as the end of the stream.

    The first message comes when it is its client's turn.
    """

    def __init__(self, stream: asyncio.StreamReader, writer: ClientWriter, newcomers: Turnstile, name: str) -> None:
        self._stream = stream
        self._writer = writer
        self._newcomers = newcomers
        self._name = name
        self._first = True
        self._ended = False
        self._scope: asyncio.Timeout | None = None

    async def message(self) -> tuple[dict[str, Any], int] | None:
        """The next message and the bytes that its body had, or None at the end of the stream."""
        while not self._ended:
            try:
                async with asyncio.timeout(None) as self._scope:  # `end` gives it its time
                    body = await self._receive()
                    if body is None:
                        return None
                    found = await self._read(body)
                    if self._first:
                        await self._newcomers.turn()
                    self._first = False
            except TimeoutError:
                return None
            except (OSError, asyncio.IncompleteReadError, _MalformedError) as error:
                log.warning("%s dropped: %s", self._name, _reason(error))
                return None
            finally:
                self._scope = None
            if found is not None:
                return found, len(body)
        return None

    def end(self) -> None:
        """Lets the stream end here, so that the session behind it closes in its own order."""
        self._ended = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def _receive(self) -> bytes | None:
        """The next body that is not too large, or None if the client closed its side between two messages."""
        while (length := await self._receive_header()) is not None:
            if length <= MESSAGE_LIMIT:
                return await self._stream.readexactly(length)
            if (body := await self._receive_large(length)) is not None:
                return body
        return None

    async def _receive_large(self, length: int) -> bytes | None:
        """A body over `MESSAGE_LIMIT` if it may have a document's text. Any other is passed over, and refused."""
        head = await self._stream.readexactly(bodies.END)
        first, rest = bodies.first_members(head), length - len(head)
        if first.method is None or first.method in bodies.DOCUMENT_METHODS:
            body = head + await self._stream.readexactly(rest)
            last = bodies.last_members(body[-bodies.END :])
            if (first.method or last.method) in bodies.DOCUMENT_METHODS:
                return body
        else:
            last = bodies.last_members(b"")
            while rest:
                rest -= len(piece := await self._stream.read(min(rest, _PIECE)))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", rest)
        sentence = (
            f"the message has {length:,} bytes and was not read: {MESSAGE_LIMIT:,} is the most for one that does not "
            "have the text of a document"
        )
        self._refuse(last.id if first.id is None else first.id, _INVALID_PARAMS, sentence)
        return None

    async def _receive_header(self) -> int | None:
        """The length of the next body, or None if the client closed its side between two messages."""
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
                return length
            name, colon, value = line.partition(b":")
            if not colon:
                raise _MalformedError(f"not a header: {line[:40]!r}")
            if name.strip().lower() == b"content-length":
                length = _length(value.strip())
        raise _MalformedError(f"more than {HEADER_LINES} header lines")

    async def _read(self, body: bytes) -> dict[str, Any] | None:
        """The JSON-RPC message that the body is. If it is none, the client is told so."""
        try:
            if len(body) < LARGE:
                message = bodies.parse(body)
            else:
                message = await asyncio.get_running_loop().run_in_executor(_readers, bodies.parse_patiently, body)
        except (ValueError, RecursionError):
            self._refuse(None, _PARSE_ERROR, "the message is not JSON")
            return None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self._refuse(None, _INVALID_REQUEST, "the message is not a JSON-RPC 2.0 object")
            return None
        number, method = message.get("id"), message.get("method")
        if isinstance(number, bool) or not isinstance(number, int | str | None):
            self._refuse(None, _INVALID_REQUEST, "the message's id is neither a number nor a string")
        elif isinstance(number, str) and len(number) > bodies.ID_LIMIT:
            self._refuse(None, _INVALID_REQUEST, f"the message's id has more than {bodies.ID_LIMIT} characters")
        elif isinstance(method, str) and len(method) > bodies.METHOD_LIMIT:
            self._refuse(number, _INVALID_REQUEST, f"the method's name has more than {bodies.METHOD_LIMIT} characters")
        elif isinstance(method, str) or (
            "method" not in message and "id" in message and ("result" in message or "error" in message)
        ):
            return message
        else:
            self._refuse(number, _INVALID_REQUEST, "the message is no request, notification or response")
        return None

    def _refuse(self, number: int | str | None, code: int, sentence: str) -> None:
        log.warning("%s: %s", self._name, sentence)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": sentence}}
        body = json.dumps(answer).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


def _length(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:
        raise _MalformedError(f"not a length: {value[:40]!r}")
    length = int(value)
    if length > DOCUMENT_LIMIT:
        raise _MalformedError(f"a message of {length} bytes, more than {DOCUMENT_LIMIT}")
    return length


def _reason(error: Exception) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection in the middle of a message"
    return str(error)
