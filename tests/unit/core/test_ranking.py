"""Test the order of runs by merit."""

from __future__ import annotations

from dataclasses import astuple, fields, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mux_lsp.core.agreement import Agreement
from mux_lsp.core.grading import Candidate, Opinion, Weights
from mux_lsp.core.model import Check, CheckState, RunState, Tests
from mux_lsp.core.ranking import rank
from tests.unit.core.ranked import (
    AS_BEFORE,
    BAD,
    DEFAULT,
    FAIL,
    GOOD,
    PASS,
    PYTEST,
    RUFF,
    attempt,
    change,
    check,
    lines,
    report,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

ENDED = [RunState.FINISHED, RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED]
TEST_FILE = ("tests/test_pages.py",)
HALF = Agreement(2, 1, 0.5, 0.25)


def places(*attempts: Candidate, baseline: tuple[Check, ...] = (), weights: Weights = DEFAULT) -> dict[int, int]:
    return table(*attempts, baseline=baseline, weights=weights).places


# Grades


BY_GRADE = [
    ("passes", attempt(1)),
    ("passes, and did not finish", attempt(2, state=RunState.CANCELLED)),
    ("fixes a test and breaks none", attempt(3, (check(FAIL, FAIL, report(fixed=1)),))),
    ("fails as the snapshot does", attempt(4, AS_BEFORE)),
    ("breaks more than it fixes", attempt(5, (check(FAIL, FAIL, report(fixed=2, broken=3)),))),
    ("not checked", attempt(6, ())),
    ("passes with its own tests", attempt(7, restored=BAD, tampered=TEST_FILE)),
    ("fails one", attempt(8, (*GOOD, check(FAIL, command=RUFF)))),
    ("fails two", attempt(9, (*BAD, check(FAIL, command=RUFF)))),
    ("did not finish", attempt(10, (), state=RunState.FAILED)),
    ("changed nothing", attempt(11, files=())),
]


def test_the_checks_decide_first() -> None:
    field = [one for _, one in BY_GRADE]
    assert places(*reversed(field)) == {number: number for number in range(1, len(field) + 1)}


@pytest.mark.parametrize("better", range(len(BY_GRADE) - 1))
def test_nothing_outweighs_the_checks(better: int) -> None:
    """The better attempt is worse in everything else, with any weights."""
    good, bad = BY_GRADE[better][1], BY_GRADE[better + 1][1]
    if not bad.run.files or "fix" in BY_GRADE[better][0]:
        bad = replace(bad, equal=())
    else:
        bad = replace(bad, agreement=Agreement(3, 3, 1.0, 1.0), opinion=Opinion(1, "best"))
    if good.run.files:
        good = replace(
            good,
            run=replace(good.run, files=lines(500), cost_usd=9.0, work_seconds=9e4),
            outside=("a", "b"),
            opinion=Opinion(0, "worst"),
        )
    weights = Weights() if "fix" in BY_GRADE[better][0] else Weights(agreement=100, cost=100)
    found = places(good, bad, weights=weights)
    assert list(found.items()) == [(better + 1, 1), (better + 2, 2)]


@pytest.mark.parametrize(
    ("one", "grade_of"),
    [
        # A check that already failed on the snapshot is not the attempt's fault; one with an unknown baseline may be.
        (attempt(1, AS_BEFORE), 4),
        (attempt(1, (check(FAIL, None),)), 8),
        (attempt(1, (check(FAIL, CheckState.RUNNING),)), 8),
        # The snapshot's check wrote a report and this one did not: the attempt got less far.
        (attempt(1, (check(FAIL, FAIL, None),)), 8),
        # A check that did not run to its end proves nothing.
        (attempt(1, (check(CheckState.RUNNING),), state=RunState.CANCELLED), 10),
        # Restored checks count, in both directions.
        (attempt(1, BAD, restored=GOOD, tampered=TEST_FILE), 2),
        (attempt(1, GOOD, restored=GOOD, tampered=TEST_FILE), 1),
        (attempt(1, AS_BEFORE, restored=AS_BEFORE, tampered=TEST_FILE), 4),
        # It changed protected files and was not checked with the original ones.
        (attempt(1, GOOD, tampered=TEST_FILE), 7),
        # It passes with its own tests, and fails only where the snapshot does with the original ones: no honest pass.
        (attempt(1, GOOD, restored=AS_BEFORE, tampered=TEST_FILE), 7),
        (attempt(1, AS_BEFORE, tampered=TEST_FILE), 8),
        (attempt(1, (), tampered=TEST_FILE), 6),
        (attempt(1, AS_BEFORE, state=RunState.FAILED), 10),
        (attempt(1, GOOD, restored=BAD, tampered=TEST_FILE, state=RunState.CANCELLED), 10),
        (attempt(1, (), files=(), state=RunState.FAILED), 11),
    ],
)
def test_where_an_attempt_belongs(one: Candidate, grade_of: int) -> None:
    """It ties with the attempt of `BY_GRADE` that has this number, and ranks behind the one before that."""
    reported = (check(FAIL, tests=report(), command=PYTEST),) if one.run.checks == (check(FAIL, FAIL, None),) else ()
    baseline = reported if grade_of == 8 else ()
    peers = [peer for _, peer in BY_GRADE if int(peer.run.id[4:]) in {grade_of - 1, grade_of, grade_of + 1}]
    own = replace(one, run=replace(one.run, id="k3f-50"))
    found = places(own, *peers, baseline=baseline)
    assert found.get(grade_of - 1, 0) < found[50] < found.get(grade_of + 1, 99)


def test_a_check_without_a_report_is_excused_where_the_snapshot_had_none() -> None:
    silent = attempt(1, (check(FAIL, FAIL, None),))
    other = attempt(2, AS_BEFORE)
    told = (check(FAIL, tests=report()),)
    assert places(silent, other) == {1: 1, 2: 1}
    assert places(silent, attempt(2, (check(FAIL, FAIL, report()),)), baseline=told) == {2: 1, 1: 2}
    assert places(silent, other, baseline=(check(FAIL, tests=report(), command=RUFF),)) == {1: 1, 2: 1}


def test_a_check_that_the_snapshot_fails_counts_for_who_makes_it_pass() -> None:
    fixes = attempt(1, (check(PASS, FAIL), check(FAIL, FAIL, command=RUFF)), files=lines(90))
    leaves = attempt(2, (check(FAIL, FAIL, report(fixed=9)), check(FAIL, FAIL, command=RUFF)), files=lines(1))
    assert places(fixes, leaves) == {1: 1, 2: 2}


@pytest.mark.parametrize(
    ("fixed", "broken", "others"),
    [
        (1, 0, [(9, 1), (0, 0), (0, 1), (2, 2)]),
        (9, 1, [(0, 0), (0, 1), (1, 2)]),
        (0, 0, [(1, 2), (0, 1)]),
        (1, 2, [(1, 3), (5, 7)]),
    ],
)
def test_tests_made_pass_outweigh_those_broken_only_where_none_is_broken_at_all(
    fixed: int, broken: int, others: list[tuple[int, int]]
) -> None:
    def with_tests(number: int, fixed: int, broken: int) -> Candidate:
        return attempt(number, (check(FAIL, FAIL, report(fixed=fixed, broken=broken)),))

    field = [with_tests(number, *figures) for number, figures in enumerate(others, 2)]
    assert next(iter(places(with_tests(1, fixed, broken), *field))) == 1


def test_the_same_result_has_the_same_place_whatever_it_cost() -> None:
    slow = attempt(1, cost=9.0, seconds=900, equal=("k3f-2", "k3f-3"))
    fast = attempt(2, cost=0.1, seconds=10, equal=("k3f-1", "k3f-3"), opinion=Opinion(1, "good"))
    # An equal result of a failed run is not an equal choice.
    broken = attempt(3, BAD, equal=("k3f-1", "k3f-2"))
    other = attempt(4, cost=4.0, seconds=400)
    found = table(slow, fast, broken, other)
    assert found.places == {1: 1, 2: 1, 4: 3, 3: 4}
    assert found.why(4).endswith("Behind k3f-1 for a higher cost and a longer time.")
    # It is ahead of an attempt that only its equal is ahead of.
    assert places(slow, attempt(4, cost=4.0, seconds=400)) == {4: 1, 1: 2}


# Criteria, among attempts of one grade


BETTER = {
    "tests": (
        attempt(1, (check(FAIL, FAIL, report(fixed=2)),)),
        attempt(2, (check(FAIL, FAIL, report(fixed=1)),)),
    ),
    "broken": (
        attempt(1, (check(PASS, PASS, report(fixed=3, broken=1)),)),
        attempt(2, (check(PASS, PASS, report(fixed=3, broken=2)),)),
    ),
    "agreement": (attempt(1, agreement=HALF), attempt(2)),
    "size": (attempt(1, files=lines(3)), attempt(2, files=lines(6))),
    "outside": (attempt(1), attempt(2, outside=("b",))),
    "cost": (attempt(1, cost=0.10), attempt(2, cost=0.60)),
    "time": (attempt(1, seconds=60), attempt(2, seconds=300)),
    "judge": (attempt(1, opinion=Opinion(1, "yes")), attempt(2, opinion=Opinion(0, "no"))),
}
NONE_COUNTS = dict.fromkeys(BETTER, 0.0)


@pytest.mark.parametrize("name", BETTER)
def test_each_criterion_counts_as_its_weight_says(name: str) -> None:
    better, worse = BETTER[name]
    assert places(better, worse) == {1: 1, 2: 2}
    assert places(better, worse, weights=Weights(**NONE_COUNTS | {name: 0.1})) == {1: 1, 2: 2}
    assert places(better, worse, weights=Weights(**NONE_COUNTS)) == {1: 1, 2: 1}


def test_every_criterion_has_its_test() -> None:
    assert list(BETTER) == [one.name for one in fields(Weights)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # Tests that the attempt adds do not count.
        (attempt(1), attempt(2, (check(PASS, PASS, report(added=50)),)), {1: 1, 2: 1}),
        # Differences of some seconds, some cents or by the machine's load are no merit.
        (attempt(1, seconds=1.0), attempt(2, seconds=15.0), {1: 1, 2: 1}),
        (attempt(1, cost=0.01), attempt(2, cost=0.03), {1: 1, 2: 1}),
        (attempt(1, seconds=1.0), attempt(2, seconds=50.0), {1: 1, 2: 2}),
        # The lines of a file that is not text are unknown; the change does not count as smaller than one line for that.
        (attempt(1, files=(change(added=None, removed=None),)), attempt(2, files=lines(2)), {1: 1, 2: 2}),
        (attempt(1, files=lines(1)), attempt(2, files=(change(added=None, removed=None),)), {1: 1, 2: 1}),
        # An unknown cost is neither the best nor the worst.
        (attempt(1, cost=None), attempt(2, cost=0.01), {2: 1, 1: 2}),
        # Agreement outweighs size, and a change outside of the prompt's scope counts as much as twice the size.
        (attempt(1, agreement=Agreement(2, 2, 1.0, 1.0), files=lines(20)), attempt(2, files=lines(4)), {1: 1, 2: 2}),
    ],
)
def test_what_counts_how_much(one: Candidate, other: Candidate, expected: dict[int, int]) -> None:
    assert places(one, other) == expected


