from __future__ import annotations

import random
import time
from itertools import pairwise, product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from mux_lsp.core import myers
from mux_lsp.core.xdiff import Edit, diff_lines
from tests.unit.core.support import git_edits, lines, texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
        # Changes slide to their last possible place,
        ("a x x b", "a x x x b", [(3, 3, 3, 4)]),
        ("a x x x b", "a x x b", [(3, 4, 3, 3)]),
        ("f } g }", "f } h } g }", [(2, 2, 2, 4)]),
        ("x y x y z", "x y z", [(2, 4, 2, 2)]),
        # or to a change of the other side.
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


def check_as_git(folder: Path, pairs: list[tuple[list[str], list[str]]]) -> None:
    for (old, new), expected in zip(pairs, git_edits(folder, pairs), strict=True):
        assert diff_lines(old, new) == expected, (old, new)


def test_edits_are_those_of_git(tmp_path: Path) -> None:
    rng = random.Random(7)
    pairs = []
    for _ in range(600):
        letters, size = rng.choice([1, 2, 3, 5, 10, 50]), rng.choice([3, 10, 30, 100, 400])
        old = [f"{rng.randrange(letters)}\n" for _ in range(rng.randrange(size + 1))]
        new = changed(rng, old, letters)
        if rng.random() < 0.3:
            new = [f"{rng.randrange(letters + 1)}\n" for _ in range(rng.randrange(min(size, 100) + 1))]
        if new and rng.random() < 0.2:
            new[-1] = new[-1].rstrip("\n")
        pairs.append((old, new))
    check_as_git(tmp_path, pairs)


def test_edits_of_short_texts_of_two_kinds_of_line_are_those_of_git(tmp_path: Path) -> None:
    rng = random.Random(8)
    every = [[f"{letter}\n" for letter in word] for size in range(7) for word in product("ab", repeat=size)]
    check_as_git(tmp_path, [(rng.choice(every), rng.choice(every)) for _ in range(700)])


def rewritten(blocks: str, own: str) -> list[str]:
    """Return lines for a pattern: `"5 2x 3"` is five lines of this side, two lines `x`, and three more of this side."""
    text = []
    for place, block in enumerate(blocks.split()):
        if block[-1].isdigit():
            text += [f"{own} {place} {number}\n" for number in range(int(block))]
        else:
            text += [f"{block[-1]}\n"] * int(block[:-1])
    return text


def test_common_lines_amid_rewritten_ones_are_rewritten_as_git_has_it(tmp_path: Path) -> None:
    rng = random.Random(9)
    blocks = [
        # around the share of unmatched lines at which a common line is discarded
        *(f"{above} {common}x {below} 30x" for above in range(9) for common in (1, 2, 3) for below in range(9)),
        # around the distance of the search
        *(
            f"40x {1 + above} 30x {after} 1x {below} 60x"
            for above in range(3)
            for after in (99, 100)
            for below in (1, 8)
        ),
        *(f"1y {above} 1x {below} 1y 50x" for above in (98, 99, 100, 101, 150) for below in (98, 99, 100, 101, 150)),
        *(f"{40 * above} {above}x 1 1x 1 1x 1 1x 9 20y {below}x 20 1x 30" for above in range(4) for below in range(4)),
        *(
            " ".join(f"{rng.randrange(1, 12)}{rng.choice(['', '', 'x', 'y'])}" for _ in range(rng.randrange(3, 30)))
            for _ in range(300)
        ),
    ]
    pairs = [(rewritten(block, "old"), rewritten(rng.choice([block, rng.choice(blocks)]), "new")) for block in blocks]
    framed = [(["top\n", *old, "end\n"], ["top\n", *new, "end\n"]) for old, new in pairs[::3]]
    check_as_git(tmp_path, pairs + framed)


def test_texts_with_very_many_edits_are_cut_where_git_cuts_them(tmp_path: Path) -> None:
    pairs = [(drawn(seed, 2, 2000), drawn(seed + 100, 2, 1800 + 100 * seed)) for seed in range(4)]
    pairs += [(drawn(5, 3, 900), drawn(6, 3, 2500)), (drawn(5, 3, 2500), drawn(6, 3, 900))]
    check_as_git(tmp_path, pairs)


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
