"""What there is to review: the changes of a run against a live text, and what accepting some of them would do.

Everything here is derived from the shadow store and the live text; nothing but rejections is remembered.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mux_lsp.core import diff, rebase, text
from mux_lsp.core.model import ChangeKind, Hunk, HunkStatus
from mux_lsp.engine import disk
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from mux_lsp.engine.reviews import Review, Reviews


@dataclass(frozen=True, slots=True)
class Compared:
    """A snapshot's text with the line ends of a live text, and how the live text differs from it."""

    base: list[str]
    ends: text.LineEndChange | None
    edits: list[diff.Edit]


@dataclass(frozen=True, slots=True)
class LiveText:
    """What is at a path now, for one client. `lines` is None where there is no text: no file, or not a text file."""

    path: str
    lines: tuple[str, ...] | None
    entry: disk.Entry | None
    """What is on disk."""
    unsaved: bool = False
    """Whether `lines` is a buffer that differs from the disk."""
    open: bool = False
    bom: bool = False
    blocked: str | None = None
    """Why nothing can be placed here at all, in words: the path leads through a link, or a folder stands there."""
    compared: dict[str, Compared] = field(default_factory=dict, compare=False, repr=False)
    """How it differs from snapshots' texts, by their object names: found once for all runs of a task."""

    @property
    def missing(self) -> bool:
        """Whether there is neither a file nor a buffer."""
        return self.entry is None and self.lines is None


@dataclass(frozen=True, slots=True)
class Item:
    """A hunk, or a change that is no text (`hunk` None), as it stands to a live text.

    `status` is what to show; `place` is what the text says, also of a rejected one. Lines `[start, end)` of the live
    text are where it lands, where it stands, or what it collides with.
    """

    review: Review
    live: LiveText = field(repr=False)
    hunk: Hunk | None
    status: HunkStatus
    place: HunkStatus
    start: int = 0
    end: int = 0
    reason: str | None = None
    placement: rebase.Placement | None = None

    @property
    def id(self) -> str:
        """The hunk's id, "" for a change that is no text."""
        return self.hunk.id if self.hunk else ""


@dataclass(frozen=True, slots=True)
class PathPlan:
    """What accepting does to one path: replacements of line ranges where the text stays, and what is there then."""

    path: str
    live: LiveText
    edits: tuple[rebase.LineEdit, ...] = ()
    entry: disk.Entry | None = None
    lines: tuple[str, ...] | None = None
    """The text afterwards; None where the file goes or is not text."""
    accepted: int = 0


def _live_on_disk(root: Path, path: str) -> LiveText:
    """The live text of a path that no buffer holds."""
    try:
        entry = disk.read(root, path)
    except ConflictError as error:
        return LiveText(path, None, None, blocked=str(error).removesuffix("; nothing was written."))
    if entry is None or entry.mode == disk.SYMLINK_MODE:
        return LiveText(path, None, entry)
    decoded = text.decode(entry.content)
    if decoded is None:
        return LiveText(path, None, entry)
    return LiveText(path, tuple(text.split_lines(decoded.text)), entry, bom=decoded.bom)


def live_text(root: Path, path: str, buffer: str | None) -> LiveText:
    """The live text of a path, given the buffer of an editor that has it open."""
    on_disk = _live_on_disk(root, path)
    if buffer is None:
        return on_disk
    lines = tuple(text.split_lines(buffer))
    return replace(on_disk, lines=lines, unsaved=on_disk.lines != lines, open=True, compared={})


def judge(review: Review, live: LiveText, rejected: Collection[str] = ()) -> list[Item]:
    """How each hunk of a review stands to a live text. `rejected` holds hunk ids, "" for a change without hunks."""
    items = _judge_hunks(review, live) if review.hunks else []
    if review.whole or review.mode_changes:
        items.append(_judge_whole(review, live))
    return [
        replace(item, status=HunkStatus.REJECTED)
        if (item.hunk.id if item.hunk else "") in rejected and item.place is not HunkStatus.APPLIED
        else item
        for item in items
    ]


_WITHOUT_FILE: Final = {
    ChangeKind.ADDED: (HunkStatus.PENDING, None),
    ChangeKind.DELETED: (HunkStatus.APPLIED, None),
    ChangeKind.MODIFIED: (HunkStatus.CONFLICT, "the file is not there any more"),
}
"""How the hunks of a change stand where there is no file."""


