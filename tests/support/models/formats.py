"""Stream a turn in each wire format: server-sent events, and None where the stream stalls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.models.play import ANSWER_TOKENS, CACHED_TOKENS, PROMPT_TOKENS, Call, Say, Stall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.models.play import Turn


def format_of(path: str) -> Callable[[Turn, int], Iterator[str | None]]:
    """Return the wire format of a path."""
    if path.endswith("/responses"):
        return responses
    return chat if path.endswith("/chat/completions") else generative


def event(value: object, name: str | None = None) -> str:
    """Return one server-sent event."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {value if isinstance(value, str) else json.dumps(value)}\n\n"


def responses(turn: Turn, number: int) -> Iterator[str | None]:
    """Yield the events of the Responses API."""
    yield event({"type": "response.created", "response": {"id": f"r{number}"}}, "response.created")
    output: list[dict[str, Any]] = []
    for index, part in enumerate(turn):
        match part:
            case Stall():
                yield None
                continue
            case Say(text):
                content = [{"type": "output_text", "text": text, "annotations": []}]
                item = {"type": "message", "id": f"m{number}-{index}", "role": "assistant", "content": content}
            case Call(tool, arguments):
                item = {
                    "type": "function_call",
                    "id": f"f{number}-{index}",
                    "call_id": f"c{number}-{index}",
                    "name": tool,
                    "arguments": json.dumps(arguments),
                }
        output.append(item)
        for kind in ("response.output_item.added", "response.output_item.done"):
            yield event({"type": kind, "output_index": index, "item": item}, kind)
    usage = {
        "input_tokens": PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "output_tokens": ANSWER_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS,
    }
    whole = {"id": f"r{number}", "output": output, "usage": usage}
    yield event({"type": "response.completed", "response": whole}, "response.completed")


def generative(turn: Turn, number: int) -> Iterator[str | None]:
    """Yield the events of the Generative Language API."""
    parts: list[dict[str, Any]] = []
    for part in turn:
        match part:
            case Stall():
                yield event({"candidates": [{"content": {"role": "model", "parts": parts}}]})
                yield None
            case Say(text):
                parts.append({"text": text})
            case Call(tool, arguments):
                parts.append({"functionCall": {"name": tool, "args": arguments, "id": f"c{number}-{len(parts)}"}})
    yield event(
        {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {
                "promptTokenCount": PROMPT_TOKENS,
                "cachedContentTokenCount": CACHED_TOKENS,
                "candidatesTokenCount": ANSWER_TOKENS,
                "totalTokenCount": PROMPT_TOKENS + ANSWER_TOKENS,
            },
        }
    )


def chat(turn: Turn, number: int) -> Iterator[str | None]:
    """Yield the events of chat completions."""
    base = {"id": f"x{number}", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    calls = 0
    for part in turn:
        match part:
            case Stall():
                yield None
                continue
            case Say(text):
                delta: dict[str, Any] = {"role": "assistant", "content": text}
            case Call(tool, arguments):
                function = {"name": tool, "arguments": json.dumps(arguments)}
                call = {"index": calls, "id": f"c{number}-{calls}", "type": "function", "function": function}
                delta = {"role": "assistant", "tool_calls": [call]}
                calls += 1
        yield event({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    reason = "tool_calls" if calls else "stop"
    yield event({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": ANSWER_TOKENS,
        "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
    }
    yield event({**base, "choices": [], "usage": usage})
    yield event("[DONE]")
