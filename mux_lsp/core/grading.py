"""What speaks for and against each attempt at a task: its grade by the checks, and how it does by each criterion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mux_lsp.core.agreement import ALONE, Agreement
from mux_lsp.core.model import CheckState, RunState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mux_lsp.core.model import Check, Run

LITTLE_COST: Final = 0.10
"""A difference in cost is measured against what the cheapest attempt costs and so many US dollars."""

LITTLE_TIME: Final = 60.0
"""The same for time, in seconds: nobody minds one more where it took three."""

STEPS: Final = 4
"""Cost and time count in so many steps: what differs by chance decides nothing."""

UNKNOWN: Final = 0.5
"""What a cost, a time or a judge's opinion counts that nobody knows."""


class Grade(StrEnum):
    """What the checks say of an attempt, the best first. Checks count with what judges as the snapshot had it."""

    PASSES = "passes"
    """It changes something, and every check passes."""
    AS_BEFORE = "as_before"
    """It finished, and fails no check but those that fail on the snapshot too."""
    UNCHECKED = "unchecked"
    """It finished, and no check has judged it."""
    OWN_TESTS = "own_tests"
    """Its checks pass, but only with its own version of what judges it. Some prompts make that right; most do not."""
    FAILS = "fails"
    """It finished, and fails a check that is not known to fail on the snapshot."""
    UNFINISHED = "unfinished"
    """It did not finish, and what there is of it does not pass."""
    EMPTY = "empty"
    """It changed nothing, however it ended."""

    @property
    def place(self) -> int:
        """Counted from 0; lower is better."""
        return list(Grade).index(self)


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each criterion counts among attempts of one grade. Only their proportions matter; 0 leaves one out.

    By a criterion the best that there can be, or that there is among the attempts, has 1, and the others have less.
    """

    tests: float = 10
    """Tests that failed on the snapshot and pass: the part of the most that any attempt makes pass."""
    broken: float = 5
    """Tests that passed on the snapshot and do not now: 1 for none, 1/2 for one, 1/3 for two."""
    agreement: float = 3
    """How much of its lines another attempt has too, in the mean."""
    size: float = 2
    """Lines added and removed: 1 for the smallest change, about 1/2 for one of twice its size."""
    outside: float = 2
    """Files changed that the prompt was not about: 1 for none, 1/2 for one. All are alike where it named no place."""
    cost: float = 1
    """1 for the cheapest and those near it, 1/2 for about twice its cost."""
    time: float = 1
    """1 for the fastest and those near it, 1/2 for about twice its time."""
    judge: float = 1
    """What the judge thinks of it, where there is one."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge thinks of an attempt: from 0 to 1, and why."""

    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run that has ended, and what is derived of it."""

    run: Run
    agreement: Agreement = ALONE
    equal: tuple[str, ...] = ()
    """Other runs whose results are the same."""
    outside: tuple[str, ...] = ()
    """The files that it changes outside the place that the prompt was about."""
    alone: tuple[str, ...] = ()
    """The files that no other attempt changes. That is said and not weighed: its agreement and size tell it already."""
    opinion: Opinion | None = None


@dataclass(frozen=True, slots=True)
class Graded:
    """An attempt and what its checks say of it."""

    attempt: Attempt
    grade: Grade
    new_failures: tuple[Check, ...]
    """The checks that it fails, and that are not known to fail on the snapshot."""
    preexisting_failures: tuple[Check, ...]
    """Those that the snapshot fails too."""
    fixed: int
    """How many tests pass that failed on the snapshot."""
    added: int
    """How many tests pass that the snapshot had not. They are its own, and count for nothing."""
    broken: int
    """How many tests passed on the snapshot and do not now."""

    @property
    def run(self) -> Run:
        """The run itself."""
        return self.attempt.run

    @property
    def finished(self) -> bool:
        """Whether it came to its own end."""
        return self.run.state is RunState.FINISHED

    @property
    def only_with_original_tests(self) -> bool:
        """Whether it passes with what judges as the snapshot had it, and not as it would be accepted."""
        return self.grade is Grade.PASSES and not _pass(self.run.checks)

    @property
    def lines(self) -> int:
        """How many it adds and removes. A file that is not text counts as one."""
        changes = self.run.files
        return sum(1 if one.lines_added is None else one.lines_added + (one.lines_removed or 0) for one in changes)

    @property
    def seconds(self) -> float | None:
        """How long its agent has worked."""
        return self.run.work_seconds


def grade(attempt: Attempt, baseline: Sequence[Check] = ()) -> Graded:
    """Grade an attempt. `baseline` is how the checks go on the snapshot itself."""
    run = attempt.run
    told = {check.command for check in baseline if check.tests is not None}
    failing = [check for check in run.effective_checks if check.state is not CheckState.PASSED]
    excused = tuple(check for check in failing if _is_excused(check, told))
    blamed = tuple(check for check in failing if check not in excused)
    # Where it changed the tests and they were not restored, nobody knows what they are worth.
    tests = [check.tests for check in run.effective_checks if check.tests is not None] if _is_honest(run) else []
    return Graded(
        attempt,
        _grade(run, blamed),
        blamed,
        excused,
        fixed=sum(max(0, one.newly_passing - one.added) for one in tests),
        added=sum(one.added for one in tests),
        broken=sum(one.newly_failing for one in tests),
    )


def _grade(run: Run, blamed: Sequence[Check]) -> Grade:
    if not run.files:
        return Grade.EMPTY
    if _pass(run.effective_checks) and _is_honest(run):
        return Grade.PASSES
    if run.state is not RunState.FINISHED:
        return Grade.UNFINISHED
    if not run.effective_checks:
        return Grade.UNCHECKED
    if _pass(run.checks):
        return Grade.OWN_TESTS
    return Grade.FAILS if blamed or not _is_honest(run) else Grade.AS_BEFORE


def _pass(checks: Sequence[Check]) -> bool:
    return bool(checks) and all(check.state is CheckState.PASSED for check in checks)


def _is_honest(run: Run) -> bool:
    """Whether what counts was found with what judges as the snapshot had it."""
    return not run.tampered or bool(run.restored_checks)


def _is_excused(check: Check, told: Collection[str]) -> bool:
    # One that reported its tests on the snapshot and says nothing now has come to less than it did there.
    return check.baseline_state is CheckState.FAILED and (check.tests is not None or check.command not in told)


@dataclass(frozen=True, slots=True)
class Cohort:
    """What attempts are measured against: those that changed something. Every figure of theirs, in ascending order."""

    fixed: tuple[int, ...]
    lines: tuple[int, ...]
    costs: tuple[float, ...]
    """Of those of which it is known."""
    seconds: tuple[float, ...]


def cohort_of(judged: Sequence[Graded]) -> Cohort:
    """The field of these attempts."""
    changed = [one for one in judged if one.grade is not Grade.EMPTY]
    return Cohort(
        fixed=tuple(sorted(one.fixed for one in changed)),
        lines=tuple(sorted(one.lines for one in changed)),
        costs=tuple(sorted(one.run.cost_usd for one in changed if one.run.cost_usd is not None)),
        seconds=tuple(sorted(one.seconds for one in changed if one.seconds is not None)),
    )


def values(one: Graded, field: Cohort) -> Weights:
    """How an attempt does by each criterion, from 0 to 1. The field holds the attempt, or it changed nothing."""
    attempt = one.attempt
    most = max(field.fixed, default=0)
    return Weights(
        tests=one.fixed / most if most else 0.0,
        broken=1 / (1 + one.broken),
        agreement=attempt.agreement.mean,
        size=_nearness(min(field.lines, default=0), one.lines, 1),
        outside=1 / (1 + len(attempt.outside)),
        cost=in_steps(one.run.cost_usd, field.costs, LITTLE_COST),
        time=in_steps(one.seconds, field.seconds, LITTLE_TIME),
        judge=UNKNOWN if attempt.opinion is None else attempt.opinion.value,
    )


def in_steps(own: float | None, known: Sequence[float], little: float) -> float:
    """How near a figure of which less is better is to the least there is, in steps: 1 for all those near it."""
    if own is None or not known:
        return UNKNOWN
    return math.ceil(_nearness(known[0], own, little) * STEPS) / STEPS


def _nearness(least: float, own: float, little: float) -> float:
    return min(1.0, (least + little) / (own + little))
