"""Build the review of one open document: its places, and at each place the variants and the one that is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from lsprotocol import types

from mux_lsp.core import text, variants
from mux_lsp.core.ids import task_of
from mux_lsp.core.model import ChangeKind, HunkStatus
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review.resolutions import Resolutions, available_resolutions
from mux_lsp.lsp.wire import convert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mux_lsp.core.model import Task
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.live_text import LiveText

    RangeOf = Callable[[Item], types.Range]

WHOLE_FILE_LINE: Final = -1
"""The line of the snapshot for the place of changes without hunks: before all others."""

MAX_NAMES: Final = 5
"""Maximum number of agreeing runs that are named."""

_LEADING: Final = (HunkStatus.APPLIED, HunkStatus.PENDING, HunkStatus.CONFLICT, HunkStatus.REJECTED)
"""Order of statuses, by which a variant takes the status of one of its runs if they differ."""

_SHOWN: Final = (HunkStatus.PENDING, HunkStatus.APPLIED, HunkStatus.CONFLICT, HunkStatus.REJECTED)
"""Order of statuses, by which a place shows a variant if nobody has selected one."""


@dataclass(frozen=True, slots=True)
class ReviewVariant:
    """One change that one or several runs make, with its status on the text."""

    item: Item
    """The change of the run that represents the variant."""
    runs: tuple[str, ...]
    """The runs that share it, best first, without those for which it was rejected."""
    agreed: int
    """Number of runs that share it, with those for which it was rejected."""
    total: int
    """Number of runs of the task that have changed something."""
    range: types.Range

    @property
    def run(self) -> str:
        """The run that represents the variant."""
        return self.runs[0]

    @property
    def hunk_id(self) -> str | None:
        """The id that the runs' hunks share; None for a change without hunks."""
        return self.item.hunk.id if self.item.hunk else None

    @property
    def status(self) -> HunkStatus:
        """Its status on the text."""
        return self.item.status

    @property
    def path(self) -> str:
        """The path of the changed file, as sent to clients."""
        return text.shown_path(self.item.review.change.path)

    @property
    def what(self) -> str:
        """A summary in a few characters: lines added and removed, or `delete the file` and the like."""
        change = self.item.review.change
        if change.kind is ChangeKind.COPIED:
            return f"copy of {one_line(change.old_path or change.path)}"
        if self.item.hunk is not None:
            if change.kind is ChangeKind.DELETED:
                return "delete the file"
            return f"+{len(self.item.hunk.added)} −{len(self.item.hunk.removed)}"  # noqa: RUF001  a minus sign
        if self.item.review.renames:
            return f"rename to {one_line(change.path)}"
        return "whole file" if self.item.review.whole else "file mode"

    @property
    def agreement(self) -> str:
        """The number of agreeing runs out of all, in words; "" if there is only one run."""
        return f"{self.agreed}/{self.total} agree" if self.total > 1 else ""

    @property
    def who(self) -> str:
        """The run that represents the variant, with the agreement."""
        return f"{self.run} ({self.agreement})" if self.agreement else self.run

    @property
    def reason(self) -> str:
        """The reason for the conflict, in words."""
        return one_line(self.item.reason or "cannot be placed exactly")


@dataclass(frozen=True, slots=True)
class VariantSelection:
    """The variant that a person wants to see at a place. It stays valid while the text and the results change.

    `line` is a line of the snapshot.
    """

    task: str
    line: int
    run: str
    hunk: str | None


