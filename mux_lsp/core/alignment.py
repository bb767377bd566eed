"""Read a live text as its base plus hunks, and separate the person's own edits from the hunks.

A plain diff knows nothing of the hunks and may align repeated lines differently. Where it leaves an edit
unexplained, this module searches for a reading that includes hunks. The reading with the fewest foreign lines wins,
and it must pass a check: with its hunks taken out of the live text again, a plain diff must not touch them.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mux_lsp.core.diff import Edit, apply, diff_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.model import Hunk

_READINGS = 32
"""Maximum number of readings of the live text followed side by side. Those with the most foreign lines are dropped."""

_ALONE = 4
"""Maximum number of hidden hunks that are also tried one by one."""
_LOOKS = 256
"""Maximum number of places at which the lines of one hunk are searched for."""

_LINE_COST = 1 << 20
"""Cost of a foreign line in a reading."""
_HUNK_COST = -(1 << 10)
"""Cost of a hunk in a reading: small, so that it decides only between readings with equally many foreign lines."""


class Segment(NamedTuple):
    """Base lines `[start, end)` that are live lines `[new_start, new_end)`, by a hunk or by a foreign edit (None)."""

    start: int
    end: int
    new_start: int
    new_end: int
    hunk: Hunk | None


class _Foreign(NamedTuple):
    """Edit that may be in the live text beside the hunks: base lines `[start, end)` become `lines`."""

    start: int
    end: int
    lines: list[str]
    cost: int


_FREE, _FOREIGN, _CLOSED = range(3)
"""Kinds of text before a place: unchanged lines, foreign lines that replace others, or a hunk or an insertion."""


class _Place(NamedTuple):
    """Live line that a reading has reached, and what precedes it."""

    at: int
    before: int


class _Path(NamedTuple):
    """End of a partial reading of the live text: the cost of its foreign edits, its predecessor and its last step."""

    cost: int
    before: _Path | None
    step: Segment | None


def align(base: list[str], hunks: list[Hunk], live: list[str], edits: Sequence[Edit]) -> list[Segment]:
    """Return the live text as steps from base, each a hunk or a foreign edit, in order of place."""
    by_start = {hunk.start: hunk for hunk in hunks}
    steps: list[Segment] = []
    for edit in edits:
        hunk = by_start.get(edit.start)
        same = hunk and hunk.end == edit.end and live[edit.new_start : edit.new_end] == list(hunk.added)
        steps.append(Segment(*edit, hunk if same else None))
    if all(step.hunk for step in steps):
        return steps
    if _may_be_hunks_alone(base, hunks, live, edits) and (exact := _best_reading(base, hunks, live, [])):
        return exact
    taken = {id(step.hunk) for step in steps if step.hunk}
    open_hunks = [hunk for hunk in hunks if id(hunk) not in taken]
    hidden = _perhaps_hidden(base, open_hunks, live, steps)
    if not hidden:
        return steps
    foreign = [_foreign(edit, 0, live, 0) for edit in edits]
    # Any of the hidden hunks may be absent, and then the others are easier to find without it.
    alone = hidden if 1 < len(hidden) <= _ALONE else []
    for there in (hidden, *([hunk] for hunk in alone)):
        present = taken.union(map(id, there))
        foreign += _edits_around(base, [hunk for hunk in hunks if id(hunk) in present], live)
    held = [step for step in _best_reading(base, hunks, live, foreign) if step.hunk]
    if {id(step.hunk) for step in held} <= taken:
        return steps
    return _verified(base, live, held) or steps


def _may_be_hunks_alone(base: list[str], hunks: list[Hunk], live: list[str], edits: Sequence[Edit]) -> bool:
    """Return whether a reading without foreign edits is possible.

    It is if every line that the live text has more often than base is added by some hunk, and every line that it has
    less often is removed by some hunk.
    """
    more: list[str] = []
    less: list[str] = []
    for start, end, new_start, new_end in edits:
        more += live[new_start:new_end]
        less += base[start:end]
    return _balanced(more, less, [hunk.added for hunk in hunks]) and _balanced(
        less, more, [hunk.removed for hunk in hunks]
    )


def _balanced(more: list[str], less: list[str], known: Iterable[tuple[str, ...]]) -> bool:
    """Return whether each line of `more` is known or occurs as often in `less`."""
    unknown = set(more).difference(*known)
    if not unknown:
        return True
    if not unknown.issubset(less):
        return False
    counts = Counter(more)
    counts.subtract(less)
    return all(counts[line] <= 0 for line in unknown)


def _verified(base: list[str], live: list[str], held: list[Segment]) -> list[Segment]:
    """Return the steps of the reading in which the live text holds these hunks, or [] if it does not pass the check.

    With the hunks taken out again, a plain diff must find no edit that overlaps or touches one of them, and must
    place each where it was taken out.
    """
    without = list(live)
    for step in reversed(held):
        without[step.new_start : step.new_end] = base[step.start : step.end]
    steps: list[Segment] = []
    shift = 0
    waiting = held[::-1]
    for edit in [*diff_lines(base, without), None]:
        while waiting and (edit is None or waiting[-1].start <= edit.end):
            step = waiting.pop()
            at = step.start + moved_by(steps, len(steps))
            if at != step.new_start or (edit and edit.start <= step.end):
                return []
            steps.append(step)
            shift += step.new_end - step.new_start - (step.end - step.start)
        if edit:
            steps.append(Segment(edit.start, edit.end, edit.new_start + shift, edit.new_end + shift, None))
    return steps


def _perhaps_hidden(base: list[str], open_hunks: list[Hunk], live: list[str], steps: list[Segment]) -> list[Hunk]:
    """Return the hunks that the live text may hold, mixed up with other edits because lines repeat.

    A hunk is included if its added lines are in the live text and a plain diff does not take all of them for old
    ones, or, if it adds none, if all its lines are gone. This may include too many.
    """
    places: dict[str, list[int]] = {}
    removed: set[str] = set()
    for step in steps:
        if not step.hunk:
            for place in range(step.new_start, step.new_end):
                places.setdefault(live[place], []).append(place)
            removed.update(base[step.start : step.end])
    return [
        hunk
        for hunk in open_hunks
        if (_stands(hunk.added, live, places) if hunk.added else removed.issuperset(hunk.removed))
    ]


def _stands(added: tuple[str, ...], live: list[str], places: dict[str, list[int]]) -> bool:
    """Return whether the live text has these lines in one piece, with at least one of them at one of its places."""
    if places.keys().isdisjoint(added):
        return False
    starts = (place - offset for offset, line in enumerate(added) for place in places.get(line, ()))
    if any(start >= 0 and tuple(live[start : start + len(added)]) == added for start in islice(starts, _LOOKS)):
        return True
    # Lines that repeat more often than that may hide anything.
    if next(starts, None) is not None:
        return True
    # A plain diff may take equal lines elsewhere for the new ones.
    if any(count > len(places.get(line, ())) for line, count in Counter(added).items()):
        return False
    starts = (start for start, line in enumerate(live) if line == added[0])
    return any(tuple(live[start : start + len(added)]) == added for start in islice(starts, _LOOKS))


def _edits_around(base: list[str], hunks: list[Hunk], live: list[str]) -> list[_Foreign]:
    """Return the edits between base with these hunks applied and the live text, by a plain diff, in lines of base.

    Edits that change lines of the hunks, or touch them, are left out.
    """
    foreign = []
    shift = following = 0
    for edit in diff_lines(apply(base, hunks), live):
        while following < len(hunks) and hunks[following].start + len(hunks[following].added) + shift < edit.start:
            shift += len(hunks[following].added) - len(hunks[following].removed)
            following += 1
        if following == len(hunks) or edit.end < hunks[following].start + shift:
            # A little more than the plain diff's edits cost for the same lines, so that those win a tie.
            foreign.append(_foreign(edit, shift, live, 1))
    return foreign


def _foreign(edit: Edit, shift: int, live: list[str], extra: int) -> _Foreign:
    cost = _LINE_COST * (edit.end - edit.start + edit.new_end - edit.new_start) + extra
    return _Foreign(edit.start - shift, edit.end - shift, live[edit.new_start : edit.new_end], cost)


def _best_reading(base: list[str], hunks: list[Hunk], live: list[str], foreign: list[_Foreign]) -> list[Segment]:
    """Return the cheapest path from base to live by equal lines, hunks and foreign edits; [] if none was found.

    This is the shortest path in a graph of places (base line, live line), visited in ascending order.
    """
    moves: dict[int, list[tuple[int, list[str], int, Hunk | None]]] = {0: [], len(base): []}
    for hunk in hunks:
        moves.setdefault(hunk.start, []).append((hunk.end, list(hunk.added), _HUNK_COST, hunk))
        moves.setdefault(hunk.end, [])
    for edit in foreign:
        moves.setdefault(edit.start, []).append((edit.end, edit.lines, edit.cost, None))
        moves.setdefault(edit.end, [])
    stops = sorted(moves)
    readings: dict[int, dict[_Place, _Path]] = {stop: {} for stop in stops}
    readings[0][_Place(0, _FREE)] = _Path(0, None, None)
    for stop, after in zip(stops, [*stops[1:], None], strict=True):
        here = readings[stop]
        if len(here) > _READINGS:
            cheapest = sorted(here, key=lambda place: (here[place].cost, place))[:_READINGS]
            here = readings[stop] = {place: here[place] for place in cheapest}
        waiting = sorted(here)
        for place in waiting:
            at, before = place
            reading = here[place]
            if after is not None and live[at : at + after - stop] == base[stop:after]:
                _reach(readings[after], _Place(at + after - stop, _FREE), _Path(reading.cost, reading, None))
            for end, lines, cost, by in moves[stop]:
                # Touching a hunk or an insertion is a conflict, as in a merge.
                if before == _CLOSED or (before == _FOREIGN and by) or live[at : at + len(lines)] != lines:
                    continue
                step = Segment(stop, end, at, at + len(lines), by)
                reached = _Place(step.new_end, _CLOSED if by or end == stop else _FOREIGN)
                is_new = _reach(readings[end], reached, _Path(reading.cost + cost, reading, step))
                if end == stop and is_new:
                    # More steps can follow the insertion at this same base line: its place comes later in this walk.
                    insort(waiting, reached)
    ends = [reading for place, reading in readings[len(base)].items() if place.at == len(live)]
    reading_back = min(ends, key=_cost, default=None)
    steps: list[Segment] = []
    while reading_back:
        if reading_back.step:
            steps.append(reading_back.step)
        reading_back = reading_back.before
    return steps[::-1]


def _cost(reading: _Path) -> int:
    return reading.cost


def _reach(readings: dict[_Place, _Path], place: _Place, reading: _Path) -> bool:
    """Keep the cheapest reading of a place. Return whether the place is new."""
    known = readings.get(place)
    if known is None or reading.cost < known.cost:
        readings[place] = reading
    return known is None


def moved_by(steps: list[Segment], index: int) -> int:
    """Return the offset from a base line between steps `index - 1` and `index` to its live line."""
    return steps[index - 1].new_end - steps[index - 1].end if index else 0
