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
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp.core.history import Acceptance, Cause, ChangeKey, Text, context, extract
from mux_lsp.engine.review.presence import key_of
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.store import acceptances
from mux_lsp.store.acceptances import row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.review.hunks import HunkCache
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.presence import ClientObserver, DocumentObservations, PresenceMap
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.store.acceptances import Row
    from mux_lsp.store.journal import Journal

log = logging.getLogger(__name__)

COMPARED: Final = 1000
"""In how many files of other runs agreement is looked for hunk by hunk; in more, only where the whole file is equal."""


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
