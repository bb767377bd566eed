"""Resolve a conflict: take the result's lines in place of the live ones, or keep both between conflict markers."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.core import text
from mux_lsp.core.model import Hunk, HunkStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.placement import Placement

MARKER_SIZE = 7
"""Number of characters in a conflict marker, as git writes it."""

_MARKER = re.compile(r"(<{7,}|\|{7,}|={7,}|>{7,})(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Stretch where hunks of one result and edits of the live text collide, as in a merge.

    The live lines `[start, end)` correspond to the snapshot's lines `[base_start, base_end)`; `hunks` are the
    result's hunks there, in order.
    """

    start: int
    end: int
    base_start: int
    base_end: int
    hunks: tuple[Hunk, ...]


def conflict_marker(line: str) -> str:
    """Return the run of marker characters that makes a line a conflict marker, or "" for any other line."""
    found = _MARKER.match(line)
    return found[1] if found else ""


def conflicts(placements: Iterable[Placement]) -> list[Conflict]:
    """Return the conflicts among the placements of one result, in order of place. Those that share lines are merged."""
    found: list[Conflict] = []
    colliding = [placement for placement in placements if placement.status is HunkStatus.CONFLICT]
    for one in sorted(colliding, key=lambda placement: placement.hunk.start):
        last = found[-1] if found else None
        if last is not None and one.base_start <= last.base_end:
            found[-1] = Conflict(
                min(last.start, one.start),
                max(last.end, one.end),
                min(last.base_start, one.base_start),
                max(last.base_end, one.base_end),
                (*last.hunks, one.hunk),
            )
        else:
            found.append(Conflict(one.start, one.end, one.base_start, one.base_end, (one.hunk,)))
    return found


def result_lines(base: Sequence[str], conflict: Conflict) -> tuple[str, ...]:
    """Return the lines that the result has for the stretch. `base` is the snapshot's text, in lines."""
    lines = list(base[conflict.base_start : conflict.base_end])
    for hunk in reversed(conflict.hunks):
        lines[hunk.start - conflict.base_start : hunk.end - conflict.base_start] = hunk.added
    return tuple(lines)


def with_markers(
    base: Sequence[str], live: Sequence[str], conflict: Conflict, names: tuple[str, str, str]
) -> tuple[str, ...]:
    """Return the live, snapshot and result versions of the stretch, between markers with these names.

    The format is that of `git merge-file --diff3`. The marker lines end like those of the live text, and every part
    ends with a line end. The markers are longer than git's if the stretch itself holds lines that look like them.
    """
    ours = tuple(live[conflict.start : conflict.end])
    before = tuple(base[conflict.base_start : conflict.base_end])
    parts = (ours, before, result_lines(base, conflict))
    looks = {len(conflict_marker(line)) for line in itertools.chain(*parts)}
    size = next(size for size in itertools.count(MARKER_SIZE) if size not in looks)
    end = _line_end(live, conflict)
    lines: list[str] = []
    for sign, name, part in zip("<|=", (names[0], names[1], ""), parts, strict=True):
        lines.append(f"{sign * size}{name and ' '}{name}{end}")
        lines += part
        if part and text.content_length(part[-1]) == len(part[-1]):
            lines[-1] += end
    lines.append(f"{'>' * size} {names[2]}{end}")
    return tuple(lines)


def _line_end(live: Sequence[str], conflict: Conflict) -> str:
    """Return the line end of the live line before the stretch, or else the first one in the live text."""
    for line in itertools.chain(live[max(0, conflict.start - 1) : conflict.start], live):
        if end := line[text.content_length(line) :]:
            return end
    return "\n"
