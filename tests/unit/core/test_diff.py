from __future__ import annotations

import random
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mux_lsp.core import myers
from mux_lsp.core.diff import Edit, apply, diff_lines, hunks, make_hunk, unified
from mux_lsp.core.text import split_lines
from tests.unit.core.support import git_edits, hunks_of, lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

few = st.lists(st.sampled_from("abc"), max_size=14)
many = st.lists(st.integers(0, 40).map(str), max_size=60)
texts = st.one_of(few, many).map(lambda found: [f"{word}\n" for word in found])


def put_together(old: list[str], new: list[str], edits: list[Edit]) -> list[str]:
    result: list[str] = []
    at = 0
    for edit in edits:
        result += old[at : edit.start] + new[edit.new_start : edit.new_end]
        at = edit.end
    return result + old[at:]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("a b", "a b", []),
        ("", "a b", [(0, 0, 0, 2)]),
        ("a b", "", [(0, 2, 0, 0)]),
        ("a b c", "a x c", [(1, 2, 1, 2)]),
        ("a b c d e", "x b c d y", [(0, 1, 0, 1), (4, 5, 4, 5)]),
        ("a b!", "a b", [(1, 2, 1, 2)]),
        ("a b c", "c a b", [(0, 0, 0, 1), (2, 3, 3, 3)]),
        # Changes slide to the last place they can have,
        ("a x x b", "a x x x b", [(3, 3, 3, 4)]),
        ("a x x x b", "a x x b", [(3, 4, 3, 3)]),
        ("f } g }", "f } h } g }", [(2, 2, 2, 4)]),
        ("x y x y z", "x y z", [(2, 4, 2, 2)]),
        # or beside a change of the other side.
        ("a x x b", "a q x b", [(1, 2, 1, 2)]),
        ("x x x", "N x x", [(0, 1, 0, 1)]),
    ],
)
def test_edits(old: str, new: str, expected: list[tuple[int, int, int, int]]) -> None:
    assert diff_lines(lines(old), tuple(lines(new))) == expected


@given(texts, texts)
def test_edits_lead_from_old_to_new(old: list[str], new: list[str]) -> None:
    edits = diff_lines(old, new)
    assert put_together(old, new, edits) == new
    for before, after in pairwise(edits):
        assert after.start - before.end == after.new_start - before.new_end > 0
    assert all(edit.start < edit.end or edit.new_start < edit.new_end for edit in edits)


def changed(rng: random.Random, text: list[str], letters: int) -> list[str]:
    result = list(text)
    for _ in range(rng.randrange(1, 2 + len(text) // 6)):
        at = rng.randrange(len(result) + 1)
        added = [f"{rng.choice([rng.randrange(letters), rng.randrange(1000)])}\n" for _ in range(rng.randrange(4))]
        result[at : at + rng.randrange(4)] = added
    return result


def test_edits_are_those_of_git(tmp_path: Path) -> None:
    rng = random.Random(7)
    for _ in range(150):
        letters, size = rng.choice([1, 2, 3, 5, 10, 50]), rng.choice([3, 10, 30, 100, 400])
        old = [f"{rng.randrange(letters)}\n" for _ in range(rng.randrange(size + 1))]
        new = changed(rng, old, letters)
        if rng.random() < 0.3:
            new = [f"{rng.randrange(letters + 1)}\n" for _ in range(rng.randrange(min(size, 100) + 1))]
        if new and rng.random() < 0.2:
            new[-1] = new[-1].rstrip("\n")
        assert diff_lines(old, new) == git_edits(tmp_path, old, new), (old, new)


def test_common_lines_amid_rewritten_ones_are_rewritten_as_git_has_it(tmp_path: Path) -> None:
    old = sum(([f"a{i}\n", f"b{i}\n", f"c{i}\n", f"d{i}\n", f"e{i}\n", f"f{i}\n", "\n"] for i in range(30)), ["top\n"])
    new = sum(([f"g{i}\n", f"h{i}\n", f"i{i}\n", f"j{i}\n", f"k{i}\n", f"l{i}\n", "\n"] for i in range(30)), ["top\n"])
    assert diff_lines(old, new) == git_edits(tmp_path, old, new)
    assert len(diff_lines(old, new)) == 1


@given(texts, texts)
@settings(max_examples=50)
def test_edits_stay_right_when_the_budget_is_gone(old: list[str], new: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(myers, "_BUDGET", 0)
        assert put_together(old, new, diff_lines(old, new)) == new
        patch.setattr(myers, "_BUDGET", 1000)
        patch.setattr(myers, "_COST_LIMIT", 2)
        assert put_together(old, new, diff_lines(old, new)) == new


def test_past_the_cost_limit_lines_that_occur_once_hold_the_texts_together() -> None:
    rng = random.Random(1)
    old = [f"{rng.randrange(4)}\n" for _ in range(3000)]
    new = [f"{rng.randrange(4)}\n" for _ in range(3000)]
    for place in range(100, 3000, 100):
        old[place] = f"once {place}\n"
        new[place + 7] = f"once {place}\n"
    edits = diff_lines(old, new)
    held = {old[place] for before, after in pairwise(edits) for place in range(before.end, after.start)}
    assert held >= {f"once {place}\n" for place in range(100, 3000, 100)}


def repeated(words: list[str], count: int) -> list[str]:
    return [f"{words[index % len(words)]}\n" for index in range(count)]


def drawn(seed: int, letters: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [f"{rng.randrange(letters)}\n" for _ in range(count)]


ADVERSARIES: dict[str, Callable[[], tuple[list[str], list[str]]]] = {
    "all equal": lambda: (["x\n"] * 100_000, ["x\n"] * 70_000 + ["y\n"] + ["x\n"] * 9_000),
    "all different": lambda: ([f"a{i}\n" for i in range(100_000)], [f"b{i}\n" for i in range(100_000)]),
    "two letters": lambda: (drawn(1, 2, 100_000), drawn(2, 2, 100_000)),
    "reversed": lambda: ([f"{i}\n" for i in range(100_000)], [f"{i}\n" for i in range(100_000, 0, -1)]),
    "periodic": lambda: (repeated(["a", "b"], 100_000), repeated(["b", "b", "a"], 100_000)),
    "long lines": lambda: (repeated(["x" * 500_000, "y"], 40), repeated(["x" * 500_000, "x" * 499_999, "y"], 40)),
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_hostile_texts_stay_bounded(name: str) -> None:
    old, new = ADVERSARIES[name]()
    started = time.process_time()
    edits = diff_lines(old, new)
    assert time.process_time() - started < 5
    assert put_together(old, new, edits) == new


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
