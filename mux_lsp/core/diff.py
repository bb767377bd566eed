"""Compute hunks from two texts, and apply and print hunks. The edits are git's own (see `mux_lsp.core.xdiff`)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mux_lsp.core.model import Hunk
from mux_lsp.core.text import split_lines
from mux_lsp.core.xdiff import Edit, diff_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Edit", "apply", "diff_lines", "hunks", "make_hunk", "unified"]


def hunks(old_text: str, new_text: str, path: str) -> tuple[Hunk, ...]:
    """Return the hunks that turn the old text of the file at `path` into the new one."""
    old, new = split_lines(old_text), split_lines(new_text)
    return tuple(
        make_hunk(path, edit.start, old[edit.start : edit.end], new[edit.new_start : edit.new_end])
        for edit in diff_lines(old, new)
    )


def make_hunk(path: str, start: int, removed: Iterable[str], added: Iterable[str]) -> Hunk:
    """Return a hunk with its id: 10 hexadecimal characters of a SHA-256 over path, place and lines."""
    removed, added = tuple(removed), tuple(added)
    digest = hashlib.sha256()
    for part in (path, str(start), str(len(removed)), *removed, *added):
        data = part.encode("utf-8", "surrogatepass")
        # The length prefix distinguishes parts that a plain join would merge.
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return Hunk(digest.hexdigest()[:10], start, removed, added)


def apply(lines: Sequence[str], hunks: Iterable[Hunk]) -> list[str]:
    """Return the snapshot's lines with hunks of one result applied, in any order. They must be hunks of these lines."""
    result = list(lines)
    for hunk in sorted(hunks, key=lambda hunk: hunk.start, reverse=True):
        result[hunk.start : hunk.end] = hunk.added
    return result


def unified(hunks: Iterable[Hunk], old_lines: Sequence[str], context: int = 3) -> str:
    """Return hunks as the body of a unified diff (`@@` lines, no file header), with near ones grouped as git does."""
    ordered = sorted(hunks, key=lambda hunk: hunk.start)
    blocks: list[list[Hunk]] = []
    for hunk in ordered:
        if blocks and hunk.start - blocks[-1][-1].end <= 2 * context:
            blocks[-1].append(hunk)
        else:
            blocks.append([hunk])
    output: list[str] = []
    shift = 0
    for block in blocks:
        first, last = max(0, block[0].start - context), min(len(old_lines), block[-1].end + context)
        grown = sum(len(hunk.added) - len(hunk.removed) for hunk in block)
        old_span = _header_span(first, last - first)
        output.append(f"@@ -{old_span} +{_header_span(first + shift, last - first + grown)} @@\n")
        at = first
        for hunk in block:
            output += (_printed(" ", line) for line in old_lines[at : hunk.start])
            output += (_printed("-", line) for line in hunk.removed)
            output += (_printed("+", line) for line in hunk.added)
            at = hunk.end
        output += (_printed(" ", line) for line in old_lines[at:last])
        shift += grown
    return "".join(output)


def _header_span(start: int, count: int) -> str:
    # For an empty range, git gives the line before it.
    return f"{start + 1}" if count == 1 else f"{start + 1 if count else start},{count}"


def _printed(sign: str, line: str) -> str:
    if line.endswith("\n"):
        return sign + line
    if line.endswith("\r"):
        return f"{sign}{line}\n"
    return f"{sign}{line}\n\\ No newline at end of file\n"
