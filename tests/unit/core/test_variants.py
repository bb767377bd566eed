"""Test where the hunks of several runs compete, and which of them is the best there."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.variants import Place, Variant, places
from tests.unit.core.support import hunks_of, lines, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from mux_lsp.core.model import Hunk

BASE = "a b c d e f g h"


def of_results(base: str, **results: str) -> dict[str, list[Hunk]]:
    """Return the hunks of each run, given its whole result."""
    return {run: hunks_of(lines(base), lines(result)) for run, result in results.items()}


def shown(found: Sequence[Place]) -> list[tuple[int, int, list[str]]]:
    """Return places in short form: `runs: removed>added` for each variant."""
    return [(place.start, place.end, [_shown(variant) for variant in place.variants]) for place in found]


def _shown(variant: Variant) -> str:
    hunk = variant.hunk
    return f"{','.join(variant.runs)}: {words(hunk.removed)}>{words(hunk.added)}"


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({}, []),
        ({"x": BASE}, []),
        ({"x": "a B c d e f g h"}, [(1, 2, ["x: b>B"])]),
        # Equal hunks are one variant, even where the rest of the results differs.
        (
            {"x": "a B c d e f g h", "y": "a B c d e f G h"},
            [(1, 2, ["x,y: b>B"]), (6, 7, ["y: g>G"])],
        ),
        # Overlapping.
        ({"x": "a B C d e f g h", "y": "a b Z Z e f g h"}, [(1, 4, ["x: b c>B C", "y: c d>Z Z"])]),
        # Touching: no unchanged line is between them.
        ({"x": "a B c d e f g h", "y": "a b C d e f g h"}, [(1, 3, ["x: b>B", "y: c>C"])]),
        ({"x": "a b N c d e f g h", "y": "a b C d e f g h"}, [(2, 3, ["x: >N", "y: c>C"])]),
        ({"x": "a b N c d e f g h", "y": "a B c d e f g h"}, [(1, 2, ["x: >N", "y: b>B"])]),
        ({"x": "a b N c d e f g h", "y": "a b M c d e f g h"}, [(2, 2, ["x: >N", "y: >M"])]),
        # One unchanged line is between them.
        ({"x": "a B c d e f g h", "y": "a b c D e f g h"}, [(1, 2, ["x: b>B"]), (3, 4, ["y: d>D"])]),
        # Connected by a third.
        (
            {"x": "a B c d e f g h", "y": "a b c D e f g h", "z": "a b Z Z e f g h"},
            [(1, 4, ["x: b>B", "y: d>D", "z: c d>Z Z"])],
        ),
        # One hunk that spans two hunks of another run.
        (
            {"x": "a B c D e f g h", "y": "a Y e f g h"},
            [(1, 4, ["x: b>B", "x: d>D", "y: b c d>Y"])],
        ),
        # The most runs come first, then the best run, then the smaller change.
        (
            {"x": "a X c d e f g h", "y": "a Y c d e f g h", "z": "a Y c d e f g h"},
            [(1, 2, ["y,z: b>Y", "x: b>X"])],
        ),
        ({"y": "a Y Y Y c d e f g h", "x": "a X c d e f g h"}, [(1, 2, ["y: b>Y Y Y", "x: b>X"])]),
        ({"x": "a B B B c D e f g h", "y": "a Y e f g h"}, [(1, 4, ["x: d>D", "x: b>B B B", "y: b c d>Y"])]),
        # At the ends of the text.
        ({"x": "N a b c d e f g h", "y": "A b c d e f g h"}, [(0, 1, ["x: >N", "y: a>A"])]),
        ({"x": "a b c d e f g h N", "y": "a b c d e f g H"}, [(7, 8, ["x: >N", "y: h>H"])]),
    ],
)
def test_places(results: dict[str, str], expected: list[tuple[int, int, list[str]]]) -> None:
    assert shown(places(of_results(BASE, **results), len(results))) == expected


def test_every_variant_tells_of_how_many_runs() -> None:
    (place,) = places(of_results(BASE, x="a B c d e f g h", y="a B c d e f g h"), 7)
    assert [(variant.runs, variant.of) for variant in place.variants] == [(("x", "y"), 7)]


def test_runs_are_named_best_first_whichever_had_the_hunk_with_what() -> None:
    found = of_results(BASE, z="a B c d e f g h", x="a B c d e F g h", y="a B c d e f g h")
    assert places(found, 3)[0].variants[0].runs == ("z", "x", "y")


TEXTS = st.lists(st.sampled_from("ab"), max_size=9).map(lambda found: [f"{word}\n" for word in found])
RESULTS = st.tuples(TEXTS, st.lists(TEXTS, max_size=6))


def of_texts(base: list[str], results: Sequence[list[str]]) -> dict[str, list[Hunk]]:
    return {f"r{number}": hunks_of(base, result) for number, result in enumerate(results)}


@given(RESULTS)
def test_every_hunk_of_every_run_is_in_one_place(found: tuple[list[str], list[list[str]]]) -> None:
    by_run = of_texts(*found)
    listed = Counter(
        (run, variant.hunk.id)
        for place in places(by_run, len(by_run))
        for variant in place.variants
        for run in variant.runs
    )
    assert listed == Counter((run, hunk.id) for run, hunks in by_run.items() for hunk in hunks)


@given(RESULTS)
def test_places_are_apart_and_each_hangs_together(found: tuple[list[str], list[list[str]]]) -> None:
    by_run = of_texts(*found)
    made = places(by_run, len(by_run))
    assert all(before.end < after.start for before, after in pairwise(made))
    for place in made:
        hunks = [variant.hunk for variant in place.variants]
        assert (place.start, place.end) == (min(one.start for one in hunks), max(one.end for one in hunks))
        # Following the hunks that touch, from one to the next, reaches all of them.
        reached = {hunks[0].id}
        while more := [
            one.id
            for one in hunks
            if one.id not in reached
            and any(other.id in reached and one.start <= other.end and other.start <= one.end for other in hunks)
        ]:
            reached.update(more)
        assert reached == {one.id for one in hunks}


@given(RESULTS, st.randoms(use_true_random=False))
def test_only_the_order_within_a_place_depends_on_the_order_of_the_runs(
    found: tuple[list[str], list[list[str]]], random: Random
) -> None:
    by_run = of_texts(*found)
    runs = list(by_run)
    random.shuffle(runs)
    assert _unordered(by_run) == _unordered({run: by_run[run] for run in runs})


def _unordered(by_run: Mapping[str, Sequence[Hunk]]) -> list[tuple[int, int, set[tuple[str, frozenset[str]]]]]:
    return [
        (place.start, place.end, {(variant.hunk.id, frozenset(variant.runs)) for variant in place.variants})
        for place in places(by_run, len(by_run))
    ]


@given(TEXTS, TEXTS, st.integers(min_value=1, max_value=5))
def test_equal_results_leave_no_choice(base: list[str], result: list[str], count: int) -> None:
    by_run = of_texts(base, [result] * count)
    for place in places(by_run, count):
        (variant,) = place.variants
        assert variant.runs == tuple(by_run)


@given(RESULTS)
def test_more_runs_come_before_fewer(found: tuple[list[str], list[list[str]]]) -> None:
    for place in places(of_texts(*found), 9):
        agreement = [len(variant.runs) for variant in place.variants]
        assert agreement == sorted(agreement, reverse=True)
