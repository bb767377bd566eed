"""Test the code actions at a place, in a selection, for the file and for the run, as a person reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lsprotocol import types

from mux_lsp.core.model import HunkStatus
from mux_lsp.lsp.review import code_action, diagnostics, places
from mux_lsp.lsp.wire.capabilities import ClientCapabilities, EditCapabilities
from tests.unit.lsp.reviewing import EVERYTHING, PLAIN, URI, range_of, review_of, runs, view_of

BEFORE = "a\nb\nc\nd\n"
B, X = "a\nB\nc\nd\n", "a\nx\nc\nd\n"
BARE = replace(EVERYTHING, commands=frozenset(), documents=False)
"""A full-featured editor without our plugin, which cannot show virtual documents."""


def at(
    view: places.DocumentReview, range_: types.Range | int, shows: ClientCapabilities = BARE
) -> list[types.CodeAction]:
    """Return the code actions at a range, or with the cursor at the start of a line."""
    wanted = range_of(range_, range_) if isinstance(range_, int) else range_
    found = code_action.menu(code_action.actions_at(view, wanted, types.CodeActionContext([]), shows), None, shows)
    assert all(isinstance(one, types.CodeAction) for one in found)
    return [one for one in found if isinstance(one, types.CodeAction)]


def titles(view: places.DocumentReview, range_: types.Range | int, shows: ClientCapabilities = BARE) -> list[str]:
    """Return the titles in order; disabled actions are in brackets with their reason."""
    return [f"[{one.title}: {one.disabled.reason}]" if one.disabled else one.title for one in at(view, range_, shows)]


def test_one_hunk_of_one_run() -> None:
    assert titles(runs(BEFORE, B), 1) == [
        "Accept +1 −1 from k3f-1",  # noqa: RUF001  a minus sign
        "Reject +1 −1 from k3f-1",  # noqa: RUF001
        "Accept all of k3f-1 in this file",
        "Accept all of k3f-1",
    ]


def test_away_from_any_place_the_file_and_the_run() -> None:
    assert titles(runs(BEFORE, B, X), 3) == [
        "Accept all of k3f-1 in this file",
        "Accept all of k3f-1",
        "Accept all of k3f-2 in this file",
        "Accept all of k3f-2",
    ]
    assert titles(runs(BEFORE, B, live=B), 1) == []


def test_every_variant_of_the_place_the_shown_one_first_and_preferred() -> None:
    view = runs(BEFORE, B, X, B)
    assert titles(view, 1, EVERYTHING) == [
        "Accept +1 −1 from k3f-1 (2/3 agree)",  # noqa: RUF001
        "Accept +1 −1 from k3f-2 (1/3 agree)",  # noqa: RUF001
        "Show the next of 2 variants: +1 −1 from k3f-2",  # noqa: RUF001
        "Show the diff of k3f-1",
        "Reject +1 −1 from k3f-1 (2/3 agree)",  # noqa: RUF001
        "Accept all of k3f-1 (= k3f-3) in this file",
        "Accept all of k3f-1 (= k3f-3)",
        "Accept all of k3f-2 in this file",
        "Accept all of k3f-2",
    ]
    assert [one.is_preferred for one in at(view, 1)][:3] == [True, False, None]
    (place,) = view.places
    other = view.showing([place.choice_of(place.next())])
    assert titles(other, 1)[:3] == [
        "Accept +1 −1 from k3f-2 (1/3 agree)",  # noqa: RUF001
        "Accept +1 −1 from k3f-1 (2/3 agree)",  # noqa: RUF001
        "Show the next of 2 variants: +1 −1 from k3f-1",  # noqa: RUF001
    ]
    assert [one.is_preferred for one in at(other, 1)][:2] == [True, False]
    assert [one.is_preferred for one in at(view, 1, PLAIN)][:2] == [None, None]


def test_a_conflict_says_why_and_what_can_be_done_about_it() -> None:
    view = runs(BEFORE, B, X, live="a\n  mine, \x1b[31mand\x1b[0m so on\nmore\nd\n")
    assert titles(view, 1, EVERYTHING) == [
        "[Accept +1 −1 from k3f-1 (1/2 agree): conflict: lines 2-3 were changed here too]",  # noqa: RUF001
        "Take k3f-1's lines over yours (loses 2 lines: “mine, and so on” …)",
        "Insert conflict markers: yours and k3f-1's",
        "Open the three versions",
        "Show the next of 2 variants: +1 −1 from k3f-2",  # noqa: RUF001
        "Show the diff of k3f-1",
        "Reject +1 −1 from k3f-1 (1/2 agree)",  # noqa: RUF001
        "[Accept all of k3f-1 in this file: 1 change of it in this file is in conflict]",
        "[Accept all of k3f-1: 1 change of it in this file is in conflict]",
        "[Accept all of k3f-2 in this file: 1 change of it in this file is in conflict]",
        "[Accept all of k3f-2: 1 change of it in this file is in conflict]",
    ]
    assert not any(title.startswith("[") for title in titles(view, 1, replace(EVERYTHING, disabled=False)))
    data = [one.data for one in at(view, 1) if one.kind in {code_action.TAKE, code_action.MARK}]
    hunk = view.places[0].shown.hunk_id
    assert data == [
        {"run": "k3f-1", "hunks": [hunk], "mode": "take"},
        {"run": "k3f-1", "hunks": [hunk], "mode": "mark"},
    ]


@pytest.mark.parametrize(
    ("before", "after", "live", "title"),
    [
        (BEFORE, B, "a\nmine\nc\nd\n", "Take k3f-1's lines over yours (loses 1 line: “mine”)"),
        (BEFORE, B, f"a\n{'m' * 50}\nc\nd\n", f"Take k3f-1's lines over yours (loses 1 line: “{'m' * 40}” …)"),
        (BEFORE, B, "a\n \nc\nd\n", "Take k3f-1's lines over yours (loses 1 line)"),
        (BEFORE, B, "a\nc\nd\n", "Take k3f-1's lines over yours (loses 0 lines)"),
        (BEFORE, "", "a\nb\nmine\n", "Delete the file as k3f-1 does (loses 3 lines: “a” …)"),
        ("", "a\n", "a\nmine\n", "Take k3f-1's lines over yours (loses 1 line: “mine”)"),
    ],
)
def test_what_would_be_lost_is_said(before: str, after: str, live: str, title: str) -> None:
    assert title in titles(runs(before, after, live=live), 0) + titles(runs(before, after, live=live), 1)


def test_switching_is_one_action() -> None:
    view = runs(BEFORE, B, X, X, live=B)
    assert titles(view, 1) == [
        "Use k3f-2's instead of k3f-1's",
        "[Accept all of k3f-2 (= k3f-3) in this file: 1 change of it in this file is in conflict]",
        "[Accept all of k3f-2 (= k3f-3): 1 change of it in this file is in conflict]",
    ]
    (switch, *_) = at(view, 1)
    hunk = view.places[0].others[0].hunk_id
    assert switch.data == {"run": "k3f-2", "hunks": [hunk], "mode": "instead"}
    assert switch.is_preferred is None
    # It would replace what the person has typed there, so it is not offered as a switch.
    assert titles(runs(BEFORE, B, X, live="a\nB!\nc\nd\n"), 1)[1].startswith("Take ")


def test_the_edit_is_left_for_later_where_the_client_can_and_to_a_command_where_not() -> None:
    view = runs(BEFORE, B)
    hunk = view.places[0].shown.hunk_id
    (lazy, *_) = at(view, 1)
    (eager, *_) = at(view, 1, PLAIN)
    assert (lazy.data, lazy.command) == ({"run": "k3f-1", "hunks": [hunk]}, None)
    assert eager.data is None
    assert eager.command is not None
    assert (eager.command.command, eager.command.arguments) == ("mux.hunk.accept", [lazy.data])


def test_what_no_edit_can_carry_is_a_command() -> None:
    (accept, *_) = at(runs(BEFORE, ""), 0)
    assert accept.data is None
    assert accept.command is not None


def test_the_three_versions_are_opened_by_the_client_or_as_documents_or_not_at_all() -> None:
    view = runs(BEFORE, B, live="a\nmine\nc\nd\n")
    hunk = view.places[0].shown.hunk_id
    versions = {"base": "mux:/snapshot/k3f/a.txt", "theirs": "mux:/run/k3f-1/a.txt"}
    for shows, name, argument in (
        (EVERYTHING, "mux.client.merge", {"uri": URI, "run": "k3f-1", "hunk": hunk, **versions}),
        (replace(EVERYTHING, commands=frozenset()), "mux.versions.show", {"run": "k3f-1", "path": "a.txt"}),
    ):
        (merge,) = [one.command for one in at(view, 1, shows) if one.kind == code_action.MERGE]
        assert merge is not None
        assert (merge.command, merge.arguments) == (name, [argument])
    assert not [one for one in at(view, 1) if one.kind == code_action.MERGE]
    created = runs("", "a\n", live="mine\n")
    assert code_action.TAKE in {one.kind for one in at(created, 0, EVERYTHING)}
    assert code_action.MERGE not in {one.kind for one in at(created, 0, EVERYTHING)}, "there are two versions"


def test_a_selection_takes_all_that_a_run_does_in_it() -> None:
    before = "".join(f"{number}\n" for number in range(1, 10))
    everywhere = before.replace("1", "one").replace("4", "four").replace("7", "seven")
    view = runs(before, everywhere, before.replace("4", "vier"), everywhere)
    selected = [title for title in titles(view, range_of(0, 4)) if "selection" in title]
    assert selected == [
        "Accept k3f-1's 2 changes in the selection (= k3f-3)",
        "Reject k3f-1's 2 changes in the selection (= k3f-3)",
    ]
    assert "Accept k3f-1's 3 changes in the selection (= k3f-3)" in titles(view, range_of(0, 9))
    assert not [title for title in titles(view, range_of(3, 4)) if "selection" in title]
    accept, reject = (one.command for one in at(view, range_of(0, 9)) if one.kind == code_action.SELECTION)
    assert accept is not None
    assert reject is not None
    hunks = [place.variants[0].hunk_id for place in view.places]
    assert (accept.command, accept.arguments) == ("mux.hunk.accept", [{"run": "k3f-1", "hunks": hunks}])
    assert (reject.command, reject.arguments) == (
        "mux.hunk.reject",
        [{"run": "k3f-1", "hunks": hunks, "shared": True}],
    )


def test_of_a_place_only_what_is_in_the_selection_is_taken() -> None:
    """One run's long hunk joins three places in which another run has separate hunks."""
    before = "".join(f"{number}\n" for number in range(1, 10))
    apart = before.replace("2", "two").replace("5", "five").replace("8", "eight")
    view = runs(before, apart, before.replace("2\n3\n4\n5\n6\n7\n8\n", "all\n"))
    assert len(view.places) == 1
    assert [title for title in titles(view, range_of(0, 6)) if "selection" in title] == [
        "Accept k3f-1's 2 changes in the selection",
        "Reject k3f-1's 2 changes in the selection",
    ]
    assert not [title for title in titles(view, range_of(0, 3)) if "selection" in title]


