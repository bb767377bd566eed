"""Hunks of a result, placed onto a live text that has moved on: exactly, or not at all.

The rules are those of a three-way merge by `git merge-file`, for each hunk by itself:

- **pending**: no edit of the live text overlaps or touches the hunk's lines of the base. At least one unchanged line,
  or the start or end of the file, stands on either side of it.
- **applied**: the live text has exactly this hunk here. That is so when it has the same edit, and also when the live
  text can be read in full as base with this hunk, maybe others, and foreign edits apart from them. A plain diff knows
  nothing of the hunks and may align repeated lines in another way, so where it leaves anything unexplained such a
  reading is sought. The one with the fewest foreign lines wins, and it must bear a check: with its hunks taken out of
  the live text again, a plain diff must leave them alone.
- **conflict**: everything else. A conflict never becomes an edit.

Where we choose otherwise than git, on purpose:

- git slides an insertion or deletion among equal lines to the last place it can have. If that slides it over a hunk,
  two readings of the live text put the hunk at two places (or say that its lines are gone), and git guesses. We refuse.
  A slide that only comes to touch the hunk leaves its place certain and is no reason to refuse.
- A hunk that the live text holds reads as applied, and its neighbours as pending, also where a plain diff shows their
  edits at other places, so that git would see a conflict or apply it twice.

Any other choice between equally short alignments is git's own, because `diff_lines` is.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mux_lsp.core.diff import Edit, apply, diff_lines
from mux_lsp.core.model import Hunk, HunkStatus
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_READINGS = 32
"""How many readings of the live text are followed side by side; the ones with the most foreign lines are dropped."""


_LINE_COST = 1 << 20
"""What a reading pays for a foreign line."""
_HUNK_COST = -(1 << 10)
"""What it pays for a hunk: so little that it only decides between readings with as many foreign lines."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one hunk stands to one live text.

    `[start, end)` are live lines: those it replaces (pending), those that are it (applied), those it collides with
    (conflict). They stand for the base lines `[base_start, base_end)`: the hunk's own, and in a conflict those of the
    edits that it collides with as well. `reason` says in words why it is a conflict.
    """

    hunk: Hunk
    status: HunkStatus
    start: int
    end: int
    base_start: int
    base_end: int
    reason: str | None = None


class LineEdit(NamedTuple):
    """The live lines `[start, end)` become `text`."""

    start: int
    end: int
    text: str


class _Step(NamedTuple):
    """Base lines `[start, end)` stand as live lines `[new_start, new_end)`, by a hunk or by a foreign edit (None)."""

    start: int
    end: int
    new_start: int
    new_end: int
    hunk: Hunk | None


class _Foreign(NamedTuple):
    """An edit that may be in the live text besides the hunks: base lines `[start, end)` become `lines`."""

    start: int
    end: int
    lines: list[str]
    cost: int


class _Reading(NamedTuple):
    """The end of one way to read the live text so far: what its foreign edits cost, what came before, the last step."""

    cost: int
    before: _Reading | None
    step: _Step | None


def rebase(
    base: Sequence[str], hunks: Sequence[Hunk], live: Sequence[str], edits: Sequence[Edit] | None = None
) -> list[Placement]:
    """Where each hunk stands in the live text, in the order given.

    `hunks` are hunks of one result against `base`. `edits` is `diff_lines(base, live)` where the caller has it already.
    """
    base = base if isinstance(base, list) else list(base)
    live = live if isinstance(live, list) else list(live)
    ordered = sorted(hunks, key=_start)
    if edits is None:
        edits = diff_lines(base, live)
    steps = _explain(base, ordered, live, edits)
    placements = _place(base, ordered, live, steps)
    if ordered == list(hunks):
        return placements
    by_hunk = {id(placement.hunk): placement for placement in placements}
    return [by_hunk[id(hunk)] for hunk in hunks]


def text_edits(chosen: Iterable[Placement]) -> list[LineEdit]:
    """The edits of the live text that apply the chosen placements, in order of place, apart from each other.

    Applied ones need no edit. Raises ConflictError if one is a conflict, or if two of them (of different runs) overlap
    or touch, unless they are the same edit.
    """
    edits: list[LineEdit] = []
    for placement in sorted(chosen, key=lambda placement: (placement.start, placement.end, placement.hunk.added)):
        if placement.status is HunkStatus.CONFLICT:
            raise ConflictError(f"Hunk {placement.hunk.id} cannot be placed: {placement.reason}. Nothing was changed.")
        if placement.status is HunkStatus.APPLIED:
            continue
        edit = LineEdit(placement.start, placement.end, "".join(placement.hunk.added))
        if edits and edits[-1] == edit:
            continue
        if edits and edit.start <= edits[-1].end:
            raise ConflictError(
                f"Hunk {placement.hunk.id} and another chosen hunk both change the text around line {edit.start + 1}:"
                " accept one of them. Nothing was changed."
            )
        edits.append(edit)
    return edits


def accept(live: Sequence[str], chosen: Iterable[Placement]) -> list[str]:
    """The live text's lines with the chosen placements applied, in whichever order. Raises as `text_edits` does."""
    chosen = list(chosen)
    added = {(placement.start, placement.end): placement.hunk.added for placement in chosen if _pending(placement)}
    result = list(live)
    for edit in reversed(text_edits(chosen)):
        result[edit.start : edit.end] = added[edit.start, edit.end]
    return result


