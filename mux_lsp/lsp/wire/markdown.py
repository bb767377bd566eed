"""Markdown in which nothing that an agent wrote is more than text: no link, command, HTML or escape code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mux_lsp.core.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def plain(text: str) -> str:
    """Lines of text with nothing in them that drives a terminal, without the line end after the last."""
    return printable(text).rstrip("\n")


def line(words: str) -> str:
    """The same as one line."""
    return printable(words).replace("\n", " ")


def fenced(text: str, language: str) -> str:
    """A block that shows what it holds and nothing else: its fence is longer than any run of backticks inside."""
    text = plain(text)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def escaped(words: str) -> str:
    """A line of text in which nothing is Markdown."""
    return "".join(
        f"\\{character}" if character in r"\`*_{}[]()<>#+-.!|~&:" else character for character in line(words)
    )


def code(words: str) -> str:
    """A line of text as a code span, which also those renderers leave alone that make links of what looks like one.

    "" for what has nothing to show.
    """
    words = line(words)
    if not words.strip():
        return ""
    ticks = "`" * (_longest_run(words) + 1)
    # One space on either side is taken away again; without it a backtick at the edge would belong to the fence.
    pad = " " if words[0] in "` " or words[-1] in "` " else ""
    return f"{ticks}{pad}{words}{pad}{ticks}"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already. A bar in one does not end it."""
    return "\n".join(_row(cells) for cells in (headers, ["---"] * len(headers), *rows))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(words: str) -> str:
    # Renderers do not agree on a bar behind two backslashes, so there is never more than one in front of a bar.
    return words.replace("\\|", "\\ |").replace("|", "\\|")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
