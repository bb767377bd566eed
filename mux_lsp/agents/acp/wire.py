"""An agent's standard streams as messages: one JSON object a line, and nothing an agent writes there does harm.

The library's own reading of streams ends with the first line that is JSON but no object, and writes a traceback to the
log for each that is no JSON. It takes messages from anything that can send and receive them, which this does.
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

LONGEST: Final = 1 << 25
"""Bytes of a message that is read. Agents send whole files in them."""

_BUFFER: Final = 1 << 18
_HEAD: Final = 300
_UPDATE: Final = "session/update"


class Wire:
    """Sends and receives the messages of one agent.

    Updates are not given to the library: it would hand each to a task of its own, while `hear` gets them one after
    the other, and all before the answer that they came before. `odd` gets the lines that are no message.
    """

    def __init__(self, hear: Callable[[SessionNotification], None], odd: Callable[[str], None]) -> None:
        self._hear = hear
        self._odd = odd
        self.broken: Exception | None = None
        """Why no more is read, where it is not that the agent has closed its output."""
        self._reader = asyncio.StreamReader(limit=_BUFFER)
        self._reading: asyncio.ReadTransport
        self._writer: asyncio.StreamWriter

    @classmethod
    async def over(cls, pipes: Pipes, hear: Callable[[SessionNotification], None], odd: Callable[[str], None]) -> Wire:
        """The wire over a process's pipes, which `close` then closes."""
        loop = asyncio.get_running_loop()
        wire = cls(hear, odd)
        reading = asyncio.StreamReaderProtocol(wire._reader)
        wire._reading, _ = await loop.connect_read_pipe(lambda: reading, pipes.output)
        writing = asyncio.StreamReaderProtocol(asyncio.StreamReader())
        transport, _ = await loop.connect_write_pipe(lambda: writing, pipes.input)
        wire._writer = asyncio.StreamWriter(transport, writing, None, loop)
        return wire

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message. Raises OSError where the agent does not read any more."""
        self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next request or answer of the agent; None at the end."""
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
        except Exception as error:  # told where the connection is used
            self.broken = error
        return None

    async def close(self) -> None:
        """Close both ends. What has not been sent yet is lost."""
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
            if size <= LONGEST or not parts:
                parts.append(part)
            if whole:
                return self._short_enough(b"".join(parts), size)

    def _short_enough(self, line: bytes, size: int) -> bytes:
        if size <= LONGEST:
            return line
        if _UPDATE.encode() not in line[:_HEAD]:
            # It may be the answer to something: whoever waits for that would wait for ever.
            raise AgentError(f"The agent sent a message of {size:,} bytes; at most {LONGEST:,} are read.")
        return f"(an update of {size:,} bytes was left out: {line[:_HEAD].decode(errors='replace')}…)".encode()


def read_message(line: bytes) -> dict[str, Any] | None:
    """A line as the JSON-RPC message that it holds, or None where it holds none that could be answered or used."""
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
