"""Exchange messages over an agent's standard streams: one JSON object a line. Invalid lines do no harm.

The library's own reader stops at the first line that is JSON but not an object, and logs a traceback for each that is
not JSON. It accepts any object that can send and receive messages, such as `Wire`.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from acp.schema import SessionNotification
from pydantic import ValidationError

from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mux_lsp.agents.process import Pipes

MAX_LINE_BYTES: Final = 1 << 25
"""Maximum size of a message in bytes. Agents send whole files in them."""

_BUFFER: Final = 1 << 18
_HEAD: Final = 300
_UPDATE: Final = "session/update"


class Wire:
    """The connection that sends and receives the messages of one agent.

    Updates are not passed to the library, which would start a task for each. `hear` gets them one after the other, and
    each before the answer that follows it. `odd` gets the lines that are not messages.
    """

    def __init__(self, hear: Callable[[SessionNotification], None], odd: Callable[[str], None]) -> None:
        self._hear = hear
        self._odd = odd
        self.broken: Exception | None = None
        """The error that ended reading; None if the agent has closed its output, or reading goes on."""
        self._reader = asyncio.StreamReader(limit=_BUFFER)
        self._reading: asyncio.ReadTransport
        self._writer: asyncio.StreamWriter

    @classmethod
    async def over(cls, pipes: Pipes, hear: Callable[[SessionNotification], None], odd: Callable[[str], None]) -> Wire:
        """Return a connection over a process's pipes, which `close` then closes."""
        loop = asyncio.get_running_loop()
        wire = cls(hear, odd)
        reading = asyncio.StreamReaderProtocol(wire._reader)
        wire._reading, _ = await loop.connect_read_pipe(lambda: reading, pipes.output)
        writing = asyncio.StreamReaderProtocol(asyncio.StreamReader())
        transport, _ = await loop.connect_write_pipe(lambda: writing, pipes.input)
        wire._writer = asyncio.StreamWriter(transport, writing, None, loop)
        return wire

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message. Raises OSError if the agent no longer reads."""
        self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """Return the next request or answer of the agent; None at the end."""
        try:
            while (line := await self._line()) is not None:
                message = read_message(line)
                if message is None:
                    if text := line.decode(errors="replace").strip():
                        self._odd(text)
                elif "method" not in message or "id" in message:
                    return message
                elif message["method"] == _UPDATE:
                    self._update(message, line)
        except Exception as error:  # raised where the connection is used
            self.broken = error
        return None

    async def close(self) -> None:
        """Close both ends. Data not sent yet is lost."""
        if not self._writer.is_closing():
            self._writer.transport.abort()
        self._reading.close()

    def _update(self, message: dict[str, Any], line: bytes) -> None:
        try:
            heard = SessionNotification.model_validate(message.get("params"))
        except ValidationError:
            self._odd(line.decode(errors="replace").strip())
        else:
            self._hear(heard)

    async def _line(self) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            try:
                part = await self._reader.readuntil(b"\n")
                whole = True
            except asyncio.LimitOverrunError as error:
                part = await self._reader.readexactly(error.consumed)
                whole = False
            except asyncio.IncompleteReadError as error:
                part = error.partial
                whole = True
                if not part and not parts:
                    return None
            size += len(part)
            if size <= MAX_LINE_BYTES or not parts:
                parts.append(part)
            if whole:
                return self._short_enough(b"".join(parts), size)

    def _short_enough(self, line: bytes, size: int) -> bytes:
        if size <= MAX_LINE_BYTES:
            return line
        if _UPDATE.encode() not in line[:_HEAD]:
            # It may be an answer, and the code that waits for it would wait for ever.
            raise AgentError(f"The agent sent a message of {size:,} bytes; at most {MAX_LINE_BYTES:,} are read.")
        return f"(an update of {size:,} bytes was left out: {line[:_HEAD].decode(errors='replace')}…)".encode()


def read_message(line: bytes) -> dict[str, Any] | None:
    """Parse a line as a JSON-RPC message. Return None if it is not one that can be answered or used."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    if not isinstance(message.get("id"), int | str | None) or not isinstance(message.get("method", ""), str):
        return None
    if "method" not in message and "id" not in message:
        return None
    if "error" in message and not isinstance(message["error"], dict):
        message["error"] = {"code": -32603, "message": str(message["error"])}
    return message