def test_equal_files_and_equal_results_are_told_apart() -> None:
    same = [review_of(BEFORE, B, f"k3f-{number}") for number in range(1, 9)]
    view = view_of(BEFORE, *same)
    assert titles(view, 1)[2:] == [
        "Accept all of k3f-1 (= k3f-2, k3f-3, k3f-4, k3f-5, k3f-6 and 2 more) in this file",
        "Accept all of k3f-1 (= k3f-2, k3f-3, k3f-4, k3f-5, k3f-6 and 2 more)",
    ]
    first, *others = view.tasks["k3f"].runs
    elsewhere = replace(first, files=(*first.files, replace(first.files[0], path="b.txt")))
    tasks = {"k3f": replace(view.tasks["k3f"], runs=(elsewhere, *others[:2]))}
    less = replace(view_of(BEFORE, *same[:3]), tasks=tasks)
    assert titles(less, 1)[2:] == [
        "Accept all of k3f-1 (= k3f-2, k3f-3) in this file",
        "Accept all of k3f-1",
        "Accept all of k3f-2 (= k3f-3)",
    ]


def test_not_every_one_of_a_hundred_runs_is_offered() -> None:
    view = runs(BEFORE, *(f"a\nb\nc\n{number}\n" for number in range(100)))
    assert len([one for one in at(view, 0) if one.kind == code_action.RUN]) == code_action.MAX_RUNS


