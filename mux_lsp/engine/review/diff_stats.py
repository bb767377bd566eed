"""Compare whole results at once: count lines and hunks of each changed file, with git's own diff.

git's hunks equal ours (see `mux_lsp.core.myers`), so nothing is compared twice: git's output for a file is kept as
bytes until the file is reviewed. Where git and we could differ, we compare the file ourselves when it is reviewed: a
text with a lone `\\r` as a line end (git has no such line end) or a byte order mark, and one that changes so much
that our diff departs from git's.
"""

from __future__ import annotations

import codecs
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from mux_lsp.core.model import ChangeKind, FileChange

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from mux_lsp.git.textdiff import TextDiff

MANY_FILES = 3_000
"""Maximum number of changed files whose hunks are counted. In a larger result each counts as one, to save time."""

MOST_LINES = 50_000
"""Maximum number of changed lines of a file. One with more, likely a generated file, is reviewed as a whole."""

MOST_HUNKS = 5_000
"""Maximum number of hunks of a file. One with more is reviewed as a whole."""

LARGEST_TEXT = 2_000_000
"""Maximum size of a text in bytes. A larger one is reviewed as a whole."""

KEPT_BYTES = 32_000_000
"""Maximum number of bytes of git's output that are kept for files not yet reviewed."""

KEPT_FILES = 50_000
"""Maximum number of comparisons whose figures are kept."""

FEW_PATHS = 200
"""Maximum number of files that are compared by name while a result grows. Beyond it, the whole result is compared."""

_MOST_DIFFERENT = 500
_MOST_STEPS = 1_000_000
"""With fewer differing lines, and fewer steps than this to find them, our diff equals git's."""

_LONE_RETURN: Final = re.compile(rb"\r(?!\n)")


