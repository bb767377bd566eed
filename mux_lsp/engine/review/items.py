"""List the changes of a run with their status in a live text, and plan what accepting some of them does.

Everything here is derived from the shadow store and the live text; only rejections are stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mux_lsp.core import diff, rebase, text
from mux_lsp.core.model import ChangeKind, Hunk, HunkStatus
from mux_lsp.engine.review.live_text import Compared, LiveText, text_of
from mux_lsp.engine.working_tree import disk
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from mux_lsp.core.model import FileChange
    from mux_lsp.core.placement import LineEdit, Placement
    from mux_lsp.engine.review.hunks import FileDiff, HunkCache
    from mux_lsp.engine.review.live_text import LiveOf


WHOLE_FILE_PREFIX: Final = "whole "
"""Prefix of `Item.rejection_key` for a change that is not a hunk."""


@dataclass(frozen=True, slots=True)
class Item:
    """Hunk, or change that is not text (`hunk` None), with its status in a live text.

    `live` is the current text of the file: for a renamed file the one at its old path, or at its new path if it is
    already there. `status` is the status to show; `text_status` is the status in the text, also of a rejected item.
    Lines `[start, end)` of the live text are where it would be placed, where it is, or what it collides with.
    """

    review: FileDiff
    live: LiveText = field(repr=False)
    hunk: Hunk | None
    status: HunkStatus
    text_status: HunkStatus
    start: int = 0
    end: int = 0
    reason: str | None = None
    placement: Placement | None = None

    @property
    def id(self) -> str:
        """The hunk's id, "" for a change that is not text."""
        return self.hunk.id if self.hunk else ""

    @property
    def rejection_key(self) -> str:
        """Key under which a rejection is stored.

        For a change that is not text it includes the new mode and content, so that a rejection covers only these.
        """
        if self.hunk is not None:
            return self.hunk.id
        change = self.review.change
        return f"{WHOLE_FILE_PREFIX}{change.new_mode:o} {change.new_object if self.review.whole else ''}"


@dataclass(frozen=True, slots=True)
class PathPlan:
    """Effect of accepting on one path: replacements of line ranges of the live text, and the resulting file."""

    path: str
    live: LiveText
    """Text that the plan is based on: the one at the path, or the one that moves there."""
    edits: tuple[LineEdit, ...] = ()
    entry: disk.Entry | None = None
    lines: tuple[str, ...] | None = None
    """Text afterwards; None if the file is removed or is not text."""
    accepted: int = 0
    old_path: str | None = None
    """Path of the file until then, if it moves."""
    obstacle: str | None = None
    """Path that is in the way at `path` now and must be removed in the same accept. See `LiveText.obstacle`."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that it changes on disk."""
        return (self.path,) if self.old_path is None else (self.old_path, self.path)

    @property
    def transcodes(self) -> bool:
        """True if its bytes differ in encoding from the file on disk, whose encoding only the editor knows."""
        if self.lines is None or self.entry is None or self.live.entry is None:
            return False
        rewrites = self.live.open and self.entry.content != self.live.entry.content
        return rewrites and text_of(self.path, self.live.entry).lines != self.live.lines

    def writes(self) -> tuple[disk.Write, ...]:
        """Return the writes to disk that carry out this plan."""
        if self.old_path is None:
            return (disk.Write(self.path, self.live.entry, self.entry),)
        there = disk.Write(self.path, None, self.entry, moved_from=self.old_path)
        return disk.Write(self.old_path, self.live.entry, None), there


def evaluate(review: FileDiff, live_of: LiveOf, rejected: Collection[str] = ()) -> list[Item]:
    """Return the items of a changed file with their status in a live text. `rejected` holds rejection keys."""
    live = _stands(review.change, live_of)
    items = _judge_hunks(review, live) if review.hunks else []
    if review.renames:
        items.append(_judge_rename(review, live, live_of(review.change.path)))
    elif review.whole or review.mode_changes:
        items.append(_judge_whole(review, live))
    return [
        replace(item, status=HunkStatus.REJECTED)
        if item.text_status is not HunkStatus.APPLIED and item.rejection_key in rejected
        else item
        for item in items
    ]


def _stands(change: FileChange, live_of: LiveOf) -> LiveText:
    """Return the live text of the file that a change is about."""
    live = live_of(change.base_path)
    if change.kind is not ChangeKind.RENAMED or live.entry is not None or live.blocked is not None:
        return live
    # It was renamed here already, by an earlier accept or by hand. The old file may still be open in an editor.
    moved = live_of(change.path)
    return live if moved.missing else moved


_LINKED: Final = "there is a link in place of the file now"
_GONE: Final = "the file is not there any more: it was deleted or renamed here"

