"""Convert answers of the Messages API to turns of a script."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from mux_lsp.agents.replay.script import Turn
from mux_lsp.agents.replay.script_writer import representable


@dataclass(slots=True)
class StreamReader:
    """The message of a stream of events. The upstream's data is not validated, and may be invalid."""

    message: dict[str, Any] = field(default_factory=dict)
    ended: bool = False
    rest: bytes = b""
    """The beginning of a line that is not complete yet."""
    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    inputs: dict[int, str] = field(default_factory=dict)

    def feed(self, data: bytes) -> None:
        """Process a piece of the stream. Sets `ended` when the message is complete."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                event = _object(line[5:])
                index = event.get("index")
                self._take(event, index if isinstance(index, int) else -1)

    def _take(self, event: dict[str, Any], index: int) -> None:
        match event:
            case {"type": "message_start", "message": dict() as message}:
                self.message = {**message, "usage": _dict(message.get("usage"))}
            case {"type": "content_block_start", "content_block": dict() as block}:
                self.blocks[index] = block
            case {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": str() as piece}}:
                self.inputs[index] = self.inputs.get(index, "") + piece
            case {"type": "content_block_delta", "delta": {"type": "citations_delta", "citation": citation}}:
                block = self.blocks.setdefault(index, {})
                block["citations"] = [*(block.get("citations") or []), citation]
            case {"type": "content_block_delta", "delta": dict() as delta}:
                block = self.blocks.setdefault(index, {})
                for name, value in delta.items():
                    if name != "type" and isinstance(value, str):
                        block[name] = (block.get(name) or "") + value
            case {"type": "message_delta", "delta": dict() as delta}:
                usage = {**_dict(self.message.get("usage")), **_dict(event.get("usage"))}
                self.message = {**self.message, **delta, "usage": usage}
            case {"type": "message_stop"}:
                blocks = [self._block(index) for index in sorted(self.blocks)]
                self.message = {**self.message, "content": blocks}
                self.ended = True

    def _block(self, index: int) -> dict[str, Any]:
        block = self.blocks[index]
        text = self.inputs.get(index)
        if not text:
            return block
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        return {**block, "input": value} if isinstance(value, dict) else {**block, "input_json": text}


def whole_message(body: bytes) -> dict[str, Any]:
    """Return the message in an answer without streaming; an empty one if the body has no JSON object."""
    return _object(body)


def message_turn(message: dict[str, Any]) -> Turn:
    """Convert a message of the API to a turn. Raises pydantic's ValidationError if it is not a valid message."""
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [told for block in content if (told := _block(_dict(block)))] if isinstance(content, list) else None
    usage = _dict(message.get("usage"))
    turn: dict[str, Any] = {
        "content": blocks,
        "usage": {
            script: usage[name]
            for script, name in (
                ("input", "input_tokens"),
                ("output", "output_tokens"),
                ("cache_read", "cache_read_input_tokens"),
                ("cache_write", "cache_creation_input_tokens"),
            )
            if usage.get(name) is not None
        },
    }
    natural = "tool_use" if any("tool" in block for block in blocks or ()) else "end_turn"
    if (stopped := message.get("stop_reason")) is not None and stopped != natural:
        turn["stop_reason"] = stopped
    if details := _dict(message.get("stop_details")):
        turn["stop_details"] = {name: details.get(name) for name in ("category", "explanation")}
    return Turn.model_validate(turn)


def as_key(turn: Turn) -> str:
    """Return a key that identifies a turn when a later request contains it.

    Clients omit thinking and complete the input of tool calls. So the key consists of the ids of the calls or, if there
    are no calls, of the texts.
    """
    calls = [block.id for block in turn.content if block.id is not None]
    return json.dumps(calls or [block.text for block in turn.content if block.text is not None])


def _block(block: dict[str, Any]) -> dict[str, Any] | None:
    """Convert a block of the API to one of a script. Return None if it is empty."""
    match block:
        case {"type": "text", "text": str() as text} if not block.get("citations"):
            return {"text": text} if text else None
        case {"type": "thinking", "thinking": str() as thinking}:
            signature = block.get("signature")
            return {"thinking": thinking, **({"signature": signature} if signature else {})}
        case {"type": "redacted_thinking", "data": str() as data}:
            return {"redacted": data}
        case {"type": "tool_use", "name": name, "id": id_}:
            return {"tool": name, "id": id_, **_input(block)}
        case _:
            return {"raw": json.dumps(block)}


def _input(block: dict[str, Any]) -> dict[str, Any]:
    value = block.get("input")
    if "input_json" in block:
        return {"input_json": block["input_json"]}
    if representable(value):
        return {"input": value} if value else {}
    return {"input_json": json.dumps(value, ensure_ascii=False)}


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        return _dict(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