@dataclass(frozen=True, slots=True)
class ReviewPlace:
    """A place where changes of one task compete, with the variant that is shown.

    `start` and `end` are lines of the snapshot, so that they stay valid while the text changes.
    """

    task: str
    start: int
    end: int
    variants: tuple[ReviewVariant, ...]
    """The variants, best first."""
    shown: ReviewVariant

    @property
    def is_open(self) -> bool:
        """True if there is something to decide: once a variant is applied, there is nothing to add."""
        return self.shown.status in {HunkStatus.PENDING, HunkStatus.CONFLICT}

    @property
    def open_variants(self) -> tuple[ReviewVariant, ...]:
        """The variants to select from, best first; empty if the place is settled."""
        applied = any(variant.status is HunkStatus.APPLIED for variant in self.variants)
        wanted = {HunkStatus.PENDING} if applied else {HunkStatus.PENDING, HunkStatus.CONFLICT}
        return tuple(variant for variant in self.variants if variant.status in wanted)

    @property
    def others(self) -> tuple[ReviewVariant, ...]:
        """The variants that could replace the one that is applied here."""
        if not any(variant.status is HunkStatus.APPLIED for variant in self.variants):
            return ()
        return tuple(variant for variant in self.variants if variant.status is HunkStatus.CONFLICT)

    @property
    def in_order(self) -> tuple[ReviewVariant, ...]:
        """The open variants with the shown one first."""
        return (
            (self.shown, *(variant for variant in self.open_variants if variant is not self.shown))
            if self.is_open
            else ()
        )

    def next(self, step: int = 1) -> ReviewVariant:
        """Return the open variant `step` positions after the shown one, wrapping around at the end."""
        choice = self.open_variants
        return choice[(choice.index(self.shown) + step) % len(choice)] if self.shown in choice else self.shown

    def choice_of(self, variant: ReviewVariant) -> VariantSelection:
        """Return the selection that shows a variant here."""
        line = variant.item.hunk.start if variant.item.hunk else WHOLE_FILE_LINE
        return VariantSelection(self.task, line, variant.run, variant.hunk_id)


class Located(NamedTuple):
    """A variant at its place."""

    place: ReviewPlace
    variant: ReviewVariant


@dataclass(frozen=True, slots=True)
class Buffer:
    """An open document at one version."""

    uri: str
    version: int
    live: LiveText


@dataclass(frozen=True, slots=True)
class DocumentReview:
    """All places of a document at one version of its text, in the order of the text."""

    buffer: Buffer
    places: tuple[ReviewPlace, ...]
    items: tuple[Item, ...]
    """The items from which the places are built."""
    tasks: Mapping[str, Task]
    """The tasks of the places, by id."""

    def waiting(self) -> list[ReviewPlace]:
        """Return the open places."""
        return [place for place in self.places if place.is_open]

    def at(self, range_: types.Range) -> list[ReviewPlace]:
        """Return the places that a range touches and at which there is something to do."""
        return [
            place
            for place in self.places
            if any(self.touched(variant.range, range_) for variant in (place.open_variants or (place.shown,)))
            and (place.is_open or place.others)
        ]

    def touched(self, place: types.Range, range_: types.Range) -> bool:
        """Return whether a range touches another, or the line from which that one is reached."""
        return touches(place, range_) or touches(self.reach(place), range_)

    def reach(self, range_: types.Range) -> types.Range:
        """Return the range from which another is reached. A range after the last line is reached from that line,
        because not every cursor can move further."""
        last = max(0, len(self.buffer.live.lines or ()) - 1)
        if range_.start.line <= last:
            return range_
        return types.Range(types.Position(last, 0), types.Position(last, 0))

    def find(self, run: str, hunk: str | None) -> Located | None:
        """Return the place and variant of a run's hunk, or of its change without hunks."""
        return next(
            (
                Located(place, variant)
                for place in self.places
                for variant in place.variants
                if variant.hunk_id == hunk and run in variant.runs
            ),
            None,
        )

    def offers(self, variant: ReviewVariant) -> Resolutions:
        """Return the resolutions of a variant in conflict."""
        task = task_of(variant.item.review.run)
        return available_resolutions((item for item in self.items if task_of(item.review.run) == task), variant.item)

    def showing(self, choices: Iterable[VariantSelection]) -> DocumentReview:
        """Return the same review with these variants shown; the last selection for a place wins."""
        return replace(self, places=tuple(_showing(place, choices) for place in self.places))


