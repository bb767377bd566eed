"""What there is to review, as an editor shows it; and that nothing an agent wrote is more than text there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from markdown_it import MarkdownIt

from mux_lsp.core import diff, text
from mux_lsp.core.model import ChangeKind, FileChange, HunkStatus
from mux_lsp.engine.review import LiveText, judge
from mux_lsp.engine.reviews import Review
from mux_lsp.lsp import places

UTF16 = text.PositionEncoding.UTF16
EVERYTHING = places.Shows(literals=True, lazily=True, disabled=True, preferred=True)


def actions(found: places.View, line: int, shows: places.Shows = EVERYTHING) -> list[types.CodeAction]:
    """The code actions at the start of a line, for a client that takes such."""
    made = places.actions(found, range_of(line, line), types.CodeActionContext([]), shows)
    assert all(isinstance(one, types.CodeAction) for one in made)
    return [one for one in made if isinstance(one, types.CodeAction)]


def range_of(start: int, end: int, start_character: int = 0, end_character: int = 0) -> types.Range:
    return types.Range(types.Position(start, start_character), types.Position(end, end_character))


def review_of(before: str, after: str, run: str = "k3f-1", agent: str = "sh:true", path: str = "a.txt") -> Review:
    change = FileChange(path, ChangeKind.MODIFIED, 0o100644, 0o100644, "1" * 40, "2" * 40, 1, 1)
    return Review(run, agent, change, tuple(text.split_lines(before)), diff.hunks(before, after, path))


def view_of(live: str, *reviews: Review, rejected: frozenset[str] = frozenset()) -> places.View:
    shown = LiveText("a.txt", tuple(text.split_lines(live)), None, open=True)
    items = [item for review in reviews for item in judge(review, shown, rejected)]
    return places.view(3, shown, items, {"k3f": len({review.run for review in reviews})}, UTF16)


@pytest.mark.parametrize(
    ("one", "other", "touch"),
    [
        (range_of(2, 3), range_of(2, 2), True),
        (range_of(2, 3), range_of(2, 2, 5, 5), True),
        (range_of(2, 3), range_of(3, 3), False),
        (range_of(2, 3), range_of(1, 1), False),
        (range_of(2, 3), range_of(0, 2), True),
        (range_of(2, 3), range_of(0, 9), True),
        (range_of(2, 5), range_of(4, 4), True),
        (range_of(2, 5), range_of(5, 6), False),
        # An insertion is reached from the line it stands before.
        (range_of(2, 2), range_of(2, 2), True),
        (range_of(2, 2), range_of(1, 1), False),
        # The last line of a text without a line end.
        (range_of(2, 2, 0, 4), range_of(2, 2, 4, 4), True),
        (range_of(1, 2, 0, 4), range_of(2, 2), True),
    ],
)
def test_touches(one: types.Range, other: types.Range, touch: bool) -> None:
    assert places.touches(one, other) is touch


def test_equal_hunks_are_one_place_and_others_their_own() -> None:
    before = "a\nb\nc\nd\n"
    view = view_of(
        before,
        review_of(before, "a\nB\nc\nd\n"),
        review_of(before, "a\nB\nc\nD\n", "k3f-2"),
        review_of(before, "a\nx\nc\nd\n", "k3f-3"),
    )
    assert [(place.runs, place.range.start.line, place.who, place.what) for place in view.places] == [
        (("k3f-1", "k3f-2"), 1, "k3f-1 (2/3 agree)", "+1 −1"),  # noqa: RUF001  a minus sign
        (("k3f-3",), 1, "k3f-3 (1/3 agree)", "+1 −1"),  # noqa: RUF001
        (("k3f-2",), 3, "k3f-2 (1/3 agree)", "+1 −1"),  # noqa: RUF001
    ]


def test_what_is_decided_is_not_shown() -> None:
    before = "a\nb\nc\nd\ne\n"
    review = review_of(before, "A\nb\nC\nd\nE\n")
    view = view_of("A\nb\nc\nd\ne\n", review, rejected=frozenset({review.hunks[1].id}))
    assert [place.item.status for place in view.places] == [
        HunkStatus.APPLIED,
        HunkStatus.REJECTED,
        HunkStatus.PENDING,
    ]
    assert [found.range.start.line for found in places.diagnostics(view.shown())] == [4]
    assert [lens.range.start.line for lens in places.lenses(view)] == [4, 4]
    assert places.hover(view, types.Position(0, 0), EVERYTHING) is None


@pytest.mark.parametrize(
    ("live", "lens", "reached_from"), [("a\n", 0, [0, 1]), ("a\nb\n", 1, [1, 2]), ("", 0, [0]), ("a\r\nb", 1, [1])]
)
def test_what_stands_behind_the_last_line_is_reached_from_it(live: str, lens: int, reached_from: list[int]) -> None:
    end = "" if live.endswith("\n") or not live else "\n"
    view = view_of(live, review_of(live, f"{live}{end}more\n"))
    assert [one.range.start.line for one in places.lenses(view)] == [lens, lens]
    for line in range(4):
        kinds = [action.kind for action in actions(view, line)]
        assert (places.ACCEPT_HUNK in kinds) == (line in reached_from), line
        assert bool(places.hover(view, types.Position(line, 0), EVERYTHING)) == (line in reached_from), line


def test_actions_are_edits_for_who_can_resolve_and_commands_for_who_cannot() -> None:
    before = "a\nb\n"
    review = review_of(before, "a\nB\n")
    view = view_of(before, review)
    (lazy, *_) = actions(view, 1)
    (eager, *_) = actions(view, 1, replace(EVERYTHING, lazily=False))
    assert (lazy.data, lazy.command) == ({"run": "k3f-1", "hunks": [review.hunks[0].id]}, None)
    assert eager.data is None
    assert eager.command is not None
    assert (eager.command.command, eager.command.arguments) == ("mux.hunk.accept", [lazy.data])


def test_a_conflict_cannot_be_accepted_and_can_be_rejected() -> None:
    before = "a\nb\nc\n"
    view = view_of("a\nmine\nc\n", review_of(before, "a\nB\nc\n"))
    accept, reject, *_ = actions(view, 1)
    assert accept.disabled is not None
    assert accept.disabled.reason == "conflict: line 2 was changed here too"
    assert (accept.command, accept.edit, accept.data) == (None, None, None)
    assert reject.command is not None
    assert "mux.hunk.accept" not in {lens.command.command for lens in places.lenses(view) if lens.command}


def test_a_client_that_greys_nothing_out_is_not_offered_what_cannot_be_done() -> None:
    before = "a\nb\nc\n"
    view = view_of("a\nmine\nc\n", review_of(before, "a\nB\nc\n"))
    kinds = [action.kind for action in actions(view, 1, replace(EVERYTHING, disabled=False))]
    assert kinds == [places.REJECT_HUNK, places.ACCEPT_FILE, places.ACCEPT_RUN]


def test_only_a_client_that_knows_of_preference_is_told_of_it() -> None:
    view = view_of("a\nb\n", review_of("a\nb\n", "a\nB\n"))
    assert actions(view, 1)[0].is_preferred
    assert actions(view, 1, replace(EVERYTHING, preferred=False))[0].is_preferred is None


def test_a_client_without_code_actions_gets_the_same_as_commands() -> None:
    before = "a\nb\nc\n"
    for live, titles in (
        (before, ["Accept +1 −1 from k3f-1", "Reject +1 −1 from k3f-1"]),  # noqa: RUF001  a minus sign
        ("a\nmine\nc\n", ["Reject +1 −1 from k3f-1"]),  # noqa: RUF001
    ):
        view = view_of(live, review_of(before, "a\nB\nc\n"))
        found = places.actions(view, range_of(1, 1), types.CodeActionContext([]), places.Shows(lazily=True))
        assert all(isinstance(one, types.Command) for one in found)
        assert [one.title for one in found] == [
            *titles,
            "Accept all of k3f-1 in this file",
            "Accept all of k3f-1",
        ]
        only = places.actions(view, range_of(1, 1), types.CodeActionContext([], ["refactor"]), places.Shows())
        assert [one.command for one in only] == ["mux.file.accept", "mux.run.accept"]


def test_a_hover_in_plain_text_says_the_same_without_markup() -> None:
    view = view_of("a\n`b`\n", review_of("a\n`b`\n", "a\n```B\u202e\n", agent="sh:a*b"))
    found = places.hover(view, types.Position(1, 0), places.Shows(markdown=False))
    assert found is not None
    assert found.contents == types.MarkupContent(
        types.MarkupKind.PlainText, "k3f-1 · sh:a*b\n\n@@ -1,2 +1,2 @@\n a\n-`b`\n+```B<U+202E>"
    )


def code_action(**able: Any) -> types.ClientCapabilities:
    return types.ClientCapabilities(
        text_document=types.TextDocumentClientCapabilities(code_action=types.CodeActionClientCapabilities(**able))
    )


LITERALS = types.ClientCodeActionLiteralOptions(types.ClientCodeActionKindOptions([]))
EDITS = types.ClientCodeActionResolveOptions(["edit"])
MARKDOWN, PLAIN = types.MarkupKind.Markdown, types.MarkupKind.PlainText


@pytest.mark.parametrize(
    ("capabilities", "shows"),
    [
        (types.ClientCapabilities(), places.Shows()),
        (code_action(), places.Shows()),
        (code_action(code_action_literal_support=LITERALS), places.Shows(literals=True)),
        (code_action(resolve_support=EDITS), places.Shows()),
        (code_action(resolve_support=types.ClientCodeActionResolveOptions([]), data_support=True), places.Shows()),
        (code_action(resolve_support=EDITS, data_support=True), places.Shows(lazily=True)),
        (code_action(disabled_support=True, is_preferred_support=True), places.Shows(disabled=True, preferred=True)),
        *(
            (
                types.ClientCapabilities(
                    text_document=types.TextDocumentClientCapabilities(
                        hover=types.HoverClientCapabilities(content_format=formats)
                    )
                ),
                places.Shows(markdown=markdown),
            )
            for formats, markdown in (
                (None, True),
                ([], True),
                ([PLAIN], False),
                ([MARKDOWN, PLAIN], True),
                ([PLAIN, MARKDOWN], False),
            )
        ),
    ],
)
def test_what_a_client_shows_is_read_from_its_capabilities(
    capabilities: types.ClientCapabilities, shows: places.Shows
) -> None:
    assert places.Shows.of(capabilities) == shows


HOSTILE = [
    "```",
    "````````",
    "~~~",
    "```\n[x](command:evil)",
    "[x](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<img src=x onerror=y>",
    "<https://evil.example>",
    "https://evil.example",
    "[x]: https://evil.example\n[x]",
    "\n---\n# title",
    "| a | b |\n| - | - |\n| 1 | 2 |",
    "&lt;b&gt;",
    "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "\u202egnp.exe",
    "$(evil)",
    "- list",
    "1. list",
    "> quote",
    "    code",
    "\\",
    "\r",
    "a",
    "\n",
]
WRITTEN = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=6), max_size=6).map("".join)
HARMLESS = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak", "fence"}


def _kinds(markdown: str) -> list[tuple[str, str]]:
    """The types of everything in a Markdown text, with HTML and tables allowed as the most trusting editor has them."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    return [(token.type, token.info) for token in tokens] + [
        (child.type, "") for token in tokens for child in token.children or ()
    ]