_WITHOUT_FILE: Final = {
    ChangeKind.ADDED: (HunkStatus.PENDING, None),
    ChangeKind.COPIED: (HunkStatus.PENDING, None),
    ChangeKind.DELETED: (HunkStatus.APPLIED, None),
    ChangeKind.MODIFIED: (HunkStatus.CONFLICT, _GONE),
    ChangeKind.RENAMED: (HunkStatus.CONFLICT, _GONE),
}
"""Status and reason of a change's hunks if there is no file."""


def _judge_hunks(review: FileDiff, live: LiveText) -> list[Item]:
    change = review.change
    end = len(live.lines or ())

    def all_are(status: HunkStatus, reason: str | None = None) -> list[Item]:
        return [Item(review, live, hunk, status, status, 0, end, reason) for hunk in review.hunks]

    if live.blocked is not None:
        return all_are(HunkStatus.CONFLICT, live.blocked)
    if live.missing:
        return all_are(*_WITHOUT_FILE[change.kind])
    if live.lines is None:
        is_link = live.entry is not None and _is_link(live.entry.mode)
        return all_are(HunkStatus.CONFLICT, _LINKED if is_link else "the file is not a text file in UTF-8 now")
    if not review.edits:
        return all_are(*_whole_text(review, live, live.lines))
    return [
        Item(
            review,
            live,
            placement.hunk,
            placement.status,
            placement.status,
            placement.start,
            placement.end,
            placement.reason,
            placement,
        )
        for placement in _placements(review, live, live.lines)
    ]


def _placements(review: FileDiff, live: LiveText, lines: tuple[str, ...]) -> list[Placement]:
    """Return the placements of a file's hunks, computed once for all runs with the same result for the file."""
    compared = _compare(review, live, lines)
    result = review.change.base_path, review.change.new_object
    found = compared.placed.get(result)
    if found is None:
        ends = compared.ends
        hunks = review.hunks if ends is None else [_with_line_ends(hunk, ends) for hunk in review.hunks]
        found = compared.placed[result] = rebase.place_hunks(compared.base, hunks, lines, compared.edits)
    return found


def _compare(review: FileDiff, live: LiveText, lines: tuple[str, ...]) -> Compared:
    """Return the difference between a snapshot's text and a live text, shared by all runs of a task."""
    found = live.compared.get(review.change.old_object)
    if found is None:
        # An editor may hold the file with another line end than the snapshot had; that is not an edit by the person.
        ends = text.line_end_change(review.base, lines)
        base = text.change_line_ends(review.base, ends)
        found = live.compared[review.change.old_object] = Compared(base, ends, diff.diff_lines(base, lines))
    return found


def _whole_text(review: FileDiff, live: LiveText, lines: tuple[str, ...]) -> tuple[HunkStatus, str | None]:
    """Return the status of the whole text of a file that a run adds or deletes, if there is a file now."""
    deletes = review.change.kind is ChangeKind.DELETED
    expected = review.base if deletes else review.hunks[0].added
    if list(lines) == text.adapt_line_ends(expected, lines):
        if deletes and live.unsaved:
            # A deletion removes the file on disk, whose content is not visible here.
            return HunkStatus.CONFLICT, "the file that would be deleted is not on disk as it is open here"
        return (HunkStatus.PENDING if deletes else HunkStatus.APPLIED), None
    if deletes:
        return HunkStatus.CONFLICT, "the file that would be deleted was changed here"
    return HunkStatus.CONFLICT, "a different file of this name was created here"


def _with_line_ends(hunk: Hunk, ends: text.LineEndChange) -> Hunk:
    return replace(
        hunk,
        removed=tuple(text.change_line_ends(hunk.removed, ends)),
        added=tuple(text.change_line_ends(hunk.added, ends)),
    )


def _judge_whole(review: FileDiff, live: LiveText) -> Item:
    change = review.change
    whole = review.whole

    def is_here(mode: int, object_name: str) -> bool:
        if live.entry is None or not mode:
            return live.entry is None and not mode
        return live.entry.mode == mode and (not whole or _same_object(live.entry, object_name))

    place, reason = HunkStatus.CONFLICT, _CHANGED
    if live.blocked is not None:
        reason = live.blocked
    elif live.missing and change.kind is ChangeKind.MODIFIED:
        reason = _GONE
    elif is_here(change.new_mode, change.new_object):
        place, reason = HunkStatus.APPLIED, ""
    elif whole and live.unsaved:
        reason = _UNSAVED
    elif is_here(change.old_mode, change.old_object):
        place, reason = HunkStatus.PENDING, ""
    return Item(review, live, None, place, place, 0, 0, reason or None)


