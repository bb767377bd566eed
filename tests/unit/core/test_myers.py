from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core import myers
from mux_lsp.core.myers import common_prefix_length, compare

numbers = st.lists(st.integers(0, 3), max_size=12)


def kept(old: list[int], new: list[int]) -> tuple[list[int], list[int]]:
    """Return the elements that `compare` keeps on each side."""
    removed, added = compare(old, new)
    gone = {place for start, end in removed for place in range(start, end)}
    come = {place for start, end in added for place in range(start, end)}
    assert len(gone) == sum(end - start for start, end in removed)
    assert len(come) == sum(end - start for start, end in added)
    return (
        [number for place, number in enumerate(old) if place not in gone],
        [number for place, number in enumerate(new) if place not in come],
    )


def longest(old: list[int], new: list[int]) -> int:
    """Return the length of the longest common subsequence, by the plain table."""
    before = [0] * (len(new) + 1)
    for number in old:
        row = [0]
        for place, other in enumerate(new):
            row.append(before[place] + 1 if number == other else max(before[place + 1], row[place]))
        before = row
    return before[-1]


@given(numbers, numbers)
def test_as_much_as_possible_is_kept(old: list[int], new: list[int]) -> None:
    left, right = kept(old, new)
    assert left == right
    assert len(left) == longest(old, new)


@pytest.mark.parametrize(
    ("old", "new", "removed", "added"),
    [
        ([], [], [], []),
        ([1], [], [(0, 1)], []),
        ([], [1], [], [(0, 1)]),
        ([1, 2], [1, 2], [], []),
        ([1, 2], [3], [(0, 2)], [(0, 1)]),
        ([1, 2, 3], [1, 3], [(1, 2)], []),
        ([1, 3], [1, 2, 3], [], [(1, 2)]),
        ([1, 2], [2, 1], [(0, 1)], [(1, 2)]),
        ([1, 1, 2, 2], [2, 2, 1, 1], [(0, 2)], [(2, 4)]),
        ([1, 2, 3, 4], [4, 1, 2, 3], [(3, 4)], [(0, 1)]),
        ([1, 2, 1, 2, 3, 3], [2, 1, 3, 2, 3, 1], [(0, 1), (3, 4)], [(3, 4), (5, 6)]),
    ],
)
def test_what_is_kept(
    old: list[int], new: list[int], removed: list[tuple[int, int]], added: list[tuple[int, int]]
) -> None:
    found_removed, found_added = compare(old, new)
    assert (sorted(found_removed), sorted(found_added)) == (removed, added)


@pytest.mark.parametrize("budget", [0, -1])
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # No element occurs once on both sides: one change, except for the equal ends.
        ([1, 1, 2, 2], [2, 2, 1, 1], []),
        ([0, 1, 1, 2, 2, 0], [0, 2, 2, 1, 1, 0], [0, 0]),
        # Elements that occur once on both sides are kept, along the longest increasing sequence.
        ([1, 1, 7, 2, 2], [2, 2, 7, 1, 1], [7]),
        ([1, 7, 8, 9, 1], [2, 8, 9, 7, 2], [8, 9]),
        ([1, 9, 7, 8, 1], [2, 7, 8, 9, 2], [7, 8]),
        ([1, 7, 9, 8, 1], [2, 7, 8, 9, 2], [7, 8]),
        ([1, 5, 3, 4, 6, 1], [2, 3, 4, 5, 6, 2], [3, 4, 6]),
        ([1, 5, 6, 7, 3, 1], [2, 3, 5, 6, 7, 2], [5, 6, 7]),
        ([1, 3, 9, 4, 8, 5, 1], [2, 3, 4, 5, 8, 9, 2], [3, 4, 5]),
        ([1, 8, 3, 7, 4, 5, 1], [2, 3, 4, 5, 7, 8, 2], [3, 4, 5]),
        ([1, 7, 1, 8, 1], [7, 8, 8, 2], [7]),
        ([1, 7, 1, 2], [2, 7, 7, 1], [2]),
        ([7, 1, 7], [2, 7, 2], []),
        # Between two of them the same rule applies again.
        ([1, 1, 7, 4, 3, 3, 8, 2, 2], [2, 2, 7, 3, 3, 4, 8, 1, 1], [7, 4, 8]),
        ([1, 7, 5, 5, 8, 2], [2, 7, 5, 5, 8, 1], [7, 5, 5, 8]),
    ],
)
def test_without_a_budget_what_occurs_once_is_kept(
    monkeypatch: pytest.MonkeyPatch, old: list[int], new: list[int], expected: list[int], budget: int
) -> None:
    monkeypatch.setattr(myers, "_BUDGET", budget)
    assert kept(old, new) == (expected, expected)