def encodable(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


@given(WRITTEN.map(encodable), WRITTEN.map(encodable))
def test_nothing_an_agent_wrote_is_more_than_text_in_a_hover(written: str, agent: str) -> None:
    # Among the lines it adds, and among those around them: an earlier agent's, accepted long ago.
    for before, after, live in (
        ("a\nb\nc\n", f"a\n{written}\nc\n", "a\nb\nc\n"),
        ("a\nb\nc\n", f"a\n{written}\nc\n", "a\nmine\nc\n"),
        (f"{written}\nb\n{written}\n", f"{written}\nB\n{written}\n", f"{written}\nb\n{written}\n"),
    ):
        review = review_of(before, after, agent=f"sh:{agent}")
        view = view_of(live, review)
        for line in range(4):
            found = places.hover(view, types.Position(line, 0), EVERYTHING)
            if found is None:
                continue
            assert isinstance(found.contents, types.MarkupContent)
            kinds = _kinds(found.contents.value)
            assert {kind for kind, _ in kinds} <= HARMLESS, found.contents.value
            assert {info for kind, info in kinds if kind == "fence"} <= {"diff"}
            # Each block is closed where we close it, and holds the whole diff.
            assert sum(kind == "fence" for kind, _ in kinds) == found.contents.value.count("diff\n@@ ")
            assert not set("\x1b\u202e\x07") & set(found.contents.value)


def test_a_hover_shows_a_long_diff_in_part() -> None:
    view = view_of("", review_of("", "".join(f"{number}\n" for number in range(1000))))
    found = places.hover(view, types.Position(0, 0), EVERYTHING)
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert "\n… 801 more lines\n" in found.contents.value
    assert found.contents.value.count("\n") < places.HOVER_LINES + 10
