"""Send requests to the Messages API: streamed, and retried if that can help. The only module that imports the SDK."""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies

from mux_lsp.agents.builtin.keys import is_on_this_machine, without_login
from mux_lsp.agents.builtin.pricing import priced
from mux_lsp.agents.builtin.reply_stream import ReplyReader, read_events
from mux_lsp.agents.builtin.retries import TryAgainError, wait_for
from mux_lsp.agents.events import Notice, Usage
from mux_lsp.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    import httpx2
    from anthropic import APIStatusError, AsyncAnthropic

    from mux_lsp.agents.backend import Host
    from mux_lsp.agents.builtin.reply_stream import Reply

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 8
"""Maximum number of times that one request is sent."""


CONNECT_SECONDS: Final = 30.0

STALL_SECONDS: Final = 180.0
"""Seconds of silence, without even a keep-alive, after which a request is given up and sent again."""


@dataclass(frozen=True, slots=True)
class ContextEdit:
    """A way in which the server keeps the context inside the model's window."""

    beta: str
    edit: dict[str, Any]


CLEARING: Final = ContextEdit(
    "context-management-2025-06-27",
    # A large amount at a time, since the cache does not cover what follows a cleared result.
    {"type": "clear_tool_uses_20250919", "clear_at_least": {"type": "input_tokens", "value": 20_000}},
)
"""Remove old results of tools."""

COMPACTING: Final = ContextEdit("compact-2026-01-12", {"type": "compact_20260112"})
"""Summarize the earlier conversation. Not all models support it."""

_TRIED_AGAIN: Final = frozenset({408, 409, 429})
"""Statuses that are retried, in addition to all server errors (500 and above)."""

_STATUS_IN_STREAM: Final = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
}
"""The status that an error in the middle of a stream would have had before it: the stream itself began with 200."""


@dataclass(slots=True)
class Api:
    """The Messages API at one address, with one key and one model."""

    model: str
    base_url: str | None
    key: Callable[[], Awaitable[str]]
    """Returns the key. Called once, before the first request. Raises AgentError if there is no key."""
    effort: str | None = None
    max_output: int = 32_000
    context_management: tuple[ContextEdit, ...] = (CLEARING, COMPACTING)
    """The ways in which the server is asked to keep the context inside the model's window.

    If the server refuses the request because of them, the last one is removed, and then the one before it.
    """
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
        """Have the model continue from these messages. Raises AgentError, with a message for people, if it cannot.

        If there is no reply, the usage of the failed tries is reported to the host instead.
        """
        request = functools.partial(self._request_body, system, messages, tools)
        took: list[Usage] = []
        try:
            reply = await self._answered(request, host, took)
        except BaseException:
            if (paid := _sum(took)).tokens:
                host.emit(paid)
            raise
        return replace(reply, usage=_sum(took))

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()

    @property
    def _where(self) -> str:
        address = self.base_url or (str(self._client.base_url) if self._client else "")
        return without_login(address) or "The Anthropic API"

    async def _answered(self, request: Callable[[], dict[str, Any]], host: Host, took: list[Usage]) -> Reply:
        """Try until there is a reply, at most ATTEMPTS times.

        The usage of each try is appended to `took`, even if it fails.
        """
        for number in range(1, MAX_ATTEMPTS + 1):
            try:
                return await self._managed(request, host, took)
            except TryAgainError as error:
                if number == MAX_ATTEMPTS:
                    raise AgentError(f"{self._where} did not answer after {MAX_ATTEMPTS} tries: {error}.") from error
                seconds = wait_for(number, error.headers)
                host.emit(Notice(f"The model did not answer ({error}); trying again in {seconds:.0f} s."))
            await self.wait(seconds)
        raise AssertionError

    async def _managed(self, request: Callable[[], dict[str, Any]], host: Host, took: list[Usage]) -> Reply:
        """Try once. If the server refuses a way to manage the context, try without it, from then on."""
        while True:
            try:
                return await self._try(request(), host, took)
            except _ContextManagementRefusedError:
                self.context_management = self.context_management[:-1]
                what = "sum up a long conversation" if self.context_management else "manage the context"
                host.emit(Notice(f"The server does not {what}; the conversation goes on without that."))

    async def _try(self, request: Mapping[str, Any], host: Host, took: list[Usage]) -> Reply:
        client = await self._connected()
        import anthropic
        import httpx2

        reading = ReplyReader(host, functools.partial(priced, self.model))
        try:
            create = client.beta.messages.with_streaming_response.create
            async with create(**request) as response:
                async for event in read_events(response.iter_bytes()):
                    if event.get("type") == "error":
                        raise anthropic.APIStatusError("error", response=response.http_response, body=event)
                    reading.take(event)
        except anthropic.APIStatusError as error:
            raise self._meant(error) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            if isinstance(cause := error.__cause__ or error, httpx2.UnsupportedProtocol):
                raise AgentError(f"{self._where} cannot be asked: its address is not valid ({cause}).") from error
            raise TryAgainError(_cause(error)) from error
        except ValueError as error:
            raise TryAgainError("what it sent is not JSON") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise TryAgainError("what it sent is out of order") from error
        except anthropic.AnthropicError as error:
            raise AgentError(self._harmless(f"{self._where} could not be asked: {error}")) from error
        finally:
            took.append(reading.usage())
        return reading.reply()

    def _request_body(
        self, system: str, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "max_tokens": self.max_output,
            "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
            "messages": _with_cache_marks(messages),
            "tools": list(tools),
            "stream": True,
        }
        if self.effort is not None:
            request["output_config"] = {"effort": self.effort}
        if self.context_management:
            request["betas"] = [one.beta for one in self.context_management]
            request["context_management"] = {"edits": [one.edit for one in self.context_management]}
        return request

    def _meant(self, error: APIStatusError) -> Exception:
        """Convert an error status of the server to the exception that decides how the attempt goes on."""
        status = _STATUS_IN_STREAM.get(_kind_of(error), error.status_code)
        said = self._harmless(_said(error))
        headers = error.response.headers
        if (status in _TRIED_AGAIN or status >= 500) and headers.get("x-should-retry") != "false":
            return TryAgainError(f"status {status}: {said}", headers)
        if self.context_management and _is_about_context_management(status, said):
            return _ContextManagementRefusedError()
        if status in {401, 403}:
            return AgentError(f"{self._where} refused the key (status {status}): check where it comes from. {said}")
        if status == 404:
            return AgentError(f"{self._where} has no model {self.model!r}, or is no Messages API: {said}")
        if "prompt is too long" in said.lower() or status == 413:
            return AgentError(f"The conversation is longer than the model can take: {said}")
        return AgentError(f"{self._where} refused the request (status {status}): {said}")

    def _harmless(self, text: str) -> str:
        """Return a server's message with the key replaced, in case it repeats the key."""
        return text.replace(self._secret, "[key]") if self._secret else text

    async def _connected(self) -> AsyncAnthropic:
        if self._client is None:
            self._secret = await self.key()
            # Importing takes about a second, so it runs in a thread.
            await asyncio.to_thread(_import)
            import anthropic
            import httpx2

            timeout = httpx2.Timeout(self.stall, connect=CONNECT_SECONDS)
            # The proxy in the environment does not lead to servers on this machine.
            local = is_on_this_machine(self.base_url or os.environ.get("ANTHROPIC_BASE_URL", ""))
            # Retries are made here, so that they are reported. Only the configured key is ever sent.
            try:
                self._client = anthropic.AsyncAnthropic(
                    api_key=self._secret,
                    auth_token=None,
                    base_url=self.base_url,
                    max_retries=0,
                    timeout=timeout,
                    http_client=http_client(timeout) if local or not getproxies() else None,
                )
            except httpx2.InvalidURL as error:
                raise AgentError(
                    f"ANTHROPIC_BASE_URL is no address such as https://models.example.com: {error}."
                ) from error
        return self._client


