"""git's own comparison of many files at once, read from one `diff-tree -p` and kept as bytes until it is needed."""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp.errors import GitError
from mux_lsp.git.command import failure_message, start
from mux_lsp.git.objects import end

if sys.platform == "linux":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

ARGUMENTS = ("-p", "-U1", "--no-indent-heuristic", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv")
"""For `diff-tree`. With no line of context git would first cut off what both texts end with, and slide differently."""

_CHUNK: Final = 1 << 18
_PIPE: Final = 1 << 20
_INDEX: Final = re.compile(rb"^index ([0-9a-f]+)\.\.([0-9a-f]+)", re.MULTILINE)
_QUOTED: Final = re.compile(rb"(\n@@ [^@\n]*@@)[^\n]*")
_FIRST_OF_EDIT: Final = re.compile(rb"\n[ @][^\n]*(?=\n[-+])")


@dataclass(frozen=True, slots=True)
class TextDiff:
    """How one blob became another, by their names (zeros where there is no file). `body` has git's `@@` blocks.

    Binary files, and those over `core.bigFileThreshold`, have None for the lines added and removed.
    """

    old: str
    new: str
    added: int | None
    removed: int | None
    edits: int
    body: bytes


class TextEdit(NamedTuple):
    """The lines from `start` on that are `removed` become `added`."""

    start: int
    removed: tuple[str, ...]
    added: tuple[str, ...]


def read(git_dir: Path, arguments: Sequence[str]) -> Iterator[TextDiff]:
    """Start `diff-tree`, and give what it says of each file as soon as it says it. Raises GitError."""
    process = start(arguments, folder=git_dir, git_dir=git_dir)
    if sys.platform == "linux":
        # As much as one may ask for, so that git need not wait while its reader is at something else.
        with contextlib.suppress(OSError):
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE)

    def diffs() -> Iterator[TextDiff]:
        try:
            yield from parse(iter(lambda: process.stdout.read(_CHUNK), b""))
            status = process.proc.wait() if process.proc else 0
            if status:
                words = process.stderr.read().decode(errors="replace")
                raise GitError(failure_message(arguments, git_dir, status, words))
        finally:
            end(process)

    return diffs()


def parse(chunks: Iterable[bytes]) -> Iterator[TextDiff]:
    """Read the output of `diff-tree` with `ARGUMENTS`. Changes of a mode or a name alone are passed over.

    Nothing in a file can be taken for a header: its lines have a sign before them, and git quotes paths.
    """
    for block in _blocks(chunks):
        head, _, body = block.partition(b"\n@@ ")
        found = _INDEX.search(head)
        if found is None:
            continue
        old, new = found[1].decode(), found[2].decode()
        if not body:
            is_binary = head.endswith(b" differ")
            count = None if is_binary else 0
            yield TextDiff(old, new, count, count, 0, b"")
            continue
        # Behind the numbers git quotes a line from further up, and cuts it off.
        body = _QUOTED.sub(rb"\1", b"\n@@ " + body)
        edits = len(_FIRST_OF_EDIT.findall(body))
        yield TextDiff(old, new, body.count(b"\n+"), body.count(b"\n-"), edits, body)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What git says of each file, without the last line end."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\ndiff --git ")
        yield from whole
    if rest:
        yield rest.removesuffix(b"\n")


def edits(body: bytes) -> Iterator[TextEdit]:
    """The edits of a `TextDiff`, in lines that end at `\\n`. Raises UnicodeDecodeError where one is not UTF-8."""
    at = 0
    removed: list[str] = []
    added: list[str] = []
    last = added
    for line in body.decode().split("\n")[1:]:
        sign = line[:1]
        if sign == "-":
            removed.append(line[1:] + "\n")
            last = removed
        elif sign == "+":
            added.append(line[1:] + "\n")
            last = added
        elif sign == "\\":
            if last:
                last[-1] = last[-1][:-1]
        else:
            if removed or added:
                yield TextEdit(at, tuple(removed), tuple(added))
                at += len(removed)
                removed, added = [], []
                last = added
            at = _line_of(line) if sign == "@" else at + 1
    if removed or added:
        yield TextEdit(at, tuple(removed), tuple(added))


def _line_of(header: str) -> int:
    """The first line of the old text in a block, from its `@@ -START,COUNT +…`."""
    start, _, count = header[4 : header.index(" ", 4)].partition(",")
    # git names the line before an empty range.
    return int(start) if count == "0" else int(start) - 1
