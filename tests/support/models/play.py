"""Describe the turns of a scripted model, independently of the wire format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Say:
    """A text."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stall:
    """A stall in the middle, until the client disconnects."""


Turn = tuple[Say | Call | Stall, ...]

PROMPT_TOKENS, CACHED_TOKENS, ANSWER_TOKENS = 100, 40, 10
"""Tokens that every answer reports. The cached tokens are among the prompt's."""