def _import() -> None:
    for name in ("anthropic", "anthropic.resources.beta", "anthropic.types.beta", "aiohttp"):
        importlib.import_module(name)
    for name in ("anthropic", "httpx2", "httpcore2", "aiohttp"):
        # With ANTHROPIC_LOG set, the SDK's own loggers print whole requests.
        logging.getLogger(name).setLevel(logging.WARNING)


def http_client(timeout: float | httpx2.Timeout) -> httpx2.AsyncClient:
    """Return a client over aiohttp that connects to a server directly, ignoring the proxy in the environment.

    The SDK's usual client, over anyio, starts and stops watching the socket for each piece that arrives. 100 replies of
    200 events take 1.8 to 2.4 s of processor time with it, and 0.9 to 1.5 s with aiohttp.
    """
    import anthropic

    direct: dict[str, None] = dict.fromkeys(("http://", "https://", "all://"))
    return anthropic.DefaultAioHttpClient(timeout=timeout, mounts=direct)


class _ContextManagementRefusedError(Exception):
    """The server does not support context management."""


_MARK: Final = {"cache_control": {"type": "ephemeral"}}


def _with_cache_marks(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages with cache marks at the ends of the last two user messages, so that resent text is cached.

    The earlier mark is at the end of the previous request, so the cache finds it however long the model's answer is.
    """
    marked = [dict(message) for message in messages]
    users = [message for message in marked if message["role"] == "user" and message["content"]]
    for message in users[-2:]:
        message["content"] = [*message["content"][:-1], {**message["content"][-1], **_MARK}]
    return marked


def _kind_of(error: APIStatusError) -> str:
    """Return the API's name for an error; "" if it has none."""
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    return str(inner.get("type", "")) if isinstance(inner, dict) else ""


def _said(error: APIStatusError) -> str:
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else None
    return str(said or error.message)[:1000]


def _cause(error: Exception) -> str:
    """Return why there was no answer. The SDK's own message says little, so the cause's is used."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}{f': {cause}' if str(cause) else ''}"


def _is_about_context_management(status: int, said: str) -> bool:
    return status in {400, 422} and any(
        word in said.lower() for word in ("context_management", "anthropic-beta", "betas", "compact_")
    )


def _sum(took: Iterable[Usage]) -> Usage:
    return functools.reduce(Usage.plus, took, Usage())
