"""Make attempts to rank."""

from __future__ import annotations

from dataclasses import dataclass

from mux_lsp.core.agreement import ALONE, Agreement
from mux_lsp.core.grading import Candidate, Opinion, Weights
from mux_lsp.core.model import ChangeKind, Check, CheckState, FileChange, Run, RunState, Tests
from mux_lsp.core.ranking import Ranked, rank

PASS, FAIL = CheckState.PASSED, CheckState.FAILED
PYTEST, RUFF = "pytest -q", "ruff check"


def check(
    state: CheckState, before: CheckState | None = PASS, tests: Tests | None = None, command: str = PYTEST
) -> Check:
    """Return a check with its state and its baseline state."""
    return Check(command, state, int(state is FAIL), 0.1, before, tests)


def report(
    fixed: int = 0, broken: int = 0, added: int = 0, passing: tuple[str, ...] = (), failing: tuple[str, ...] = ()
) -> Tests:
    """Return a test report by its difference to the snapshot's."""
    return Tests(5, broken, 0, fixed + added, added, broken, passing, failing)


GOOD = (check(PASS),)
BAD = (check(FAIL),)
AS_BEFORE = (check(FAIL, FAIL),)
DEFAULT = Weights()


def change(path: str = "src/pages.py", added: int | None = 3, removed: int | None = 1, new: str = "b") -> FileChange:
    """Return a modified file."""
    return FileChange(path, ChangeKind.MODIFIED, 0o100644, 0o100644, "a" * 40, new * 40, added, removed)


def attempt(
    number: int,
    checks: tuple[Check, ...] = GOOD,
    *,
    files: tuple[FileChange, ...] = (change(),),
    state: RunState = RunState.FINISHED,
    reason: str | None = None,
    tampered: tuple[str, ...] = (),
    restored: tuple[Check, ...] = (),
    cost: float | None = None,
    seconds: float | None = 10.0,
    agreement: Agreement = ALONE,
    equal: tuple[str, ...] = (),
    outside: tuple[str, ...] = (),
    alone: tuple[str, ...] = (),
    opinion: Opinion | None = None,
) -> Candidate:
    """Return a run `k3f-NUMBER` that has ended."""
    run = Run(
        f"k3f-{number}",
        "k3f",
        "claude",
        None,
        state,
        reason=reason,
        files=files,
        checks=checks,
        tampered=tampered,
        restored_checks=restored,
        cost_usd=cost,
        work_seconds=seconds,
    )
    return Candidate(run, agreement, equal, outside, alone, opinion)


def lines(added: int, removed: int = 0) -> tuple[FileChange, ...]:
    """Return a change of that many lines."""
    return (change(added=added, removed=removed),)


@dataclass(frozen=True)
class Table:
    """The ranking of attempts, with shortcuts to read it."""

    ranked: tuple[Ranked, ...]

    @property
    def places(self) -> dict[int, int]:
        """Rank attempts and return the rank of each by its number, best first."""
        return {int(one.run.partition("-")[2]): one.rank for one in self.ranked}

    def why(self, number: int) -> str:
        """Return all reasons of an attempt."""
        (found,) = [one for one in self.ranked if one.run == f"k3f-{number}"]
        return " ".join(found.reasons)


def table(*attempts: Candidate, baseline: tuple[Check, ...] = (), weights: Weights = DEFAULT) -> Table:
    """Rank attempts."""
    return Table(rank(attempts, weights, baseline))
