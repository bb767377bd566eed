"""Parse git's NUL-separated output. Paths become `str` by `os.fsdecode`, which `os.fsencode` reverses."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mux_lsp.core.model import ChangeKind, FileChange

if TYPE_CHECKING:
    from collections.abc import Iterator

GITLINK = 0o160000
TREE = 0o040000


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One line of `ls-files -s -v -z`.

    `tag` is H for a plain entry, S for skip-worktree; lower case: assumed unchanged.
    """

    tag: str
    mode: int
    object: str
    stage: int
    path: str

    @property
    def skip_worktree(self) -> bool:
        """True if git does not expect the file on disk (usually a sparse checkout)."""
        return self.tag in "Ss"


def fields(output: bytes) -> list[str]:
    """Return the NUL-terminated fields of `output`."""
    return [os.fsdecode(field) for field in output.split(b"\0")[:-1]] if output else []


def joined(paths: Iterator[str] | list[str] | tuple[str, ...] | set[str]) -> bytes:
    """Return `paths` as NUL-terminated input."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


_UNREAD: Final = re.compile(r"^warning: could not open directory '(.*?)(?:': ([A-Z][a-z ]+))?$", re.MULTILINE)


def unread(warnings: str) -> list[tuple[str, str]]:
    """Return the folders that git, in English, reports it could not open, and the reasons.

    git cuts the message at 4096 bytes: of a path that is too long to open, only the beginning remains, without a
    reason.
    """
    found = [(match[1], match[2]) for match in _UNREAD.finditer(warnings)]
    return [(path if why else path.rpartition("/")[0], why or "File name too long") for path, why in found if path]


def name_status(output: bytes) -> list[tuple[str, str]]:
    """Return the (status letter, path) pairs of `--name-status -z` without renames."""
    words = fields(output)
    return [(status[0], path) for status, path in zip(words[::2], words[1::2], strict=True)]


def status(output: bytes) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """Parse `status --porcelain -z` without renames.

    Return the files that differ from the index, as `name_status` does, the untracked files, and the ignored files.
    """
    changed, others, ignored = [], [], []
    for field in fields(output):
        state, path = field[:2], field[3:]
        if state == "??":
            others.append(path)
        elif state == "!!":
            ignored.append(path)
        elif state[1] != " ":
            changed.append((state[1], path))
    return changed, others, ignored


def raw_changes(output: bytes) -> list[tuple[str, str, str]]:
    """Return (old mode, new mode, path) of `diff-tree -r -z --raw` or `diff-index -z --raw` without renames."""
    words = fields(output)
    return [(head[1:7], head[8:14], path) for head, path in zip(words[::2], words[1::2], strict=True)]


@dataclass(frozen=True, slots=True)
class Listing:
    """The output of `ls-files -s -v -z`, parsed only as far as requested: indexes of 50,000 entries are common."""

    output: bytes

    def entries(self) -> list[IndexEntry]:
        """Return every entry."""
        return [_entry(field) for field in self.output.split(b"\0")[:-1]]

    def unusual(self) -> list[IndexEntry]:
        """Return the entries that are not plain files that git expects on disk."""
        fields = self.output.split(b"\0")[:-1]
        if not fields:
            return []
        stage = fields[0].index(b" ", len(b"H 100644 "))  # object names are all of one length
        end = stage + len(b" 0\t")
        return [
            _entry(field)
            for field in fields
            if field[:9] not in {b"H 100644 ", b"H 100755 "} or field[stage:end] != b" 0\t"
        ]

    def paths(self) -> set[str]:
        """Return every path except submodules."""
        return {
            os.fsdecode(field.split(b"\t", 1)[1]) for field in self.output.split(b"\0")[:-1] if field[2:8] != b"160000"
        }


def _entry(field: bytes) -> IndexEntry:
    head, _, path = os.fsdecode(field).partition("\t")
    tag, mode, name, stage = head.split(" ")
    return IndexEntry(tag, int(mode, 8), name, int(stage), path)


def attributes(output: bytes) -> dict[str, dict[str, str]]:
    """Return the output of `check-attr -z`: path to attribute to value."""
    words = fields(output)
    found: dict[str, dict[str, str]] = {}
    for path, name, value in zip(words[::3], words[1::3], words[2::3], strict=True):
        found.setdefault(path, {})[name] = value
    return found


def settings(output: bytes) -> dict[str, str]:
    """Return the output of `config --list -z`: key to last value. A key without `=` is true, as in git."""
    found: dict[str, str] = {}
    for field in fields(output):
        key, separator, value = field.partition("\n")
        found[key] = value if separator else "true"
    return found


def is_true(value: str | None) -> bool:
    """Return whether git reads a setting's value as true."""
    return value is not None and value.lower() in {"true", "yes", "on", "1"}


def file_changes(output: bytes) -> tuple[FileChange, ...]:
    """Return the changes of `diff-tree -r -z --raw --numstat`, sorted by path as git sorts.

    A copy has no previous file at its path, like a new file; its lines are counted against the file it was copied from.
    """
    found: list[FileChange] = []
    counts: dict[str, tuple[int | None, int | None]] = {}
    words = iter(fields(output))
    for word in words:
        if word.startswith(":"):
            found.append(_change(word, words))
        else:
            added, removed, path = word.split("\t", 2)
            if not path:
                # A rename or copy: the old and the new path are fields of their own.
                next(words)
                path = next(words)
            counts[path] = (_count(added), _count(removed))
    if not counts:
        return tuple(found)
    return tuple(
        replace(change, lines_added=added, lines_removed=removed)
        for change in found
        for added, removed in [counts.get(change.path, (None, None))]
    )


def _change(head: str, paths: Iterator[str]) -> FileChange:
    old_mode, new_mode, old_object, new_object, status = head[1:].split(" ")
    first = next(paths)
    kind = _KINDS[status[0]]
    if kind is ChangeKind.RENAMED:
        modes = int(old_mode, 8), int(new_mode, 8)
        return FileChange(next(paths), kind, *modes, old_object, new_object, old_path=first)
    if kind is ChangeKind.COPIED:
        nothing = "0" * len(new_object)
        return FileChange(next(paths), kind, 0, int(new_mode, 8), nothing, new_object, old_path=first)
    return FileChange(first, kind, int(old_mode, 8), int(new_mode, 8), old_object, new_object)


_KINDS: Final = {
    "A": ChangeKind.ADDED,
    "C": ChangeKind.COPIED,
    "D": ChangeKind.DELETED,
    "M": ChangeKind.MODIFIED,
    "R": ChangeKind.RENAMED,
    "T": ChangeKind.MODIFIED,
}
"""The meaning of git's letters. `T` is a file whose type has changed."""


def _count(word: str) -> int | None:
    return None if word == "-" else int(word)
