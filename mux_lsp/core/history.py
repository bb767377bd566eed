"""Describe acceptances for a journal that outlives tasks, and locate accepted lines in a current text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp.core.text import content_length, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_EXTRACT_BYTES: Final = 200_000
"""Maximum number of bytes, in UTF-8, of lines that are journalled as text. Beyond it only their count and digest are.
"""

CONTEXT_LINES: Final = 3
"""Number of lines before and after an accepted hunk that are stored with it."""

_COMMON: Final = 200
"""Maximum number of places at which a line is searched for: the nearest ones.

A line that occurs more often also begins no partial match, because too much would have to be compared.
"""


class Cause(StrEnum):
    """Way in which a hunk came into the text."""

    ACCEPT = "accept"
    """One of our commands, or an edit of ours that the client applied."""
    TEXT = "text"
    """The text has it now without a request to us: it was typed, or brought in by another tool."""


@dataclass(frozen=True, slots=True)
class Extract:
    """Lines of a hunk as the journal keeps them: the text, or for too long ones only count and digest."""

    lines: int
    text: str | None
    digest: str | None = None
    """The lines' `digest`, if `text` is None."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Hunk that became part of a person's text, with all facts that an audit needs. It can be read without the task.

    `at` and `withdrawn` are seconds since the epoch.
    """

    repository: str
    task: str
    run: str
    agent: str
    model: str | None
    prompt: str
    message: str | None
    """Message that the run was continued with, if any."""
    path: str
    """File that it came into."""
    origin: str
    """Path of that file in the snapshot; differs only for a renamed file."""
    hunk: str | None
    """Id of the hunk, or None for a change that is not text."""
    change: str
    """Id of the hunk too; for a change that is not text, the mode and git object of the new version."""
    cause: Cause
    client: str
    person: str
    """Name of the user that the daemon ran as."""
    line: int
    """First line that it had then, 0-based, in the text of that client."""
    removed: Extract
    added: Extract
    before: tuple[str, ...] = ()
    """Lines before it then, at most `CONTEXT_LINES`, without their line ends; empty at the start of the text."""
    after: tuple[str, ...] = ()
    """Lines after it then, in the same form."""
    agreed: tuple[str, ...] = ()
    """Other runs of the task that had the same hunk."""
    total: int = 1
    """Number of runs of the task that had changed something."""
    id: int = 0
    """Row id in the journal; 0 before it is stored."""
    at: float = 0.0
    withdrawn: float | None = None
    """Time at which the text lost it again, by undo or for another variant; None while the acceptance holds."""

    @property
    def key(self) -> ChangeKey:
        """Key of the change. At most one acceptance per key holds at a time."""
        return ChangeKey(self.task, self.origin, self.change)


class ChangeKey(NamedTuple):
    """Change that runs of a task make: equal ones have equal keys. The fields are those of `Acceptance`."""

    task: str
    origin: str
    change: str


class Span(NamedTuple):
    """Lines `[start, end)` of a text. `partial`: only some of the accepted lines; the others were changed since."""

    start: int
    end: int
    partial: bool = False


def extract(lines: Sequence[str]) -> Extract:
    """Return lines in the form that the journal keeps."""
    joined = "".join(lines)
    data = joined.encode("utf-8", "surrogatepass")
    if len(data) <= MAX_EXTRACT_BYTES:
        return Extract(len(lines), joined)
    return Extract(len(lines), None, digest(lines))


def digest(lines: Iterable[str]) -> str:
    """Return the SHA-256 of lines, without their line ends."""
    bare = "\n".join(map(_bare, lines))
    return hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()


def context(lines: Sequence[str], start: int, end: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines before and after `[start, end)` in the form that `locate` expects."""
    return (
        tuple(map(_bare, lines[max(0, start - CONTEXT_LINES) : start])),
        tuple(map(_bare, lines[end : end + CONTEXT_LINES])),
    )