class Store(Protocol):
    """Required methods of a shadow store."""

    def changed_files(self, base: str, result: str) -> tuple[FileChange, ...]:
        """Return the changes of a result, without line counts."""
        ...

    def changed_files_with_stats(self, base: str, result: str) -> tuple[FileChange, ...]:
        """Return the changes of a result, with line counts."""
        ...

    def text_diffs(self, base: str, result: str, paths: Collection[str] = ()) -> Iterator[TextDiff]:
        """Yield git's comparison of each text that a result changes."""
        ...

    def read_many(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """Yield the bytes of each blob, in the order of `names`; None for one that does not exist."""
        ...


@dataclass(frozen=True, slots=True)
class Figures:
    """Facts about a changed file that are known without its hunks. Lines are None if the file is not text."""

    added: int | None
    removed: int | None
    hunks: int | None
    """0 for a change that can only be taken as a whole, None if only a review can tell."""


@dataclass(frozen=True, slots=True)
class _Text:
    """Kind of text that a blob of a snapshot is."""

    ours: bool
    """True if only our own diff finds its hunks."""
    whole: bool
    """True if it has no hunks: not text in UTF-8, or too large."""
    size: int
    lines: int


_NOTHING: Final = _Text(ours=False, whole=False, size=0, lines=0)
Pair = tuple[str, str]
"""Names of the blobs before and after, as git gives them."""
Lines = tuple[int | None, int | None]
"""Numbers of lines added and removed."""


class DiffStats:
    """Compare results with their snapshots. Thread-safe; call it in a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._figures: OrderedDict[Pair, Figures] = OrderedDict()
        self._texts: OrderedDict[str, _Text] = OrderedDict()
        self._bodies: OrderedDict[Pair, bytes] = OrderedDict()
        self._kept = 0
        self._lock = threading.Lock()

    def read(self, base: str, result: str, count: Callable[[FileChange], int]) -> tuple[tuple[FileChange, ...], int]:
        """Return the changes of a result with their line counts, and their number of hunks.

        A change taken whole counts as one hunk. `count` returns the number of hunks of a change that only a review
        can tell. Only new comparisons cost time. Raises GitError.
        """
        changes = self._store.changed_files(base, result)
        if len(changes) > MANY_FILES:
            return self._store.changed_files_with_stats(base, result), len(changes)
        found = self._compare(base, result, changes)
        counted = tuple(
            replace(change, lines_added=found[change.path].added, lines_removed=found[change.path].removed)
            for change in changes
        )
        hunks = 0
        for change in counted:
            known = found[change.path].hunks
            hunks += max(1, count(change) if known is None else known)
        return counted, hunks

    def _compare(self, base: str, result: str, changes: Sequence[FileChange]) -> dict[str, Figures]:
        """Return the figures of a result's changes, by path."""
        unknown = [change for change in changes if self._of(change) is None]
        paths = {path for change in unknown for path in (change.path, change.old_path) if path is not None}
        lines: dict[Pair, Lines] = {}
        if unknown:
            lines = self._diffs(base, result, unknown, sorted(paths) if len(paths) <= FEW_PATHS else ())
        unusual = _SplitPairs(lines)
        return {change.path: self._of(change) or unusual.figures(change) for change in changes}

    def pop_body(self, old: str, new: str) -> bytes | None:
        """Return git's output for two blobs and drop it, since a review keeps the hunks; None if it gives no hunks."""
        with self._lock:
            body = self._bodies.pop((old, new), None)
            self._kept -= len(body or b"")
            return body

    def _of(self, change: FileChange) -> Figures | None:
        if change.old_object == change.new_object:
            return Figures(0, 0, 0)
        if change.kind is ChangeKind.COPIED:
            return None
        with self._lock:
            return self._figures.get((change.old_object, change.new_object))

    def _diffs(self, base: str, result: str, unknown: list[FileChange], paths: Collection[str]) -> dict[Pair, Lines]:
        names = {change.old_object for change in unknown if change.old_mode} - self._texts.keys()
        diffs = self._store.text_diffs(base, result, paths)
        # Runs while git compares.
        self._look(sorted(names))
        lines: dict[Pair, Lines] = {}
        for one in diffs:
            self._note(one)
            lines[one.old, one.new] = one.added, one.removed
        return lines

    def _look(self, names: Sequence[str]) -> None:
        for name, content in zip(names, self._store.read_many(names), strict=True):
            made = _text_of(content)
            with self._lock:
                self._texts[name] = made
                if len(self._texts) > KEPT_FILES:
                    self._texts.popitem(last=False)

    def _note(self, one: TextDiff) -> None:
        pair = one.old, one.new
        with self._lock:
            before = self._texts.get(one.old, _NOTHING)
        figures, is_ours = _counts(one, before)
        self._keep(pair, figures)
        if figures.hunks and not is_ours:
            with self._lock:
                self._kept += len(one.body) - len(self._bodies.pop(pair, b""))
                self._bodies[pair] = one.body
                while self._kept > KEPT_BYTES:
                    self._kept -= len(self._bodies.popitem(last=False)[1])

    def _keep(self, pair: Pair, figures: Figures) -> None:
        with self._lock:
            self._figures[pair] = figures
            if len(self._figures) > KEPT_FILES:
                self._figures.popitem(last=False)


class _SplitPairs:
    """Figures of changes that git compares differently from us."""

    def __init__(self, lines: Mapping[Pair, Lines]) -> None:
        self._by_pair = lines
        self._by_new = {new: counts for (_, new), counts in lines.items()}

    def figures(self, change: FileChange) -> Figures:
        """Return the figures of a copy, which git compares with its source, or of a file that became a link: two
        changes.
        """
        nothing = "0" * len(change.new_object)
        if change.kind is ChangeKind.COPIED:
            compared, hunks = [self._by_new.get(change.new_object)], None
        else:
            gone, come = (change.old_object, nothing), (nothing, change.new_object)
            compared, hunks = [self._by_pair.get(gone), self._by_pair.get(come)], 0
        found = [counts for counts in compared if counts is not None]
        return Figures(_sum(added for added, _ in found), _sum(removed for _, removed in found), hunks)


def _sum(lines: Iterable[int | None]) -> int | None:
    counted = list(lines)
    return None if None in counted else sum(filter(None, counted))


def _counts(one: TextDiff, before: _Text) -> tuple[Figures, bool]:
    """Return the figures of a comparison, and whether its hunks must be found by our own diff."""
    if one.added is None or one.removed is None:
        return Figures(None, None, 0), False
    differing = one.added + one.removed
    whole = Figures(one.added, one.removed, 0)
    if before.whole or differing > MOST_LINES or one.edits > MOST_HUNKS or not _is_text(one.body):
        return whole, False
    if before.ours or before.size + len(one.body) > LARGEST_TEXT or _is_for_us(one.body):
        return Figures(one.added, one.removed, None), True
    # A file that is added or deleted is one hunk, whatever its content.
    is_one = not one.old.strip("0") or not one.new.strip("0")
    steps = 2 * differing * (before.lines + differing)
    return (
        Figures(one.added, one.removed, one.edits),
        not is_one and (differing > _MOST_DIFFERENT or steps > _MOST_STEPS),
    )


def _text_of(content: bytes | None) -> _Text:
    if content is None or len(content) > LARGEST_TEXT or not _is_text(content):
        return _Text(ours=False, whole=True, size=0, lines=0)
    return _Text(_is_for_us(content), False, len(content), content.count(b"\n") + 1)


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_for_us(content: bytes) -> bool:
    # The plain searches are much faster than the expression.
    return codecs.BOM_UTF8 in content or (b"\r" in content and _LONE_RETURN.search(content) is not None)
