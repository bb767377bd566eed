"""Write a script as TOML, in the form that `script.parse` reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from mux_lsp.agents.replay.script import Block, ScriptedConversation, Turn

_BARE = re.compile(r"[A-Za-z0-9_-]+")

# Characters that TOML allows in no string without an escape. A lone surrogate is not a valid character at all.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Quotes that could end a multi-line string, which ends in three of them.
_QUOTES = re.compile(r'"(?="|\Z)')
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def write(conversations: Iterable[ScriptedConversation]) -> str:
    """Return the text of a script with these conversations."""
    return "\n".join(_conversation(conversation) for conversation in conversations)


def representable(value: object) -> bool:
    """Return whether TOML can represent a value: it has no null."""
    match value:
        case None:
            return False
        case dict():
            return all(map(representable, value.values()))
        case list() | tuple():
            return all(map(representable, value))
        case _:
            return True


def _conversation(conversation: ScriptedConversation) -> str:
    lines = ["[[conversation]]", *_keys(_given(conversation, "turn"))]
    for turn in conversation.turn:
        lines += ["", *_turn(turn)]
    return "\n".join([*lines, ""])


def _turn(turn: Turn) -> list[str]:
    lines = ["[[conversation.turn]]", *_keys(_given(turn, "content"))]
    if not turn.content:
        lines.append("content = []")
    for block in turn.content:
        lines += ["", *_block(block)]
    return lines


def _block(block: Block) -> list[str]:
    lines = ["[[conversation.turn.content]]", *_keys(_given(block, "input"))]
    if block.input:
        lines += ["[conversation.turn.content.input]", *_keys(block.input)]
    return lines


def _given(section: BaseModel, without: str) -> dict[str, Any]:
    """Return the settings of a section that differ from their defaults."""
    return section.model_dump(mode="json", exclude_defaults=True, exclude={without})


def _keys(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _line(key)


def _value(value: Any) -> str:
    match value:
        case str():
            return _text(value) if "\n" in value else _line(value)
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case _:
            return repr(value)


def _line(text: str) -> str:
    """Return a text as a single-line string. JSON's syntax is used, as far as TOML accepts it."""
    return json.dumps(_SURROGATE.sub("\ufffd", text), ensure_ascii=False).replace("\x7f", "\\u007f")


def _text(text: str) -> str:
    """Return a text as a multi-line string, which is easier to read."""
    body = _SURROGATE.sub("\ufffd", text).replace("\\", "\\\\")
    body = _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", body)
    body = _QUOTES.sub('\\\\"', body)
    return f'"""\n{body}"""'
