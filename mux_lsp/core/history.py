"""What a person has accepted: the words of a journal that outlives tasks, and where accepted lines stand now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp.core.text import content_length, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LARGEST_EXTRACT: Final = 200_000
"""Lines of more bytes than this in UTF-8 are journalled by their number and digest only."""

CONTEXT: Final = 3
"""So many lines before and after an accepted hunk are remembered with it."""

_COMMON: Final = 200
"""Of a line that stands in a text more often than this only the nearest places are looked at, and it begins no part of
a hunk: too much would have to be compared."""


class Cause(StrEnum):
    """How a hunk came into the text."""

    ACCEPT = "accept"
    """By one of our commands, or by an edit of ours that the client applied."""
    TEXT = "text"
    """The text has it now, and nobody asked us for it: typed, or brought in by another tool."""


@dataclass(frozen=True, slots=True)
class Extract:
    """Lines of a hunk as the journal keeps them: whole, or where they are too many only how many and which."""

    lines: int
    text: str | None
    digest: str | None = None
    """See `digest`; where `text` is None."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One hunk that became part of a person's text, with all that an audit asks for. It needs no task to be read.

    `at` and `withdrawn` are seconds since the epoch.
    """

    repository: str
    task: str
    run: str
    agent: str
    model: str | None
    prompt: str
    message: str | None
    """What the run was told to go on with, if it was."""
    path: str
    """The file that it came into."""
    origin: str
    """What that file was called in the snapshot; the same but for a renamed one."""
    hunk: str | None
    """The hunk's id, None for a change that is no text."""
    change: str
    """The hunk's id too; for a change that is no text the mode and git object that it leads to."""
    cause: Cause
    client: str
    person: str
    """The name of the user whose daemon it was."""
    line: int
    """The first line it stood at then, 0-based, in the text of that client."""
    removed: Extract
    added: Extract
    before: tuple[str, ...] = ()
    """The lines in front of it then, `CONTEXT` at the most, without their line ends; none at the start of the text."""
    after: tuple[str, ...] = ()
    """The lines behind it then."""
    agreed: tuple[str, ...] = ()
    """The other runs of the task that had the same hunk."""
    total: int = 1
    """Cause many runs of the task had changed something."""
    id: int = 0
    """Given by the journal."""
    at: float = 0.0
    withdrawn: float | None = None
    """When the text lost it again, by undo or for another variant; None while the acceptance stands."""

    @property
    def key(self) -> ChangeKey:
        """What one acceptance at a time can stand for."""
        return ChangeKey(self.task, self.origin, self.change)


class ChangeKey(NamedTuple):
    """A change that runs of a task make: equal ones are one. The fields are those of `Acceptance`."""

    task: str
    origin: str
    change: str


class Span(NamedTuple):
    """Lines `[start, end)` of a text. `partial`: only some of the accepted lines, the others were changed since."""

    start: int
    end: int
    partial: bool = False


def extract(lines: Sequence[str]) -> Extract:
    """Lines as the journal keeps them."""
    joined = "".join(lines)
    data = joined.encode("utf-8", "surrogatepass")
    if len(data) <= LARGEST_EXTRACT:
        return Extract(len(lines), joined)
    return Extract(len(lines), None, digest(lines))


def digest(lines: Iterable[str]) -> str:
    """What tells lines from others, whatever their line ends."""
    bare = "\n".join(map(_bare, lines))
    return hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()


def context(lines: Sequence[str], start: int, end: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines around `[start, end)`, as `locate` wants them."""
    return (
        tuple(map(_bare, lines[max(0, start - CONTEXT) : start])),
        tuple(map(_bare, lines[end : end + CONTEXT])),
    )


class Text:
    """A text in which accepted lines are looked for. Line ends count for nothing: editors change them."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = [_bare(line) for line in lines]
        self._places: dict[str, list[int]] = {}
        for number, line in enumerate(self.lines):
            self._places.setdefault(line, []).append(number)

    def places(self, line: str) -> Sequence[int]:
        """Where a line stands."""
        return self._places.get(line, ())


def locate(
    added: Sequence[str],
    text: Text,
    near: int,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> Span | None:
    """Where accepted lines stand in a text now, or None where nothing tells.

    Whole and in one piece: of several such places one between its old neighbours, then the one nearest to line `near`.
    Else the longest piece of them that is left (`partial`), nearest to `near`. A piece tells something only by a line
    with a letter or a digit: blank lines and brackets stand everywhere, so by themselves they are found at `near` only.

    A hunk that only deletes has no lines. It is the empty span between its old neighbours, `before` and `after`, where
    these meet: the last of the one, the first of the other, or the start or end of the text where there were none.
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


def locate_acceptance(acceptance: Acceptance, text: Text) -> Span | None:
    """Where an acceptance's lines stand in a text. Of lines that are not kept only whether they are where they were."""
    added = acceptance.added
    if added.text is not None:
        return locate(split_lines(added.text), text, acceptance.line, acceptance.before, acceptance.after)
    span = Span(acceptance.line, acceptance.line + added.lines)
    return span if digest(text.lines[span.start : span.end]) == added.digest else None


def _whole(wanted: list[str], text: Text, near: int) -> Iterator[int]:
    rarest = min(range(len(wanted)), key=lambda index: len(text.places(wanted[index])))
    places = text.places(wanted[rarest])
    if len(places) > _COMMON:
        places = nsmallest(_COMMON, places, key=lambda place: abs(place - rarest - near))
    for place in places:
        start = place - rarest
        if start >= 0 and text.lines[start : start + len(wanted)] == wanted:
            yield start


def _neighbours(text: Text, start: int, end: int, before: Sequence[str], after: Sequence[str]) -> int:
    """Cause many of the two old neighbours stand on either side of the lines `[start, end)`."""
    in_front, behind = text.lines[max(0, start - 1) : start], text.lines[end : end + 1]
    return (in_front == list(before[-1:])) + (behind == list(after[:1]))


def _between(text: Text, near: int, before: Sequence[str], after: Sequence[str]) -> Span | None:
    places = [near]
    if any(map(_tells, (*before[-1:], *after[:1]))):
        places = [line + 1 for line in text.places(before[-1])] if before else [0]
    meeting = [
        place for place in places if place <= len(text.lines) and _neighbours(text, place, place, before, after) == 2
    ]
    best = min(meeting, key=lambda place: abs(place - near), default=None)
    return None if best is None else Span(best, best)


def _longest(wanted: list[str], text: Text, near: int) -> Span | None:
    """The longest common piece that tells something, by the classic table of common suffixes, row by row."""
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
