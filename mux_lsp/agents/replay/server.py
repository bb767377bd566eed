"""Serve the Messages API on loopback, with a script in place of the model.

An answer depends on the request alone, except for faults, which are counted. The base URL contains a random word, so
that no one else on the machine can use the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mux_lsp.agents.replay import http1, messages_api
from mux_lsp.agents.replay.http_server import Exchange, listen
from mux_lsp.agents.replay.messages_api import ApiError
from mux_lsp.agents.replay.request import ModelRequest, check, is_for, read, understand, unmet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from mux_lsp.agents.replay.script import Fault, Script, ScriptedConversation, Turn

log = logging.getLogger(__name__)

_REFUSALS = {
    "overloaded": ("overloaded_error", "Overloaded"),
    "rate_limit": ("rate_limit_error", "This request would exceed the rate limit of the script."),
    "server_error": ("api_error", "Internal server error"),
}


@contextlib.asynccontextmanager
async def serve(script: Script, *, port: int = 0) -> AsyncIterator[str]:
    """Serve a script in this event loop, and yield the base URL for clients. Port 0 selects a free one.

    On exit, open connections are aborted. Raises OSError if the port is not available.
    """
    player = _Player(script)
    async with listen(player.answer, port=port) as url:
        yield url


@dataclass(frozen=True, slots=True)
class _Cue:
    """The answer to a request."""

    turn: Turn
    place: str
    """Two numbers that identify the turn in the ids of tool calls without one."""
    rate: float | None
    """Events a second; None for as fast as the client reads them."""
    fault: Fault | None


@dataclass(slots=True)
class _Player:
    script: Script
    requests: Counter[tuple[int, int]] = field(default_factory=Counter)
    """The number of requests for each turn of each conversation, which selects the fault."""
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    encoded: dict[tuple[int, int, bool], list[bytes]] = field(default_factory=dict)
    """The events of turns after the first event, encoded as chunks."""

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request."""
        request_id = f"req_replay{next(self.numbers):06}{secrets.token_hex(6)}"
        headers = {"request-id": request_id}
        try:
            match exchange.method, exchange.path:
                case "POST", "/v1/messages":
                    await self._message(exchange, headers)
                case "POST", "/v1/messages/count_tokens":
                    count = {"input_tokens": messages_api.tokens(len(exchange.body))}
                    await exchange.whole(200, messages_api.encode(count), headers)
                case "GET" | "HEAD", "/v1/models":
                    await exchange.whole(200, messages_api.encode(self._models()), headers)
                case "GET" | "HEAD", path if path.startswith("/v1/models/"):
                    await exchange.whole(200, messages_api.encode(_model(path.removeprefix("/v1/models/"))), headers)
                case "GET" | "HEAD", "" | "/":
                    await exchange.whole(200, b"{}", headers)
                case method, path:
                    raise ApiError("not_found_error", f"{method} {path} is not part of the replay server.")
        except ApiError as error:
            if error.retry_after is not None:
                headers["retry-after"] = f"{error.retry_after:g}"
            await exchange.whole(error.status, error.body(request_id), headers)

    def _models(self) -> dict[str, object]:
        named = dict.fromkeys(conversation.model or "replay" for conversation in self.script.conversations)
        models = [_model(name) for name in named if not {"*", "?", "["}.intersection(name)] or [_model("replay")]
        return {"data": models, "has_more": False, "first_id": models[0]["id"], "last_id": models[-1]["id"]}

    async def _message(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        document = read(exchange.body)
        check(document)
        request = understand(document, len(exchange.body))
        where, cue = self._cue(request)
        fault = cue.fault
        if fault is not None and fault.kind in _REFUSALS:
            kind, words = _REFUSALS[fault.kind]
            raise ApiError(kind, words, retry_after=fault.retry_after if fault.kind == "rate_limit" else None)
        if cue.turn.delay:
            await asyncio.sleep(cue.turn.delay)
        if request.stream:
            await self._stream(exchange, request, where, cue, headers)
        else:
            await self._whole(exchange, request, where, cue, headers)

    def _cue(self, request: ModelRequest) -> tuple[tuple[int, int], _Cue]:
        """Select the turn that answers a request, and count the request. Raises ApiError if no turn fits."""
        number, conversation = self._conversation(request)
        index = len(request.answers)
        if index >= len(conversation.turn):
            raise ApiError(
                "invalid_request_error",
                f"{self.script.place(number)} has {len(conversation.turn)} turns, and this request asks for turn "
                f"{index + 1}.",
            )
        turn = conversation.turn[index]
        if expected := unmet(turn.expect, request):
            place = self.script.place(number, index)
            raise ApiError("invalid_request_error", f"{place} expected {expected}")
        where = (number, index)
        fault = turn.fault(self.requests[where])
        self.requests[where] += 1
        rate = turn.events_per_second or conversation.events_per_second
        if fault is not None and fault.kind == "slow":
            rate = fault.events_per_second
        return where, _Cue(turn, f"{number + 1}_{index + 1}", rate, fault)

    def _conversation(self, request: ModelRequest) -> tuple[int, ScriptedConversation]:
        for number, conversation in enumerate(self.script.conversations):
            if is_for(conversation, request):
                return number, conversation
        raise ApiError(
            "invalid_request_error",
            f"{self.script.source} has no conversation for the model {request.model!r}, the first user message "
            f"{request.first_message[:300]!r} and {len(request.tools)} tools on offer.",
        )

    async def _stream(
        self, exchange: Exchange, request: ModelRequest, where: tuple[int, int], cue: _Cue, headers: Mapping[str, str]
    ) -> None:
        start = messages_api.start(cue.turn, self._message_id(), request.model, request.size)
        fault = cue.fault
        malformed = fault is not None and fault.kind == "malformed_input"
        key = (*where, malformed)
        if key not in self.encoded:
            self.encoded[key] = [
                http1.chunk(event) for event in messages_api.rest(cue.turn, cue.place, malformed=malformed)
            ]
        events = [http1.chunk(start), *self.encoded[key]]
        if fault is None or fault.kind not in {"disconnect", "error", "stall"}:
            await exchange.begin_stream(200, headers)
            await _play(exchange, events, cue.rate)
            await exchange.end_stream()
            return
        if fault.after or fault.kind != "disconnect":
            await exchange.begin_stream(200, headers)
        await _play(exchange, events[: fault.after], cue.rate)
        if fault.kind == "disconnect":
            exchange.cut()
        elif fault.kind == "error":
            error = ApiError(*_REFUSALS["overloaded"]).body(headers["request-id"])
            await exchange.send(http1.chunk(messages_api.event_of("error", error)))
            await exchange.end_stream()
        else:
            await _stall(exchange, fault)
            await _play(exchange, events[fault.after :], cue.rate)
            await exchange.end_stream()

    async def _whole(
        self, exchange: Exchange, request: ModelRequest, where: tuple[int, int], cue: _Cue, headers: Mapping[str, str]
    ) -> None:
        """Answer a request without streaming. Faults and rate are converted to their effect on a single answer."""
        fault = cue.fault
        if fault is not None and fault.kind == "error":
            raise ApiError(*_REFUSALS["overloaded"])
        if cue.rate is not None:
            await asyncio.sleep(len(messages_api.rest(cue.turn, cue.place, malformed=False)) / cue.rate)
        if fault is not None and fault.kind == "stall":
            await _stall(exchange, fault)
        body = messages_api.whole(cue.turn, cue.place, self._message_id(), request.model, request.size)
        if fault is not None and fault.kind == "disconnect":
            if fault.after:
                await exchange.half(200, body, headers)
            exchange.cut()
        else:
            await exchange.whole(200, body, headers)

    def _message_id(self) -> str:
        return f"msg_replay{next(self.numbers):06}{secrets.token_hex(6)}"


async def _play(exchange: Exchange, events: list[bytes], rate: float | None) -> None:
    """Send events at `rate` a second, counted from the first, so that a late event does not delay the others."""
    if rate is None:
        await exchange.send(b"".join(events))
        return
    clock = asyncio.get_running_loop().time
    began = clock()
    for number, event in enumerate(events):
        wait = began + number / rate - clock()
        if wait > 0:
            await asyncio.sleep(wait)
        await exchange.send(event)


async def _stall(exchange: Exchange, fault: Fault) -> None:
    if fault.seconds is None:
        await exchange.gone()
        raise ConnectionAbortedError("the client went away during a stall")
    await asyncio.sleep(fault.seconds)


def _model(name: str) -> dict[str, object]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}
