"""What became part of a person's text: noticed in the texts of clients, told by commands that accept, and journalled.

Most of it is noticed and not told: an edit that an editor had resolved is applied without a word to us. So consecutive
looks at one open document are compared in what they said of each hunk. What is found must be true whatever else goes
on: results change while agents work, several runs have equal hunks, several clients have the same file open.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp.core.history import Acceptance, Cause, ChangeKey, Text, context, extract
from mux_lsp.core.ids import task_of
from mux_lsp.core.model import HunkStatus
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.store import acceptances
from mux_lsp.store.acceptances import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mux_lsp.core.model import FileChange, Run, Task
    from mux_lsp.engine.review.hunks import HunkCache
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.select import Selection
    from mux_lsp.store.acceptances import Row
    from mux_lsp.store.journal import Journal

log = logging.getLogger(__name__)

OFFERS: Final = 1000
"""How many hunks whose edits a client has asked for are remembered, the last ones."""

COMPARED: Final = 1000
"""In how many files of other runs agreement is looked for hunk by hunk; in more, only where the whole file is equal."""


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
    task = task_of(item.review.run)
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


class LinePlace(NamedTuple):
    """Where a hunk's lines came to stand: the file, the first line, and all lines of the text."""

    path: str
    start: int
    lines: Sequence[str]


class Author(NamedTuple):
    """Whose doing it was."""

    client: str
    run: str
    cause: Cause


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


