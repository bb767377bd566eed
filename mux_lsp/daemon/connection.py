"""Check and parse what one client sends, and bound what is sent to it.

A `ClientReader` returns only complete, well-formed messages, so that the loop that reads them cannot fail. A
`ClientWriter` never blocks, and drops a client that does not read. A client's errors affect only itself.
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
"""Maximum bytes of a message with the text of a document. No text that a user edits is that large."""

MESSAGE_LIMIT = 8 * 1024 * 1024
"""Maximum bytes of every other message."""

LARGE_MESSAGE_BYTES = 64 * 1024
"""Bytes from which on a message is parsed in a thread, since it would block the other clients."""

_readers = ThreadPoolExecutor(4, "large-message")
"""Threads that parse large messages. Separate from the default threads, which four of these would occupy."""

MAX_HEADER_LINES = 16
"""Maximum number of header fields of one message. LSP has two."""

WAITING_LIMIT = 16 * 1024 * 1024
"""Maximum bytes that wait for a client to read them, in addition to one message of any size.

Beyond that, the client is dropped.
"""

STALLED_SECONDS = 30.0
"""Seconds for which a client may read nothing while data waits for it."""

_PIECE_BYTES = 256 * 1024
"""Bytes of a message that are skipped at a time."""

_PARSE_ERROR, _INVALID_REQUEST, _INVALID_PARAMS = -32700, -32600, -32602


class _MalformedError(Exception):
    """The framing is broken: the following messages cannot be separated any more."""


class ClientWriter:
    """The output to one client. `write` takes complete framed messages and returns at once."""

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
        """Data to send in the next turn of the event loop, with one system call for all messages of this turn."""
        self._written = 0
        self._taken = 0
        self._largest = 0
        """Bytes of the largest message since the buffer was empty, which its client takes a while to read."""
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """Send the bytes when the client reads them. After the connection's end they are dropped silently."""
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
        """End the connection once the client has read what waits for it."""
        self._send()
        self._transport.close()

    async def closed(self, seconds: float) -> None:
        """Wait until the connection has ended, and abort it after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._stream.wait_closed()
        except TimeoutError:
            self._transport.abort()
        except OSError:  # the client has broken the connection, which also ends it
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
    """A queue in which new clients are served one at a time, in the order of their arrival.

    The start of a session and its first message take longer than all later requests. Two hundred of them at once would
    make every client wait for all of them, since an event loop runs all that is ready before it polls again.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for a turn. It lasts until the caller waits for something else."""
        await self._lock.acquire()
        asyncio.get_running_loop().call_soon(self._lock.release)


class ClientReader:
    """The input from one client: its messages, one after the other.

    It returns only JSON-RPC objects. It answers any other body with an error, as well as a message that is too large,
    and keeps only the beginning of the latter. Broken framing ends the connection, like the end of the stream.

    The first message is returned when it is the client's turn.
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
        """Return the next message and the size of its body in bytes, or None at the end of the stream."""
        while not self._ended:
            try:
                async with asyncio.timeout(None) as self._scope:  # `end` sets the time
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
        """End the stream here, so that the session that reads it closes in its own order."""
        self._ended = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def _receive(self) -> bytes | None:
        """Receive the next body that is not too large, or None if the client closed its side between two messages."""
        while (length := await self._receive_header()) is not None:
            if length <= MESSAGE_LIMIT:
                return await self._stream.readexactly(length)
            if (body := await self._receive_large(length)) is not None:
                return body
        return None

    async def _receive_large(self, length: int) -> bytes | None:
        """Receive a body over `MESSAGE_LIMIT` if it may have a document's text. Skip and refuse any other."""
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
                rest -= len(piece := await self._stream.read(min(rest, _PIECE_BYTES)))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", rest)
        sentence = (
            f"the message has {length:,} bytes and was not read: {MESSAGE_LIMIT:,} is the most for one that does not "
            "have the text of a document"
        )
        self._refuse(last.id if first.id is None else first.id, _INVALID_PARAMS, sentence)
        return None

    async def _receive_header(self) -> int | None:
        """Receive the length of the next body, or None if the client closed its side between two messages."""
        length: int | None = None
        for count in range(MAX_HEADER_LINES + 1):
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
        raise _MalformedError(f"more than {MAX_HEADER_LINES} header lines")

    async def _read(self, body: bytes) -> dict[str, Any] | None:
        """Parse a body as a JSON-RPC message. Answer with an error if it is not one, and return None."""
        try:
            if len(body) < LARGE_MESSAGE_BYTES:
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
