"""Compare consecutive observations of a client's texts: which hunks have appeared, and which have disappeared."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp.core.history import ChangeKey
from mux_lsp.core.model import HunkStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mux_lsp.core.model import FileChange
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.selection import Selection

OFFERS: Final = 1000
"""Maximum number of hunks remembered whose edits a client has asked for: the last ones."""


class RunPresence(NamedTuple):
    """Status of one run's hunk in a text, and the file change that it was part of."""

    place: HunkStatus
    change: FileChange


@dataclass(frozen=True, slots=True)
class HunkPresence:
    """Status in a text of a hunk that runs of a task share, by run."""

    item: Item
    """Item of the first run whose hunk is applied, or else of the first run."""
    runs: Mapping[str, RunPresence]

    def is_now(self, place: HunkStatus) -> bool:
        """Return whether the hunk has this status for any run."""
        return any(stand.place is place for stand in self.runs.values())


PresenceMap = dict[ChangeKey, HunkPresence]
"""Result of one observation of a document."""


def presence_of(items: Iterable[Item]) -> PresenceMap:
    """Return the presence of all runs' hunks in a text, with equal hunks grouped."""
    grouped: dict[ChangeKey, list[Item]] = {}
    # Computed once per run: a text with fifty runs has thousands of hunks, and is observed at each keystroke.
    about: dict[int, tuple[str, str]] = {}
    for item in items:
        review = item.review
        if item.hunk is None:
            key = key_of(item)
        elif known := about.get(id(review)):
            key = ChangeKey(*known, item.hunk.id)
        else:
            key = key_of(item)
            about[id(review)] = key.task, key.origin
        grouped.setdefault(key, []).append(item)
    return {
        key: HunkPresence(
            next((item for item in same if item.text_status is HunkStatus.APPLIED), same[0]),
            {item.review.run: RunPresence(item.text_status, item.review.change) for item in same},
        )
        for key, same in grouped.items()
    }


def key_of(item: Item) -> ChangeKey:
    """Return the key of an item's change, which is equal for all runs that make the change."""
    change = item.review.change
    task = item.review.run.rpartition("-")[0]
    if item.hunk is not None:
        return ChangeKey(task, change.base_path, item.hunk.id)
    return ChangeKey(task, change.path, f"{change.new_mode:o} {change.new_object}")


def appeared(before: HunkPresence, now: HunkPresence) -> bool:
    """Return whether a hunk came into the text between two observations."""
    if before.is_now(HunkStatus.APPLIED) or not now.is_now(HunkStatus.APPLIED):
        return False
    # For one and the same result, only the text can have made the difference.
    if any(
        stand.place is HunkStatus.APPLIED and (was := before.runs.get(run)) and was.change == stand.change
        for run, stand in now.runs.items()
    ):
        return True
    # For another result, its other hunks may read the text differently, but not if the base's lines were here.
    return before.is_now(HunkStatus.PENDING) and before.item.live.lines != now.item.live.lines


def disappeared(before: HunkPresence, now: HunkPresence) -> bool:
    """Return whether the text has the base's lines again in place of others: for a hunk that it once had, an undo."""
    if now.is_now(HunkStatus.APPLIED) or not now.is_now(HunkStatus.PENDING):
        return False
    if any(
        stand.place is HunkStatus.PENDING
        and (was := before.runs.get(run))
        and was.change == stand.change
        and was.place is not HunkStatus.PENDING
        for run, stand in now.runs.items()
    ):
        return True
    return before.item.live.lines != now.item.live.lines


def displaced(held: HunkPresence, come: HunkPresence) -> bool:
    """Return whether a hunk that the text had must be gone, because another one has come to its place."""
    if held.is_now(HunkStatus.APPLIED):
        return False
    one, other = held.item, come.item
    if one.review.change.base_path != other.review.change.base_path:
        return False
    if one.hunk is None or other.hunk is None:
        return one.hunk is other.hunk
    return one.hunk.start <= other.hunk.end and other.hunk.start <= one.hunk.end


class DocumentObservations:
    """Observations of one document in a client, from its opening on."""

    def __init__(self) -> None:
        self.last: PresenceMap = {}
        self.held: set[ChangeKey] = set()
        """Hunks that the text has had, and whose lines have not been the base's again since."""

    def next(self, now: PresenceMap) -> tuple[list[tuple[ChangeKey, HunkPresence]], list[ChangeKey]]:
        """Return the hunks that came into the text since the last observation, and the keys of those that left it."""
        before, self.last = self.last, now
        known = [(key, before[key], standing) for key, standing in now.items() if key in before]
        # A hunk that was changed and restored has not come again.
        come = [(key, standing) for key, was, standing in known if key not in self.held and appeared(was, standing)]
        gone = []
        for key, was, standing in known:
            if key in self.held and (
                disappeared(was, standing)
                or any(key.task == other.task and displaced(standing, one) for other, one in come)
            ):
                gone.append(key)
        self.held = {
            key
            for key, standing in now.items()
            if standing.is_now(HunkStatus.APPLIED) or (key in self.held and key in before and key not in gone)
        }
        return come, gone


class ClientObserver:
    """Observations of one client's texts."""

    def __init__(self, client: Callable[[], str]) -> None:
        """Observe a client. `client` returns the client's name."""
        self._client = client
        self._seen: dict[str, DocumentObservations] = {}
        self._offers: OrderedDict[ChangeKey, str] = OrderedDict()

    def of(self, uri: str) -> DocumentObservations:
        """Return the observations of a document. Call it before reading the text: the document may be reopened."""
        return self._seen.setdefault(uri, DocumentObservations())

    def offer(self, selection: Selection) -> None:
        """Remember that the client has asked for the edit of these hunks. It may apply, undo and redo it, or not."""
        for item in selection.placed:
            key = key_of(item)
            self._offers[key] = selection.run.id
            self._offers.move_to_end(key)
        while len(self._offers) > OFFERS:
            self._offers.popitem(last=False)

    def offered(self, key: ChangeKey) -> str | None:
        """Return the run whose hunk the client has asked an edit for, or None."""
        return self._offers.get(key)

    def awaits(self, uri: str) -> bool:
        """Return whether an edit was offered for a document that its text did not have at the last observation."""
        seen = self._seen.get(uri)
        return seen is not None and any(key in self._offers and key not in seen.held for key in seen.last)

    def close(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._seen.pop(uri, None)

    def holds(self, key: ChangeKey, but: DocumentObservations | None = None) -> bool:
        """Return whether an open document, except `but`, had a hunk at the last observation."""
        return any(key in seen.held for seen in self._seen.values() if seen is not but)

    @property
    def client(self) -> str:
        """The client's name."""
        return self._client()
