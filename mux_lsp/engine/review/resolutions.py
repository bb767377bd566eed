"""Find the ways to resolve a change that cannot be placed exactly, without applying any."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mux_lsp.core.conflict import Conflict, conflicts
from mux_lsp.core.model import ChangeKind, HunkStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.placement import Placement
    from mux_lsp.engine.review.hunks import FileDiff
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.live_text import LiveText


class AcceptMode(StrEnum):
    """Way of accepting a change."""

    EXACT = "exact"
    """At the exact place of its lines, or not at all."""
    INSTEAD = "instead"
    """In place of changes of other runs of its task that the live text holds there: these are removed first."""
    TAKE = "take"
    """Also over the person's own text: a stretch in conflict becomes the result's."""
    MARK = "mark"
    """A stretch in conflict becomes both versions, between conflict markers."""


@dataclass(frozen=True, slots=True)
class Resolutions:
    """Ways in which a change in conflict can still be accepted."""

    instead: tuple[Item, ...] = ()
    """Changes of other runs that would be removed; empty if that does not resolve the conflict."""
    take: Conflict | None = None
    """Live lines that would be lost and hunks that would replace them. Both are empty for a change that is not text."""
    mark: bool = False

    @property
    def names(self) -> tuple[AcceptMode, ...]:
        """The available modes, the one that loses least first."""
        found = ((AcceptMode.INSTEAD, self.instead), (AcceptMode.TAKE, self.take), (AcceptMode.MARK, self.mark))
        return tuple(how for how, offered in found if offered)


def available_resolutions(items: Iterable[Item], item: Item) -> Resolutions:
    """Return the ways to resolve an item. `items` are those of all runs of its task on the same live text.

    It is cheap: it compares only the lines of the stretch, or of the file if the change is about all of it.
    """
    if item.text_status is not HunkStatus.CONFLICT or is_unresolvable(item):
        return Resolutions()
    items = list(items)
    out = competing_items(items, [item])
    markable = item.placement is not None or (
        creates(item.review) and item.hunk is not None and item.live.lines is not None
    )
    return Resolutions(out if out and _gives_way(item, out) else (), _stretch(items, item), markable)


def is_unresolvable(item: Item) -> bool:
    """Return whether an item cannot be resolved: no file can be here, or it involves more places than this one."""
    return item.live.blocked is not None or (item.review.renames and item.placement is None)


def creates(review: FileDiff) -> bool:
    """Return whether a change creates a file that the snapshot does not have."""
    return review.change.kind in {ChangeKind.ADDED, ChangeKind.COPIED}


def competing_items(items: Iterable[Item], wanted: Sequence[Item]) -> tuple[Item, ...]:
    """Return the applied changes of other runs at the places of the wanted ones, each once, disjoint in the text."""
    applied = HunkStatus.APPLIED
    rivals: dict[str, Item] = {}
    for item in items:
        if item.text_status is applied:
            rivals.setdefault(_key(item), item)
    held = [item for item in rivals.values() if any(_competes(item, one) for one in wanted)]
    found: list[Item] = []
    for item in sorted(held, key=lambda item: item.start):
        if not found or (item.placement is not None and item.start > found[-1].end):
            found.append(item)
    return tuple(found)


def _competes(held: Item, wanted: Item) -> bool:
    if held.placement is not None and wanted.placement is not None:
        one, other = held.placement.hunk, wanted.placement.hunk
        if one.start > other.end or other.start > one.end:
            return False
    elif any(is_mode(one) or is_unresolvable(one) for one in (held, wanted)):
        # A mode is compatible with any text, and a rename with changes of the text.
        return False
    return (
        held.review.run != wanted.review.run
        and _key(held) != _key(wanted)
        and _snapshot(held) == _snapshot(wanted)
        and held.live.path == wanted.live.path
    )


def _snapshot(item: Item) -> str:
    """Return the blob that the snapshot has at the path of a change, "" for a new file."""
    return "" if creates(item.review) else item.review.change.old_object


def _key(item: Item) -> str:
    return item.id or f"{item.review.change.new_mode:o} {item.review.change.new_object}"


def is_mode(item: Item) -> bool:
    """Return whether an item changes the mode of a file, independently of its text."""
    return item.hunk is None and not item.review.whole and not item.review.renames


def is_at_risk(item: Item) -> bool:
    """Return whether unsaved text of an open document would be lost, since an editor's undo cannot restore it."""
    return item.live.unsaved and (item.review.whole or item.review.change.kind is ChangeKind.DELETED)


def _gives_way(item: Item, out: Sequence[Item]) -> bool:
    """Return whether only these changes of other runs are in the item's way."""
    if is_at_risk(item) or any(is_at_risk(one) for one in out):
        return False
    held = [one.placement for one in out if one.placement is not None]
    if not held:
        return True
    live = item.live
    compared = live.compared[item.review.change.old_object]
    if (placement := item.placement) is None:
        return remove_hunks(live, held) == compared.base
    if any(one.start < placement.start or placement.end < one.end for one in held):
        return False
    before = remove_hunks(live, held, placement.start, placement.end)
    return before == compared.base[placement.base_start : placement.base_end]


def remove_hunks(live: LiveText, held: Iterable[Placement], start: int = 0, end: int | None = None) -> list[str]:
    """Return the live lines `[start, end)` with the hunks that they hold removed again."""
    lines = list((live.lines or ())[start:end])
    for one in sorted(held, key=lambda one: one.start, reverse=True):
        lines[one.start - start : one.end - start] = one.hunk.removed
    return lines


def stretches(items: Iterable[Item], chosen: Sequence[Item]) -> list[Conflict]:
    """Return the stretches where chosen hunks of a run are in conflict, with all its hunks there but rejected ones."""
    run = chosen[0].review.run
    ids = {item.id for item in chosen}
    placements = [
        item.placement
        for item in items
        if item.placement is not None
        and item.review.run == run
        and (item.status is not HunkStatus.REJECTED or item.id in ids)
    ]
    return [one for one in conflicts(placements) if any(hunk.id in ids for hunk in one.hunks)]


def _stretch(items: Iterable[Item], item: Item) -> Conflict | None:
    if item.placement is not None:
        return stretches(items, [item])[0]
    if is_at_risk(item) or is_mode(item):
        return None
    base = 0 if creates(item.review) else len(item.review.base)
    return Conflict(0, len(item.live.lines or ()), 0, base, item.review.hunks)
