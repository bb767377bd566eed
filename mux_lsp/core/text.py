"""Represent text as LSP and editors do: lines, line ends, encodings of a file and of a position.

A line is as LSP 3.17 defines it: it ends at `\\n`, `\\r\\n` or `\\r` and nowhere else, so never at a form feed or at
U+2028 as in `str.splitlines`. Lines keep their ends, and a text is the join of its lines.
"""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Sequence


class PositionEncoding(StrEnum):
    """Unit of the `character` of an LSP position. The values are LSP's names."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


class TextPosition(NamedTuple):
    """Place between two characters: 0-based line, and code units of the negotiated encoding from its start."""

    line: int
    character: int


class LineEndChange(NamedTuple):
    """The uniform line end of one text, and the one that replaces it in another."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text of a file, without its byte order mark, and whether it had one."""

    text: str
    bom: bool


def split_lines(text: str) -> list[str]:
    """Return the lines of a text with their ends; `"".join` restores the text. An empty text has no lines."""
    return io.StringIO(text, newline="").readlines()


def decode(data: bytes) -> Decoded | None:
    """Return the text of a file's bytes, or None for a file handled only as a whole: binary, or not in UTF-8."""
    if b"\0" in data:
        return None
    bom = data.startswith(codecs.BOM_UTF8)
    try:
        return Decoded(data[len(codecs.BOM_UTF8) :].decode() if bom else data.decode(), bom)
    except UnicodeDecodeError:
        return None


def encode(decoded: Decoded) -> bytes:
    """Return the bytes of a file, the inverse of `decode`. Raises MuxError for a text that UTF-8 cannot hold."""
    try:
        data = decoded.text.encode()
    except UnicodeEncodeError as error:
        line = len(split_lines(decoded.text[: error.start] + "x"))
        raise MuxError(
            f"Line {line} holds half of a character (U+{ord(decoded.text[error.start]):04X}), which cannot be saved as"
            " UTF-8: remove it from the text and try again."
        ) from None
    return codecs.BOM_UTF8 + data if decoded.bom else data


def line_end(lines: Sequence[str]) -> str | None:
    """Return the line end that all lines share (the last may have none), or None if they differ or have none."""
    if not lines:
        return None
    end = _end_of(lines[0])
    if not end:
        return None
    text = "".join(lines)
    pairs, returns, feeds = text.count("\r\n"), text.count("\r"), text.count("\n")
    alike = {"\r\n": pairs == returns == feeds, "\n": not returns, "\r": not feeds}
    return end if alike[end] else None


def line_end_change(base: Sequence[str], live: Sequence[str]) -> LineEndChange | None:
    """Return the change of line ends that makes a snapshot comparable with a live text, or None if no change is needed.

    Editors rewrite the line ends of a buffer, so a difference in nothing but one uniform line end is not an edit.
    Only that is equalized: both texts must have a uniform line end, and the live one's must be `\\n` or `\\r\\n` (a
    lone `\\r` could join with a `\\n` that follows it). A text with mixed line ends is compared unchanged.
    """
    old, new = line_end(base), line_end(live)
    if old is None or new is None or new in {old, "\r"}:
        return None
    return LineEndChange(old, new)


def change_line_ends(lines: Sequence[str], change: LineEndChange | None) -> list[str]:
    """Return the lines with the line end `change.old` replaced. Others stay: the result has them on purpose."""
    if change is None:
        return list(lines)
    return [line[: -len(change.old)] + change.new if _end_of(line) == change.old else line for line in lines]


def adapt_line_ends(lines: Sequence[str], live: Sequence[str]) -> list[str]:
    """Return the lines with the live text's line end if both have a uniform one (see `line_end_change`).

    For a base and its result together use `change_line_ends` with the base's `line_end_change`: a result that
    changes line ends on purpose then keeps that change.
    """
    return change_line_ends(lines, line_end_change(lines, live))


def content_length(line: str) -> int:
    """Return the number of characters of a line without its end."""
    return len(line) - len(_end_of(line))


def code_units(text: str, encoding: PositionEncoding) -> int:
    """Return the length of a text in code units. A lone surrogate counts 1 in UTF-16 and UTF-32 and 3 in UTF-8."""
    if encoding is PositionEncoding.UTF32 or text.isascii():
        return len(text)
    if encoding is PositionEncoding.UTF8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(character > "\uffff" for character in text)


def from_units(line: str, units: int, encoding: PositionEncoding) -> int:
    """Return the character index of a code unit offset in a line.

    As in LSP, an offset past the line is its end, before the line end. An offset inside a character is the start of
    that character.
    """
    length = content_length(line)
    if encoding is PositionEncoding.UTF32 or line.isascii():
        return max(0, min(units, length))
    seen = 0
    for index in range(length):
        seen += code_units(line[index], encoding)
        if seen > units:
            return index
    return length


def line_range(
    lines: Sequence[str], start: int, end: int, encoding: PositionEncoding
) -> tuple[TextPosition, TextPosition]:
    """Return the positions around the lines `[start, end)`.

    The end is the start of line `end`, or, after a last line without a line end, the end of that line.
    """
    return _start_of(lines, start, encoding), _start_of(lines, end, encoding)


def shown_path(path: str) -> str:
    """Return a path as clients see and name it: bytes that are not UTF-8 as `\\xff`, because JSON cannot hold them."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _start_of(lines: Sequence[str], line: int, encoding: PositionEncoding) -> TextPosition:
    if line >= len(lines) and lines and not _end_of(lines[-1]):
        return TextPosition(len(lines) - 1, code_units(lines[-1], encoding))
    return TextPosition(min(line, len(lines)), 0)


def _end_of(line: str) -> str:
    if line.endswith("\n"):
        return "\r\n" if line.endswith("\r\n") else "\n"
    return "\r" if line.endswith("\r") else ""