def test_what_changed_nothing_is_no_measure_for_the_others() -> None:
    """An empty result would be the smallest, cheapest and fastest of all."""
    empty = attempt(3, files=(), cost=0.0, seconds=0.0)
    small, large = attempt(1, files=lines(9), seconds=600, cost=5.0), attempt(2, files=lines(10), seconds=60, cost=1.0)
    assert places(small, large, empty) == places(small, large) | {3: 3}


def test_ties_share_a_rank_and_leave_numbers_out() -> None:
    field = [attempt(10), attempt(2), attempt(3, files=lines(40)), attempt(4, files=()), attempt(5, files=())]
    assert list(places(*field).items()) == [(2, 1), (10, 1), (3, 3), (4, 4), (5, 4)]
    tied = {one.run: one.tied for one in table(*field).ranked}
    assert tied["k3f-2"] == ("k3f-10",)
    assert tied["k3f-3"] == ()
    assert tied["k3f-5"] == ("k3f-4",)


def test_nothing_to_rank() -> None:
    assert rank([], Weights()) == ()
    assert places(attempt(1, files=())) == {1: 1}


# Laws


OUTCOMES = st.builds(
    check,
    st.sampled_from([PASS, FAIL]),
    st.sampled_from([PASS, FAIL, None]),
    st.none() | st.builds(report, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
)


@st.composite
def attempts(draw: st.DrawFn, number: int = 0) -> Candidate:
    checks = tuple(draw(st.lists(OUTCOMES, max_size=2)))
    tampered = draw(st.sampled_from([(), TEST_FILE]))
    own = attempt(
        number or draw(st.integers(1, 99)),
        checks,
        files=draw(st.sampled_from([(), lines(1), lines(3, 3), lines(80), (change(added=None, removed=None),)])),
        state=draw(st.sampled_from(ENDED)),
        tampered=tampered,
        restored=tuple(draw(st.lists(OUTCOMES, max_size=2))) if tampered else (),
        cost=draw(st.none() | st.sampled_from([0.0, 0.02, 0.5, 3.0])),
        seconds=draw(st.none() | st.sampled_from([0.0, 5.0, 100.0, 1000.0])),
        outside=draw(st.sampled_from([(), ("a",), ("a", "b")])),
    )
    mean = draw(st.sampled_from([0.0, 0.3, 1.0]))
    return replace(own, agreement=Agreement(3, 1, mean, mean), opinion=draw(st.none() | st.just(Opinion(0.9, "fine"))))


FIELDS = st.lists(attempts(), unique_by=lambda one: one.run.id, max_size=4)
WEIGHTS = st.builds(Weights, *[st.sampled_from([0.0, 0.5, 1.0, 20.0]) for _ in fields(Weights)])


@given(FIELDS, WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_they_come_in_changes_nothing(field: list[Candidate], weights: Weights, random: Random) -> None:
    shuffled = list(field)
    random.shuffle(shuffled)
    assert rank(shuffled, weights) == rank(field, weights)


@given(FIELDS, WEIGHTS)
def test_everyone_has_a_place_and_a_reason(field: list[Candidate], weights: Weights) -> None:
    ranked = rank(field, weights)
    assert sorted(one.run for one in ranked) == sorted(one.run.id for one in field)
    assert all(one.reasons for one in ranked)
    for place, one in enumerate(ranked, 1):
        alike = [other.run for other in ranked if other.rank == one.rank]
        assert alike.index(one.run) == place - one.rank
        assert one.tied == tuple(run for run in alike if run != one.run)
        assert all(reason.endswith((".", "…")) and "\n" not in reason for reason in one.reasons)


def _each_check(one: Candidate, made: Callable[[Check], Check]) -> Candidate:
    run = one.run
    return replace(
        one,
        run=replace(run, checks=tuple(map(made, run.checks)), restored_checks=tuple(map(made, run.restored_checks))),
    )


def _each_report(one: Candidate, made: Callable[[Tests], Tests]) -> Candidate:
    return _each_check(one, lambda each: replace(each, tests=each.tests and made(each.tests)))


def _small(one: Candidate) -> Candidate:
    files = tuple(replace(each, lines_added=1, lines_removed=0) for each in one.run.files)
    return replace(one, run=replace(one.run, files=files))


BETTERED: dict[str, Callable[[Candidate], Candidate]] = {
    "checks": lambda one: _each_check(one, lambda each: replace(each, state=PASS)),
    "finished": lambda one: replace(one, run=replace(one.run, state=RunState.FINISHED)),
    "tampered": lambda one: replace(one, run=replace(one.run, tampered=(), restored_checks=())),
    "tests": lambda one: _each_report(one, lambda each: replace(each, newly_passing=each.newly_passing + 1)),
    "broken": lambda one: _each_report(one, lambda each: replace(each, newly_failing=0)),
    "agreement": lambda one: replace(one, agreement=Agreement(3, 3, 1.0, 1.0)),
    "size": _small,
    "outside": lambda one: replace(one, outside=()),
    "cost": lambda one: replace(one, run=replace(one.run, cost_usd=one.run.cost_usd and one.run.cost_usd / 3)),
    "time": lambda one: replace(
        one, run=replace(one.run, work_seconds=one.run.work_seconds and one.run.work_seconds / 2)
    ),
    "judge": lambda one: replace(one, opinion=one.opinion and Opinion(1, "better")),
}
"""Changes that make an attempt better by one criterion and leave all others equal."""


@settings(max_examples=300)
@given(st.sampled_from(sorted(BETTERED)), attempts(number=50), FIELDS, WEIGHTS)
def test_what_is_better_never_ranks_lower(name: str, one: Candidate, field: list[Candidate], weights: Weights) -> None:
    if name == "tampered":
        # With the original tests it does as well as with its own.
        one = replace(one, run=replace(one.run, restored_checks=one.run.checks if one.run.tampered else ()))
    better = BETTERED[name](one)
    better = replace(better, run=replace(better.run, id="k3f-51"))
    others = [each for each in field if each.run.id not in {"k3f-50", "k3f-51"}]
    found = {each.run: each.rank for each in rank([one, better, *others], weights)}
    assert found["k3f-51"] <= found["k3f-50"]


@given(FIELDS, WEIGHTS)
def test_only_the_proportions_of_weights_matter(field: list[Candidate], weights: Weights) -> None:
    # Multiplying by a power of two changes no digit.
    doubled = Weights(*[each * 4 for each in astuple(weights)])
    assert [(each.run, each.rank) for each in rank(field, doubled)] == [
        (each.run, each.rank) for each in rank(field, weights)
    ]
