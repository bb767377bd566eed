"""Plan the accept of a change in conflict for one path, in another mode than exactly.

The outcome is a plan like that of any accept: replacements of line ranges of the live text, which an editor applies
and can undo, or the resulting file.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mux_lsp.core import diff, text
from mux_lsp.core.conflict import Conflict, result_lines, with_markers
from mux_lsp.core.model import ChangeKind, HunkStatus
from mux_lsp.core.placement import LineEdit
from mux_lsp.engine.review.items import PathPlan, evaluate, plan_path, refuse_conflicts
from mux_lsp.engine.review.live_text import text_of
from mux_lsp.engine.review.resolutions import (
    AcceptMode,
    competing_items,
    creates,
    is_at_risk,
    is_unresolvable,
    remove_hunks,
    stretches,
)
from mux_lsp.engine.working_tree import disk
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mux_lsp.engine.review.hunks import FileDiff, HunkCache
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.live_text import LiveOf, LiveText

MINE = "yours"
BEFORE = "snapshot"
"""Labels of the live text and the snapshot at conflict markers; the result is labelled with its run's id."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Effect of accepting on one path."""

    plan: PathPlan | None
    accepted: frozenset[str]
    """Ids of the hunks that are in the text afterwards; "" stands for a change without hunks."""
    out: tuple[Item, ...] = ()
    """Changes of other runs that are removed from the text."""
    marked: int = 0
    """Number of conflicts that are between markers afterwards."""


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """Items of one run and one path that a person chose, with everything needed to place them."""

    root: Path
    path: str
    items: Sequence[Item]
    """All items of the run at the path."""
    chosen: Sequence[Item]
    rivals: Sequence[Item]
    """Items of its task's runs there; needed for `AcceptMode.INSTEAD` only."""
    live_of: LiveOf
    reviews: HunkCache

    @property
    def colliding(self) -> list[Item]:
        """The chosen items that cannot be placed exactly."""
        return [item for item in self.chosen if item.text_status is HunkStatus.CONFLICT]

    @property
    def exact(self) -> list[Item]:
        """The chosen items that can be placed exactly or are already there."""
        return [item for item in self.chosen if item.text_status is not HunkStatus.CONFLICT]

    def plan(self, items: Sequence[Item]) -> PathPlan | None:
        """Return the plan for accepting these items exactly."""
        return plan_path(self.root, self.path, items, self.reviews)


def resolve(choice: ResolveRequest, how: AcceptMode) -> Resolution:
    """Accept the chosen items. Raises ConflictError if this mode is not possible; nothing is changed then."""
    colliding = choice.colliding
    if not colliding or how is AcceptMode.EXACT:
        return Resolution(choice.plan(choice.chosen), _ids(choice.chosen))
    if any(is_unresolvable(item) for item in colliding):
        refuse_conflicts(choice.chosen)
    if how is AcceptMode.INSTEAD:
        return _switch(choice, colliding)
    if all(item.placement is not None for item in colliding):
        return _at_stretches(choice, colliding, how)
    disk.refuse_unsafe(choice.root, choice.path)
    if how is AcceptMode.MARK:
        return _mark_whole(choice, colliding)
    return _take_whole(choice, colliding)


def _switch(choice: ResolveRequest, colliding: Sequence[Item]) -> Resolution:
    """Remove other runs' changes that are in the way, then place the chosen items exactly."""
    out = competing_items(choice.rivals, colliding)
    _refuse_risk(choice.path, [*colliding, *out])
    if not out:
        refuse_conflicts(choice.chosen)
    live = colliding[0].live
    freed = _text_without(live, out, colliding, choice.reviews)
    ids = _ids(choice.chosen)
    judged = evaluate(colliding[0].review, lambda path: freed if path == live.path else choice.live_of(path))
    planned = choice.plan([item for item in judged if item.id in ids])
    if planned is None:
        # Removing the others is all that is needed.
        planned = PathPlan(live.path, freed, entry=freed.entry, lines=freed.lines)
    planned = replace(planned, live=live, obstacle=planned.obstacle or live.obstacle)
    if planned.entry is None or planned.lines is None:
        return Resolution(planned, ids, out)
    bom = planned.entry.content.startswith(codecs.BOM_UTF8)
    return Resolution(_as_text(planned, colliding[0].review, planned.lines, planned.entry.mode, bom), ids, out)


def _text_without(live: LiveText, out: Sequence[Item], colliding: Sequence[Item], reviews: HunkCache) -> LiveText:
    """Return the live text without the removed changes."""
    change = out[0].review.change
    held = [item.placement for item in out if item.placement is not None]
    if held:
        lines = remove_hunks(live, held)
        stay = all(item.placement is not None for item in colliding)
        if stay or lines != live.compared[change.old_object].base:
            return replace(live, lines=tuple(lines), compared={})
    # Changes of a whole file need the snapshot's file.
    entry = None if creates(out[0].review) else disk.Entry(change.old_mode, reviews.bytes_of(change.old_object))
    return text_of(live.path, entry)


