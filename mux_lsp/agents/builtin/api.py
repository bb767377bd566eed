"""One request to the Messages API: streamed, tried again where that helps. The only place that imports the SDK."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.builtin.keys import is_on_this_machine
from mux_lsp.agents.events import Notice, TextPart, Usage
from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from anthropic import APIStatusError, AsyncAnthropic

    from mux_lsp.agents.backend import Host

log = logging.getLogger(__name__)

ATTEMPTS: Final = 8
"""How often one request is tried."""

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds before the second try, doubled for each further one, and at the most."""

CONNECT_SECONDS: Final = 30.0

STALL_SECONDS: Final = 180.0
"""A server that sends nothing for so long, not even a sign that it is alive, is given up and asked anew."""

BETAS: Final = ("context-management-2025-06-27", "compact-2026-01-12")

_TRIED_AGAIN: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 529})

_STATUS_IN_STREAM: Final = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
}
"""What an error that comes in the middle of a stream, behind a status of 200, would have been before it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said: content blocks in the API's own JSON, why it stopped, and what it took."""

    content: list[dict[str, Any]]
    stop_reason: str | None
    usage: Usage
    """Answers that broke off in the middle are in it, as far as the server told what they took."""


@dataclass(slots=True)
class Api:
    """The Messages API at one address, with one key and one model."""

    model: str
    base_url: str | None
    key: Callable[[], Awaitable[str]]
    """Gives the key. Called once, when the first request is made. Raises AgentError where there is none."""
    effort: str | None = None
    max_output: int = 32_000
    manages_context: bool = True
    """Whether the server is asked to keep the context inside the model's window."""
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    stall: float = STALL_SECONDS
    _client: AsyncAnthropic | None = field(default=None, init=False)
    _secret: str = field(default="", init=False, repr=False)

    async def ask(
        self,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        host: Host,
    ) -> Reply:
        """Have the model go on from these messages. Raises AgentError where it cannot, in words for a person."""
        lost = Usage()
        for number in range(1, ATTEMPTS + 1):
            try:
                reply = await self._managed(system, messages, tools, host)
            except _TryAgainError as error:
                if number == ATTEMPTS:
                    raise AgentError(f"{self._where} did not answer after {ATTEMPTS} tries: {error}.") from error
                lost = lost.plus(error.lost)
                seconds = _wait_for(number, error.headers)
                host.emit(Notice(f"The model did not answer ({error}); trying again in {seconds:.0f} s."))
            else:
                return replace(reply, usage=lost.plus(reply.usage))
            await self.wait(seconds)
        raise AssertionError

    async def close(self) -> None:
        """Close what connections there are."""
        if self._client is not None:
            await self._client.close()

    @property
    def _where(self) -> str:
        return self.base_url or (str(self._client.base_url) if self._client else "The Anthropic API")

    async def _managed(
        self,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        host: Host,
    ) -> Reply:
        """One try; where the server does not know how to manage a context, without that from then on."""
        try:
            return await self._try(system, messages, tools, host)
        except _ContextManagementRefusedError:
            self.manages_context = False
            host.emit(Notice("The server does not manage the context; the conversation goes on without that."))
            return await self._try(system, messages, tools, host)

    async def _try(
        self,
        system: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        host: Host,
    ) -> Reply:
        client = await self._connected()
        import anthropic
        import httpx2

        reading = _Reading(host)
        try:
            create = client.beta.messages.with_streaming_response.create
            async with create(**self._asked(system, messages, tools)) as response:
                async for event in _events(response.iter_bytes()):
                    if event.get("type") == "error":
                        raise anthropic.APIStatusError("error", response=response.http_response, body=event)
                    reading.take(event)
        except anthropic.APIStatusError as error:
            raise self._meant(error, reading) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise _TryAgainError(_cause(error), reading.usage()) from error
        except ValueError as error:
            raise _TryAgainError("what it sent is not JSON", reading.usage()) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise _TryAgainError("what it sent is out of order", reading.usage()) from error
        except anthropic.AnthropicError as error:
            raise AgentError(self._harmless(f"{self._where} could not be asked: {error}")) from error
        return reading.reply()

    def _asked(
        self, system: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self.model,
            "max_tokens": self.max_output,
            "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
            "messages": _with_cache_marks(messages),
            "tools": list(tools),
            "stream": True,
        }
        if self.effort is not None:
            asked["output_config"] = {"effort": self.effort}
        if self.manages_context:
            asked["betas"] = list(BETAS)
            asked["context_management"] = {
                "edits": [{"type": "clear_tool_uses_20250919"}, {"type": "compact_20260112"}]
            }
        return asked

    def _meant(self, error: APIStatusError, reading: _Reading) -> Exception:
        """What a refusal of the server means for the attempt."""
        status = _STATUS_IN_STREAM.get(_kind_of(error), error.status_code)
        said = self._harmless(_said(error))
        if status in _TRIED_AGAIN:
            return _TryAgainError(f"status {status}: {said}", reading.usage(), dict(error.response.headers))
        if self.manages_context and _is_about_context_management(status, said):
            return _ContextManagementRefusedError()
        if status in {401, 403}:
            return AgentError(f"{self._where} refused the key (status {status}): check where it comes from. {said}")
        if status == 404:
            return AgentError(f"{self._where} has no model {self.model!r}, or is no Messages API: {said}")
        if "prompt is too long" in said.lower() or status == 413:
            return AgentError(f"The conversation is longer than the model can take: {said}")
        return AgentError(f"{self._where} refused the request (status {status}): {said}")

    def _harmless(self, text: str) -> str:
        """What a server said, without the key, should it repeat that."""
        return text.replace(self._secret, "[key]") if self._secret else text

    async def _connected(self) -> AsyncAnthropic:
        if self._client is None:
            self._secret = await self.key()
            # A second or so, during which nobody else shall wait.
            await asyncio.to_thread(_import)
            import anthropic
            import httpx2

            timeout = httpx2.Timeout(self.stall, connect=CONNECT_SECONDS)
            # Retries are ours, so that they can be told; and no key but the one that was asked for is ever sent.
            self._client = anthropic.AsyncAnthropic(
                api_key=self._secret,
                auth_token=None,
                base_url=self.base_url,
                max_retries=0,
                timeout=timeout,
                # A server on this machine is not behind the proxy that the environment names.
                http_client=anthropic.DefaultAsyncHttpxClient(trust_env=False, timeout=timeout)
                if is_on_this_machine(self.base_url or os.environ.get("ANTHROPIC_BASE_URL", ""))
                else None,
            )
        return self._client


