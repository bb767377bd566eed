"""Test the reasons that a person is given for a run's rank."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mux_lsp.core.agreement import Agreement
from mux_lsp.core.grading import Candidate, Opinion, Weights
from mux_lsp.core.model import Check, RunState
from tests.unit.core.ranked import (
    AS_BEFORE,
    BAD,
    FAIL,
    GOOD,
    PASS,
    RUFF,
    attempt,
    change,
    check,
    lines,
    report,
    table,
)

MORE = check(PASS, command=RUFF)
TEST_FILE = ("tests/test_pages.py",)
NAMES = ("test_a", "test_b", "test_c", "test_d", "test_e")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (attempt(1), "Passes the check."),
        (attempt(1, (*GOOD, MORE)), "Passes both checks."),
        (attempt(1, (*GOOD, MORE, MORE)), "Passes all 3 checks."),
        (attempt(1, ()), "No check has judged it."),
        (
            attempt(1, (), tampered=TEST_FILE),
            "No check has judged it. Changes what would judge it: tests/test_pages.py.",
        ),
        (attempt(1, BAD), "Fails `pytest -q`, which the snapshot passes."),
        (attempt(1, (check(FAIL, None),)), "Fails `pytest -q`."),
        (attempt(1, AS_BEFORE), "Fails `pytest -q`, as the snapshot does."),
        (
            attempt(1, (MORE, check(FAIL, FAIL), check(FAIL, PASS, command="mypy  --strict\n"))),
            "Passes 1 of 3 checks. Fails `mypy --strict`, which the snapshot passes. "
            "Fails `pytest -q`, as the snapshot does.",
        ),
        (
            attempt(1, (check(FAIL, FAIL, command="told"),)),
            "Fails `told` with no report of its tests, and the snapshot has one.",
        ),
        (
            attempt(1, (replace(check(FAIL, PASS), exit_status=0),)),
            "Fails `pytest -q`, with a good end but not a word of its tests, of which it tells on the snapshot.",
        ),
        # Tests.
        (
            attempt(1, (check(PASS, FAIL, report(fixed=1, passing=("test_a",))),)),
            "Passes the check. 1 test passes that failed before: test_a.",
        ),
        (
            attempt(1, (check(PASS, FAIL, report(fixed=5, passing=NAMES)),)),
            "Passes the check. 5 tests pass that failed before: test_a, test_b, test_c and 2 more.",
        ),
        (
            attempt(1, (check(PASS, FAIL, report(fixed=3, passing=NAMES[:3])),)),
            "Passes the check. 3 tests pass that failed before: test_a, test_b and test_c.",
        ),
        # It is unknown which of the names are the attempt's own.
        (
            attempt(1, (check(PASS, FAIL, report(fixed=2, added=1, passing=NAMES[:3])),)),
            "Passes the check. 2 tests pass that failed before. Adds 1 test of its own.",
        ),
        (
            attempt(1, (check(FAIL, PASS, report(broken=1, failing=("test_x",))),)),
            "Fails `pytest -q`, which the snapshot passes. Breaks 1 test: test_x.",
        ),
        (
            attempt(1, (check(FAIL, FAIL, report(fixed=1, broken=60, passing=("test_a",), failing=NAMES)),)),
            "Fails `pytest -q`, as the snapshot does. Breaks 60 tests: test_a, test_b, test_c and 57 more. "
            "1 test passes that failed before: test_a.",
        ),
        # Protected files.
        (
            attempt(1, restored=BAD, tampered=TEST_FILE),
            "Passes only with its own version of tests/test_pages.py. "
            "With tests/test_pages.py as before it fails `pytest -q`, which the snapshot passes.",
        ),
        (
            attempt(1, tampered=TEST_FILE),
            "Passes with its own version of tests/test_pages.py, and nobody knows whether without it.",
        ),
        (
            attempt(1, restored=GOOD, tampered=TEST_FILE),
            "Passes the check. Changes tests/test_pages.py, and was judged with that as before.",
        ),
        (
            attempt(1, BAD, restored=GOOD, tampered=TEST_FILE),
            "Passes the check with tests/test_pages.py as before, but not with its own version.",
        ),
        (
            attempt(1, BAD, tampered=TEST_FILE),
            "Fails `pytest -q`, which the snapshot passes. Changes tests/test_pages.py, and was judged by that.",
        ),
        (
            attempt(1, (check(FAIL, None, report(fixed=5, broken=1, added=2)),), tampered=TEST_FILE),
            "Fails `pytest -q`. Changes tests/test_pages.py, and was judged by that.",
        ),
        # The end of the run.
        (attempt(1, files=()), "Changed nothing."),
        (
            attempt(1, files=(), state=RunState.FAILED, reason="exit status 3.\nmore"),
            "Did not finish (failed: exit status 3. more). Changed nothing.",
        ),
        (attempt(1, (), state=RunState.CANCELLED), "Did not finish (cancelled). No check has judged it."),
        # The place that the prompt is about.
        (
            attempt(1, outside=("a", "b\udcff")),
            "Passes the check. Changes 2 files outside the place asked about: a and b\\xff.",
        ),
        (attempt(1, outside=("a",)), "Passes the check. Changes 1 file outside the place asked about: a."),
        (
            attempt(1, opinion=Opinion(1, "Handles\nthe empty page")),
            "Passes the check. The judge says: Handles the empty page.",
        ),
        (attempt(1, alone=("a", "b")), "Passes the check. Changes 2 files that no other attempt changes: a and b."),
        (attempt(1, opinion=Opinion(1, "Is it right?")), "Passes the check. The judge says: Is it right?"),
    ],
)
def test_what_is_said_of_one(one: Candidate, expected: str) -> None:
    baseline: tuple[Check, ...] = (check(FAIL, command="told", tests=report()),)
    assert table(one, baseline=baseline).why(1) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        # Agreement.
        ([attempt(1, equal=("k3f-2", "k3f-3"))], "Has the same result as k3f-2 and k3f-3."),
        ([attempt(1, agreement=Agreement(3, 0, 0, 0))], "Has nothing in common with the 3 others."),
        ([attempt(1, agreement=Agreement(1, 0, 0, 0))], "Has nothing in common with the other."),
        ([attempt(1, agreement=Agreement(4, 3, 0.8, 0.5))], "Shares 80% of its lines with 3 of the 4 others."),
        ([attempt(1, agreement=Agreement(2, 1, 0.5, 0.5))], "Shares 50% of its lines with 1 of the 2 others."),
        ([attempt(1, agreement=Agreement(4, 4, 1, 0.5))], "Shares all of its lines with 4 of the 4 others."),
        ([attempt(1, agreement=Agreement(4, 1, 0.999, 0.5))], "Shares 99% of its lines with 1 of the 4 others."),
        ([attempt(1, agreement=Agreement(1, 1, 0.001, 0.5))], "Shares 1% of its lines with the other."),
        # Size.
        ([attempt(1, files=lines(3, 1)), attempt(2, files=lines(5))], "Smallest change of 2: +3 −1."),  # noqa: RUF001
        (
            [attempt(1, files=lines(3, 1)), attempt(2, files=lines(5)), attempt(3, files=lines(4))],
            "One of the smallest changes of 3: +3 −1.",  # noqa: RUF001
        ),
        ([attempt(1, files=lines(3)), attempt(2, files=lines(3))], ""),
        ([attempt(1, files=lines(6)), attempt(2, files=lines(3))], "Largest change of 2: +6 −0."),  # noqa: RUF001
        (
            [attempt(1, files=lines(6)), attempt(2, files=lines(3)), attempt(3, files=lines(6))],
            "One of the largest changes of 3: +6 −0.",  # noqa: RUF001
        ),
        ([attempt(1, files=lines(5)), attempt(2, files=lines(3))], ""),
        ([attempt(1, files=lines(5)), attempt(2, files=lines(3)), attempt(3, files=lines(7))], ""),
        ([attempt(1), attempt(2, files=())], ""),
        # Cost and time.
        ([attempt(1, cost=0.012), attempt(2, cost=1.0), attempt(3)], "Cheapest of 2: $0.0120."),
        ([attempt(1, cost=1.0), attempt(2, cost=0.012)], "Most expensive of 2: $1.0000."),
        ([attempt(1, cost=0.02), attempt(2, cost=0.01)], ""),
        ([attempt(1, cost=1.0), attempt(2, cost=1.0), attempt(3, cost=0.01)], ""),
        ([attempt(1, cost=0.5), attempt(2, cost=1.0), attempt(3, cost=0.01)], ""),
        ([attempt(1, seconds=20), attempt(2, seconds=300)], "Fastest of 2: 20 seconds."),
        ([attempt(1, seconds=300), attempt(2, seconds=20)], "Slowest of 2: 300 seconds."),
        ([attempt(1, seconds=None), attempt(2, seconds=20)], ""),
    ],
)
def test_what_is_said_in_comparison(field: list[Candidate], expected: str) -> None:
    said = table(*field).why(1)
    facts = [one for one in said.split(". ") if not one.startswith(("Passes", "Behind", "As good"))]
    assert ". ".join(facts).rstrip(".") == expected.rstrip(".")


@pytest.mark.parametrize(
    ("better", "worse", "expected"),
    [
        (attempt(1), attempt(2, files=lines(40)), "Behind k3f-1 for a larger change."),
        (
            attempt(1, agreement=Agreement(2, 2, 1, 1)),
            attempt(2, files=lines(40), outside=("a",)),
            "Behind k3f-1 for less agreement with the others and a larger change.",
        ),
        (
            attempt(1, cost=0.01, opinion=Opinion(1, "good")),
            attempt(2, cost=9.0, opinion=Opinion(0, "bad")),
            "Behind k3f-1 for what the judge thinks of it and a higher cost.",
        ),
        (attempt(1), attempt(2, seconds=900), "Behind k3f-1 for a longer time."),
        (attempt(1), attempt(2, outside=("b",)), "Behind k3f-1 for more files outside the place asked about."),
        (
            attempt(1, (check(FAIL, FAIL, report(fixed=3, broken=1)),)),
            attempt(2, (check(FAIL, FAIL, report(fixed=3, broken=2)),)),
            "Behind k3f-1 for more tests that it breaks.",
        ),
        (
            attempt(1, (check(FAIL, FAIL, report(fixed=2)),)),
            attempt(2, (check(FAIL, FAIL, report(fixed=1)),)),
            "Behind k3f-1 for fewer tests that it makes pass.",
        ),
        # The reasons do not repeat the outcome of the checks.
        (attempt(1), attempt(2, BAD), ""),
        (attempt(1), attempt(2, state=RunState.CANCELLED), ""),
        (attempt(1), attempt(2, files=()), ""),
    ],
)
def test_why_it_is_behind(better: Candidate, worse: Candidate, expected: str) -> None:
    said = table(better, worse).why(2)
    assert said.partition("Behind")[2] == expected.partition("Behind")[2]
    assert "Behind" not in table(better, worse).why(1)


def test_ties_are_said_to_be_ties() -> None:
    field = table(*[attempt(number) for number in range(1, 6)])
    assert field.why(1).endswith("As good as k3f-2, k3f-3, k3f-4 and 1 more.")
    assert field.why(5).endswith("As good as k3f-1, k3f-2, k3f-3 and 1 more.")
    assert table(attempt(1, files=()), attempt(2, files=())).why(1) == "Changed nothing."
    # An attempt behind a tie is behind the first of the tie.
    assert "Behind k3f-1 " in table(attempt(1), attempt(2), attempt(3, files=lines(50))).why(3)


def test_what_has_no_weight_is_no_reason() -> None:
    one = attempt(1, files=lines(2), cost=0.0, seconds=0, outside=("a",), opinion=Opinion(1, "good"), equal=("k3f-3",))
    other = attempt(2, files=lines(90), cost=9.0, seconds=900)
    none = Weights(agreement=0, size=0, outside=0, cost=0, time=0, judge=0)
    assert table(one, other, weights=none).why(1) == "Passes the check. As good as k3f-2."


def test_names_are_cut_and_in_one_line() -> None:
    long = check(FAIL, None, report(broken=1, failing=("t" * 200,)), command="x" * 200)
    assert table(attempt(1, (long,))).why(1) == f"Fails `{'x' * 79}…`. Breaks 1 test: {'t' * 79}…."
    named = attempt(1, tampered=("a\nb",), restored=GOOD)
    assert "Changes a b, and" in table(named).why(1)
    assert len(table(attempt(1, opinion=Opinion(1, "word " * 200))).why(1)) < 350
    assert change("x").path == "x"
