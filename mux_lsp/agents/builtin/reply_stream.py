"""Read a streamed answer of the Messages API and assemble it into one message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.builtin.retries import TryAgainError
from mux_lsp.agents.events import TextPart, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from mux_lsp.agents.backend import Host


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's message: content blocks in the API's own JSON, the reason why it stopped, and the usage."""

    content: list[dict[str, Any]]
    stop_reason: str | None
    usage: Usage
    """The usage, with dollars if the price is known.

    It includes answers that broke off, as far as the server reported their usage.
    """
    refusal: str | None = None
    """The model's reason for a refusal, in the API's words."""


MALFORMED: Final = "__malformed__"
"""The only key of a tool input that was not a JSON object. Its value is the model's text."""


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of a stream, as plain JSON.

    The SDK would create an object of each, which takes longer than all other processing of a piece of text.
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


class ReplyReader:
    """Assembles the events of a stream into a message."""

    def __init__(self, host: Host, priced: Callable[[Usage], Usage]) -> None:
        self._host = host
        self._priced = priced
        self._blocks: dict[int, dict[str, Any]] = {}
        self._json: dict[int, list[str]] = {}
        self._stop_reason: str | None = None
        self._refusal: str | None = None
        self._usage: dict[str, int] = {}
        self._summing_up: list[Usage] = []
        """The usage of summarizing the earlier conversation, which the API does not include in the other counts."""
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
                self._refusal = (event["delta"].get("stop_details") or {}).get("explanation")
                self._count(event["usage"])
            case "message_stop":
                self._ended = True

    def reply(self) -> Reply:
        if not self._ended:
            raise TryAgainError("its answer broke off in the middle")
        for index, pieces in self._json.items():
            if pieces or not isinstance(self._blocks[index].get("input"), dict):
                self._blocks[index]["input"] = _input("".join(pieces))
        # The API rejects an empty text in a request.
        content = [block for block in self._blocks.values() if block["type"] != "text" or block["text"]]
        return Reply(_whole_characters(content), self._stop_reason, self.usage(), self._refusal)

    def usage(self) -> Usage:
        """Return the usage of the answer, as far as it was reported."""
        whole = self._priced(_usage_of(self._usage))
        for one in self._summing_up:
            whole = whole.plus(self._priced(one))
        return whole

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        block = self._blocks.get(index)
        if block is None:
            raise TryAgainError("what it sent is out of order")
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
                # A failed summary is null and is sent back as null: the API rejects an empty one.
                for name in ("content", "encrypted_content"):
                    if delta.get(name) is not None:
                        block[name] = (block.get(name) or "") + delta[name]

    def _count(self, usage: dict[str, Any]) -> None:
        # Later counts are totals of the whole message.
        self._usage |= {name: value for name in _COUNTS if (value := usage.get(name)) is not None}
        if (iterations := usage.get("iterations")) is not None:
            self._summing_up = [_usage_of(one) for one in iterations if one["type"] == "compaction"]


_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""The API's names of its counts, in the order of the fields of `Usage`."""


def _usage_of(counts: Mapping[str, int]) -> Usage:
    return Usage(*(counts.get(name) or 0 for name in _COUNTS))


def _input(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {MALFORMED: text}


def _whole_characters(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the content with lone surrogates replaced. JSON's escapes can encode them, but a request cannot."""
    told = json.dumps(content, ensure_ascii=False)
    try:
        told.encode()
    except UnicodeEncodeError:
        whole: list[dict[str, Any]] = json.loads(told.encode("utf-8", "replace"))
        return whole
    return content
