"""Derive the hunks of results from the shadow store, and cache them in memory."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mux_lsp.core import diff, text
from mux_lsp.core.model import ChangeKind, FileChange, Hunk, Run
from mux_lsp.engine.review import diff_stats
from mux_lsp.engine.working_tree import disk
from mux_lsp.git import textdiff

if TYPE_CHECKING:
    from collections.abc import Callable

CACHED_LINES = 1_000_000
"""Maximum number of lines of hunks kept in memory."""

BASE_LINES = 1_000_000
"""Maximum number of lines of snapshots' texts kept in memory: those of the last reviews."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One changed file of one run. `hunks` is empty if the change can only be taken as a whole."""

    run: str
    agent: str
    change: FileChange
    snapshot: tuple[str, ...] | Callable[[], tuple[str, ...]] = field(default=(), compare=False)
    """Lines of the snapshot's text, or a function that returns them."""
    hunks: tuple[Hunk, ...] = ()
    bom: bool = False
    """True if the result begins with a byte order mark, which is not part of its text."""

    @property
    def base(self) -> tuple[str, ...]:
        """Lines of the snapshot's text. Slow the first time."""
        return self.snapshot if isinstance(self.snapshot, tuple) else self.snapshot()

    @property
    def whole(self) -> bool:
        """True if the content is taken whole or not at all: not text, too large, or not a file."""
        return not self.hunks and self.change.old_object != self.change.new_object

    @property
    def mode_changes(self) -> bool:
        """True if the file's mode changes in addition to its text."""
        return self.change.kind is ChangeKind.MODIFIED and self.change.old_mode != self.change.new_mode

    @property
    def renames(self) -> bool:
        """True if the file moves to another path, in addition to changes of its text."""
        return self.change.kind is ChangeKind.RENAMED

    @property
    def edits(self) -> bool:
        """True if the hunks change an existing text, rather than create or remove all of it."""
        return self.change.kind in {ChangeKind.MODIFIED, ChangeKind.RENAMED}


class HunkCache:
    """Cache of the hunks of results. Thread-safe: a cache miss takes git and a diff, so call it in a thread.

    `read` returns a blob of the shadow store; `compared` returns git's diff of two blobs, if it is known (see
    `mux_lsp.engine.review.diff_stats`).
    """

    def __init__(
        self, read: Callable[[str], bytes], compared: Callable[[str, str], bytes | None] = lambda _old, _new: None
    ) -> None:
        self._read = read
        self._compared = compared
        self._cache: OrderedDict[tuple[str, str, str], FileDiff] = OrderedDict()
        self._cached_lines = 0
        self._bases: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._base_lines = 0
        self._lock = threading.Lock()

    def get(self, run: Run, change: FileChange) -> FileDiff:
        """Return one changed file with its hunks."""
        return replace(self._found(change), run=run.id, agent=run.agent, change=change)

    def hunks(self, change: FileChange) -> tuple[Hunk, ...]:
        """Return the hunks of one changed file; () if it can only be taken as a whole."""
        return self._found(change).hunks

    def count(self, change: FileChange) -> int:
        """Return the number of hunks of a change."""
        return len(self.hunks(change))

    def _found(self, change: FileChange) -> FileDiff:
        # Hunk ids are derived from the original path, so that runs agree on them wherever they move the file.
        before, after = change.old_object if change.old_mode else "", change.new_object if change.new_mode else ""
        key = (change.base_path, before, after)
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
        if found is None:
            found = self._derive(change)
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[str, str, str], made: FileDiff) -> None:
        with self._lock:
            if key not in self._cache:
                self._cache[key] = made
                self._cached_lines += _weight(made)
            while self._cached_lines > CACHED_LINES and len(self._cache) > 1:
                _, dropped = self._cache.popitem(last=False)
                self._cached_lines -= _weight(dropped)

    def _derive(self, change: FileChange) -> FileDiff:
        review = FileDiff("", "", change)
        if not _may_have_hunks(change):
            return review
        snapshot = functools.partial(self._base, change.old_object) if change.old_mode else ()
        body = self._compared(change.old_object, change.new_object)
        if body is not None:
            hunks = tuple(diff.make_hunk(change.base_path, *edit) for edit in textdiff.edits(body))
            return replace(review, snapshot=snapshot, hunks=hunks)
        old = self._read(change.old_object) if change.old_mode else b""
        new = self._read(change.new_object) if change.new_mode else b""
        if max(len(old), len(new)) > diff_stats.LARGEST_TEXT:
            return review
        before, after = text.decode(old), text.decode(new)
        if before is None or after is None or (change.old_mode and change.new_mode and before.bom != after.bom):
            return review
        hunks = diff.hunks(before.text, after.text, change.base_path)
        if len(hunks) > diff_stats.MOST_HUNKS:
            return review
        if change.old_mode:
            self._keep_base(change.old_object, tuple(text.split_lines(before.text)))
        return replace(review, snapshot=snapshot, hunks=hunks, bom=after.bom)

    def _base(self, object_name: str) -> tuple[str, ...]:
        """Return the lines of a snapshot's text: one object for all runs that change it."""
        with self._lock:
            base = self._bases.get(object_name)
            if base is not None:
                self._bases.move_to_end(object_name)
                return base
        decoded = text.decode(self._read(object_name))
        return self._keep_base(object_name, tuple(text.split_lines(decoded.text)) if decoded else ())

    def _keep_base(self, object_name: str, lines: tuple[str, ...]) -> tuple[str, ...]:
        with self._lock:
            base = self._bases.get(object_name)
            if base is None:
                base = self._bases[object_name] = lines
                self._base_lines += len(lines)
            while self._base_lines > BASE_LINES and len(self._bases) > 1:
                self._base_lines -= len(self._bases.popitem(last=False)[1])
            return base

    def bytes_of(self, object_name: str) -> bytes:
        """Return a blob of the shadow store."""
        return self._read(object_name)


def _may_have_hunks(change: FileChange) -> bool:
    if change.old_object == change.new_object or change.lines_added is None or change.lines_removed is None:
        return False
    if disk.SYMLINK_MODE in {change.old_mode, change.new_mode}:
        return False
    return change.lines_added + change.lines_removed <= diff_stats.MOST_LINES


def _weight(review: FileDiff) -> int:
    return sum(len(hunk.added) + len(hunk.removed) for hunk in review.hunks) + 10
