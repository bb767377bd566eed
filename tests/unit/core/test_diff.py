from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.diff import apply, hunks, make_hunk, unified
from mux_lsp.core.text import split_lines
from tests.unit.core.support import hunks_of, texts

if TYPE_CHECKING:
    import random


def test_ids_depend_on_path_place_and_lines_unambiguously() -> None:
    made = [
        make_hunk("a", 1, ["x\n"], ["y\n"]),
        make_hunk("b", 1, ["x\n"], ["y\n"]),
        make_hunk("a", 2, ["x\n"], ["y\n"]),
        make_hunk("a", 1, ["x\n", "y\n"], []),
        make_hunk("a", 1, [], ["x\n", "y\n"]),
        make_hunk("a", 1, ["x\ny\n"], []),
        make_hunk("a", 11, ["x\n"], ["y\n"]),
        make_hunk("a1", 1, ["x\n"], ["y\n"]),
        make_hunk("\udcff", 1, ["\ud83d\n"], []),
    ]
    assert len({hunk.id for hunk in made}) == len(made)
    assert all(len(hunk.id) == 10 and int(hunk.id, 16) >= 0 for hunk in made)
    assert made[0] == make_hunk("a", 1, ("x\n",), ("y\n",))
    assert made[0].id == "6ef9e0c664"


@given(texts, texts, st.randoms())
def test_hunks_lead_from_the_old_text_to_the_new(old: list[str], new: list[str], rng: random.Random) -> None:
    found = list(hunks("".join(old), "".join(new), "file"))
    assert found == hunks_of(old, new)
    rng.shuffle(found)
    assert apply(old, found) == new


@pytest.mark.parametrize(
    ("old", "new", "context", "expected"),
    [
        ("a\nb\nc\n", "a\nx\nc\n", 3, "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"),
        ("", "a\n", 3, "@@ -0,0 +1 @@\n+a\n"),
        ("a\nb\n", "", 3, "@@ -1,2 +0,0 @@\n-a\n-b\n"),
        ("a\nb", "a\nb\n", 0, "@@ -2 +2 @@\n-b\n\\ No newline at end of file\n+b\n"),
        ("a\nb", "x\nb", 1, "@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n"),
        ("a\nb\nc\nd\ne\n", "a\nc\nd\nx\ne\n", 0, "@@ -2 +1,0 @@\n-b\n@@ -4,0 +4 @@\n+x\n"),
        ("a\nb\nc\nd\ne\n", "a\nc\nd\nx\ne\n", 1, "@@ -1,5 +1,5 @@\n a\n-b\n c\n d\n+x\n e\n"),
        ("a\rb\r\n", "a\rx\r\n", 1, "@@ -1,2 +1,2 @@\n a\r\n-b\r\n+x\r\n"),
        ("a\n", "a\n", 3, ""),
    ],
)
def test_unified(old: str, new: str, context: int, expected: str) -> None:
    assert unified(hunks(old, new, "file"), split_lines(old), context) == expected


def test_unified_counts_new_lines_over_all_hunks() -> None:
    old = [f"{i}\n" for i in range(30)]
    new = [*old[:2], "x\n", "y\n", *old[2:20], *old[21:]]
    printed = unified(reversed(hunks_of(old, new)), old)
    assert [line for line in printed.splitlines() if line.startswith("@@")] == ["@@ -1,5 +1,7 @@", "@@ -18,7 +20,6 @@"]
    further = [*new[:27], "z\n", *new[27:]]
    printed = unified(hunks_of(old, further), old, 1)
    assert [line for line in printed.splitlines() if line.startswith("@@")] == [
        "@@ -2,2 +2,4 @@",
        "@@ -20,3 +22,2 @@",
        "@@ -26,2 +27,3 @@",
    ]


def test_near_hunks_are_printed_together() -> None:
    old = [f"{i}\n" for i in range(20)]
    for apart, blocks in ((4, 1), (5, 2), (6, 2)):
        new = [*old[:5], "x\n", *old[6 : 6 + apart], "y\n", *old[7 + apart :]]
        assert unified(hunks_of(old, new), old, 2).count("@@ -") == blocks
