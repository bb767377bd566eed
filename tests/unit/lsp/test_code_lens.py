"""Test the code lenses above each place, and the diagnostic on its lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from mux_lsp.lsp.review import code_lens, diagnostics
from tests.unit.lsp.reviewing import EVERYTHING, PLAIN, URI, review_of, runs, view_of

if TYPE_CHECKING:
    from mux_lsp.lsp.review import places
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities

BEFORE = "a\nb\nc\nd\n"
B, X = "a\nB\nc\nd\n", "a\nx\nc\nd\n"


def lines(view: places.DocumentReview, shows: ClientCapabilities = PLAIN) -> dict[int, list[str]]:
    """Return the titles of the lenses by line, as an editor puts them."""
    found: dict[int, list[str]] = {}
    for lens in sorted(code_lens.lenses(view, shows), key=lambda lens: lens.range.start.character):
        assert lens.command is not None
        assert lens.range.start == lens.range.end
        # Not every editor keeps the order of lenses at one character.
        assert lens.range.start.character == len(found.setdefault(lens.range.start.line, []))
        found[lens.range.start.line].append(lens.command.title)
    return found


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (runs(BEFORE, B), {1: ["+1 −1 · k3f-1", "Accept", "Reject"]}),  # noqa: RUF001  a minus sign
        (
            runs(BEFORE, B, B),
            {1: ["+1 −1 · k3f-1 · 2/2 agree", "Accept", "Reject"]},  # noqa: RUF001
        ),
        (
            runs(BEFORE, B, X, X),
            {1: ["+1 −1 · k3f-2 · 2 variants · 2/3 agree", "Accept", "Next", "Reject"]},  # noqa: RUF001
        ),
        (
            runs(BEFORE, B, X, live="typed\na\nmine\nc\nd\n"),
            {
                2: [
                    "⚠ conflict: line 3 was changed here too · +1 −1 · k3f-1 · 2 variants · 1/2 agree",  # noqa: RUF001
                    "Next",
                    "Reject",
                ]
            },
        ),
        (runs(BEFORE, B, X, live=X), {}),
        (
            view_of(BEFORE, review_of(BEFORE, B), review_of(BEFORE, X, "m2x-1")),
            {
                1: [
                    *["+1 −1 · k3f-1", "Accept", "Reject"],  # noqa: RUF001
                    *["+1 −1 · m2x-1", "Accept", "Reject"],  # noqa: RUF001
                ]
            },
        ),
        (view_of(None, review_of("", "a\nb\n")), {0: ["+2 −0 · k3f-1", "Accept", "Reject"]}),  # noqa: RUF001
        (runs(BEFORE, ""), {0: ["delete the file · k3f-1", "Accept", "Reject"]}),
    ],
)
def test_a_place_is_one_line(view: places.DocumentReview, expected: dict[int, list[str]]) -> None:
    assert lines(view) == expected


@pytest.mark.parametrize(("live", "line"), [("a\n", 0), ("a\nb\n", 1), ("", 0), ("a\r\nb", 1)])
def test_what_stands_behind_the_last_line_is_above_it(live: str, line: int) -> None:
    end = "" if live.endswith("\n") or not live else "\n"
    assert list(lines(runs(live, f"{live}{end}more\n"))) == [line]


def test_a_diff_is_shown_by_the_clients_own_command_or_as_a_document_or_not_at_all() -> None:
    view = runs(BEFORE, B)
    hunk = view.places[0].shown.hunk_id
    document = f"mux:/diff/k3f-1/a.txt.diff?hunk={hunk}"
    for shows, command, argument in (
        (EVERYTHING, "mux.client.diff", {"uri": URI, "run": "k3f-1", "hunk": hunk, "diff": document}),
        (replace(EVERYTHING, commands=frozenset()), "mux.document.show", {"uri": document}),
    ):
        (diff,) = [one.command for one in code_lens.lenses(view, shows) if one.command and one.command.title == "Diff"]
        assert (diff.command, diff.arguments) == (command, [argument])
        assert lines(view, shows)[1][1:] == ["Accept", "Diff", "Reject"]
    assert "Diff" not in lines(view)[1]


def test_a_conflict_is_merged_where_the_client_has_means_for_it() -> None:
    view = runs(BEFORE, B, live="a\nmine\nc\nd\n")
    for shows, command in (
        (EVERYTHING, "mux.client.merge"),
        (replace(EVERYTHING, commands=frozenset()), "mux.versions.show"),
    ):
        (merge,) = [
            one.command for one in code_lens.lenses(view, shows) if one.command and one.command.title == "Merge"
        ]
        assert merge.command == command
        assert lines(view, shows)[1][1:] == ["Merge", "Diff", "Reject"]
    assert lines(view)[1][1:] == ["Reject"]


def test_what_a_click_does() -> None:
    view = runs(BEFORE, B, X)
    first, second = (variant.hunk_id for variant in view.places[0].variants)
    commands = [lens.command for lens in code_lens.lenses(view, PLAIN)]
    assert [(one.command, one.arguments) for one in commands if one] == [
        ("mux.review.places", [{"uri": URI}]),
        ("mux.hunk.accept", [{"run": "k3f-1", "hunks": [first]}]),
        ("mux.variant.show", [{"uri": URI, "run": "k3f-2", "hunk": second}]),
        ("mux.hunk.reject", [{"run": "k3f-1", "hunks": [first], "shared": True}]),
    ]


def test_hints_say_what_lenses_say_over_the_lines_of_the_shown_variant() -> None:
    view = runs(BEFORE, B, "a\nx\ny\nd\n")
    (hint,) = diagnostics.diagnostics(view, PLAIN)
    assert (hint.severity, hint.source, hint.code) == (
        types.DiagnosticSeverity.Hint,
        "mux",
        view.places[0].shown.hunk_id,
    )
    assert hint.message == "+1 −1 · k3f-1 · 2 variants · 1/2 agree"  # noqa: RUF001
    assert (hint.range.start.line, hint.range.end.line) == (1, 2)
    assert hint.code_description is None
    shown = view.showing([view.places[0].choice_of(view.places[0].variants[1])])
    assert [one.range.end.line for one in diagnostics.diagnostics(shown, PLAIN)] == [3]


@pytest.mark.parametrize(
    ("after", "live", "faded"),
    [
        ("a\nc\nd\n", BEFORE, True),
        (B, BEFORE, False),
        ("a\nb\nb\nc\nd\n", BEFORE, False),
        ("a\nc\nd\n", X, False),
        ("", BEFORE, True),
    ],
)
def test_lines_that_would_only_go_are_faded(after: str, live: str, faded: bool) -> None:
    view = runs(BEFORE, after, live=live)
    assert [bool(one.tags) for one in diagnostics.diagnostics(view, EVERYTHING)] == [faded]
    assert [one.tags for one in diagnostics.diagnostics(view, PLAIN)] == [None]


def test_no_reason_that_drives_a_terminal_gets_into_a_title() -> None:
    view = runs(BEFORE, B, live="a\nmine\nc\nd\n")
    (place,) = view.places
    item = replace(place.shown.item, reason="a\x1b]8;;https://evil\x07b\nc\u202e")
    bad = replace(place, shown=replace(place.shown, item=item))
    assert code_lens.headline(bad).startswith("⚠ conflict: ab c<U+202E> · ")
