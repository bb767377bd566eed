"""How much of each result other runs have too, part by part, and which results are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from mux_lsp.core.model import Run

    Parts = Mapping[str, int]
    """What a result is made of (its hunks, and its changes that have none), with the weight of each, at least 1."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a result stands to those of the others. Fractions are of its lines."""

    total: int
    """How many others have a result."""
    sharing: int
    """How many of them have some part of it."""
    shared: float
    """The fraction that at least one of them has."""
    mean: float
    """The fraction that one of them has, in the mean: 1 where all have all of it."""


ALONE: Final = Agreement(0, 0, 0.0, 0.0)


def agreements(parts_of: Mapping[str, Parts]) -> dict[str, Agreement]:
    """The agreement of each run that changes something, by run. A part is shared by those that have an equal one."""
    changed = {run: parts for run, parts in parts_of.items() if parts}
    # One bit for each run: a union of a hundred runs is one operation.
    bits = {run: 1 << number for number, run in enumerate(changed)}
    holders: dict[str, int] = {}
    for run, parts in changed.items():
        for part in parts:
            holders[part] = holders.get(part, 0) | bits[run]
    return {run: _agreement(parts, bits[run], holders, len(changed) - 1) for run, parts in changed.items()}


def _agreement(parts: Parts, own: int, holders: Mapping[str, int], of: int) -> Agreement:
    if not of:
        return ALONE
    sharing = total = shared = times = 0
    for part, weight in parts.items():
        others = holders[part] & ~own
        sharing |= others
        total += weight
        shared += weight if others else 0
        times += weight * others.bit_count()
    return Agreement(of, sharing.bit_count(), shared / total, times / (total * of))


def equal_runs(runs: Iterable[Run]) -> list[list[str]]:
    """The runs that change something and whose whole results are the same, in groups of two and more."""
    results: dict[tuple[Hashable, ...], list[str]] = {}
    for run in runs:
        if run.files:
            results.setdefault(_result(run), []).append(run.id)
    return [ids for ids in results.values() if len(ids) > 1]


def _result(run: Run) -> tuple[Hashable, ...]:
    return tuple((one.paths, one.new_object, one.new_mode) for one in run.files)