class History:
    """The one that journals what was accepted. A failure to do so is logged and disturbs nobody."""

    def __init__(self, journal: Journal, task: Callable[[str], Task], run: Callable[[str], Run]) -> None:
        self._journal = journal
        self._task = task
        self._run = run
        self._person = _person()
        self._watches: list[ClientObserver] = []
        self._deciding: dict[ChangeKey, tuple[str, str]] = {}
        """Hunks that a command is about to bring into a text: the client that asked, and the run."""

    def join(self, watch: ClientObserver) -> Callable[[], None]:
        """Take a client's texts into account from now on. Returns what ends it."""
        self._watches.append(watch)
        return lambda: self._watches.remove(watch)

    def read(self, file: Path | None = None, root: Path | None = None) -> Iterator[Acceptance]:
        """What was accepted, newest first: in one file, in one repository, or all. For use in any thread.

        Raises MuxError where it cannot be read.
        """
        places: list[tuple[str, str | None]] | None = None
        if file is not None:
            # Of which repository it was when it was accepted, no repository of today need tell.
            places = [(str(folder), file.relative_to(folder).as_posix()) for folder in file.parents]
        elif root is not None:
            places = [(str(root), None)]
        return acceptances.read(self._journal.path, places)

    @contextlib.contextmanager
    def deciding(self, selection: Selection, client: str) -> Iterator[None]:
        """While a command brings a selection into texts: whichever of them is seen to have it, whose doing it is."""
        keys = {key_of(item): (client, selection.run.id) for item in selection.placed}
        self._deciding |= keys
        try:
            yield
        finally:
            for key in keys:
                self._deciding.pop(key, None)

    def prepare(self, selection: Selection, reviews: HunkCache, client: str) -> dict[ChangeKey, Row]:
        """What a command's selection is to be noted as, once it is in the texts. Slow: for a thread."""
        agreed = agreement(selection, self._task(selection.run.task), reviews)
        texts = {path: Text(plan.lines or ()).lines for plan in selection.plans for path in plan.paths}
        names = {path: plan.path for plan in selection.plans for path in plan.paths}
        who = Author(client, selection.run.id, Cause.ACCEPT)
        shifts: dict[str, int] = {}
        rows: dict[ChangeKey, Row] = {}
        for item in sorted(selection.placed, key=lambda item: item.start):
            path, key = item.live.path, key_of(item)
            place = LinePlace(names.get(path, path), item.start + shifts.get(path, 0), texts.get(path, ()))
            if item.hunk is not None:
                shifts[path] = shifts.get(path, 0) + len(item.hunk.added) - len(item.hunk.removed)
            rows[key] = row(self._acceptance(item, key, place, who, agreed.get(key, ())))
        return rows

    def settled(
        self, selection: Selection, prepared: Iterable[tuple[ChangeKey, Row]]
    ) -> tuple[list[Row], list[ChangeKey]]:
        """What to put on record of a selection that a command has brought into texts or to the disk.

        That is what no text has shown yet, and the changes whose acceptance stands no more. Within `deciding`, of which
        it is the end: a text that shows a change from now on shows what is on record already.
        """
        rows = {key: one for key, one in prepared if self._deciding.pop(key, None) is not None}
        # These were not in the text. An acceptance that stands and that no open text bears out was lost on the way.
        lost = [*rows, *map(key_of, selection.displaced)]
        return list(rows.values()), [key for key in lost if not self._holds(key)]

    def observe(self, watch: ClientObserver, seen: DocumentObservations, now: PresenceMap) -> None:
        """A client's text was looked at."""
        come, gone = seen.next(now)
        withdrawn = [key for key in gone if not self._holds(key, seen)]
        found = []
        for key, standing in come:
            item = standing.item
            who = Author(watch.client, item.review.run, Cause.TEXT)
            if decided := self._deciding.pop(key, None):
                who = Author(*decided, Cause.ACCEPT)
            elif offered := watch.offered(key):
                who = Author(watch.client, offered, Cause.ACCEPT)
            place = LinePlace(item.live.path, item.start, item.live.lines or ())
            with contextlib.suppress(UsageError):  # a run that was deleted meanwhile
                others = [run for run in standing.runs if run != who.run]
                found.append(row(self._acceptance(item, key, place, who, others)))
            if who.cause is Cause.ACCEPT and not self._holds(key, seen):
                withdrawn.append(key)
        self._record(found, withdrawn)

    def _holds(self, key: ChangeKey, but: DocumentObservations | None = None) -> bool:
        return any(watch.holds(key, but) for watch in self._watches)

    def _acceptance(
        self, item: Item, key: ChangeKey, place: LinePlace, who: Author, agreed: Sequence[str]
    ) -> Acceptance:
        run = self._run(who.run)
        task = self._task(run.task)
        removed, added = (item.hunk.removed, item.hunk.added) if item.hunk else ((), ())
        before, after = context(place.lines, place.start, place.start + len(added))
        return Acceptance(
            repository=task.repository,
            task=task.id,
            run=run.id,
            agent=run.agent,
            model=run.model,
            prompt=task.prompt,
            message=run.message,
            path=place.path,
            origin=key.origin,
            hunk=item.id or None,
            change=key.change,
            cause=who.cause,
            client=who.client,
            person=self._person,
            line=place.start,
            removed=extract(removed),
            added=extract(added),
            before=before,
            after=after,
            agreed=tuple(agreed),
            total=sum(bool(one.files) for one in task.active_runs),
        )

    def _record(self, accepted: list[Row], withdrawn: list[ChangeKey]) -> None:
        if not accepted and not withdrawn:
            return
        try:
            self._journal.record(accepted, withdrawn)
        except MuxError as error:
            log.error("what was accepted could not be noted: %s", error)


def agreement(selection: Selection, task: Task, reviews: HunkCache) -> dict[ChangeKey, list[str]]:
    """By change, the other runs of the task that make it too, but for those thrown away. Slow: for a thread."""
    by_path: dict[str, list[Item]] = {}
    for item in selection.placed:
        by_path.setdefault(item.review.change.base_path, []).append(item)
    agreed: dict[ChangeKey, list[str]] = {}
    compared = 0
    for run in task.active_runs:
        if run.id == selection.run.id:
            continue
        for change in run.files:
            items = by_path.get(change.base_path)
            if not items:
                continue
            own = items[0].review.change
            if (change.path, change.new_mode, change.new_object) == (own.path, own.new_mode, own.new_object):
                made = {key_of(item) for item in items}
            elif compared < COMPARED:
                compared += 1
                made = {ChangeKey(task.id, change.base_path, hunk.id) for hunk in reviews.of(run, change).hunks}
            else:
                continue
            for item in items:
                if (key := key_of(item)) in made:
                    agreed.setdefault(key, []).append(run.id)
    return agreed


def _person() -> str:
    """The name of the user that we run as, as the machine has it."""
    try:
        import pwd
    except ImportError:
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