def test_the_budget_counts_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the smallest budgets for the first comparison and for that of its halves, which keeps more."""
    old, new = [1, 1, 2, 2, 1, 2, 1, 1, 2, 1], [2, 1, 2, 1, 1, 1, 2, 2, 1, 2]
    sizes = []
    for budget in range(60):
        monkeypatch.setattr(myers, "_BUDGET", budget)
        sizes.append(len(kept(old, new)[0]))
    monkeypatch.undo()
    assert sizes[-1] == len(kept(old, new)[0]) == longest(old, new)
    assert [budget for budget in range(1, 60) if sizes[budget] != sizes[budget - 1]] == [1, 35]


@pytest.mark.parametrize(
    ("limit", "old", "new", "removed", "added"),
    [
        (1, "1312122232", "112122313", [(1, 2), (7, 8), (9, 10)], [(6, 7), (7, 8)]),
        (1, "2231312111", "331231231", [(0, 2), (3, 4), (7, 8)], [(4, 5), (6, 7), (7, 8)]),
        (1, "1213223123", "333212331", [(0, 3), (4, 6)], [(1, 2), (3, 4), (6, 7), (8, 9)]),
        (1, "1322231212", "333323113", [(0, 1), (2, 4), (7, 8), (9, 10)], [(1, 2), (2, 3), (3, 4), (8, 9)]),
        (2, "1113312323", "222333312", [(0, 3), (5, 7), (9, 10)], [(0, 2), (2, 4), (7, 8)]),
        (2, "1233132111", "211312333", [(0, 1), (2, 3), (3, 4), (7, 9), (9, 10)], [(1, 2), (4, 5), (6, 7), (7, 9)]),
        (3, "2123123233", "231131111", [(2, 3), (5, 10)], [(1, 2), (3, 4), (6, 9)]),
        (3, "1312233222", "212133213", [(0, 2), (4, 5), (7, 8), (9, 10)], [(0, 1), (3, 4), (7, 8), (8, 9)]),
        (4, "1123212133", "323221312", [(0, 2), (5, 6), (9, 10)], [(0, 1), (7, 8), (8, 9)]),
    ],
)
def test_past_the_cost_limit_the_path_that_came_furthest_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    old: str,
    new: str,
    removed: list[tuple[int, int]],
    added: list[tuple[int, int]],
) -> None:
    monkeypatch.setattr(myers, "_COST_LIMIT", limit)
    found_removed, found_added = compare([*map(int, old)], [*map(int, new)])
    assert (sorted(found_removed), sorted(found_added)) == (removed, added)


@pytest.mark.parametrize("equal", [*range(70), 127, 128, 129, 159, 160, 161, 672, 2719, 2720, 2721, 4768, 5000, 9000])
def test_how_far_two_lists_are_equal(equal: int) -> None:
    old = [*range(equal), -1, *range(50)]
    for new in ([*range(equal), -2, *range(50)], [*range(equal), -2], list(range(equal))):
        assert common_prefix_length(old, 0, new, 0, min(len(old), len(new))) == equal
        assert common_prefix_length([5, *old], 1, [6, 7, *new], 2, min(len(old), len(new))) == equal
    assert common_prefix_length(old, 0, old, 0, equal) == equal
    assert common_prefix_length(old, 0, old, 0, 0) == 0
