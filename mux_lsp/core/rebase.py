"""Place hunks of a result on a live text that has changed since the snapshot: exactly, or not at all.

The rules are those of a three-way merge by `git merge-file`, for each hunk by itself:

- **pending**: no edit of the live text overlaps or touches the hunk's lines of the base. At least one unchanged
  line, or the start or end of the file, is on either side of it.
- **applied**: the live text has exactly this hunk here. That is so if it has the same edit, and also if the whole
  live text can be read as base with this hunk, maybe others, and foreign edits apart from them. A plain diff knows
  nothing of the hunks and may align repeated lines differently, so where it leaves an edit unexplained, such a
  reading is searched for (see `mux_lsp.core.alignment`).
- **conflict**: everything else. A conflict never becomes an edit.

Deliberate differences from git:

- git slides an insertion or deletion among equal lines to the last possible place. If that slides it over a hunk,
  two readings of the live text put the hunk at two places (or conclude that its lines are gone), and git guesses. We
  refuse. A slide that only comes to touch the hunk leaves its place certain and is no reason to refuse.
- A hunk that the live text holds reads as applied, and its neighbours as pending, also where a plain diff shows
  their edits at other places, so that git would see a conflict or apply it twice.
- Text between conflict markers that the base does not have is undecided: the lines of either side look like a place
  there, and git would change them. All of it, markers included, is one edit that a hunk collides with.

Any other choice between equally short alignments is git's own, because `diff_lines` is.

Hunks placed together can be accepted in any order or part. Accepted one by one, each is placed on the text that the
previous ones have produced, with the same outcome if the lines identify places uniquely. If the person has edited a
text of few distinct lines with just these lines, an accepted hunk may read as a conflict or as pending afterwards,
or a pending one be refused: in random texts of five distinct lines one time in 60, of fifty one in 1,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mux_lsp.core.alignment import Segment, align, moved_by
from mux_lsp.core.conflict import conflict_marker
from mux_lsp.core.diff import diff_lines
from mux_lsp.core.model import HunkStatus
from mux_lsp.core.placement import LineEdit, Placement
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.diff import Edit
    from mux_lsp.core.model import Hunk


def place_hunks(
    base: Sequence[str], hunks: Sequence[Hunk], live: Sequence[str], edits: Sequence[Edit] | None = None
) -> list[Placement]:
    """Return the placement of each hunk in the live text, in the order given.

    `hunks` are hunks of one result against `base`. `edits` is `diff_lines(base, live)` if the caller has it already.
    """
    base = base if isinstance(base, list) else list(base)
    live = live if isinstance(live, list) else list(live)
    ordered = sorted(hunks, key=_start)
    if edits is None:
        edits = diff_lines(base, live)
    steps, undecided = _merge_marker_regions(align(base, ordered, live, edits), live)
    placements = _place(base, ordered, live, steps, undecided)
    if ordered == list(hunks):
        return placements
    by_hunk = {id(placement.hunk): placement for placement in placements}
    return [by_hunk[id(hunk)] for hunk in hunks]


def text_edits(chosen: Iterable[Placement]) -> list[LineEdit]:
    """Return the edits of the live text that apply the chosen placements, in order of place, disjoint.

    Applied ones need no edit. Raises ConflictError if one is a conflict, or if two of them (of different runs)
    overlap or touch, unless they are the same edit.
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
    """Return the live text's lines with the chosen placements applied, in any order. Raises as `text_edits` does."""
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


def _place(
    base: list[str], hunks: list[Hunk], live: list[str], steps: list[Segment], undecided: list[Segment]
) -> list[Placement]:
    standing = {id(step.hunk): step for step in steps if step.hunk}
    placements = []
    first = 0
    count = len(steps)
    for hunk in hunks:
        start, end = hunk.start, hunk.end
        while first < count and steps[first].end < start:
            first += 1
        if step := standing.get(id(hunk)):
            placements.append(Placement(hunk, HunkStatus.APPLIED, step.new_start, step.new_end, start, end))
            continue
        last = first
        while last < count and steps[last].start <= end:
            last += 1
        shift = moved_by(steps, first)
        if first < last:
            touching = steps[first:last]
            live_start = min(touching[0].new_start, start + shift)
            live_end = max(touching[-1].new_end, end + moved_by(steps, last))
            base_start, base_end = min(touching[0].start, start), max(touching[-1].end, end)
            reason = _UNDECIDED if any(step in undecided for step in touching) else _reason(touching)
            placements.append(Placement(hunk, HunkStatus.CONFLICT, live_start, live_end, base_start, base_end, reason))
        elif first < count and _slides_over(base, live, steps[first], end):
            reason = "the same lines stand here more than once, so its place is not certain"
            placements.append(Placement(hunk, HunkStatus.CONFLICT, start + shift, end + shift, start, end, reason))
        else:
            placements.append(Placement(hunk, HunkStatus.PENDING, start + shift, end + shift, start, end))
    return placements


def _slides_over(base: list[str], live: list[str], step: Segment, hunk_end: int) -> bool:
    """Return whether the foreign insertion or deletion after the hunk could equally be before it.

    One before the hunk needs no check: a plain diff has already slid it down as far as it goes.
    """
    if step.hunk:
        return False
    if step.start == step.end:
        lines, start, end = live, step.new_start, step.new_end
    elif step.new_start == step.new_end:
        lines, start, end = base, step.start, step.end
    else:
        return False
    count = step.start - hunk_end + 1
    # This first comparison avoids the copies for most hunks.
    could = start >= count and lines[start - count] == lines[end - count]
    return could and lines[start - count : start] == lines[end - count : end]


def _merge_marker_regions(steps: list[Segment], live: list[str]) -> tuple[list[Segment], list[Segment]]:
    """Merge the steps from a foreign line that opens a conflict to the one that closes it into one foreign edit.

    Return all steps, and those among them that are such merged edits.
    """
    undecided: list[Segment] = []
    opened: tuple[int, str] | None = None
    joined: list[Segment] = []
    for step in steps:
        joined.append(step)
        for line in live[step.new_start : step.new_end] if step.hunk is None else ():
            found = conflict_marker(line) if line[:1] in "<>" else ""
            if opened is None and found.startswith("<"):
                opened = len(joined) - 1, ">" * len(found)
            elif opened is not None and found == opened[1]:
                first = joined[opened[0]]
                one = Segment(first.start, step.end, first.new_start, step.new_end, None)
                joined[opened[0] :] = [one]
                undecided.append(one)
                opened = None
    return joined, undecided


_UNDECIDED: Final = "what stands between conflict markers here has to be decided first"


def _reason(touching: list[Segment]) -> str:
    start, end = touching[0].new_start, touching[-1].new_end
    if start == end:
        return f"lines were deleted here too, after line {start}" if start else "the first lines were deleted here too"
    lines = f"line {end} was" if end == start + 1 else f"lines {start + 1}-{end} were"
    verb = "added" if all(step.start == step.end for step in touching) else "changed"
    return f"{lines} {verb} here too"