def _judge_hunks(review: Review, live: LiveText) -> list[Item]:
    change = review.change
    end = len(live.lines or ())

    def all_are(status: HunkStatus, reason: str | None = None) -> list[Item]:
        return [Item(review, live, hunk, status, status, 0, end, reason) for hunk in review.hunks]

    if live.blocked is not None:
        return all_are(HunkStatus.CONFLICT, live.blocked)
    if live.missing:
        return all_are(*_WITHOUT_FILE[change.kind])
    if live.lines is None:
        return all_are(HunkStatus.CONFLICT, "the file is not a text file in UTF-8 now")
    if change.kind is not ChangeKind.MODIFIED:
        return all_are(*_whole_text(review, live, live.lines))
    compared = _compare(review, live, live.lines)
    hunks = review.hunks if compared.ends is None else [_with_line_ends(hunk, compared.ends) for hunk in review.hunks]
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
        for placement in rebase.rebase(compared.base, hunks, live.lines, compared.edits)
    ]


def _compare(review: Review, live: LiveText, lines: tuple[str, ...]) -> Compared:
    """The difference of a live text from a snapshot's, which all runs of a task share."""
    found = live.compared.get(review.change.old_object)
    if found is None:
        # An editor may hold the file with another line end than the snapshot had; that is no edit of the person's.
        ends = text.line_end_change(review.base, lines)
        base = text.change_line_ends(review.base, ends)
        found = live.compared[review.change.old_object] = Compared(base, ends, diff.diff_lines(base, lines))
    return found


def _whole_text(review: Review, live: LiveText, lines: tuple[str, ...]) -> tuple[HunkStatus, str | None]:
    """How the text of a file that a run adds or deletes stands to a file that is there."""
    deletes = review.change.kind is ChangeKind.DELETED
    expected = review.base if deletes else review.hunks[0].added
    if list(lines) == text.adapt_line_ends(expected, lines):
        if deletes and live.unsaved:
            # A deletion takes the file, which nobody sees here.
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


def _judge_whole(review: Review, live: LiveText) -> Item:
    change = review.change
    whole = review.whole

    def is_here(mode: int, object_name: str) -> bool:
        if live.entry is None or not mode:
            return live.entry is None and not mode
        return live.entry.mode == mode and (not whole or _same_object(live.entry, object_name))

    place, reason = HunkStatus.CONFLICT, "the file was changed here and can only be taken as a whole"
    if live.blocked is not None:
        reason = live.blocked
    elif is_here(change.new_mode, change.new_object):
        place, reason = HunkStatus.APPLIED, ""
    elif whole and live.unsaved:
        reason = "the file is open with unsaved changes and can only be taken as a whole"
    elif is_here(change.old_mode, change.old_object):
        place, reason = HunkStatus.PENDING, ""
    return Item(review, live, None, place, place, 0, 0, reason or None)


def _same_object(entry: disk.Entry, object_name: str) -> bool:
    """Whether an entry's content is the blob of that name, by git's own way of naming it."""
    digest = hashlib.sha1(usedforsecurity=False) if len(object_name) == 40 else hashlib.sha256()
    digest.update(b"blob %d\0" % len(entry.content))
    digest.update(entry.content)
    return digest.hexdigest() == object_name


def refuse_conflicts(items: Iterable[Item]) -> None:
    """Raise ConflictError naming every item that cannot be placed."""
    complaints = [
        f"{item.review.change.path}{_where(item)}: {item.reason or 'cannot be placed exactly'}"
        for item in items
        if item.place is HunkStatus.CONFLICT
    ]
    if complaints:
        raise ConflictError("Nothing was written, because of a conflict in " + "; ".join(complaints) + ".")


def _where(item: Item) -> str:
    return f":{item.start + 1}" if item.hunk is not None and item.review.change.kind is ChangeKind.MODIFIED else ""


def plan(root: Path, path: str, items: Sequence[Item], reviews: Reviews) -> PathPlan | None:
    """What accepting these items of one path does, or None where all of it is there already.

    Raises ConflictError where any of them cannot be placed exactly.
    """
    disk.safe_place(root, path)
    refuse_conflicts(items)
    wanted = [item for item in items if item.place is HunkStatus.PENDING]
    if not wanted:
        return None
    review, live = wanted[0].review, wanted[0].live
    change = review.change
    if any(item.hunk is None for item in wanted) and review.whole:
        entry = disk.Entry(change.new_mode, reviews.bytes_of(change.new_object)) if change.new_mode else None
        return PathPlan(path, live, entry=entry, accepted=1)
    if change.kind is ChangeKind.DELETED:
        return PathPlan(path, live, accepted=len(wanted))
    mode = live.entry.mode if live.entry else change.new_mode
    if any(item.hunk is None for item in wanted):
        mode = change.new_mode
    placements = [item.placement for item in wanted if item.placement is not None]
    if change.kind is ChangeKind.ADDED:
        edits: tuple[rebase.LineEdit, ...] = ()
        lines = review.hunks[0].added
    else:
        edits = tuple(rebase.text_edits(placements))
        lines = tuple(rebase.accept(live.lines or (), placements))
    content = text.encode(text.Decoded("".join(lines), review.bom if live.missing else live.bom))
    return PathPlan(path, live, edits, disk.Entry(mode, content), lines, len(wanted))