def test_kinds_are_what_was_asked_for() -> None:
    made = code_action.actions_at(runs(BEFORE, B, X), range_of(1, 1), types.CodeActionContext([]), EVERYTHING)
    for only, kinds in {
        "quickfix": [code_action.ACCEPT, code_action.ACCEPT, code_action.NEXT, code_action.DIFF, code_action.REJECT],
        "quickfix.mux.reject": [code_action.REJECT],
        "refactor": [code_action.FILE, code_action.RUN, code_action.FILE, code_action.RUN],
        "quick": [],
        "source": [],
    }.items():
        found = code_action.menu(made, [only], EVERYTHING)
        assert [one.kind for one in found if isinstance(one, types.CodeAction)] == kinds
    assert {one.kind for one in made} <= set(code_action.KINDS)


@pytest.mark.parametrize("live", [BEFORE, "a\nmine\nc\nd\n"])
def test_a_client_without_code_actions_gets_commands(live: str) -> None:
    made = code_action.actions_at(
        runs(BEFORE, B, live=live), range_of(1, 1), types.CodeActionContext([]), ClientCapabilities()
    )
    found = code_action.menu(made, None, replace(ClientCapabilities(), disabled=True))
    assert found
    assert all(isinstance(one, types.Command) and one.arguments for one in found)


