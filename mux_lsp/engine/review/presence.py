"""Compare what consecutive looks at a client's texts say of each hunk: which have come, and which have gone."""

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
"""How many hunks whose edits a client has asked for are remembered, the last ones."""


class RunPresence(NamedTuple):
    """How a hunk of one run stands to a text, and which result it was of."""

    place: HunkStatus
    change: FileChange


@dataclass(frozen=True, slots=True)
class HunkPresence:
    """How a hunk that runs of a task share stands to a text, by run."""

    item: Item
    """That of the first run by which the text has it, or else of the first run."""
    runs: Mapping[str, RunPresence]

    def is_now(self, place: HunkStatus) -> bool:
        """Whether any run says so."""
        return any(stand.place is place for stand in self.runs.values())


PresenceMap = dict[ChangeKey, HunkPresence]
"""What one look at a document said."""


def presence_of(items: Iterable[Item]) -> PresenceMap:
    """How the hunks of all runs stand to a text, equal ones together."""
    grouped: dict[ChangeKey, list[Item]] = {}
    # Once for all hunks of a run: a text with fifty runs has thousands of them, and is looked at with every key.
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
    """Which change it is, whichever run's."""
    change = item.review.change
    task = item.review.run.rpartition("-")[0]
    if item.hunk is not None:
        return ChangeKey(task, change.base_path, item.hunk.id)
    return ChangeKey(task, change.path, f"{change.new_mode:o} {change.new_object}")


def appeared(before: HunkPresence, now: HunkPresence) -> bool:
    """Whether the text has got a hunk between two looks."""
    if before.is_now(HunkStatus.APPLIED) or not now.is_now(HunkStatus.APPLIED):
        return False
    # By one and the same result, only the text can have made the difference.
    if any(
        stand.place is HunkStatus.APPLIED and (was := before.runs.get(run)) and was.change == stand.change
        for run, stand in now.runs.items()
    ):
        return True
    # By another one it can be its other hunks that read the text differently, but not where the base's lines stood.
    return before.is_now(HunkStatus.PENDING) and before.item.live.lines != now.item.live.lines


def disappeared(before: HunkPresence, now: HunkPresence) -> bool:
    """Whether the text has the base's lines again where it had something else: for a hunk that it once had, an undo."""
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
    """Whether a hunk that the text had cannot be there any more, since another one has come to its place."""
    if held.is_now(HunkStatus.APPLIED):
        return False
    one, other = held.item, come.item
    if one.review.change.base_path != other.review.change.base_path:
        return False
    if one.hunk is None or other.hunk is None:
        return one.hunk is other.hunk
    return one.hunk.start <= other.hunk.end and other.hunk.start <= one.hunk.end


class DocumentObservations:
    """What a client's text of one document has said so far, from its opening on."""

    def __init__(self) -> None:
        self.last: PresenceMap = {}
        self.held: set[ChangeKey] = set()
        """Hunks that the text has had, and whose lines were not the base's again since."""

    def next(self, now: PresenceMap) -> tuple[list[tuple[ChangeKey, HunkPresence]], list[ChangeKey]]:
        """What has come into the text since the last look, and which hunks have gone out of it."""
        before, self.last = self.last, now
        known = [(key, before[key], standing) for key, standing in now.items() if key in before]
        # What was changed and is as it was again has not come anew.
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
    """What one client's texts say."""

    def __init__(self, client: Callable[[], str]) -> None:
        """`client` gives the client's name."""
        self._client = client
        self._seen: dict[str, DocumentObservations] = {}
        self._offers: OrderedDict[ChangeKey, str] = OrderedDict()

    def of(self, uri: str) -> DocumentObservations:
        """What a document has said. To be asked for before a look at it: it may be closed and opened anew meanwhile."""
        return self._seen.setdefault(uri, DocumentObservations())

    def offer(self, selection: Selection) -> None:
        """The client has asked for the edit of these hunks. It will apply it, or not; an undo and a redo come too."""
        for item in selection.placed:
            key = key_of(item)
            self._offers[key] = selection.run.id
            self._offers.move_to_end(key)
        while len(self._offers) > OFFERS:
            self._offers.popitem(last=False)

    def offered(self, key: ChangeKey) -> str | None:
        """The run whose hunk's edit the client has asked for."""
        return self._offers.get(key)

    def awaits(self, uri: str) -> bool:
        """Whether there was such an edit for a document, and at the last look its text had not got it yet."""
        seen = self._seen.get(uri)
        return seen is not None and any(key in self._offers and key not in seen.held for key in seen.last)

    def close(self, uri: str) -> None:
        """A document was closed."""
        self._seen.pop(uri, None)

    def holds(self, key: ChangeKey, but: DocumentObservations | None = None) -> bool:
        """Whether an open document (but one) has had a hunk at the last look."""
        return any(key in seen.held for seen in self._seen.values() if seen is not but)

    @property
    def client(self) -> str:
        """The client's name."""
        return self._client()
