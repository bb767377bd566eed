"""Group hunks of several runs into places where they compete, each with its variants, the best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mux_lsp.core.model import Hunk


@dataclass(frozen=True, slots=True)
class Variant:
    """Equal hunks of several runs, treated as one."""

    hunk: Hunk
    runs: tuple[str, ...]
    """Runs that share it, best first."""
    of: int
    """Number of runs of the task that have a result: agreement is `len(runs)` out of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Stretch of the snapshot's text, lines `[start, end)`, where variants compete.

    A variant is one hunk. If one run's hunk spans several of another run, the place lists each of them; hunks of one
    run do not compete with each other, and all of them together are the alternative to the one that spans them.
    """

    start: int
    end: int
    variants: tuple[Variant, ...]
    """Best first: those of most runs, then those of the best run, then the smallest."""


def places(hunks_of: Mapping[str, Sequence[Hunk]], of: int) -> tuple[Place, ...]:
    """Return the places of one file of one snapshot, in order. `hunks_of` gives its hunks by run, the best run first.

    Hunks share a place if they overlap or touch (no unchanged line of the snapshot is between them), also through
    other hunks. The hunks of one run are disjoint, as those of a diff are. `of` is stored in every variant.
    """
    alike: dict[tuple[str, ...], tuple[Sequence[Hunk], list[str]]] = {}
    for run, hunks in hunks_of.items():
        alike.setdefault(tuple([hunk.id for hunk in hunks]), (hunks, []))[1].append(run)
    shared: dict[str, tuple[Hunk, list[str]]] = {}
    for hunks, runs in alike.values():
        for hunk in hunks:
            shared.setdefault(hunk.id, (hunk, []))[1].extend(runs)
    rank = {run: number for number, run in enumerate(hunks_of)}
    found: list[Place] = []
    together: list[Variant] = []
    start = end = -1
    for hunk, runs in sorted(shared.values(), key=_start):
        if hunk.start > end:
            if together:
                found.append(_place(start, end, together, rank))
            together, start = [], hunk.start
        end = max(end, hunk.end)
        together.append(Variant(hunk, tuple(sorted(runs, key=rank.__getitem__)), of))
    if together:
        found.append(_place(start, end, together, rank))
    return tuple(found)


def _start(one: tuple[Hunk, list[str]]) -> int:
    return one[0].start


def _place(start: int, end: int, together: list[Variant], rank: Mapping[str, int]) -> Place:
    def order(variant: Variant) -> tuple[int, int, int, int, str]:
        hunk = variant.hunk
        size = len(hunk.removed) + len(hunk.added)
        return -len(variant.runs), rank[variant.runs[0]], size, hunk.start, hunk.id

    return Place(start, end, tuple(sorted(together, key=order)))
