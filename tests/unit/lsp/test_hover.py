"""Test the diffs of the variants at a place, in which an agent's text stays plain text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from markdown_it import MarkdownIt

from mux_lsp.lsp.review.hover import MAX_LINES, hover
from tests.unit.lsp.reviewing import EVERYTHING, review_of, runs, view_of

if TYPE_CHECKING:
    from mux_lsp.lsp.review import places

BEFORE = "a\nb\nc\nd\n"


def told(view: places.DocumentReview, line: int, *, markdown: bool = True) -> str:
    found = hover(view, types.Position(line, 0), replace(EVERYTHING, markdown=markdown))
    if found is None:
        return ""
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


def test_all_variants_are_there_the_shown_one_first() -> None:
    view = runs(BEFORE, "a\nB\nc\nd\n", "a\nx\nc\nd\n", "a\nB\nc\nd\n")
    assert told(view, 1, markdown=False) == (
        "k3f-1, k3f-3 · sh:true · 2/3 agree\n\n@@ -1,4 +1,4 @@\n a\n-b\n+B\n c\n d\n\n"
        "k3f-2 · sh:true · 1/3 agree\n\n@@ -1,4 +1,4 @@\n a\n-b\n+x\n c\n d"
    )
    other = view.showing([view.places[0].choice_of(view.places[0].variants[1])])
    assert told(other, 1, markdown=False).startswith("k3f-2 ")
    assert told(view, 3) == ""


def test_beside_an_applied_change_is_told_what_could_be_in_its_place() -> None:
    view = runs(BEFORE, "a\nB\nc\nd\n", "a\nx\nc\nd\n", live="a\nB\nc\nd\n")
    found = told(view, 1, markdown=False)
    assert found.startswith("k3f-2 · sh:true · 1/2 agree · instead of k3f-1's\n")
    assert "+x" in found
    assert "+B" not in found
    assert told(runs(BEFORE, "a\nB\nc\nd\n", live="a\nB\nc\nd\n"), 1) == ""


def test_a_conflict_says_why() -> None:
    assert told(runs(BEFORE, "a\nB\nc\nd\n", live="a\nmine\nc\nd\n"), 1, markdown=False).startswith(
        "k3f-1 · sh:true · conflict: line 2 was changed here too\n"
    )


def test_what_stands_behind_the_last_line_is_reached_from_it() -> None:
    view = runs("a\nb\n", "a\nb\nmore\n")
    assert [bool(told(view, line)) for line in range(4)] == [False, True, True, False]


def test_in_plain_text_it_is_the_same_without_markup() -> None:
    view = view_of("a\n`b`\n", review_of("a\n`b`\n", "a\n```B\u202e\n", agent="sh:a*b"))
    found = hover(view, types.Position(1, 0), replace(EVERYTHING, markdown=False))
    assert found is not None
    assert found.contents == types.MarkupContent(
        types.MarkupKind.PlainText, "k3f-1 · sh:a*b\n\n@@ -1,2 +1,2 @@\n a\n-`b`\n+```B<U+202E>"
    )


HOSTILE = [
    "```",
    "````````",
    "~~~",
    "```\n[x](command:evil)",
    "[x](https://evil.example)",
    "[x](command:workbench.action.terminal.new)",
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
    """Return the types of everything in a Markdown text, with the HTML and tables of the most trusting editor."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    return [(token.type, token.info) for token in tokens] + [
        (child.type, "") for token in tokens for child in token.children or ()
    ]


def encodable(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


@given(WRITTEN.map(encodable), WRITTEN.map(encodable))
def test_nothing_an_agent_wrote_is_more_than_text(written: str, agent: str) -> None:
    # Among the added lines, and among the context, which an earlier agent may have written.
    for before, after, live in (
        ("a\nb\nc\n", f"a\n{written}\nc\n", "a\nb\nc\n"),
        ("a\nb\nc\n", f"a\n{written}\nc\n", "a\nmine\nc\n"),
        (f"{written}\nb\n{written}\n", f"{written}\nB\n{written}\n", f"{written}\nb\n{written}\n"),
    ):
        reviews = [review_of(before, after, agent=f"sh:{agent}"), review_of(before, f"{after}x\n{written}", "k3f-2")]
        view = view_of(live, *reviews)
        for line in range(4):
            markdown = told(view, line)
            if not markdown:
                continue
            kinds = _kinds(markdown)
            assert {kind for kind, _ in kinds} <= HARMLESS, markdown
            assert {info for kind, info in kinds if kind == "fence"} <= {"diff"}
            # Each block is closed where we close it, and holds the whole diff.
            assert sum(kind == "fence" for kind, _ in kinds) == markdown.count("diff\n@@ ")
            assert not set("\x1b\u202e\x07") & set(markdown)


def test_a_long_diff_is_shown_in_part() -> None:
    found = told(runs("", "".join(f"{number}\n" for number in range(1000)), live=""), 0)
    assert "\n… 801 more lines\n" in found
    assert found.count("\n") < MAX_LINES + 10


def test_many_long_variants_share_what_is_shown() -> None:
    texts = ["".join(f"{run} {number}\n" for number in range(1000)) for run in range(30)]
    found = told(runs("", *texts, live=""), 0)
    assert found.count("```diff\n") == 20
    assert found.count("\n… 992 more lines\n") == 20 or found.count("more lines\n") == 20
    assert found.endswith("\n\n… 10 more variants")
    assert found.count("\n") < MAX_LINES + 150


def test_a_long_line_is_shown_in_part() -> None:
    assert len(told(runs("", "x" * 1_000_000, live=""), 0)) < 1000
