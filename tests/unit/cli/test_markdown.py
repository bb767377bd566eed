"""Test documents in a terminal and in a pipe: at every width, all words are there and code is unchanged."""

from __future__ import annotations

import re

import pytest

from mux_lsp.cli.help import TOPICS, document
from mux_lsp.cli.markdown import INDENT, render

WIDE = "x" * 50


@pytest.mark.parametrize(
    ("source", "width", "plain"),
    [
        ("# Title\n\n## Part\n\n### Piece", 40, "# Title\n\n## Part\n\n### Piece\n"),
        ("one two three four", 10, "one two\nthree four\n"),
        ("**Do** what *you* `like`.", 40, "Do what you `like`.\n"),
        (f"```sh\n{WIDE}\n\n  b\n```", 20, f"    {WIDE}\n\n      b\n"),
        ("- one two three\n- four", 12, " • one two\n   three\n • four\n"),
        ("1. one\n2. two", 40, "\n 1 one\n 2 two\n"),
        ("| a | b |\n| --- | --- |\n| `x` | one two three |", 15, "`x`  one two\n     three\n"),
        ("| a | b |\n| --- | --- |\n| long words | one two |", 15, "long words\n    one two\n"),
        ("| a | b | c |\n| --- | --- | --- |\n| x | y | z |", 40, "x\n    b: y\n    c: z\n"),
        ("See [review](review.md#pick).", 60, "See review (`mux-lsp help review`).\n"),
        ("See [above](#there).", 60, "See above.\n"),
        ("[ACP](https://example.com/a)", 60, "ACP (https://example.com/a)\n"),
        ("[it](../../editor-clients/PROTOCOL.md)", 60, "it (editor-clients/PROTOCOL.md)\n"),
        ("one\n\n![picture](a.png)\n\ntwo", 40, "one\n\ntwo\n"),
        ("[brackets] are no markup: [bold]x[/bold]", 60, "[brackets] are no markup: [bold]x[/bold]\n"),
    ],
)
def test_plain(source: str, width: int, plain: str) -> None:
    assert render(source, width, styled=False).lstrip("\n") == plain.lstrip("\n")


def test_with_styles_code_is_coloured_and_not_quoted() -> None:
    text = render("# Title\n\nType `this`, see [review](review.md).", 60, styled=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == "Title\n\nType this, see review (mux-lsp help review).\n"
    assert text.count("\x1b[36m") == 2


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("topic", TOPICS)
def test_a_document_fits_but_for_its_code(topic: str, width: int) -> None:
    source = document(topic)
    code = [line for block in re.findall(r"(?ms)^```\w*\n(.*?)^```$", source) for line in block.splitlines()]
    lines = render(source, width, styled=False).splitlines()
    indented = [f"{' ' * INDENT}{line}".rstrip() for line in code]
    assert set(indented) <= set(lines)
    assert [line for line in lines if len(line) > width and line not in indented] == []


@pytest.mark.parametrize("topic", TOPICS)
def test_no_word_of_a_document_is_lost(topic: str) -> None:
    source = re.sub(r"!\[[^]]*\]\([^)]*\)|\]\([^)]*\)|(?m:^```\w*$)", " ", document(topic))
    shown = set(re.findall(r"\w+", render(document(topic), 100, styled=False)))
    headers = {word for row in re.findall(r"(?m)^(.*)\n\| ---", source) for word in re.findall(r"\w+", row)}
    assert set(re.findall(r"\w+", source)) - headers - shown == set()