def test_an_accept_answers_the_hint_over_it() -> None:
    view = runs(BEFORE, B, X)
    found = diagnostics.diagnostics(view, EVERYTHING)
    other = types.Diagnostic(range_of(1, 2), "theirs", code=found[0].code, source="ruff")
    made = code_action.actions_at(view, range_of(1, 1), types.CodeActionContext([*found, other]), EVERYTHING)
    assert [one.diagnostics for one in made if one.kind == code_action.ACCEPT] == [found, []]


def capabilities(workspace: types.WorkspaceClientCapabilities | None = None, **able: Any) -> types.ClientCapabilities:
    return types.ClientCapabilities(
        workspace,
        text_document=types.TextDocumentClientCapabilities(code_action=types.CodeActionClientCapabilities(**able)),
    )


def hovering(formats: list[types.MarkupKind] | None) -> types.ClientCapabilities:
    hover = types.HoverClientCapabilities(content_format=formats)
    return types.ClientCapabilities(text_document=types.TextDocumentClientCapabilities(hover=hover))


def publishing(*tags: types.DiagnosticTag) -> types.ClientCapabilities:
    published = types.PublishDiagnosticsClientCapabilities(tag_support=types.ClientDiagnosticsTagOptions(list(tags)))
    return types.ClientCapabilities(text_document=types.TextDocumentClientCapabilities(publish_diagnostics=published))


LITERALS = types.ClientCodeActionLiteralOptions(types.ClientCodeActionKindOptions([]))
EDITS = types.ClientCodeActionResolveOptions(["edit"])
VERSIONS = types.WorkspaceClientCapabilities(
    workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True)
)
MARKDOWN, PLAIN_TEXT = types.MarkupKind.Markdown, types.MarkupKind.PlainText


@pytest.mark.parametrize(
    ("said", "shows"),
    [
        (types.ClientCapabilities(), ClientCapabilities()),
        (capabilities(), ClientCapabilities()),
        (capabilities(code_action_literal_support=LITERALS), ClientCapabilities(literals=True)),
        (capabilities(resolve_support=EDITS), ClientCapabilities()),
        (
            capabilities(resolve_support=types.ClientCodeActionResolveOptions([]), data_support=True),
            ClientCapabilities(),
        ),
        (capabilities(resolve_support=EDITS, data_support=True), ClientCapabilities()),
        (
            capabilities(VERSIONS, resolve_support=EDITS, data_support=True),
            ClientCapabilities(lazily=True, edits=EditCapabilities(versions=True)),
        ),
        (
            capabilities(disabled_support=True, is_preferred_support=True),
            ClientCapabilities(disabled=True, preferred=True),
        ),
        *(
            (hovering(formats), ClientCapabilities(markdown=markdown))
            for formats, markdown in (
                (None, True),
                ([], True),
                ([PLAIN_TEXT], False),
                ([MARKDOWN, PLAIN_TEXT], True),
                ([PLAIN_TEXT, MARKDOWN], False),
            )
        ),
        (publishing(types.DiagnosticTag.Deprecated), ClientCapabilities()),
        (publishing(types.DiagnosticTag.Unnecessary), ClientCapabilities(faded=True)),
        (
            types.ClientCapabilities(
                window=types.WindowClientCapabilities(show_document=types.ShowDocumentClientCapabilities(support=True))
            ),
            ClientCapabilities(documents=True),
        ),
    ],
)
def test_what_a_client_shows_is_read_from_its_capabilities(
    said: types.ClientCapabilities, shows: ClientCapabilities
) -> None:
    assert ClientCapabilities.of(said) == shows


def test_reject_is_for_what_is_shown() -> None:
    view = runs(BEFORE, B, X)
    (reject,) = [one.command for one in at(view, 1) if one.kind == code_action.REJECT]
    assert reject is not None
    shown = view.places[0].shown
    assert shown.status is HunkStatus.PENDING
    assert reject.arguments == [{"run": "k3f-1", "hunks": [shown.hunk_id], "shared": True}]
