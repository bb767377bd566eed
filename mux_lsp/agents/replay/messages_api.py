"""Convert a turn of a script to answers of the Messages API: events of a stream, a whole message, errors."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mux_lsp.agents.replay.script import Block, ScriptedUsage, Turn

UNSIGNED = "bXV4LWxzcCByZXBsYXk="
"""The signature of thinking without one in the script. The real API would reject it."""

STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
"""The API's error types, each with its status."""


class ApiError(Exception):
    """An error answer, with a message in the API's words. `kind` is a key of STATUS; `retry_after` is in seconds."""

    def __init__(self, kind: str, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status or STATUS[kind]
        self.retry_after = retry_after

    def body(self, request_id: str) -> bytes:
        """Return the error as JSON."""
        error = {"type": self.kind, "message": str(self)}
        return encode({"type": "error", "error": error, "request_id": request_id})


def encode(value: object) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def event(data: dict[str, Any]) -> bytes:
    """Return one encoded server-sent event."""
    return event_of(data["type"], encode(data))


def event_of(name: str, data: bytes) -> bytes:
    """Return one encoded server-sent event, for data that is already encoded."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def start(turn: Turn, message_id: str, model: str, request_size: int) -> bytes:
    """Return the first event of a stream, the only one that differs between requests."""
    message = _message(turn, message_id, model, usage={**_input_usage(turn.usage, request_size), "output_tokens": 1})
    return event({"type": "message_start", "message": message})


def rest(turn: Turn, place: str, *, malformed: bool) -> list[bytes]:
    """Return all further events of a stream. The id of a tool call without one begins with `place`.

    If `malformed` is set, the JSON of each tool call is truncated.
    """
    events: list[bytes] = []
    for index, block in enumerate(turn.content):
        opening, deltas = _block(block, _tool_id(place, index), malformed=malformed)
        events.append(event({"type": "content_block_start", "index": index, "content_block": opening}))
        if index == 0:
            events.append(event({"type": "ping"}))
        events += (event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas)
        events.append(event({"type": "content_block_stop", "index": index}))
    delta: dict[str, Any] = {"stop_reason": stop_reason(turn), "stop_sequence": None, "stop_details": _details(turn)}
    usage = {"output_tokens": _output_tokens(turn)}
    if turn.usage.input is not None:
        usage = {**_cache_usage(turn.usage), "input_tokens": turn.usage.input, **usage}
    events.append(event({"type": "message_delta", "delta": delta, "usage": usage}))
    events.append(event({"type": "message_stop"}))
    return events


def whole(turn: Turn, place: str, message_id: str, model: str, request_size: int) -> bytes:
    """Return the message as the answer to a request without streaming.

    A tool input that is not a JSON object is replaced with an empty one.
    """
    content = []
    for index, block in enumerate(turn.content):
        if block.tool is not None:
            content.append(_tool(block, _tool_id(place, index), _parsed(input_text(block))))
        elif block.thinking is not None:
            content.append(_thinking(block.thinking, block.signature or UNSIGNED))
        elif block.text is not None:
            content.append(_text(block.text))
        else:
            content.append(_block(block, "", malformed=False)[0])
    usage = {**_input_usage(turn.usage, request_size), "output_tokens": _output_tokens(turn)}
    message = _message(turn, message_id, model, usage=usage)
    ending = {"content": content, "stop_reason": stop_reason(turn), "stop_details": _details(turn)}
    return encode({**message, **ending})


def stop_reason(turn: Turn) -> str:
    """Return the reason why the turn ends; the API's usual one if the script has none."""
    return turn.stop_reason or ("tool_use" if any(block.tool is not None for block in turn.content) else "end_turn")


def input_text(block: Block) -> str:
    """Return the input of a tool call, as text."""
    if block.input_json is not None:
        return block.input_json
    return json.dumps(block.input or {}, ensure_ascii=False)


def tokens(size: int) -> int:
    """Return an estimate of the number of tokens in this number of bytes or characters."""
    return size // 4 + 1


def text_pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces of one to four words, as models do."""
    words = iter(re.findall(r"\S{1,24}\s{0,24}|\s{1,24}", text))
    for count in itertools.cycle((1, 3, 2, 4)):
        piece = "".join(itertools.islice(words, count))
        if not piece:
            return
        yield piece


def json_pieces(text: str) -> Iterator[str]:
    """Yield JSON in pieces that end anywhere, the first of them empty, as models do."""
    yield ""
    begin = 0
    for size in itertools.cycle((3, 11, 17, 8, 24)):
        if begin >= len(text):
            return
        yield text[begin : begin + size]
        begin += size


def _block(block: Block, tool_id: str, *, malformed: bool) -> tuple[dict[str, Any], Sequence[dict[str, Any]]]:
    """Return a block as its first event contains it, and the deltas that complete it."""
    if block.text is not None:
        return _text(""), [{"type": "text_delta", "text": piece} for piece in text_pieces(block.text)]
    if block.thinking is not None:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in text_pieces(block.thinking)]
        signature = {"type": "signature_delta", "signature": block.signature or UNSIGNED}
        return _thinking("", ""), [*deltas, signature]
    if block.tool is not None:
        text = input_text(block)
        if malformed:
            text = text[: len(text) // 2] + "\\"
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in json_pieces(text)]
        return _tool(block, tool_id, {}), deltas
    if block.redacted is not None:
        return {"type": "redacted_thinking", "data": block.redacted}, []
    raw: dict[str, Any] = json.loads(block.raw or "{}")
    return raw, []


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _thinking(thinking: str, signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": thinking, "signature": signature}


def _tool(block: Block, tool_id: str, value: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": block.id or tool_id, "name": block.tool, "input": value}


def _tool_id(place: str, index: int) -> str:
    return f"toolu_{place}_{index + 1}"


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _message(turn: Turn, message_id: str, model: str, *, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage,
    }


def _details(turn: Turn) -> dict[str, Any] | None:
    details = turn.stop_details
    if details is None:
        return None
    return {"type": "refusal", "category": details.category, "explanation": details.explanation}


def _input_usage(usage: ScriptedUsage, request_size: int) -> dict[str, Any]:
    return {
        "input_tokens": tokens(request_size) if usage.input is None else usage.input,
        **_cache_usage(usage),
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "service_tier": "standard",
    }


def _cache_usage(usage: ScriptedUsage) -> dict[str, int]:
    return {"cache_creation_input_tokens": usage.cache_write, "cache_read_input_tokens": usage.cache_read}


def _output_tokens(turn: Turn) -> int:
    if turn.usage.output is not None:
        return turn.usage.output
    texts = (block.text or block.thinking or (input_text(block) if block.tool else "") for block in turn.content)
    return tokens(sum(map(len, texts)))
