"""Read git's comparison of many files from one `diff-tree -p`, and keep it as bytes until it is needed."""

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
"""Options of `diff-tree`.

Without a line of context, git would first cut off the common end of both texts and place edits differently.
"""

_CHUNK: Final = 1 << 18
_PIPE: Final = 1 << 20
_INDEX: Final = re.compile(rb"^index ([0-9a-f]+)\.\.([0-9a-f]+)", re.MULTILINE)
_QUOTED: Final = re.compile(rb"(\n@@ [^@\n]*@@)[^\n]*")
_FIRST_OF_EDIT: Final = re.compile(rb"\n[ @][^\n]*(?=\n[-+])")


@dataclass(frozen=True, slots=True)
class TextDiff:
    """The difference between two blobs, by their names (zeros for a missing file). `body` has git's `@@` blocks.

    The lines added and removed are None for binary files and for those over `core.bigFileThreshold`.
    """

    old: str
    new: str
    added: int | None
    removed: int | None
    edits: int
    body: bytes


class TextEdit(NamedTuple):
    """An edit: the lines `removed`, from line `start` on, become `added`."""

    start: int
    removed: tuple[str, ...]
    added: tuple[str, ...]


def read(git_dir: Path, arguments: Sequence[str]) -> Iterator[TextDiff]:
    """Start `diff-tree`, and yield each file's difference as soon as git writes it. Raises GitError."""
    process = start(arguments, folder=git_dir, git_dir=git_dir)
    if sys.platform == "linux":
        # The largest pipe that is allowed, so that git need not wait while its reader is busy.
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
    """Parse the output of `diff-tree` with `ARGUMENTS`. Changes of only a mode or a name are skipped.

    A file's content cannot be mistaken for a header: each line has a sign before it, and git quotes paths.
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
        # After the numbers, git quotes an earlier line, cut off.
        body = _QUOTED.sub(rb"\1", b"\n@@ " + body)
        edits = len(_FIRST_OF_EDIT.findall(body))
        yield TextDiff(old, new, body.count(b"\n+"), body.count(b"\n-"), edits, body)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield git's output for each file, without the last line end."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\ndiff --git ")
        yield from whole
    if rest:
        yield rest.removesuffix(b"\n")


def edits(body: bytes) -> Iterator[TextEdit]:
    """Yield the edits of a `TextDiff`, in lines that end at `\\n`. Raises UnicodeDecodeError if one is not UTF-8."""
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
    """Return the first line of the old text in a block, from its `@@ -START,COUNT +…`."""
    start, _, count = header[4 : header.index(" ", 4)].partition(",")
    # For an empty range, git gives the line before it.
    return int(start) if count == "0" else int(start) - 1
