"""Write Markdown in which an agent's words can only be text: no link, command, HTML or escape code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mux_lsp.core.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def plain(text: str) -> str:
    """Return lines of text without anything that drives a terminal, and without the last line end."""
    return printable(text).rstrip("\n")


def line(words: str) -> str:
    """Return the same as one line."""
    return printable(words).replace("\n", " ")


def fenced(text: str, language: str) -> str:
    """Return a code block that shows the text and nothing else: its fence is longer than any backticks inside."""
    text = plain(text)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def escaped(words: str) -> str:
    """Return a line of text with every Markdown character escaped."""
    return "".join(
        f"\\{character}" if character in r"\`*_{}[]()<>#+-.!|~&:" else character for character in line(words)
    )


def code(words: str) -> str:
    """Return a line of text as a code span. Renderers that turn URL-like text into links leave code spans alone.

    Blank text gives "".
    """
    words = line(words)
    if not words.strip():
        return ""
    ticks = "`" * (_longest_run(words) + 1)
    # Renderers strip one space on either side; without it a backtick at the edge would belong to the fence.
    pad = " " if words[0] in "` " or words[-1] in "` " else ""
    return f"{ticks}{pad}{words}{pad}{ticks}"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already. A bar in a cell does not end it."""
    return "\n".join(_row(cells) for cells in (headers, ["---"] * len(headers), *rows))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(words: str) -> str:
    # Renderers disagree on a bar after two backslashes, so there is never more than one before a bar.
    return words.replace("\\|", "\\ |").replace("|", "\\|")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
