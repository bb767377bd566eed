"""Record conversations: forward requests from loopback to the real Messages API, and write the answers as a script.

The script has only the model's messages, with the model's name, the prompt and the usage. It has no headers of requests
or answers, so no key. Only the person can read the file.
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
from mux_lsp.agents.replay.script import ScriptedConversation, Turn
from mux_lsp.agents.replay.script_writer import write
from mux_lsp.agents.replay.stream_reader import StreamReader, as_key, message_turn, whole_message
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

ANTHROPIC = "https://api.anthropic.com"

CONNECT_SECONDS = 30.0
"""Seconds in which the upstream has to accept a connection."""

ANSWER_SECONDS = 600.0
"""Seconds in which the upstream has to begin an answer. The official clients wait as long."""

# Headers that concern one connection only, or that are set anew because bodies are forwarded decompressed.
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
    """Forward to the API at `upstream`, and yield the base URL for clients. `file` is written after each answer.

    Raises UsageError if `upstream` is not an address or `file` cannot be created, OSError if the port is not available.
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
        """The value of the `host` header."""
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
    conversations: dict[tuple[str, str], ScriptedConversation] = field(default_factory=dict)
    """Conversations by model and prompt. Each request contains its conversation from the start, so the latest is kept.
    """
    turns: dict[str, Turn] = field(default_factory=dict)
    """Recorded turns by their content (`as_key`): later requests contain neither their usage nor their stop reason."""

    async def answer(self, exchange: Exchange) -> None:
        """Forward one request and its answer."""
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
                # Recorded before it is forwarded: a client may leave as soon as it has received the end.
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
        """Write the conversation to the file. If a script cannot represent it, it is omitted and a warning logged."""
        try:
            turn = message_turn(message)
            self.turns[as_key(turn)] = turn
            earlier = (message_turn({"content": answer}) for answer in request.answers)
            turns = (*(self.turns.get(as_key(past), past) for past in earlier), turn)
            prompt = _prompt(request.first_message)
            self.conversations[request.model, prompt] = ScriptedConversation(
                model=request.model, contains=prompt or None, turn=turns
            )
            write_anew(self.file, write(self._ordered()).encode())
        except ValidationError as error:
            log.warning("an answer of %s cannot be recorded: %s", request.model, error)
        except OSError as error:
            log.warning("%s cannot be written: %s", self.file, error)

    def _ordered(self) -> list[ScriptedConversation]:
        """Return the conversations, longer prompts first: the first match is used, and a prompt may contain another."""
        return sorted(self.conversations.values(), key=lambda conversation: -len(conversation.contains or ""))


def _request_of(exchange: Exchange) -> ModelRequest | None:
    if (exchange.method, exchange.path) != ("POST", "/v1/messages"):
        return None
    try:
        return understand(read(exchange.body), len(exchange.body))
    except ApiError:
        return None


def _prompt(first_message: str) -> str:
    """Return the person's prompt: the last part of the first message that the agent did not add itself."""
    return next((part.strip() for part in reversed(_REMINDER.split(first_message)) if part.strip()), "")


def _forwarded(headers: Any, dropped: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION | dropped}
