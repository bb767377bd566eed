"""Provide the parsers' base class and helpers: lines of JSON, type-checked values, and bounded texts."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.backend import Outcome
from mux_lsp.agents.command import explain
from mux_lsp.agents.events import Event, Raw

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_TEXT_CHARACTERS: Final = 20_000
"""Maximum number of characters kept of a tool's input and of its result."""

MAX_RAW_CHARACTERS: Final = 2_000
"""Maximum number of characters kept of a line that cannot be parsed."""

MAX_REASON_CHARACTERS: Final = 500
"""Maximum number of characters kept of the reason that an agent gives for a failure."""

MAX_TITLE_CHARACTERS: Final = 160


class Lines:
    """Base of parsers of one JSON object a line. Unknown or unreadable lines are returned unchanged, as `Raw`."""

    def __init__(self) -> None:
        self.failure: str | None = None
        """The reason that the agent gives for its failure; None if it reports none."""

    def begin_turn(self) -> None:
        """See `Parser.begin_turn`."""
        self.failure = None

    def feed(self, line: str) -> list[Event]:
        """See `Parser.feed`."""
        if not line.strip():
            return []
        try:
            message = json.loads(line)
            if isinstance(message, dict):
                return list(self.read(message))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError):
            # An unknown version, or damaged. The line is returned as `Raw` below, so the transcript has it.
            pass
        return [raw(line)]

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """Return the events of a message. May raise the errors that `feed` expects for values of the wrong type."""
        raise NotImplementedError

    def finish(self) -> list[Event]:
        """See `Parser.finish`."""
        return []

    def outcome(self, exit_status: int | None) -> Outcome:
        """See `Parser.outcome`.

        An agent's own words say more than a status, and some agents exit with 0 after a failure.
        """
        if self.failure is not None and exit_status is not None:
            reason = " ".join(self.failure.split())
            return Outcome(
                exit_status or 1,
                reason if len(reason) <= MAX_REASON_CHARACTERS else f"{reason[:MAX_REASON_CHARACTERS]}…",
            )
        return Outcome(exit_status, explain(exit_status))


def raw(line: str) -> Raw:
    """Return a line unchanged, but bounded."""
    return Raw(line if len(line) <= MAX_RAW_CHARACTERS else f"{line[:MAX_RAW_CHARACTERS]}…")


def words(value: Any) -> str:
    """Return a text. Raises TypeError if the value is not a text."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    return value


def count(value: Any) -> int:
    """Return a number of tokens; 0 if the value cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else 0


def dollars(value: Any) -> float | None:
    """Return an amount of money; None if the value cannot be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def shortened(text: str) -> str:
    """Return the head and tail of a long text."""
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    half = MAX_TEXT_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - MAX_TEXT_CHARACTERS:,} characters left out …\n{text[-half:]}"


def shown(given: Any) -> str:
    """Return a call's input as JSON, bounded."""
    return shortened(json.dumps(given, ensure_ascii=False))


_SUBJECTS: Final = (
    "command", "cmd", "file_path", "filePath", "path", "notebook_path", "absolute_path", "pattern", "query", "url",
    "description", "prompt",
)  # fmt: skip


def titled(name: str, given: Any) -> str:
    """Return a call as one line: the tool, and its object."""
    values = given if isinstance(given, dict) else {}
    subject = next((values[key] for key in _SUBJECTS if isinstance(values.get(key), str)), "")
    line = " ".join(f"{name} {subject}".split())
    return line if len(line) <= MAX_TITLE_CHARACTERS else f"{line[: MAX_TITLE_CHARACTERS - 1]}…"
