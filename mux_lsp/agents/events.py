"""What an agent of any kind tells while it works: one closed set of plain events.

Texts are as the agent sent them: whoever shows one makes it harmless first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mux_lsp.agents.process_table import Process


@dataclass(frozen=True, slots=True)
class Started:
    """The agent is at work. A later daemon needs `process` to take it up again: note it before anything else."""

    process: Process


@dataclass(frozen=True, slots=True)
class Session:
    """The agent's own name for its conversation, by which a further message goes on with it."""

    id: str


@dataclass(frozen=True, slots=True)
class Text:
    """Something the agent says, whole."""

    text: str


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of what the agent is saying, for those who watch; the whole follows as `Text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """What the agent thinks aloud."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent uses a tool. `title` says in a line what for; `input` is JSON, shortened where it is long."""

    id: str
    name: str
    title: str
    input: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a tool call, shortened where it is long."""

    id: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class FileTouched:
    """A file the agent says it has written, as it names it."""

    path: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, and dollars where they are known, of one request more."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cost_usd: float | None = None

    @property
    def tokens(self) -> int:
        """All of them, whether they were cached or not."""
        return self.input + self.output + self.cache_read + self.cache_write

    def plus(self, more: Usage) -> Usage:
        """Both together. Dollars that are not known count as none."""
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
    """The agent's plan as it stands now; it takes the place of an earlier one."""

    entries: tuple[PlanEntry, ...]


@dataclass(frozen=True, slots=True)
class Final:
    """The agent's closing words."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something mux-lsp says about the attempt: a retry, a limit that is near, a refused permission."""

    text: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Output that could not be read as anything else."""

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
