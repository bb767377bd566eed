"""Read the scripts of the replay server: the model's side of conversations, in a TOML file that people can edit.

    [[conversation]]
    model = "claude-*"              # which models it is for; left out: any
    contains = "fix the parser"     # what the first user message contains; left out: anything

    [[conversation.turn]]
    content = [
      { thinking = "The tests will say more." },
      { text = "I look at the parser first." },
      { tool = "read", input = { path = "parser.py" } },
    ]
    faults = [{ kind = "overloaded", times = 2 }]

    [[conversation.turn]]
    expect = { result_contains = "def parse" }
    content = [{ text = "Done." }]

A request belongs to the first conversation that matches it. Its turn is the number of assistant messages that the
request contains, so that an agent that was interrupted gets the turn at which it stopped.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from mux_lsp.errors import UsageError, unreadable

if TYPE_CHECKING:
    from pathlib import Path

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]

_Entry = TypeVar("_Entry")

StopReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"
]


def _some(entries: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    if not entries:
        raise ValueError("there has to be at least one")
    return entries


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(_Section):
    """A block of the model's message: exactly one of `text`, `thinking`, `redacted`, `tool` and `raw`.

    `input` is the input of a tool call. `input_json` is its exact text instead, which need not be valid JSON. `raw` is
    a block of another type as JSON, sent unchanged. A tool call without an `id` gets one from its position.
    """

    text: NonEmpty | None = None
    thinking: str | None = None
    signature: NonEmpty | None = None
    redacted: NonEmpty | None = None
    tool: ToolName | None = None
    id: ToolName | None = None
    input: dict[str, Any] | None = None
    input_json: str | None = None
    raw: NonEmpty | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Block:
        kinds = {"text", "thinking", "redacted", "tool", "raw"} & self.model_fields_set
        if len(kinds) != 1:
            raise ValueError("has to be exactly one of text, thinking, redacted, tool and raw")
        if "signature" in self.model_fields_set and "thinking" not in kinds:
            raise ValueError("signature belongs to thinking")
        if {"id", "input", "input_json"} & self.model_fields_set and "tool" not in kinds:
            raise ValueError("id, input and input_json belong to a tool")
        if {"input", "input_json"} <= self.model_fields_set:
            raise ValueError("input and input_json say the same thing; leave one of them out")
        if self.raw is not None:
            _check_raw(self.raw)
        return self


def _check_raw(raw: str) -> None:
    try:
        block = json.loads(raw)
    except (ValueError, RecursionError):
        block = None
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        raise ValueError("raw has to be a JSON object with a type")


class ScriptedUsage(_Section):
    """The tokens of a turn. Omitted values are estimated from the length of the texts."""

    input: Count | None = None
    output: Count | None = None
    cache_read: Count = 0
    cache_write: Count = 0


FaultKind = Literal[
    "overloaded", "rate_limit", "server_error", "disconnect", "error", "stall", "slow", "malformed_input"
]

# The additional settings of each kind of fault.
_FAULT_SETTINGS: dict[str, set[str]] = {
    "overloaded": set(),
    "rate_limit": {"retry_after"},
    "server_error": set(),
    "disconnect": {"after"},
    "error": {"after"},
    "stall": {"after", "seconds"},
    "slow": {"events_per_second"},
    "malformed_input": set(),
}


class Fault(_Section):
    """A fault of the first `times` requests for a turn. The faults of a turn occur one after the other.

    `overloaded` is status 529, `rate_limit` 429 with a `retry-after` header, `server_error` 500. After `after` events
    of the stream, `disconnect` closes the connection, `error` ends the stream with an error event, and `stall` sends
    nothing for `seconds` (by default until the client leaves). `slow` sets `events_per_second`. `malformed_input`
    truncates the JSON of tool calls.
    """

    kind: FaultKind
    times: Annotated[int, Field(ge=1)] = 1
    after: Count = 0
    retry_after: Seconds = 1
    seconds: Seconds | None = None
    events_per_second: Rate = 1

    @model_validator(mode="after")
    def _has_its_settings(self) -> Fault:
        foreign = self.model_fields_set - {"kind", "times"} - _FAULT_SETTINGS[self.kind]
        if foreign:
            raise ValueError(f"{self.kind} has no setting {', '.join(sorted(foreign))}")
        return self


class Expect(_Section):
    """Conditions on the request for a turn. A request that does not meet them is answered with status 400.

    The answer names the condition. `result_contains` and `result_is_error` apply to the tool results in the last
    message: one of them must match. `tools` are names of tools that the request must offer. The others apply to texts.
    """

    result_contains: NonEmpty | None = None
    result_is_error: bool | None = None
    user_contains: NonEmpty | None = None
    system_contains: NonEmpty | None = None
    tools: tuple[ToolName, ...] = ()


class StopDetails(_Section):
    """The reason for a refusal."""

    category: Literal["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms"] | None = None
    explanation: str | None = None


class Turn(_Section):
    """One answer of the model. `stop_reason` defaults to `tool_use` if there is a tool call, else to `end_turn`.

    `delay` is in seconds before the answer begins. `events_per_second` defaults to the conversation's.
    """

    content: tuple[Block, ...]
    stop_reason: StopReason | None = None
    stop_details: StopDetails | None = None
    usage: ScriptedUsage = ScriptedUsage()
    delay: Seconds = 0
    events_per_second: Rate | None = None
    expect: Expect = Expect()
    faults: tuple[Fault, ...] = ()

    @model_validator(mode="after")
    def _details_are_of_a_refusal(self) -> Turn:
        if self.stop_details is not None and self.stop_reason != "refusal":
            raise ValueError('stop_details belong to stop_reason = "refusal"')
        return self

    def fault(self, request: int) -> Fault | None:
        """Return the fault of the turn's request with this number, from 0; None if it has no fault."""
        for fault in self.faults:
            if request < fault.times:
                return fault
            request -= fault.times
        return None


