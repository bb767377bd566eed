"""Test where accepted lines stand now, and how long texts are stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.history import (
    MAX_EXTRACT_BYTES,
    Acceptance,
    Cause,
    HistoryText,
    Span,
    context,
    extract,
    locate,
    locate_acceptance,
)
from tests.unit.core.support import lines


def found(added: str, text: str, near: int = 0, before: str = "", after: str = "") -> tuple[int, ...] | None:
    """Return the span as `start, end`, with a third value for a partial one."""
    span = locate(lines(added), HistoryText(lines(text)), near, before.split(), after.split())
    return None if span is None else (span.start, span.end) if not span.partial else (*span,)


CASES: dict[str, tuple[tuple[str, ...], int, tuple[int, ...] | None]] = {
    "where it was": (("x y", "a x y b"), 1, (1, 3)),
    "moved down": (("x y", "n n n a x y b"), 1, (4, 6)),
    "all of the text": (("x y", "x y"), 0, (0, 2)),
    "without a line end": (("x y", "a x y!"), 1, (1, 3)),
    "the nearest of two": (("x", "n x a b x c"), 3, (4, 5)),
    "the first of two as near": (("x", "n x a x n"), 2, (1, 2)),
    "between the old neighbours rather than near": (("x", "x a b x c", "b", "c"), 0, (3, 4)),
    "one old neighbour is better than none": (("x", "x a b x d", "b", "c"), 0, (3, 4)),
    "the last part": (("x y z", "a y z b"), 1, (1, 3, True)),
    "the longest part": (("v w x y z", "v w a x y z"), 0, (3, 6, True)),
    "the nearest part": (("x y", "x a a a x"), 4, (4, 5, True)),
    "nothing left": (("x y", "a b c"), 0, None),
    "an empty text": (("x y", ""), 0, None),
    "brackets alone are no part": (("x }", "a } }"), 1, None),
    "brackets are part of one": (("x } y", "a x } b"), 1, (1, 3, True)),
    "brackets where they were": (("}", "a } } }"), 2, (2, 3)),
    "brackets elsewhere": (("}", "a b }"), 1, None),
    "deleted, neighbours meet": (("", "a b c", "a", "b"), 1, (1, 1)),
    "deleted, moved": (("", "n n a b c", "a", "b"), 1, (3, 3)),
    "deleted, something between": (("", "a n b c", "a", "b"), 1, None),
    "deleted, one neighbour is gone": (("", "a c", "a", "b"), 1, None),
    "deleted, the nearest": (("", "a b c a b", "a", "b"), 4, (4, 4)),
    "deleted at the start": (("", "a b", "", "a"), 0, (0, 0)),
    "deleted at the start, something before": (("", "n a b", "", "a"), 0, None),
    "deleted at the end": (("", "a b", "b", ""), 2, (2, 2)),
    "deleted at the end, something behind": (("", "a b n", "b", ""), 2, None),
    "all deleted": (("", "", "", ""), 0, (0, 0)),
    "all deleted, written anew": (("", "a", "", ""), 0, None),
    "deleted between brackets": (("", "{ } { }", "{", "}"), 3, (3, 3)),
    "deleted between brackets, moved": (("", "a { }", "{", "}"), 1, None),
}


@pytest.mark.parametrize(("texts", "near", "expected"), CASES.values(), ids=CASES)
def test_locate(texts: tuple[str, ...], near: int, expected: tuple[int, ...] | None) -> None:
    added, text, *neighbours = texts
    assert found(added, text, near, *neighbours) == expected


def test_line_ends_count_for_nothing() -> None:
    assert locate(["x\n", "y\n"], HistoryText(["a\r\n", "x\r\n", "y"]), 1) == Span(1, 3)


TEXTS = st.lists(st.sampled_from(["a", "b", "c", "}", ""]), max_size=12)


@given(TEXTS, TEXTS, TEXTS, st.integers(0, 14))
def test_lines_with_a_letter_are_found_wherever_they_go(
    above: list[str], hunk: list[str], below: list[str], near: int
) -> None:
    span = locate(hunk, HistoryText([*above, *hunk, *below]), near, above[-3:], below[:3])
    if {"a", "b", "c"} & set(hunk):
        assert span is not None
        assert not span.partial
        assert [*above, *hunk, *below][span.start : span.end] == hunk


@given(TEXTS, TEXTS, st.integers(0, 14))
def test_what_is_found_is_there_and_no_longer_part_is(hunk: list[str], text: list[str], near: int) -> None:
    span = locate(hunk, HistoryText(text), near)
    pieces = [hunk[start:end] for start in range(len(hunk)) for end in range(start + 1, len(hunk) + 1)]
    there = [
        (len(piece), start)
        for piece in pieces
        for start in range(len(text))
        if {"a", "b", "c"} & set(piece) and text[start : start + len(piece)] == piece
    ]
    if not hunk or (span is not None and not {"a", "b", "c"} & set(hunk)):
        return
    if span is None:
        assert not there
        return
    longest = max(length for length, _ in there)
    assert (span.end - span.start, span.partial) == (longest, longest < len(hunk))
    if span.partial:
        assert abs(span.start - near) == min(abs(start - near) for length, start in there if length == longest)


def test_a_text_of_one_line_over_and_over_takes_no_time() -> None:
    common = ["same\n"] * 20_000
    assert locate([*common, "x\n"], HistoryText([*common, "y\n"]), 0) is None
    assert locate(["x\n", *common, "y\n"], HistoryText(["x\n", *common]), 0) == Span(0, 20_001, partial=True)
    assert locate(common, HistoryText([*common, *common]), 7, ["n"], ["n"]) == Span(7, 20_007)


def test_long_lines_are_kept_as_their_number_and_digest() -> None:
    short = extract(["é" * (MAX_EXTRACT_BYTES // 2 - 1) + "\n"])
    assert (short.lines, short.text, short.digest) == (1, "é" * (MAX_EXTRACT_BYTES // 2 - 1) + "\n", None)
    long = [f"{number}\n" for number in range(MAX_EXTRACT_BYTES // 4)]
    kept = extract(long)
    assert (kept.lines, kept.text) == (len(long), None)
    assert extract(["x" * (MAX_EXTRACT_BYTES + 1)]).digest != kept.digest

    def where(line: int, text: list[str]) -> Span | None:
        acceptance = Acceptance(
            "/r", "k3f", "k3f-1", "a", None, "do it", None, "f", "f", "x", "x", Cause.TEXT, "c", "me", line, kept, kept
        )
        return locate_acceptance(acceptance, HistoryText(text))

    assert where(1, ["above\n", *long]) == Span(1, 1 + len(long))
    assert where(1, ["above\r\n", *(line.replace("\n", "\r\n") for line in long)]) == Span(1, 1 + len(long))
    assert where(0, ["above\n", *long]) is None
    assert where(1, ["above\n", *long[:-1], "other\n"]) is None


def test_context_is_bare_and_short() -> None:
    text = lines("a b c d e f g h")
    assert context(text, 4, 5) == (("b", "c", "d"), ("f", "g", "h"))
    assert context(text, 1, 8) == (("a",), ())
