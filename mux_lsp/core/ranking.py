"""Rank the runs of a task by merit, each with its reasons in words.

Pure and deterministic: the same attempts get the same ranks, in whatever order they are given. They are compared by,
in this order:

1. The grade (see `Grade`): the results of the checks with the snapshot's protected files. Nothing below outweighs it.
2. Whether the run finished; the number of checks that it fails and the snapshot does not, then of those that both fail;
   whether it makes tests pass and breaks none, else how many more it breaks than it makes pass.
3. A weighted sum (see `Weights`), in thousandths. Attempts that are equal down to here are tied, and reported as tied.

Attempts with equal results get the rank of the best of them, whatever each has cost. Those that changed nothing
share the last rank.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from itertools import groupby
from math import fsum
from typing import TYPE_CHECKING

from mux_lsp.core import grading
from mux_lsp.core.grading import Grade, Weights
from mux_lsp.core.reasons import as_good, behind, reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mux_lsp.core.grading import Candidate, Graded
    from mux_lsp.core.model import Check

    Key = tuple[int, int, int, int, int, float]
    """Grade, flaws, new and preexisting failures of checks, tests, and the negated weighted sum."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rank of a run, with its reasons."""

    run: str
    rank: int
    """Rank counted from 1. Tied runs share one, and the ranks that they would otherwise take are skipped."""
    tied: tuple[str, ...]
    """Other runs that share the rank."""
    reasons: tuple[str, ...]
    """Sentences, the weightiest first."""
    judged: Graded = field(compare=False)
    """The grading that the rank is based on."""


def rank(attempts: Iterable[Candidate], weights: Weights, baseline: Sequence[Check] = ()) -> tuple[Ranked, ...]:
    """Rank all attempts at one task, best first, tied ones by number. `baseline` is the snapshot's own checks."""
    judged = sorted((grading.grade(one, baseline) for one in attempts), key=lambda one: _number(one.run.id))
    others = grading.cohort_of(judged)
    own = {one.run.id: grading.values(one, others) for one in judged}
    own_keys = {one.run.id: _key(one, own[one.run.id], weights) for one in judged}
    goes_by = {one.run.id: _best_of_equals(one, own_keys) for one in judged}
    keys = {run: own_keys[best] for run, best in goes_by.items()}
    values = {run: own[best] for run, best in goes_by.items()}
    judged.sort(key=lambda one: keys[one.run.id])
    ranked: list[Ranked] = []
    ahead = ""
    for key, group in groupby(judged, key=lambda one: keys[one.run.id]):
        members = list(group)
        alike = [one.run.id for one in members]
        place = len(ranked) + 1
        for one in members:
            tied = tuple(other for other in alike if other != one.run.id)
            said = reasons(one, others, weights)
            if ahead and keys[ahead][:-1] == key[:-1]:
                said.append(behind(ahead, values[ahead], values[one.run.id], weights))
            if tied and one.grade is not Grade.EMPTY:
                said.append(as_good(tied))
            ranked.append(Ranked(one.run.id, place, tied, tuple(said), one))
        ahead = alike[0]
    return tuple(ranked)


def _best_of_equals(one: Graded, keys: Mapping[str, Key]) -> str:
    """Return the best run with an equal result and equal outcomes of checks; of several, the first."""
    own = keys[one.run.id][:-1]
    alike = [run for run in (one.run.id, *one.attempt.equal) if run in keys and keys[run][:-1] == own]
    return min(alike, key=lambda run: (keys[run], _number(run)))


def _key(one: Graded, values: Weights, weights: Weights) -> Key:
    if one.grade is Grade.EMPTY:
        return one.grade.place, 0, 0, 0, 0, 0.0
    flaws = (not one.finished) + one.only_with_original_tests
    tests = 0 if one.fixed and not one.broken else 1 + max(0, one.broken - one.fixed)
    return one.grade.place, flaws, len(one.new_failures), len(one.preexisting_failures), tests, -_sum(values, weights)


def _sum(values: Weights, weights: Weights) -> float:
    """Return the weighted mean, from 0 to 1, in thousandths: rounding makes nearly equal values equal, transitively."""
    counts, each = _figures(weights), _figures(values)
    total = fsum(counts)
    return round(fsum(value * count for value, count in zip(each, counts, strict=True)) / total, 3) if total else 0.0


def _figures(weights: Weights) -> tuple[float, ...]:
    return astuple(weights)


def _number(run: str) -> tuple[int, str]:
    """Return the sort key that orders runs of one task by their numbers."""
    return len(run), run
