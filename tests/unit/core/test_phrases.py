"""Counts and lists in words."""

from __future__ import annotations

import pytest

from mux_lsp.core.phrases import count, few_of, few_with_commas, listed


def test_counts_and_lists() -> None:
    assert [count(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("words", "total", "few", "with_commas"),
    [
        ("", 0, "", ""),
        ("a", 0, "a", "a"),
        ("ab", 0, "a and b", "a, b"),
        ("abc", 0, "a, b and c", "a, b, c"),
        ("abcd", 0, "a, b, c and 1 more", "a, b, c and 1 more"),
        ("abc", 3, "a, b and c", "a, b, c"),
        ("abc", 9, "a, b, c and 6 more", "a, b, c and 6 more"),
        ("ab", 9, "a, b and 7 more", "a, b and 7 more"),
    ],
)
def test_of_more_names_than_most_the_rest_is_counted(words: str, total: int, few: str, with_commas: str) -> None:
    assert few_of(list(words), 3, total) == few
    assert few_with_commas(list(words), 3, total) == with_commas


def test_ten_names_stand_in_a_sentence_unless_set_otherwise() -> None:
    names = [f"k3f-{number}" for number in range(1, 13)]
    assert few_of(names[:10]) == listed(names[:10])
    assert few_of(names) == f"{', '.join(names[:10])} and 2 more"
