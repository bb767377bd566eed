"""Parse requests to the Messages API, and check them against the rules of the API that an agent can break.

A client may send anything, so every value is checked before it is used.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mux_lsp.agents.replay.messages_api import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mux_lsp.agents.replay.script import Expect, ScriptedConversation

CACHE_MARKS = 4
"""Maximum number of blocks of a request that may carry `cache_control`."""

_MAX_SHOWN_CHARACTERS = 300
"""Maximum number of characters of a text in an error message."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """A tool result in the last message."""

    text: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to the Messages API, reduced to what distinguishes requests for a script. `size` is in bytes."""

    model: str
    stream: bool
    system: str
    tools: tuple[str, ...]
    first_message: str
    last_message: str
    outcomes: tuple[ToolOutcome, ...]
    answers: tuple[Any, ...]
    """The content of each assistant message so far."""
    size: int


def read(body: bytes) -> dict[str, Any]:
    """Parse a request's body, and check the form of its messages. Raises ApiError if it is invalid."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid("The request body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("The request body is not a JSON object.")
    model, messages = document.get("model"), document.get("messages")
    if not isinstance(model, str) or not model:
        raise _invalid("model: Field required")
    if not isinstance(messages, list) or not messages:
        raise _invalid("messages: at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in {"user", "assistant", "system"}:
            raise _invalid(f'messages.{number}.role: has to be "user" or "assistant"')
        if not isinstance(message.get("content"), str | list):
            raise _invalid(f"messages.{number}.content: has to be a text or a list of blocks")
    if messages[0]["role"] != "user":
        raise _invalid('messages: first message must use the "user" role')
    return document


def understand(document: dict[str, Any], size: int) -> ModelRequest:
    """Return the properties of a request that `read` has accepted; `size` is its length in bytes."""
    messages = document["messages"]
    users = [message["content"] for message in messages if message["role"] == "user"]
    return ModelRequest(
        model=document["model"],
        stream=document.get("stream") is True,
        system=text_of(document.get("system")),
        tools=tuple(str(tool.get("name")) for tool in _objects(document.get("tools"))),
        first_message=text_of(users[0]),
        last_message=text_of(users[-1]),
        outcomes=tuple(
            ToolOutcome(text_of(block.get("content")), block.get("is_error") is True)
            for block in _objects(users[-1])
            if block.get("type") == "tool_result"
        ),
        answers=tuple(message["content"] for message in messages if message["role"] == "assistant"),
        size=size,
    )


def check(document: dict[str, Any]) -> None:
    """Raise ApiError if a request breaks one of the API's rules, with the API's message as far as it is known.

    Only the rules that a tool loop breaks most easily are checked.
    """
    messages = document["messages"]
    max_tokens = document.get("max_tokens")
    if not isinstance(max_tokens, int) or max_tokens < 1:
        raise _invalid("max_tokens: a positive number is required")
    for message in messages:
        if any(block.get("type") == "text" and not block.get("text") for block in _objects(message["content"])):
            raise _invalid("messages: text content blocks must be non-empty")
    _check_tools(messages)
    marks = sum("cache_control" in block for block in _marked(document))
    if marks > CACHE_MARKS:
        raise _invalid(f"A maximum of {CACHE_MARKS} blocks with cache_control may be provided. Found {marks}.")


def is_for(conversation: ScriptedConversation, request: ModelRequest) -> bool:
    """Return whether a request belongs to a conversation."""
    if not request.tools and any(block.tool is not None for turn in conversation.turn for block in turn.content):
        return False
    return (
        (conversation.model is None or fnmatch.fnmatchcase(request.model, conversation.model))
        and (conversation.contains is None or conversation.contains in request.first_message)
        and (conversation.system_contains is None or conversation.system_contains in request.system)
    )


def unmet(expect: Expect, request: ModelRequest) -> str | None:
    """Describe the first expectation that a request does not meet. Return None if it meets all."""
    results = [outcome.text for outcome in request.outcomes]
    if (text := expect.result_contains) is not None and not any(text in result for result in results):
        return f"a tool result that contains {text!r}; {_shown('the tool results are', results)}"
    if (wanted := expect.result_is_error) is not None and not any(o.is_error is wanted for o in request.outcomes):
        return f"a tool result that is {'an' if wanted else 'no'} error; {_shown('the tool results are', results)}"
    if (text := expect.user_contains) is not None and text not in request.last_message:
        return f"a last user message that contains {text!r}; {_shown('it is', [request.last_message])}"
    if (text := expect.system_contains) is not None and text not in request.system:
        return f"a system prompt that contains {text!r}; {_shown('it is', [request.system])}"
    if missing := [tool for tool in expect.tools if tool not in request.tools]:
        return f"the tools {', '.join(missing)} on offer; {_shown('on offer are', request.tools)}"
    return None


def text_of(content: object) -> str:
    """Return the texts in the content of a message, a system prompt or a tool result, one to a line."""
    if isinstance(content, str):
        return content
    texts = (block.get("text") for block in _objects(content) if block.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))


def _shown(words: str, texts: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(
        repr(text if len(text) <= _MAX_SHOWN_CHARACTERS else text[:_MAX_SHOWN_CHARACTERS] + "…") for text in texts
    )
    return f"{words} {shown or 'none'}."


def _objects(value: object) -> Iterator[dict[str, Any]]:
    return (entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else iter(())


def _invalid(message: str) -> ApiError:
    return ApiError("invalid_request_error", message)


def _check_tools(messages: list[dict[str, Any]]) -> None:
    """Raise ApiError unless every tool call has its result in the next message, and every result has its call.

    Consecutive messages of one role count as one, as for the API.
    """
    open_calls: set[str] = set()
    seen: set[str] = set()
    spoken = (entry for entry in enumerate(messages) if entry[1]["role"] != "system")
    for _, group in itertools.groupby(spoken, lambda entry: entry[1]["role"]):
        numbers, parts = zip(*group, strict=True)
        number = numbers[0]
        blocks = [block for message in parts for block in _objects(message["content"])]
        results = {str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"}
        if left := open_calls - results:
            raise _unanswered(number - 1, left)
        if strange := sorted(results - open_calls):
            raise _invalid(
                f"messages.{number}: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(strange)}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
            )
        calls = [str(block.get("id")) for block in blocks if block.get("type") == "tool_use"]
        if len(calls) != len(set(calls)) or seen.intersection(calls):
            raise _invalid(f"messages.{number}: `tool_use` ids must be unique")
        open_calls = set(calls)
        seen |= open_calls
    if open_calls:
        raise _unanswered(len(messages) - 1, open_calls)


def _unanswered(number: int, calls: set[str]) -> ApiError:
    return _invalid(
        f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(sorted(calls))}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
        "message.",
    )


def _marked(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every block that may carry `cache_control`."""
    yield from _objects(document.get("tools"))
    yield from _objects(document.get("system"))
    for message in document["messages"]:
        for block in _objects(message["content"]):
            yield block
            yield from _objects(block.get("content"))
