"""The recorder: a server on loopback that forwards to the real Messages API and writes what was said as a script.

Only what the model said is written, with the name of the model, the prompt it was said to, and the tokens it took: no
header of a request or an answer, so no key. The file is its person's alone to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from mux_lsp.agents.files import write_anew
from mux_lsp.agents.replay import http1
from mux_lsp.agents.replay.http_server import Exchange, listen
from mux_lsp.agents.replay.messages_api import ApiError
from mux_lsp.agents.replay.request import ModelRequest, read, understand
from mux_lsp.agents.replay.script import Conversation, Turn
from mux_lsp.agents.replay.script_writer import write
from mux_lsp.agents.replay.stream_reader import StreamReader, as_key, message_turn, whole_message
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

ANTHROPIC = "https://api.anthropic.com"

CONNECT_SECONDS = 30.0
"""How long the upstream has to take a connection."""

ANSWER_SECONDS = 600.0
"""How long the upstream has to begin an answer, as long as the official clients wait."""

# What concerns one connection only, or what is said anew because bodies are forwarded unpacked.
_OF_THE_CONNECTION = {
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)


@contextlib.asynccontextmanager
async def record(file: Path, *, upstream: str = ANTHROPIC, port: int = 0) -> AsyncIterator[str]:
    """Forwards to the API at `upstream`, and gives the base URL for clients. `file` is written after each answer.

    Raises UsageError where `upstream` is no address or `file` cannot be a new file, OSError where the port is taken.
    """
    address = _address(upstream)
    _check_new(file)
    async with listen(_Recorder(address, file).answer, port=port) as url:
        yield url


def _check_new(file: Path) -> None:
    if file.exists():
        raise UsageError(f"{file} exists already; name a new file to record to, or remove it.")
    if not file.parent.is_dir():
        raise UsageError(f"{file} cannot be written: there is no folder {file.parent}.")


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None

    @property
    def name(self) -> str:
        """What the `host` header says."""
        return self.host if self.port in {80, 443} else f"{self.host}:{self.port}"


def _address(url: str) -> _Address:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
        raise UsageError(f"{url!r} is not the address of a server: write https://HOST or http://HOST:PORT.")
    secure = parts.scheme == "https"
    tls = ssl.create_default_context() if secure else None
    return _Address(parts.hostname, port or (443 if secure else 80), parts.path.rstrip("/"), tls)


@dataclass(slots=True)
class _Recorder:
    address: _Address
    file: Path
    conversations: dict[tuple[str, str], Conversation] = field(default_factory=dict)
    """By model and prompt. A conversation is as the latest of its requests tells it: each tells it from the start."""
    turns: dict[str, Turn] = field(default_factory=dict)
    """Turns that were heard, by what was said in them: requests tell neither their tokens nor how they ended."""

    async def answer(self, exchange: Exchange) -> None:
        """Forwards one request and its answer."""
        reader, writer = await self._connect(exchange)
        try:
            await self._forward(exchange, reader, writer)
        except ConnectionError:
            raise
        except (OSError, http1.HttpError) as error:
            raise ConnectionAbortedError(f"{self.address.name} does not answer as it should: {error}") from error
        finally:
            writer.transport.abort()

    async def _connect(self, exchange: Exchange) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self.address
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(address.host, address.port, ssl=address.tls)
        except (OSError, TimeoutError) as error:
            message = f"The recorder cannot reach {address.name}: {str(error) or 'no answer'}."
            await exchange.whole(502, ApiError("api_error", message).body("req_recorder"), {})
            raise ConnectionAbortedError(message) from error

    async def _forward(self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = exchange.request
        kept = _forwarded(request.headers, {"content-encoding"})
        headers = {"host": self.address.name, **kept, "accept-encoding": "identity", "connection": "close"}
        headers["content-length"] = str(len(request.body))
        target = f"{self.address.path}{exchange.path}" + (f"?{exchange.query}" if exchange.query else "")
        async with asyncio.timeout(ANSWER_SECONDS):
            sent = http1.Request(request.method, target, headers, request.body, keep_alive=False)
            answer = await http1.ask(reader, writer, sent)
        model_request = _request_of(exchange) if answer.status == 200 else None
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            await exchange.begin_stream(answer.status, _forwarded(answer.headers, set()))
            heard = StreamReader()
            async for piece in answer.body():
                # Kept before it is sent on: a client may go away as soon as it has seen the end.
                heard.feed(piece)
                if heard.ended and model_request is not None:
                    self._keep(model_request, heard.message)
                    model_request = None
                await exchange.send(http1.chunk(piece))
            await exchange.end_stream()
        else:
            body = b"".join([piece async for piece in answer.body()])
            if model_request is not None:
                self._keep(model_request, whole_message(body))
            await exchange.whole(answer.status, body, _forwarded(answer.headers, set()))

    def _keep(self, request: ModelRequest, message: dict[str, Any]) -> None:
        """Writes what was said to the file. What cannot be told as a script is left out, with a line in the log."""
        try:
            turn = message_turn(message)
            self.turns[as_key(turn)] = turn
            earlier = (message_turn({"content": answer}) for answer in request.answers)
            turns = (*(self.turns.get(as_key(past), past) for past in earlier), turn)
            prompt = _prompt(request.first_message)
            self.conversations[request.model, prompt] = Conversation(
                model=request.model, contains=prompt or None, turn=turns
            )
            write_anew(self.file, write(self._ordered()).encode())
        except ValidationError as error:
            log.warning("an answer of %s cannot be recorded: %s", request.model, error)
        except OSError as error:
            log.warning("%s cannot be written: %s", self.file, error)

    def _ordered(self) -> list[Conversation]:
        """The conversations so that the first that fits is the right one: a prompt may be part of another."""
        return sorted(self.conversations.values(), key=lambda conversation: -len(conversation.contains or ""))


def _request_of(exchange: Exchange) -> ModelRequest | None:
    if (exchange.method, exchange.path) != ("POST", "/v1/messages"):
        return None
    try:
        return understand(read(exchange.body), len(exchange.body))
    except ApiError:
        return None


def _prompt(first_message: str) -> str:
    """What the person asked for: the last of the first message that is not an agent's own addition."""
    return next((part.strip() for part in reversed(_REMINDER.split(first_message)) if part.strip()), "")


def _forwarded(headers: Any, dropped: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION | dropped}
