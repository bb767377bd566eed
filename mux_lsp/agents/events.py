"""Define the events that an agent of any kind reports while it works: one closed set of plain values.

Texts are as the agent sent them. Whoever displays one sanitizes it first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mux_lsp.agents.process_table import Process


@dataclass(frozen=True, slots=True)
class Started:
    """The agent is at work. A later daemon needs `process` to recover it, so record this before any other event."""

    process: Process


@dataclass(frozen=True, slots=True)
class Session:
    """The agent's own name for its conversation, which continues it with a further message."""

    id: str


@dataclass(frozen=True, slots=True)
class Text:
    """A complete message of the agent."""

    text: str


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of a message in progress, for live views. The complete message follows as `Text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A part of the agent's visible reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool. `title` is its purpose in one line; `input` is JSON, shortened if it is long."""

    id: str
    name: str
    title: str
    input: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool call, shortened if it is long."""

    id: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class FileTouched:
    """The path of a file that the agent reports as written, as the agent names it."""

    path: str


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one more request, and its cost in dollars if it is known."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost_usd: float | None = None

    @property
    def tokens(self) -> int:
        """The number of all tokens, cached or not."""
        return self.input + self.output + self.cache_read + self.cache_write

    def plus(self, more: Usage) -> Usage:
        """Return the sum of both. An unknown cost counts as 0."""
        known = [one.cost_usd for one in (self, more) if one.cost_usd is not None]
        return Usage(
            self.input + more.input,
            self.output + more.output,
            self.cache_read + more.cache_read,
            self.cache_write + more.cache_write,
            sum(known) if known else None,
        )


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A step of an agent's plan; `state` is `pending`, `active` or `done`."""

    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The agent's current plan. It replaces the previous one."""

    entries: tuple[PlanEntry, ...]


@dataclass(frozen=True, slots=True)
class Final:
    """The agent's closing message."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A message of mux-lsp about the attempt: a retry, a limit that is near, a refused permission."""

    text: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Output that could not be parsed."""

    text: str


Event = (
    Started
    | Session
    | Text
    | TextPart
    | Thought
    | ToolCall
    | ToolResult
    | FileTouched
    | Usage
    | Plan
    | Final
    | Notice
    | Raw
)
