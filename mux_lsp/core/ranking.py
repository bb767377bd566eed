"""The runs of a task in the order of their merit, each with its reasons in words.

Pure and deterministic: the same attempts get the same places, in whatever order they come. What counts, in this order:

1. The grade (see `Grade`): what the checks say, with what judges as the snapshot had it. Nothing below outweighs it.
2. Whether the run finished; how many checks it fails that the snapshot does not, and how many that it does; whether it
   makes tests pass and breaks none, else how many more it breaks than it makes pass.
3. A weighted sum (see `Weights`), in thousandths. Attempts that are alike down to here are tied, and are said to be.

Between attempts with the same result, and between those that changed nothing, there is nothing to choose: the former
have the place of the best of them, whatever each has cost, the latter share the last one.
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

    from mux_lsp.core.grading import Attempt, Graded
    from mux_lsp.core.model import Check

    Key = tuple[int, int, int, int, int, float]
    """Grade, flaws, checks broken and left broken, tests, and the weighted sum with its sign turned."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The place of a run."""

    run: str
    rank: int
    """Counted from 1. Tied runs share one, and as many numbers after it are left out."""
    tied: tuple[str, ...]
    """The others that share it."""
    reasons: tuple[str, ...]
    """Sentences, the weightiest first."""
    judged: Graded = field(compare=False)
    """What it was ranked by."""


def rank(attempts: Iterable[Attempt], weights: Weights, baseline: Sequence[Check] = ()) -> tuple[Ranked, ...]:
    """All attempts at one task, best first, tied ones by their number. `baseline` is how the snapshot itself does."""
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
    """The best run with the same result of which the checks say the same; the first of several."""
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
    """From 0 to 1, in thousandths: so those that are nearly alike are alike, and that is transitive."""
    counts, each = _figures(weights), _figures(values)
    total = fsum(counts)
    return round(fsum(value * count for value, count in zip(each, counts, strict=True)) / total, 3) if total else 0.0


def _figures(weights: Weights) -> tuple[float, ...]:
    return astuple(weights)


def _number(run: str) -> tuple[int, str]:
    """Ids of one task in the order of their numbers."""
    return len(run), run