class HistoryText:
    """Text in which accepted lines are searched for. Line ends are ignored, because editors change them."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = [_bare(line) for line in lines]
        self._places: dict[str, list[int]] = {}
        for number, line in enumerate(self.lines):
            self._places.setdefault(line, []).append(number)

    def places(self, line: str) -> Sequence[int]:
        """Return the numbers of the lines equal to `line`."""
        return self._places.get(line, ())


def locate(
    added: Sequence[str],
    text: HistoryText,
    near: int,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> Span | None:
    """Return the span of accepted lines in a current text, or None if it cannot be determined.

    The lines are first searched for whole and in one piece. Of several such places, one between its old neighbours
    wins, then the one nearest to line `near`. Otherwise the longest remaining piece is returned (`partial`), nearest
    to `near`. A piece is evidence only if it has a line with a letter or a digit: blank lines and brackets occur
    everywhere, so by themselves they are found at `near` only.

    A hunk that only deletes has no lines. Its span is the empty one between its old neighbours `before` and `after`,
    where these meet: the last line of `before` and the first of `after`, or the start or end of the text if there
    were no such lines.
    """
    wanted = [_bare(line) for line in added]
    if not wanted:
        return _between(text, near, before, after)
    telling = any(map(_tells, wanted))
    whole = [start for start in _whole(wanted, text, near) if telling or start == near]
    if whole:
        best = min(
            whole, key=lambda start: (-_neighbours(text, start, start + len(wanted), before, after), abs(start - near))
        )
        return Span(best, best + len(wanted))
    return _longest(wanted, text, near)


def locate_acceptance(acceptance: Acceptance, text: HistoryText) -> Span | None:
    """Return the span of an acceptance's lines in a text.

    If only their digest is kept, they are found only at their original place.
    """
    added = acceptance.added
    if added.text is not None:
        return locate(split_lines(added.text), text, acceptance.line, acceptance.before, acceptance.after)
    span = Span(acceptance.line, acceptance.line + added.lines)
    return span if digest(text.lines[span.start : span.end]) == added.digest else None


def _whole(wanted: list[str], text: HistoryText, near: int) -> Iterator[int]:
    rarest = min(range(len(wanted)), key=lambda index: len(text.places(wanted[index])))
    places = text.places(wanted[rarest])
    if len(places) > _COMMON:
        places = nsmallest(_COMMON, places, key=lambda place: abs(place - rarest - near))
    for place in places:
        start = place - rarest
        if start >= 0 and text.lines[start : start + len(wanted)] == wanted:
            yield start


def _neighbours(text: HistoryText, start: int, end: int, before: Sequence[str], after: Sequence[str]) -> int:
    """Return how many of the two old neighbours are next to the lines `[start, end)`: 0, 1 or 2."""
    in_front, behind = text.lines[max(0, start - 1) : start], text.lines[end : end + 1]
    return (in_front == list(before[-1:])) + (behind == list(after[:1]))


def _between(text: HistoryText, near: int, before: Sequence[str], after: Sequence[str]) -> Span | None:
    places = [near]
    if any(map(_tells, (*before[-1:], *after[:1]))):
        places = [line + 1 for line in text.places(before[-1])] if before else [0]
    meeting = [
        place for place in places if place <= len(text.lines) and _neighbours(text, place, place, before, after) == 2
    ]
    best = min(meeting, key=lambda place: abs(place - near), default=None)
    return None if best is None else Span(best, best)


def _longest(wanted: list[str], text: HistoryText, near: int) -> Span | None:
    """Return the longest common piece that is evidence, by the classic table of common suffixes, row by row."""
    telling = [0]
    for line in wanted:
        telling.append(telling[-1] + _tells(line))
    best: tuple[int, int, int] | None = None
    row: dict[int, int] = {}
    for index, line in enumerate(wanted):
        places = text.places(line)
        if len(places) <= _COMMON:
            row = {place: row.get(place - 1, 0) + 1 for place in places}
        else:
            row = {end + 1: length + 1 for end, length in row.items() if text.lines[end + 1 : end + 2] == [line]}
        for place, length in row.items():
            start = place + 1 - length
            rank = (-length, abs(start - near), start)
            if telling[index + 1] > telling[index + 1 - length] and (best is None or rank < best):
                best = rank
    return None if best is None else Span(best[2], best[2] - best[0], partial=True)


def _tells(line: str) -> bool:
    return any(map(str.isalnum, line))


def _bare(line: str) -> str:
    return line[: content_length(line)]
