"""What the parsers share: lines of JSON, checked values of them, and texts in bounds."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.backend import Outcome
from mux_lsp.agents.command import explain
from mux_lsp.agents.events import Event, Raw

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_TEXT: Final = 20_000
"""Characters kept of a tool's input and of what came of it."""

LONGEST_RAW: Final = 2_000
"""Characters kept of a line that cannot be read."""

LONGEST_REASON: Final = 500
"""Characters kept of why an agent says it could not do it."""

LONGEST_TITLE: Final = 160


class Lines:
    """A parser of one JSON object a line. What it does not know, or cannot read, it gives as it stands."""

    def __init__(self) -> None:
        self.failure: str | None = None
        """Why the agent says it could not do it."""

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
            # Of another version, or damaged. The transcript has it all the same.
            pass
        return [raw(line)]

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """What a message says. May raise what `feed` expects of values that are not what they should be."""
        raise NotImplementedError

    def finish(self) -> list[Event]:
        """See `Parser.finish`."""
        return []

    def outcome(self, exit_status: int | None) -> Outcome:
        """See `Parser.outcome`. Its own words say more than a number; and some end with 0 after a failure."""
        if self.failure is not None and exit_status is not None:
            reason = " ".join(self.failure.split())
            return Outcome(exit_status or 1, reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…")
        return Outcome(exit_status, explain(exit_status))


def raw(line: str) -> Raw:
    """A line as it stands, in bounds."""
    return Raw(line if len(line) <= LONGEST_RAW else f"{line[:LONGEST_RAW]}…")


def words(value: Any) -> str:
    """A text. Raises TypeError where the value is none."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    return value


def count(value: Any) -> int:
    """A number of tokens; 0 for what can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else 0


def dollars(value: Any) -> float | None:
    """An amount of money, None for what can be none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def shortened(text: str) -> str:
    """Head and tail of a long text."""
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n… {len(text) - LONGEST_TEXT:,} characters left out …\n{text[-half:]}"


def shown(given: Any) -> str:
    """A call's input as JSON, in bounds."""
    return shortened(json.dumps(given, ensure_ascii=False))


_SUBJECTS: Final = (
    "command", "cmd", "file_path", "filePath", "path", "notebook_path", "absolute_path", "pattern", "query", "url",
    "description", "prompt",
)  # fmt: skip


def titled(name: str, given: Any) -> str:
    """A call in a line: the tool, and what it is about."""
    values = given if isinstance(given, dict) else {}
    subject = next((values[key] for key in _SUBJECTS if isinstance(values.get(key), str)), "")
    line = " ".join(f"{name} {subject}".split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"