def _pending(placement: Placement) -> bool:
    return placement.status is HunkStatus.PENDING


def _start(hunk: Hunk) -> int:
    return hunk.start


def _explain(base: list[str], hunks: list[Hunk], live: list[str], edits: Sequence[Edit]) -> list[_Step]:
    """The live text as steps from base, each a hunk or a foreign edit, in order of place."""
    by_place = {(hunk.start, hunk.end): hunk for hunk in hunks}
    steps: list[_Step] = []
    for edit in edits:
        hunk = by_place.get((edit.start, edit.end))
        same = hunk is not None and live[edit.new_start : edit.new_end] == list(hunk.added)
        steps.append(_Step(*edit, hunk if same else None))
    if all(step.hunk for step in steps):
        return steps
    if exact := _best_reading(base, hunks, live, []):
        return exact
    taken = {id(step.hunk) for step in steps if step.hunk}
    open_hunks = [hunk for hunk in hunks if id(hunk) not in taken]
    hidden = _perhaps_hidden(base, open_hunks, live, steps)
    if not hidden:
        return steps
    foreign = [_foreign(edit, 0, live, 0) for edit in edits]
    foreign += _seen_past(base, [hunk for hunk in hunks if id(hunk) in taken | hidden], live)
    held = [step for step in _best_reading(base, hunks, live, foreign) if step.hunk]
    if {id(step.hunk) for step in held} <= taken:
        return steps
    return _confirmed(base, live, held) or steps


def _confirmed(base: list[str], live: list[str], held: list[_Step]) -> list[_Step]:
    """The steps of a reading by which the live text holds these hunks, or [] where it does not bear a check.

    With the hunks taken out again, a plain diff must find no edit that overlaps or touches one of them, and must put
    each where it was taken out.
    """
    without = list(live)
    for step in reversed(held):
        without[step.new_start : step.new_end] = base[step.start : step.end]
    steps: list[_Step] = []
    shift = 0
    waiting = held[::-1]
    for edit in [*diff_lines(base, without), None]:
        while waiting and (edit is None or waiting[-1].start <= edit.end):
            step = waiting.pop()
            at = step.start + _shift(steps, len(steps))
            if at != step.new_start or (edit and edit.start <= step.end):
                return []
            steps.append(step)
            shift += step.new_end - step.new_start - (step.end - step.start)
        if edit:
            steps.append(_Step(edit.start, edit.end, edit.new_start + shift, edit.new_end + shift, None))
    return steps


def _perhaps_hidden(base: list[str], open_hunks: list[Hunk], live: list[str], steps: list[_Step]) -> set[int]:
    """The hunks (by `id`) whose lines are among what the foreign edits of a plain diff add or remove.

    The live text may hold them, mixed up with other edits because lines repeat. A first, generous look.
    """
    added: set[str] = set()
    removed: set[str] = set()
    for step in steps:
        if not step.hunk:
            added.update(live[step.new_start : step.new_end])
            removed.update(base[step.start : step.end])
    return {
        id(hunk)
        for hunk in open_hunks
        if (added.issuperset(hunk.added) if hunk.added else removed.issuperset(hunk.removed))
    }


def _seen_past(base: list[str], hunks: list[Hunk], live: list[str]) -> list[_Foreign]:
    """The edits that a plain diff finds between base with these hunks applied and live, in lines of base.

    Those that change lines of the hunks or touch them are left out.
    """
    foreign = []
    shift = following = 0
    for edit in diff_lines(apply(base, hunks), live):
        while following < len(hunks) and hunks[following].start + len(hunks[following].added) + shift < edit.start:
            shift += len(hunks[following].added) - len(hunks[following].removed)
            following += 1
        if following == len(hunks) or edit.end < hunks[following].start + shift:
            # A little more than the plain diff's for the same lines, so that those win a tie.
            foreign.append(_foreign(edit, shift, live, 1))
    return foreign


def _foreign(edit: Edit, shift: int, live: list[str], extra: int) -> _Foreign:
    cost = _LINE_COST * (edit.end - edit.start + edit.new_end - edit.new_start) + extra
    return _Foreign(edit.start - shift, edit.end - shift, live[edit.new_start : edit.new_end], cost)