def _judge_rename(review: FileDiff, live: LiveText, there: LiveText) -> Item:
    """Return the item of a rename, with the content if that is taken whole. `there` is the text at the new path."""
    change = review.change
    moved = live.path == change.path
    place, reason = HunkStatus.CONFLICT, None
    if live.blocked is not None:
        reason = live.blocked
    elif live.missing:
        reason = _GONE
    elif not moved and there.blocked is not None:
        reason = there.blocked
    elif not moved and not there.missing:
        reason = f"a file named {text.shown_path(change.path)} is here already"
    elif live.entry is not None and _is_link(live.entry.mode) != _is_link(change.old_mode):
        reason = _LINKED if _is_link(live.entry.mode) else "the link is a file now"
    elif review.whole and live.unsaved:
        reason = _UNSAVED
    elif moved and _is_done(review, live.entry):
        place = HunkStatus.APPLIED
    elif review.whole and (live.entry is None or not _same_object(live.entry, change.old_object)):
        reason = _CHANGED
    else:
        place = HunkStatus.PENDING
    return Item(review, live, None, place, place, 0, 0, reason)


def _is_done(review: FileDiff, entry: disk.Entry | None) -> bool:
    """Return whether the moved file already has the other changes of a rename."""
    change = review.change
    if entry is None:
        return not review.whole
    mode_is = change.new_mode in {change.old_mode, entry.mode}
    return mode_is and (not review.whole or _same_object(entry, change.new_object))


def _is_link(mode: int) -> bool:
    return mode == disk.SYMLINK_MODE


_CHANGED: Final = "the file was changed here and can only be taken as a whole"
_UNSAVED: Final = "the file is open with unsaved changes and can only be taken as a whole"


def _same_object(entry: disk.Entry, object_name: str) -> bool:
    """Return whether an entry's content is the blob of that name, by git's hash of it."""
    digest = hashlib.sha1(usedforsecurity=False) if len(object_name) == 40 else hashlib.sha256()
    digest.update(b"blob %d\0" % len(entry.content))
    digest.update(entry.content)
    return digest.hexdigest() == object_name


def refuse_conflicts(items: Iterable[Item]) -> None:
    """Raise ConflictError naming every item that cannot be placed."""
    complaints = [
        f"{item.live.path}{_where(item)}: {item.reason or 'cannot be placed exactly'}"
        for item in items
        if item.text_status is HunkStatus.CONFLICT
    ]
    if complaints:
        raise ConflictError("Nothing was written, because of a conflict in " + "; ".join(complaints) + ".")


def _where(item: Item) -> str:
    return f":{item.start + 1}" if item.hunk is not None and item.review.edits else ""


def plan_path(root: Path, path: str, items: Sequence[Item], reviews: HunkCache) -> PathPlan | None:
    """Return the plan for accepting these items of one path, or None if all of it is there already.

    Raises ConflictError if any of them cannot be placed exactly.
    """
    refuse_conflicts(items)
    wanted = [item for item in items if item.text_status is HunkStatus.PENDING]
    if not wanted:
        return None
    review, live = wanted[0].review, wanted[0].live
    change = review.change
    wholly = any(item.hunk is None for item in wanted)
    planned = PathPlan(path, live, accepted=len(wanted), obstacle=live.obstacle)
    if review.renames and not wholly:
        # The text is changed at its current path.
        planned = replace(planned, path=live.path)
    elif review.renames and live.path != path:
        planned = replace(planned, old_path=live.path, obstacle=disk.obstacle(root, path))
    for place in planned.paths:
        disk.refuse_unsafe(root, place)
    if wholly and review.whole:
        entry = disk.Entry(change.new_mode, reviews.bytes_of(change.new_object)) if change.new_mode else None
        return replace(planned, entry=entry)
    if change.kind is ChangeKind.DELETED:
        return planned
    mode = live.entry.mode if live.entry else change.new_mode
    if wholly and change.old_mode != change.new_mode:
        mode = change.new_mode
    placements = [item.placement for item in wanted if item.placement is not None]
    if review.edits and not placements and live.entry is not None:
        # Content that is not text stays unchanged too.
        return replace(planned, entry=disk.Entry(mode, live.entry.content), lines=live.lines)
    if review.edits:
        edits = tuple(rebase.text_edits(placements))
        lines = tuple(rebase.accept(live.lines or (), placements))
    else:
        edits, lines = (), review.hunks[0].added
    after = text.Decoded("".join(lines), review.bom if live.missing else live.bom)
    # Only the editor writes unsaved text: half a character elsewhere in it is no reason to refuse a change.
    content = after.text.encode("utf-8", "surrogatepass") if live.unsaved else text.encode(after)
    return replace(planned, edits=edits, entry=disk.Entry(mode, content), lines=lines)
