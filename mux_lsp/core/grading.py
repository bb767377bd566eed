"""Grade each attempt at a task by its checks, and score it by each ranking criterion."""

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
"""US dollars added to both costs before they are compared, so that small absolute differences count little."""

LITTLE_TIME: Final = 60.0
"""Seconds added to both times before they are compared: one more second does not matter where it took three."""

STEPS: Final = 4
"""Number of steps to which cost and time are rounded, so that chance differences decide nothing."""

UNKNOWN: Final = 0.5
"""Score for a cost, a time or a judge's opinion that is unknown."""


class Grade(StrEnum):
    """Result of an attempt's checks, the best first. The checks count that ran with the snapshot's protected files."""

    PASSES = "passes"
    """It changes something, and every check passes."""
    AS_BEFORE = "as_before"
    """It finished, and fails only checks that fail on the snapshot too."""
    UNCHECKED = "unchecked"
    """It finished, and no check has run on it."""
    OWN_TESTS = "own_tests"
    """Its checks pass only with its own version of the protected files. Some prompts ask for that; most do not."""
    FAILS = "fails"
    """It finished, and fails a check that is not known to fail on the snapshot."""
    UNFINISHED = "unfinished"
    """It did not finish, and its result so far does not pass."""
    EMPTY = "empty"
    """It changed nothing, however it ended."""

    @property
    def place(self) -> int:
        """Rank of the grade, counted from 0; lower is better."""
        return list(Grade).index(self)


@dataclass(frozen=True, slots=True)
class Weights:
    """Weight of each criterion among attempts of one grade. Only the proportions matter; 0 disables a criterion.

    For each criterion the best possible value, or the best among the attempts, scores 1, and the others score less.
    """

    tests: float = 10
    """Tests that failed on the snapshot and pass now, as a fraction of the most that any attempt makes pass."""
    broken: float = 5
    """Tests that passed on the snapshot and do not now: 1 for none, 1/2 for one, 1/3 for two."""
    agreement: float = 3
    """Mean fraction of its lines that another attempt has too."""
    size: float = 2
    """Lines added and removed: 1 for the smallest change, about 1/2 for one of twice its size."""
    outside: float = 2
    """Files changed outside the place in the prompt: 1 for none, 1/2 for one. All score 1 if it named no place."""
    cost: float = 1
    """1 for the cheapest and those near it, 1/2 for about twice its cost."""
    time: float = 1
    """1 for the fastest and those near it, 1/2 for about twice its time."""
    judge: float = 1
    """Opinion of the LLM judge, if there is one."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """LLM judge's opinion of an attempt: a value from 0 to 1, and the reason."""

    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Run that has ended, with the facts derived from it."""

    run: Run
    agreement: Agreement = ALONE
    equal: tuple[str, ...] = ()
    """Other runs whose results are the same."""
    outside: tuple[str, ...] = ()
    """Files that it changes outside the place in the prompt."""
    alone: tuple[str, ...] = ()
    """Files that no other attempt changes. They are reported but not weighed: agreement and size already reflect them.
    """
    opinion: Opinion | None = None


@dataclass(frozen=True, slots=True)
class Graded:
    """Attempt with its grade and the failures and test counts behind it."""

    attempt: Candidate
    grade: Grade
    new_failures: tuple[Check, ...]
    """Checks that it fails and that are not known to fail on the snapshot."""
    preexisting_failures: tuple[Check, ...]
    """Checks that it fails and that fail on the snapshot too."""
    fixed: int
    """Number of passing tests that failed on the snapshot."""
    added: int
    """Number of passing tests that the snapshot does not have. They are its own, so they do not count."""
    broken: int
    """Number of tests that passed on the snapshot and do not now."""

    @property
    def run(self) -> Run:
        """The attempt's run."""
        return self.attempt.run

    @property
    def finished(self) -> bool:
        """True if it ended by itself."""
        return self.run.state is RunState.FINISHED

    @property
    def only_with_original_tests(self) -> bool:
        """True if it passes only with the snapshot's protected files, and not in the form that would be accepted."""
        return self.grade is Grade.PASSES and not _pass(self.run.checks)

    @property
    def lines(self) -> int:
        """Number of lines that it adds and removes. A file that is not text counts as one."""
        changes = self.run.files
        return sum(1 if one.lines_added is None else one.lines_added + (one.lines_removed or 0) for one in changes)

    @property
    def seconds(self) -> float | None:
        """Seconds that its agent has worked."""
        return self.run.work_seconds


def grade(attempt: Candidate, baseline: Sequence[Check] = ()) -> Graded:
    """Grade an attempt. `baseline` holds the results of the checks on the snapshot itself."""
    run = attempt.run
    told = {check.command for check in baseline if check.tests is not None}
    failing = [check for check in run.effective_checks if check.state is not CheckState.PASSED]
    excused = tuple(check for check in failing if _is_excused(check, told))
    blamed = tuple(check for check in failing if check not in excused)
    # If it changed tests that were not restored, their outcomes are not trustworthy.
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
    """Return whether the effective checks ran with the snapshot's protected files."""
    return not run.tampered or bool(run.restored_checks)


def _is_excused(check: Check, told: Collection[str]) -> bool:
    # A check that reported its tests on the snapshot and reports none now has got worse.
    return check.baseline_state is CheckState.FAILED and (check.tests is not None or check.command not in told)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Attempts that an attempt is compared with: those that changed something. Each figure is in ascending order."""

    fixed: tuple[int, ...]
    lines: tuple[int, ...]
    costs: tuple[float, ...]
    """Known costs only."""
    seconds: tuple[float, ...]


def cohort_of(judged: Sequence[Graded]) -> Cohort:
    """Return the cohort of these attempts."""
    changed = [one for one in judged if one.grade is not Grade.EMPTY]
    return Cohort(
        fixed=tuple(sorted(one.fixed for one in changed)),
        lines=tuple(sorted(one.lines for one in changed)),
        costs=tuple(sorted(one.run.cost_usd for one in changed if one.run.cost_usd is not None)),
        seconds=tuple(sorted(one.seconds for one in changed if one.seconds is not None)),
    )


def values(one: Graded, field: Cohort) -> Weights:
    """Score an attempt by each criterion, from 0 to 1. It must be in the cohort, unless it changed nothing."""
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
    """Return how near a figure is to the smallest known one, from 0 to 1 in steps: 1 for all those near it."""
    if own is None or not known:
        return UNKNOWN
    return math.ceil(_nearness(known[0], own, little) * STEPS) / STEPS


def _nearness(least: float, own: float, little: float) -> float:
    return min(1.0, (least + little) / (own + little))
