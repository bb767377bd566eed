"""Compare accepted hunks with `git merge-file` on the same three texts."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mux_lsp.core.diff import apply
from mux_lsp.core.model import HunkStatus
from mux_lsp.core.rebase import accept, place_hunks
from tests.support.histories import generated_history, merges, own_history
from tests.unit.core.support import git_merge, hunks_of, lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mux_lsp.core.placement import Placement

PENDING, APPLIED, CONFLICT = HunkStatus.PENDING, HunkStatus.APPLIED, HunkStatus.CONFLICT


def without_applied(live: list[str], placements: list[Placement]) -> list[str]:
    """Return the live text without the hunks that it holds."""
    result = list(live)
    for found in reversed(placements):
        if found.status is APPLIED:
            result[found.start : found.end] = found.hunk.removed
    return result


def check_against_git(folder: Path, base: list[str], result: list[str], live: list[str]) -> str:
    """Compare with `git merge-file` and return the outcome in words.

    All hunks without a conflict are accepted. The text must equal git's with its conflicts settled for the live side:
    so both find the same hunks in conflict. Our own rules make two exceptions: an uncertain place, and a hunk that is
    there already.
    """
    placements = place_hunks(base, hunks_of(base, result), live)
    clean, merged = git_merge(folder, base, live, result)
    if not clean:
        _, merged = git_merge(folder, base, live, result, "--ours")
    refused = [found for found in placements if found.status is CONFLICT]
    accepted = "".join(accept(live, [found for found in placements if found.status is not CONFLICT]))
    if any("its place is not certain" in (found.reason or "") for found in refused):
        return "only we refuse" if clean else "both refuse"
    assert not (clean and refused), "only we refuse, without a reason"
    if accepted == merged and (clean or refused):
        return "same text" if clean else "both refuse"
    # The live text holds hunks that git does not see there. Without them git must merge, and to our text.
    assert any(found.status is APPLIED for found in placements), "git makes another text"
    assert git_merge(folder, base, without_applied(live, placements), result, "--ours") == (True, accepted)
    return "we see an accepted hunk that git does not"


def changed(rng: random.Random, text: list[str], letters: int, times: int) -> list[str]:
    found = list(text)
    for _ in range(times):
        at = rng.randrange(len(found) + 1)
        added = [f"{rng.choice([rng.randrange(letters), rng.randrange(1000)])}\n" for _ in range(rng.randrange(4))]
        found[at : at + rng.randrange(4)] = added
    return found


@pytest.mark.parametrize("seed", range(4))
def test_accepting_all_is_what_git_merges(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    for _ in range(120):
        letters, size = rng.choice([1, 2, 3, 5, 10, 50]), rng.choice([3, 10, 30, 100])
        base = [f"{rng.randrange(letters)}\n" for _ in range(rng.randrange(size + 1))]
        result = changed(rng, base, letters, rng.randrange(1, 2 + size // 6))
        held = [hunk for hunk in hunks_of(base, result) if rng.random() < 0.3]
        live = changed(rng, apply(base, held), letters, rng.choice([0, 1, 1, 2, 5]))
        if live and rng.random() < 0.1:
            live[-1] = live[-1].rstrip("\n")
        counts[check_against_git(tmp_path, base, result, live)] += 1
    assert counts["same text"] > 30
    assert counts["both refuse"] > 30
    # Most of these texts have lines of five kinds or fewer, where places are often uncertain.
    assert counts["only we refuse"] < 6


SOURCE = "".join(
    f"def work_{i}(a, b):\n    value = a + {i}\n    if value > b:\n        return None\n    return value\n\n\n"
    for i in range(60)
).splitlines(keepends=True)


def test_in_source_text_we_hardly_refuse_what_git_merges(tmp_path: Path) -> None:
    rng = random.Random(2)
    counts: Counter[str] = Counter()

    def edited(kinds: str) -> list[str]:
        found = list(SOURCE)
        for at in sorted(rng.sample(range(0, len(found), 7), 6), reverse=True):
            kind = rng.choice(kinds)
            line = at + rng.randrange(5)
            if kind == "r":
                found[line] = f"    changed = {rng.random()}\n"
            elif kind == "d":
                del found[at : at + 7]
            else:
                body = [f"def new_{rng.randrange(10**6)}(a, b):\n", "    value = 1\n", "    return value\n", "\n", "\n"]
                found[at:at] = body
        return found

    for _ in range(60):
        counts[check_against_git(tmp_path, SOURCE, edited("rrri"), edited("rrdi"))] += 1
    assert counts["same text"] >= 15
    assert counts["only we refuse"] <= 6


@st.composite
def triples(draw: st.DrawFn) -> tuple[list[str], list[str], list[str]]:
    """Draw base, result and live: few kinds of line or many, the last line with a line end or without, LF or CRLF."""
    letters = draw(st.sampled_from(["ab", "abcd", "abcdefghijklmnopqrstuvwxyz"]))
    line = st.sampled_from(letters).map("{}\n".format)
    base = draw(st.lists(line, max_size=20))

    def version() -> list[str]:
        text = list(base)
        for _ in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(text)))
            text[at : at + draw(st.integers(0, 2))] = draw(st.lists(st.one_of(line, st.just("Q\n")), max_size=3))
        return text

    end = draw(st.sampled_from(["\n", "\r\n"]))

    def ended(text: list[str]) -> list[str]:
        found = [line.replace("\n", end) for line in text]
        return [*found[:-1], found[-1].removesuffix(end)] if found and draw(st.integers(0, 4)) == 0 else found

    return ended(base), ended(version()), ended(version())


@given(triples())
@settings(max_examples=100)
def test_any_three_texts(
    tmp_path_factory: pytest.TempPathFactory, texts: tuple[list[str], list[str], list[str]]
) -> None:
    check_against_git(tmp_path_factory.getbasetemp(), *texts)


@pytest.mark.parametrize(
    ("base", "result", "live", "expected"),
    [
        ("a b c d e", "a X c d e", "a b c d Y", "same text"),
        ("a b c d e", "a X c d e", "a Y c d e", "both refuse"),
        ("a b c d e", "a X c d e", "a b Y d e", "both refuse"),  # touching
        ("a b c d e", "a X b c d e", "a Y b c d e", "both refuse"),  # two insertions at one place
        ("a b c d e", "a X c d Z", "a Y c d e", "both refuse"),  # one of the two can be placed
        ("a b c d e!", "a X c d e!", "a b c d e", "same text"),
        ("a b c d e", "a X c d e!", "a X c d e", "same text"),
        ("a b c", "", "a b c", "same text"),
        ("", "a b", "a c", "both refuse"),
        # Here we differ from git on purpose.
        ("f r } g r }", "f R } g r }", "f r } h r } g r }", "only we refuse"),
        ("a 0 0 0 0 b", "a 0 X 0 0 0 b", "a 0 0 0 0 0 b", "only we refuse"),
        ("2 2 2", "2 2", "F 2 2", "we see an accepted hunk that git does not"),
        ("0 0 0", "0 0 0 0", "F 0 G 0 0 0", "we see an accepted hunk that git does not"),
    ],
)  # fmt: skip
def test_what_git_makes_of_it(tmp_path: Path, base: str, result: str, live: str, expected: str) -> None:
    assert check_against_git(tmp_path, lines(base), lines(result), lines(live)) == expected


def check_history(folder: Path, versions: Sequence[list[str]], count: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for base, result, live in merges(versions, count):
        counts[check_against_git(folder, base, result, live)] += 1
    return counts


def test_merges_in_a_generated_history(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for seed in range(3):
        counts += check_history(tmp_path, generated_history(seed), 100)
    assert counts["same text"] > 100
    assert counts["both refuse"] > 10
    assert counts["only we refuse"] <= 6


def test_merges_in_as_much_of_this_projects_own_history_as_the_checkout_has(tmp_path: Path) -> None:
    """A shallow checkout has no history; the generated history above stands in for it."""
    counts: Counter[str] = Counter()
    for versions in own_history():
        counts += check_history(tmp_path, versions, 12)
    assert counts["only we refuse"] * 20 <= counts.total()
