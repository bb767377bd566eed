"""What a scripted model does, turn by turn, whatever wire format it is asked in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Say:
    """It says something."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """It calls a tool."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stall:
    """It falls silent in the middle, until the client goes away."""


Turn = tuple[Say | Call | Stall, ...]

PROMPT_TOKENS, CACHED_TOKENS, ANSWER_TOKENS = 100, 40, 10
"""What every answer says it took; the cached ones are among the prompt's."""
