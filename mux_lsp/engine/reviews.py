"""The hunks of results, derived from the shadow store and kept in memory as long as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mux_lsp.core import diff, text
from mux_lsp.core.model import ChangeKind, FileChange, Hunk, Run
from mux_lsp.engine import disk

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_TEXT = 2_000_000
"""A text of more bytes is reviewed as a whole: nobody reads the hunks of a generated file."""

SHARED_BASES = 256
"""How many snapshot texts are remembered so that runs of one task share them."""

CACHED_LINES = 1_000_000
"""How many lines of texts under review are kept in memory."""


@dataclass(frozen=True, slots=True)
class Review:
    """One changed file of one run. `hunks` is empty where the change can only be taken as a whole."""

    run: str
    agent: str
    change: FileChange
    base: tuple[str, ...] = ()
    hunks: tuple[Hunk, ...] = ()
    bom: bool = False
    """Whether the result begins with a byte order mark, which is not part of its text."""

    @property
    def whole(self) -> bool:
        """Whether the content is taken whole or not at all: not text, too big, or not a file."""
        return not self.hunks and self.change.old_object != self.change.new_object

    @property
    def mode_changes(self) -> bool:
        """Whether the file's mode changes beside its text."""
        return self.change.kind is ChangeKind.MODIFIED and self.change.old_mode != self.change.new_mode


class Reviews:
    """Gives the hunks of results, keeping the last ones in memory. `read` gives a blob of the shadow store.

    Thread-safe: what is not in memory takes git and a diff, and so is best asked for in a thread.
    """

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._cache: OrderedDict[tuple[str, str, str], Review] = OrderedDict()
        self._cached_lines = 0
        self._bases: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run: Run, change: FileChange) -> Review:
        """The review of one changed file."""
        key = (change.path, change.old_object if change.old_mode else "", change.new_object if change.new_mode else "")
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
        if found is None:
            found = self._derive(change)
            self._keep(key, found)
        return replace(found, run=run.id, agent=run.agent, change=change)

    def _keep(self, key: tuple[str, str, str], made: Review) -> None:
        with self._lock:
            if key not in self._cache:
                self._cache[key] = made
                self._cached_lines += _weight(made)
            while self._cached_lines > CACHED_LINES and len(self._cache) > 1:
                _, dropped = self._cache.popitem(last=False)
                self._cached_lines -= _weight(dropped)

    def _derive(self, change: FileChange) -> Review:
        review = Review("", "", change)
        if change.lines_added is None or disk.SYMLINK_MODE in {change.old_mode, change.new_mode}:
            return review
        old = self._read(change.old_object) if change.old_mode else b""
        new = self._read(change.new_object) if change.new_mode else b""
        if max(len(old), len(new)) > LARGEST_TEXT:
            return review
        before, after = text.decode(old), text.decode(new)
        if before is None or after is None or (change.old_mode and change.new_mode and before.bom != after.bom):
            return review
        hunks = diff.hunks(before.text, after.text, change.path)
        return replace(review, base=self._base(change, before.text), hunks=hunks, bom=after.bom)

    def _base(self, change: FileChange, content: str) -> tuple[str, ...]:
        """The lines of a snapshot's text, one object for all runs that change it."""
        with self._lock:
            base = self._bases.pop(change.old_object, None) or tuple(text.split_lines(content))
            self._bases[change.old_object] = base
            if len(self._bases) > SHARED_BASES:
                self._bases.popitem(last=False)
            return base

    def bytes_of(self, object_name: str) -> bytes:
        """A blob of the shadow store."""
        return self._read(object_name)


def _weight(review: Review) -> int:
    return len(review.base) + sum(len(hunk.added) + len(hunk.removed) for hunk in review.hunks) + 10