def _import() -> None:
    for name in ("anthropic", "anthropic.resources.beta", "anthropic.types.beta"):
        importlib.import_module(name)
    for name in ("anthropic", "httpx2", "httpcore2"):
        # The SDK's own loggers print requests whole where ANTHROPIC_LOG asks for that.
        logging.getLogger(name).setLevel(logging.WARNING)


class _TryAgainError(Exception):
    """The server did not answer, or not to the end, and may do better next time."""

    def __init__(self, reason: str, lost: Usage, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.lost = lost
        self.headers = headers or {}


class _ContextManagementRefusedError(Exception):
    """The server does not know context management."""


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The events of a stream, as plain JSON.

    The SDK would make an object of each, which takes longer than all the rest that happens to a piece of text.
    """
    rest = b""
    data: list[bytes] = []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:])
            elif data and not line.rstrip(b"\r"):
                event = json.loads(b"\n".join(data))
                data.clear()
                yield event


class _Reading:
    """Puts the events of a stream together to a message."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._blocks: dict[int, dict[str, Any]] = {}
        self._json: dict[int, list[str]] = {}
        self._stop_reason: str | None = None
        self._usage: dict[str, int] = {}
        self._ended = False

    def take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                self._count(event["message"]["usage"])
            case "content_block_start":
                block = event["content_block"]
                if block["type"] == "text" and any(one["type"] == "text" for one in self._blocks.values()):
                    self._host.emit(TextPart("\n"))
                if block["type"] == "tool_use":
                    self._json[event["index"]] = []
                self._blocks[event["index"]] = block
            case "content_block_delta":
                self._delta(event["index"], event["delta"])
            case "message_delta":
                self._stop_reason = event["delta"]["stop_reason"]
                self._count(event["usage"])
            case "message_stop":
                self._ended = True

    def reply(self) -> Reply:
        if not self._ended:
            raise _TryAgainError("its answer broke off in the middle", self.usage())
        for index, pieces in self._json.items():
            if pieces or not isinstance(self._blocks[index].get("input"), dict):
                self._blocks[index]["input"] = _input("".join(pieces))
        # An empty text is refused by the API when it is sent back.
        content = [block for block in self._blocks.values() if block["type"] != "text" or block["text"]]
        return Reply(_whole_characters(content), self._stop_reason, self.usage())

    def usage(self) -> Usage:
        """What the answer has taken, as far as that was told."""
        return Usage(
            self._usage.get("input_tokens", 0),
            self._usage.get("output_tokens", 0),
            self._usage.get("cache_read_input_tokens", 0),
            self._usage.get("cache_creation_input_tokens", 0),
        )

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise _TryAgainError("what it sent is out of order", self.usage())
        match delta["type"]:
            case "text_delta":
                block["text"] = block.get("text", "") + delta["text"]
                self._host.emit(TextPart(delta["text"]))
            case "input_json_delta":
                self._json.setdefault(index, []).append(delta["partial_json"])
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = block.get("signature", "") + delta["signature"]
            case "compaction_delta":
                block["content"] = (block.get("content") or "") + (delta.get("content") or "")

    def _count(self, usage: dict[str, Any]) -> None:
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            value = usage.get(name)
            if value is not None:
                # Later counts are of the whole message.
                self._usage[name] = value


MALFORMED: Final = "__malformed__"
"""The one key of a tool input that was no JSON object; its value is what the model wrote."""


def _input(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {MALFORMED: text}


def _whole_characters(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without halves of characters: JSON's escapes can name them, and no request can carry them."""
    told = json.dumps(content, ensure_ascii=False)
    try:
        told.encode()
    except UnicodeEncodeError:
        whole: list[dict[str, Any]] = json.loads(told.encode("utf-8", "replace"))
        return whole
    return content


_MARK: Final = {"cache_control": {"type": "ephemeral"}}


def _with_cache_marks(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with marks at the ends of the last two of the user's: what was sent once is read from the cache.

    The earlier mark is where the request before ended, so that it is found however much the model has said since.
    """
    marked = [dict(message) for message in messages]
    users = [message for message in marked if message["role"] == "user" and message["content"]]
    for message in users[-2:]:
        message["content"] = [*message["content"][:-1], {**message["content"][-1], **_MARK}]
    return marked


def _wait_for(number: int, headers: Mapping[str, str]) -> float:
    """Seconds to wait before the next try: what the server asks for, or longer each time, with some chance in it."""
    try:
        asked = float(headers.get("retry-after", ""))
    except ValueError:
        asked = FIRST_WAIT * 2 ** (number - 1) * (0.75 + random.random() / 2)  # noqa: S311  # to spread load
    return min(max(asked, 0.0), LONGEST_WAIT)


def _kind_of(error: APIStatusError) -> str:
    """The API's name for an error, "" where it gave none."""
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    return str(inner.get("type", "")) if isinstance(inner, dict) else ""


def _said(error: APIStatusError) -> str:
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else None
    return str(said or error.message)[:1000]


def _cause(error: Exception) -> str:
    """Why there was no answer: the SDK's own words for it are few."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}{f': {cause}' if str(cause) else ''}"


def _is_about_context_management(status: int, said: str) -> bool:
    return status in {400, 422} and any(
        word in said.lower() for word in ("context_management", "anthropic-beta", "betas", "compact_")
    )