def _best_reading(base: list[str], hunks: list[Hunk], live: list[str], foreign: list[_Foreign]) -> list[_Step]:
    """The cheapest way from base to live by matching lines, hunks and foreign edits; [] if none was found.

    The shortest path in a graph of places (base line, live line), visited in rising order.
    """
    moves: dict[int, list[tuple[int, list[str], int, Hunk | None]]] = {0: [], len(base): []}
    for hunk in hunks:
        moves.setdefault(hunk.start, []).append((hunk.end, list(hunk.added), _HUNK_COST, hunk))
        moves.setdefault(hunk.end, [])
    for edit in foreign:
        moves.setdefault(edit.start, []).append((edit.end, edit.lines, edit.cost, None))
        moves.setdefault(edit.end, [])
    stops = sorted(moves)
    readings: dict[int, dict[int, _Reading]] = {stop: {} for stop in stops}
    readings[0][0] = _Reading(0, None, None)
    for stop, after in zip(stops, [*stops[1:], None], strict=True):
        here = readings[stop]
        if len(here) > _READINGS:
            cheapest = sorted(here, key=lambda at: (here[at].cost, at))[:_READINGS]
            here = readings[stop] = {at: here[at] for at in cheapest}
        waiting = sorted(here)
        for at in waiting:
            reading = here[at]
            if after is not None and live[at : at + after - stop] == base[stop:after]:
                _reach(readings[after], at + after - stop, _Reading(reading.cost, reading, None))
            for end, lines, cost, by in moves[stop]:
                if live[at : at + len(lines)] != lines or _adjoins(reading, stop, by):
                    continue
                step = _Step(stop, end, at, at + len(lines), by)
                is_new = _reach(readings[end], step.new_end, _Reading(reading.cost + cost, reading, step))
                if end == stop and is_new:
                    # An insertion leads on from here: its place is further on in this same walk.
                    insort(waiting, step.new_end)
    reading_back: _Reading | None = readings[len(base)].get(len(live))
    steps: list[_Step] = []
    while reading_back:
        if reading_back.step:
            steps.append(reading_back.step)
        reading_back = reading_back.before
    return steps[::-1]


def _reach(readings: dict[int, _Reading], at: int, reading: _Reading) -> bool:
    """Keep the cheapest reading of a place; whether the place is new."""
    known = readings.get(at)
    if known is None or reading.cost < known.cost:
        readings[at] = reading
    return known is None


def _adjoins(reading: _Reading, stop: int, hunk: Hunk | None) -> bool:
    """Whether a hunk would touch the step before it, or a foreign edit a hunk: as in a merge, that is a conflict."""
    step = reading.step
    return step is not None and step.end == stop and (hunk is not None or step.hunk is not None or step.start == stop)


def _shift(steps: list[_Step], index: int) -> int:
    """What to add to a base line between steps `index - 1` and `index` for its live line."""
    return steps[index - 1].new_end - steps[index - 1].end if index else 0


def _place(base: list[str], hunks: list[Hunk], live: list[str], steps: list[_Step]) -> list[Placement]:
    standing = {id(step.hunk): step for step in steps if step.hunk}
    placements = []
    first = 0
    for hunk in hunks:
        start, end = hunk.start, hunk.end
        while first < len(steps) and steps[first].end < start:
            first += 1
        if step := standing.get(id(hunk)):
            placements.append(Placement(hunk, HunkStatus.APPLIED, step.new_start, step.new_end, start, end))
            continue
        last = first
        while last < len(steps) and steps[last].start <= end:
            last += 1
        shift = _shift(steps, first)
        if first < last:
            touching = steps[first:last]
            live_start = min(touching[0].new_start, start + shift)
            live_end = max(touching[-1].new_end, end + _shift(steps, last))
            base_start, base_end = min(touching[0].start, start), max(touching[-1].end, end)
            placements.append(
                Placement(hunk, HunkStatus.CONFLICT, live_start, live_end, base_start, base_end, _reason(touching))
            )
        elif _slides_over(base, live, steps, first, hunk):
            reason = "the same lines stand here more than once, so its place is not certain"
            placements.append(Placement(hunk, HunkStatus.CONFLICT, start + shift, end + shift, start, end, reason))
        else:
            placements.append(Placement(hunk, HunkStatus.PENDING, start + shift, end + shift, start, end))
    return placements


def _slides_over(base: list[str], live: list[str], steps: list[_Step], following: int, hunk: Hunk) -> bool:
    """Whether the foreign insertion or deletion after the hunk could as well stand before it.

    One before the hunk needs no look: a plain diff has slid it down as far as it goes.
    """
    if following == len(steps) or steps[following].hunk:
        return False
    step = steps[following]
    if step.start == step.end:
        lines, start, end = live, step.new_start, step.new_end
    elif step.new_start == step.new_end:
        lines, start, end = base, step.start, step.end
    else:
        return False
    count = step.start - hunk.end + 1
    # The first look spares most hunks the copies.
    could = start >= count and lines[start - count] == lines[end - count]
    return could and lines[start - count : start] == lines[end - count : end]


def _reason(touching: list[_Step]) -> str:
    start, end = touching[0].new_start, touching[-1].new_end
    if start == end:
        return f"lines were deleted here too, after line {start}" if start else "the first lines were deleted here too"
    lines = f"line {end} was" if end == start + 1 else f"lines {start + 1}-{end} were"
    verb = "added" if all(step.start == step.end for step in touching) else "changed"
    return f"{lines} {verb} here too"