class ScriptedConversation(_Section):
    """The model's side of one conversation, and the requests that it answers. `model` may contain `*` as a wildcard.

    A conversation with tool calls never matches a request that offers no tools, such as one for a title.
    """

    model: NonEmpty | None = None
    contains: NonEmpty | None = None
    system_contains: NonEmpty | None = None
    events_per_second: Rate | None = None
    turn: Annotated[tuple[Turn, ...], AfterValidator(_some)]


class _Document(_Section):
    conversation: Annotated[tuple[ScriptedConversation, ...], AfterValidator(_some)]


@dataclass(frozen=True, slots=True)
class Script:
    """Conversations, and the name of their file, which error messages begin with."""

    source: str
    conversations: tuple[ScriptedConversation, ...]

    def place(self, conversation: int, turn: int | None = None) -> str:
        """Return the position in the script for error messages. The arguments count from 0, the text from 1."""
        place = f"{self.source}, conversation {conversation + 1}"
        return place if turn is None else f"{place}, turn {turn + 1}"


def load(file: Path) -> Script:
    """Read a script. Raises UsageError with every problem found, one to a line."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from error
    return parse(text, str(file))


def parse(text: str, source: str) -> Script:
    """Parse the text of a script. Error messages call it `source`. Raises UsageError as `load` does."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is not valid TOML: {error}.") from error
    try:
        return Script(source, _Document.model_validate(document).conversation)
    except ValidationError as error:
        lines = (_complaint(source, problem["loc"], problem["type"], problem["msg"]) for problem in error.errors())
        raise UsageError("\n".join(dict.fromkeys(lines))) from None


def _complaint(source: str, place: tuple[int | str, ...], kind: str, message: str) -> str:
    """Return an error message such as `play.toml, conversation 2, turn 1, faults 1, kind: …`, with numbers from 1."""
    words: list[str] = [source]
    for part in place:
        if isinstance(part, int):
            words[-1] += f" {part + 1}"
        else:
            words.append(part)
    if kind == "extra_forbidden":
        message = "is not a setting; check its spelling"
    message = message.removeprefix("Value error, ")
    return f"{', '.join(words)}: {message[:1].lower()}{message[1:]}."
