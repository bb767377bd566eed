"""Measure how much of each result other runs share, part by part, and group runs with equal results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from mux_lsp.core.model import Run

    Parts = Mapping[str, int]
    """Parts of a result (its hunks, and changes without hunks), each with its weight, at least 1."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Overlap of one result with those of the other runs. Fractions are of its lines."""

    total: int
    """Number of other runs that have a result."""
    sharing: int
    """Number of those that share at least one part with it."""
    shared: float
    """Fraction of it that at least one other run shares."""
    mean: float
    """Mean fraction of it that another run shares: 1 if every other run has all of it."""


ALONE: Final = Agreement(0, 0, 0.0, 0.0)


def agreements(parts_of: Mapping[str, Parts]) -> dict[str, Agreement]:
    """Return the agreement of each run that changes something, by run id. Runs share a part if theirs are equal."""
    changed = {run: parts for run, parts in parts_of.items() if parts}
    # One bit for each run, so that a union of a hundred runs is one operation.
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
    """Group the runs that change something by equal whole results. Return the groups of two or more."""
    results: dict[tuple[Hashable, ...], list[str]] = {}
    for run in runs:
        if run.files:
            results.setdefault(_result(run), []).append(run.id)
    return [ids for ids in results.values() if len(ids) > 1]


def _result(run: Run) -> tuple[Hashable, ...]:
    return tuple((one.paths, one.new_object, one.new_mode) for one in run.files)