def view(
    buffer: Buffer, items: Iterable[Item], tasks: Mapping[str, Task], encoding: text.PositionEncoding
) -> DocumentReview:
    """Group what the runs change at one place, separately for each task. `items` are in the order of the runs."""
    items = tuple(items)
    alike: dict[tuple[str, str, bool], list[Item]] = {}
    for item in items:
        change = item.review.change
        # Deleting a file competes with every change of it and is one decision. It must not merge the other places.
        key = (task_of(item.review.run), change.old_object, change.kind is ChangeKind.DELETED)
        alike.setdefault(key, []).append(item)
    made: list[ReviewPlace] = []
    ranges: dict[tuple[int, int], types.Range] = {}

    def range_of(item: Item) -> types.Range:
        # Cached, because many variants are at the same place.
        span = item.start, item.end
        found = ranges.get(span)
        if found is None:
            found = ranges[span] = convert.item_range(item, encoding)
        return found

    for (task, *_), group in alike.items():
        of = sum(bool(run.files) for run in tasks[task].active_runs)
        made += _whole_places(task, [item for item in group if item.hunk is None], of, range_of)
        made += _hunk_places(task, [item for item in group if item.hunk is not None], of, range_of)
    made.sort(key=lambda place: place.shown.item.start)
    return DocumentReview(buffer, tuple(made), items, tasks)


def _hunk_places(task: str, items: Sequence[Item], of: int, range_of: RangeOf) -> Iterator[ReviewPlace]:
    by_run: dict[str, dict[str, Item]] = {}
    for item in items:
        by_run.setdefault(item.review.run, {})[item.id] = item
    hunks = {run: [item.hunk for item in own.values() if item.hunk] for run, own in by_run.items()}
    for place in variants.places(hunks, of):
        here = [
            _variant([by_run[run][variant.hunk.id] for run in variant.runs], of, range_of) for variant in place.variants
        ]
        yield ReviewPlace(task, place.start, place.end, tuple(here), _best(here))


def _whole_places(task: str, items: Sequence[Item], of: int, range_of: RangeOf) -> Iterator[ReviewPlace]:
    """Yield the one place of the changes without hunks, if any, the change of the most runs first."""
    same: dict[tuple[int, str, str], list[Item]] = {}
    for item in items:
        change = item.review.change
        content = change.new_object if item.review.whole else ""
        same.setdefault((change.new_mode, content, change.path), []).append(item)
    here = sorted((_variant(group, of, range_of) for group in same.values()), key=lambda variant: -variant.agreed)
    if here:
        yield ReviewPlace(task, WHOLE_FILE_LINE, WHOLE_FILE_LINE, tuple(here), _best(here))


def _variant(items: Sequence[Item], of: int, range_of: RangeOf) -> ReviewVariant:
    lead = min(items, key=lambda item: _LEADING.index(item.status))
    runs = [item.review.run for item in items if item.status is lead.status]
    runs += [item.review.run for item in items if item.status not in {lead.status, HunkStatus.REJECTED}]
    return ReviewVariant(lead, tuple(runs), len(items), of, range_of(lead))


def _best(here: Sequence[ReviewVariant]) -> ReviewVariant:
    return min(here, key=lambda variant: _SHOWN.index(variant.status))


def _showing(place: ReviewPlace, choices: Iterable[VariantSelection]) -> ReviewPlace:
    chosen = _best(place.variants)
    for choice in choices:
        if is_for(choice, place):
            # The same change; or, if its agent has changed it meanwhile, that run's current change here.
            exact = [one for one in place.open_variants if one.hunk_id == choice.hunk]
            near = [one for one in place.open_variants if choice.run in one.runs]
            chosen = next(iter([*exact, *near]), chosen)
    return replace(place, shown=chosen)


def is_for(choice: VariantSelection, place: ReviewPlace) -> bool:
    """Return whether a selection was made at this place."""
    return choice.task == place.task and place.start <= choice.line <= place.end


def touches(one: types.Range, other: types.Range) -> bool:
    """Return whether two ranges have a line in common. A range that ends at the start of a line excludes it."""
    return one.start.line <= last_line(other) and other.start.line <= last_line(one)


def last_line(range_: types.Range) -> int:
    """Return the last line that a range includes."""
    return range_.end.line - (1 if range_.end.character == 0 and range_.end.line > range_.start.line else 0)


def one_line(words: str) -> str:
    """Return words of any origin, made harmless to show in one line."""
    return " ".join(printable(text.shown_path(words)).split())
