"""Test the resolutions of a conflict against those of git."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mux_lsp.core.conflict import Conflict, conflicts, result_lines, with_markers
from mux_lsp.core.model import HunkStatus
from mux_lsp.core.rebase import place_hunks
from mux_lsp.core.text import split_lines
from tests.unit.core.support import git_merge, hunks_of, lines, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mux_lsp.core.placement import Placement

    Write = Callable[[Conflict], Sequence[str]]

NAMES = ("yours", "snapshot", "k3f-1")
LABELS = ("-L", "yours", "-L", "snapshot", "-L", "k3f-1")


def found(base: str, live: str, result: str) -> list[tuple[str, str, str]]:
    """Return the conflicts of three texts: the lines of the live text, the snapshot and the result in each."""
    before, now = lines(base), lines(live)
    return [
        (
            words(now[one.start : one.end]),
            words(before[one.base_start : one.base_end]),
            words(result_lines(before, one)),
        )
        for one in conflicts(place_hunks(before, hunks_of(before, lines(result)), now))
    ]


@pytest.mark.parametrize(
    ("base", "live", "result", "expected"),
    [
        ("a b c", "a b c", "a B c", []),
        ("a b c", "a B c", "a B c", []),
        ("a b c", "a L c", "a R c", [("L", "b", "R")]),
        # The edits of one side reach further than those of the other.
        ("a b c d e", "a L L d e", "a b R d e", [("L L", "b c", "b R")]),
        ("a b c d e", "a b L d e", "a R R d e", [("b L", "b c", "R R")]),
        ("a b c d e", "a e", "a b R d e", [("", "b c d", "b R d")]),
        ("a b c d e", "a b L d e", "a e", [("b L d", "b c d", "")]),
        # Both sides insert.
        ("a b", "a L b", "a R b", [("L", "", "R")]),
        ("", "L", "R", [("L", "", "R")]),
        # Two hunks of the result collide with one edit: one conflict.
        ("a b c d e", "a L e", "a R c S e", [("L", "b c d", "R c S")]),
        # Two edits collide with one hunk.
        ("a b c d e", "a L c M e", "a R e", [("L c M", "b c d", "R")]),
        # A chain of collisions.
        ("a b c d e f g", "a L L d M M g", "a b R R R f g", [("L L d M M", "b c d e f", "b R R R f")]),
        # Two independent conflicts.
        ("a b c d e", "a L c M e", "a R c S e", [("L", "b", "R"), ("M", "d", "S")]),
        # The end of the text, with and without a line end.
        ("a b!", "a L!", "a R", [("L!", "b!", "R")]),
    ],
)
def test_conflicts(base: str, live: str, result: str, expected: list[tuple[str, str, str]]) -> None:
    assert found(base, live, result) == expected


def test_conflicts_come_in_order_of_place_whatever_the_order_of_the_hunks() -> None:
    base, live, result = lines("a b c d e"), lines("a L c M e"), lines("a R c S e")
    placements = place_hunks(base, hunks_of(base, result), live)
    assert conflicts(reversed(placements)) == conflicts(placements)
    assert [one.start for one in conflicts(placements)] == [1, 3]


def test_only_the_hunks_that_are_given_count() -> None:
    base, live, result = lines("a b c d e"), lines("a L e"), lines("a R c S e")
    first, _ = place_hunks(base, hunks_of(base, result), live)
    (one,) = conflicts([first])
    assert words(result_lines(base, one)) == "R c d"


def merged(base: Sequence[str], live: Sequence[str], placements: list[Placement], write: Write) -> str:
    """Return the live text with every pending hunk, and with the output of `write` for each conflict."""
    pieces = [(one.start, one.end, one.hunk.added) for one in placements if one.status is HunkStatus.PENDING] + [
        (one.start, one.end, tuple(write(one))) for one in conflicts(placements)
    ]
    text = list(live)
    for start, end, new in sorted(pieces, reverse=True):
        text[start:end] = new
    return "".join(text)


def marks(base: Sequence[str], live: Sequence[str]) -> Write:
    return lambda one: with_markers(base, live, one, NAMES)


@pytest.mark.parametrize(
    ("base", "live", "result"),
    [
        ("a b c", "a L c", "a R c"),
        ("a b c d e f g", "a L c d e M g", "a R c d e S g"),
        ("a b c d e", "a L e", "a R c S e"),
        ("a b c", "a L b c", "a R b c"),
        ("a b c", "a c", "a R c"),
        ("a b c", "a L c", "a c"),
        ("", "L", "R"),
        # No text has a line end at its end.
        ("a b!", "a L!", "a R!"),
        ("a b", "a L!", "a R"),
        ("a b!", "a L", "a R!"),
        ("a b!", "a!", "a R!"),
        # A merge beside a conflict.
        ("a b c d e", "a L c d e", "a R c d E"),
    ],
)
def test_it_is_what_git_makes_of_it(base: str, live: str, result: str, tmp_path: Path) -> None:
    texts = lines(base), lines(live), lines(result)
    placements = place_hunks(texts[0], hunks_of(texts[0], texts[2]), texts[1])
    assert (
        merged(*texts[:2], placements, lambda one: result_lines(texts[0], one))
        == git_merge(tmp_path, *texts, "--theirs")[1]
    )
    assert merged(*texts[:2], placements, marks(*texts[:2])) == git_merge(tmp_path, *texts, "--diff3", *LABELS)[1]


TEXTS = st.lists(st.sampled_from("abcde"), max_size=8).map(lambda found: [f"{word}\n" for word in found])
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(TEXTS, TEXTS, TEXTS)
def test_taking_every_conflict_is_the_merge_that_favours_theirs(
    tmp_path: Path, base: list[str], live: list[str], result: list[str]
) -> None:
    placements = place_hunks(base, hunks_of(base, result), live)
    # Hunks that the live text holds already are left alone, where git would see a conflict.
    assume(all(one.status is not HunkStatus.APPLIED for one in placements))
    _, expected = git_merge(tmp_path, base, live, result, "--theirs")
    assert merged(base, live, placements, lambda one: result_lines(base, one)) == expected


@FEW
@given(TEXTS, TEXTS, TEXTS)
def test_marking_every_conflict_is_the_merge_with_markers(
    tmp_path: Path, base: list[str], live: list[str], result: list[str]
) -> None:
    placements = place_hunks(base, hunks_of(base, result), live)
    assume(all(one.status is not HunkStatus.APPLIED for one in placements))
    # An uncertain place is no conflict for git.
    assume(all(base[one.base_start : one.base_end] != live[one.start : one.end] for one in conflicts(placements)))
    _, expected = git_merge(tmp_path, base, live, result, "--diff3", *LABELS)
    assert merged(base, live, placements, marks(base, live)) == expected


@given(TEXTS, TEXTS, TEXTS)
def test_of_each_part_of_a_marked_stretch_nothing_is_lost(base: list[str], live: list[str], result: list[str]) -> None:
    for one in conflicts(place_hunks(base, hunks_of(base, result), live)):
        text = "".join(with_markers(base, live, one, NAMES))
        first, rest = text.removeprefix("<<<<<<< yours\n").split("||||||| snapshot\n")
        second, third = rest.removesuffix(">>>>>>> k3f-1\n").split("=======\n")
        assert first == "".join(live[one.start : one.end])
        assert second == "".join(base[one.base_start : one.base_end])
        assert third == "".join(result_lines(base, one))


def conflict_of(base: str, live: str, result: str) -> tuple[list[str], list[str], Conflict]:
    before, now = split_lines(base), split_lines(live)
    (one,) = conflicts(place_hunks(before, hunks_of(before, split_lines(result)), now))
    return before, now, one


@pytest.mark.parametrize(
    ("live", "end"),
    [
        ("a\r\nL\r\nc\r\n", "\r\n"),
        ("a\nL\nc\n", "\n"),
        ("a\rL\rc\r", "\r"),
    ],
)
def test_the_markers_end_as_the_lines_around_them(live: str, end: str) -> None:
    base = ["a" + end, "b" + end, "c" + end]
    before, now, one = conflict_of("".join(base), live, "".join(base).replace("b", "R"))
    markers = [line for line in with_markers(before, now, one, NAMES) if line[0] in "<|=>"]
    assert [line[len(line.rstrip("\r\n")) :] for line in markers] == [end] * 4


def test_in_a_text_with_mixed_line_ends_the_line_before_decides() -> None:
    before, now, one = conflict_of("0\na\r\nb\nc\n", "0\na\r\nL\nc\n", "0\na\r\nR\nc\n")
    assert with_markers(before, now, one, NAMES)[0] == "<<<<<<< yours\r\n"


def test_a_text_without_any_line_end_gets_plain_ones() -> None:
    before, now, one = conflict_of("", "L", "R")
    assert "".join(with_markers(before, now, one, NAMES)) == (
        "<<<<<<< yours\nL\n||||||| snapshot\n=======\nR\n>>>>>>> k3f-1\n"
    )


@pytest.mark.parametrize(
    ("inside", "size"),
    [
        ("x", 7),
        ("<<<<<<", 7),
        ("<<<<<<< HEAD", 8),
        ("=======", 8),
        ("|||||||", 8),
        (">>>>>>> theirs", 8),
        ("========", 7),
        ("=======\n========", 9),
        ("=======x", 7),
        (" =======", 7),
    ],
)
def test_markers_are_longer_where_the_stretch_itself_has_such_lines(inside: str, size: int) -> None:
    for base, live, result in (("b", inside, "R"), (inside, "L", "R"), ("b", "L", inside)):
        before, now, one = conflict_of(f"{base}\n", f"{live}\n", f"{result}\n")
        text = with_markers(before, now, one, NAMES)
        assert text[0] == f"{'<' * size} yours\n"
        assert text[-1] == f"{'>' * size} k3f-1\n"
        assert f"{'=' * size}\n" in text
