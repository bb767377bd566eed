"""Model an editor's text independently of mux-lsp's own code: LSP lines, and positions in each of LSP's encodings."""

from __future__ import annotations

import re
from typing import Literal

from lsprotocol import types

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


def lines_of(text: str) -> list[str]:
    """Split a text into lines with their line ends: LSP's three and no others."""
    return _LINE.findall(text)


def units(text: str, encoding: Encoding) -> int:
    """Return the length of a text in code units."""
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    codec = encoding if encoding == "utf-8" else f"{encoding}-le"
    return len(text.encode(codec, "surrogatepass")) // width


def position_at(text: str, index: int, encoding: Encoding) -> types.Position:
    """Return the position of a character index. The index must not be between a `\r` and its `\n`."""
    line, before = 0, 0
    for content in lines_of(text):
        if index < before + len(content) or not content.endswith(("\r", "\n")):
            break
        line, before = line + 1, before + len(content)
    return types.Position(line, units(text[before:index], encoding))


def index_of(text: str, position: types.Position, encoding: Encoding) -> int:
    """Return the character index of a position. Raises AssertionError if it is not in the text."""
    lines = lines_of(text)
    if position.line == len(lines) and position.character == 0:
        assert not lines or lines[-1].endswith(("\r", "\n")), f"{position} is past the text"
        return len(text)
    assert position.line < len(lines), f"{position} is past the text"
    before = sum(map(len, lines[: position.line]))
    content = lines[position.line].rstrip("\r\n")
    for index in range(len(content) + 1):
        if units(content[:index], encoding) == position.character:
            return before + index
    raise AssertionError(f"{position} is not a place between two characters of {content!r}")


def replaced(text: str, range_: types.Range, new: str, encoding: Encoding) -> str:
    """Return the text with a range of it replaced."""
    start, end = index_of(text, range_.start, encoding), index_of(text, range_.end, encoding)
    assert start <= end, f"{range_} is the wrong way round"
    return text[:start] + new + text[end:]


def with_edits(text: str, edits: list[types.TextEdit], encoding: Encoding) -> str:
    """Return the text after the edits of one document. The edits' coordinates refer to the text as given."""
    spans = [
        (index_of(text, edit.range.start, encoding), index_of(text, edit.range.end, encoding), edit.new_text)
        for edit in edits
    ]
    ordered = sorted(enumerate(spans), key=lambda one: (one[1][0], one[0]))
    result, at = "", 0
    for _, (start, end, new) in ordered:
        assert at <= start <= end, f"edits overlap: {edits}"
        result += text[at:start] + new
        at = end
    return result + text[at:]