def _at_stretches(choice: ResolveRequest, colliding: Sequence[Item], how: AcceptMode) -> Resolution:
    """Place what can be placed exactly, and in conflicts put the result's lines or both versions between markers."""
    live, found = colliding[0].live, colliding[0].review
    base = live.compared[found.change.old_object].base
    exact = choice.exact
    pieces = [
        (item.start, item.end, item.hunk.added)
        for item in exact
        if item.hunk is not None and item.text_status is HunkStatus.PENDING
    ]
    places = stretches(choice.items, colliding)
    for one in places:
        lines = (
            result_lines(base, one)
            if how is AcceptMode.TAKE
            else with_markers(base, live.lines or (), one, _names(found.run))
        )
        pieces.append((one.start, one.end, lines))
    after = list(live.lines or ())
    for start, end, lines in sorted(pieces, reverse=True):
        after[start:end] = lines
    planned = choice.plan(exact) or PathPlan(live.path, live)
    taken = frozenset(hunk.id for one in places for hunk in one.hunks) if how is AcceptMode.TAKE else frozenset()
    planned = replace(planned, accepted=planned.accepted + len(taken))
    mode = planned.entry.mode if planned.entry else live.entry.mode if live.entry else found.change.new_mode
    return Resolution(
        _as_text(planned, found, after, mode, live.bom),
        _ids(exact) | taken,
        marked=len(places) if how is AcceptMode.MARK else 0,
    )


def _mark_whole(choice: ResolveRequest, colliding: Sequence[Item]) -> Resolution:
    """Mark a text that a run creates against the one that was created here."""
    live, found = colliding[0].live, colliding[0].review
    if not creates(found) or found.whole or live.lines is None:
        raise ConflictError(
            f"Nothing was written: {choice.path} cannot hold both sides between conflict markers, since one is no text."
        )
    hunks = tuple(replace(hunk, added=tuple(text.adapt_line_ends(hunk.added, live.lines))) for hunk in found.hunks)
    lines = with_markers((), live.lines, Conflict(0, len(live.lines), 0, 0, hunks), _names(found.run))
    mode = live.entry.mode if live.entry else found.change.new_mode
    return Resolution(_as_text(PathPlan(live.path, live), found, lines, mode, live.bom), _ids(choice.exact), marked=1)


def _take_whole(choice: ResolveRequest, colliding: Sequence[Item]) -> Resolution:
    """Replace the current file by the run's file, or remove it if the run deletes it."""
    live, found = colliding[0].live, colliding[0].review
    change = found.change
    _refuse_risk(choice.path, colliding)
    ids = _ids(choice.chosen)
    hunks = [item.hunk for item in choice.chosen if item.hunk is not None]
    planned = PathPlan(choice.path, live, accepted=len(ids), obstacle=live.obstacle)
    if found.whole:
        entry = disk.Entry(change.new_mode, choice.reviews.bytes_of(change.new_object)) if change.new_mode else None
        return Resolution(replace(planned, entry=entry), ids)
    if not hunks or any(item.placement is not None for item in choice.chosen):
        # There is no such file that the mode could apply to.
        refuse_conflicts(choice.chosen)
    if change.kind is ChangeKind.DELETED:
        return Resolution(planned, ids)
    lines = hunks[0].added if creates(found) else diff.apply(found.base, hunks)
    return Resolution(_as_text(planned, found, lines, change.new_mode, found.bom), ids)


def _as_text(planned: PathPlan, found: FileDiff, lines: Sequence[str], mode: int, bom: bool) -> PathPlan | None:
    """Return the plan that turns its live text into these lines, or None if nothing changes."""
    live = planned.live
    edits: tuple[LineEdit, ...] = ()
    if live.lines is not None and bom == live.bom:
        if creates(found):
            # The editor's choice of line ends is not an edit by the person.
            lines = text.adapt_line_ends(lines, live.lines)
        edits = tuple(
            LineEdit(edit.start, edit.end, "".join(lines[edit.new_start : edit.new_end]))
            for edit in diff.diff_lines(live.lines, lines)
        )
        if not edits and planned.old_path is None and live.entry is not None and live.entry.mode == mode:
            return None
    after = text.Decoded("".join(lines), bom)
    # As in an exact accept: only the editor writes unsaved text.
    content = after.text.encode("utf-8", "surrogatepass") if live.unsaved else text.encode(after)
    return replace(planned, edits=edits, entry=disk.Entry(mode, content), lines=tuple(lines))


def _refuse_risk(path: str, items: Sequence[Item]) -> None:
    if any(is_at_risk(item) for item in items):
        raise ConflictError(
            f"{path} is open with unsaved changes that would be lost: save it first. Nothing was written."
        )


def _ids(items: Sequence[Item]) -> frozenset[str]:
    return frozenset(item.id for item in items)


def _names(run: str) -> tuple[str, str, str]:
    return MINE, BEFORE, run
