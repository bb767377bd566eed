"""Journal what became part of a person's text, as observed in clients' texts and as reported by accept commands.

Most of it is only observed: an edit that an editor had resolved is applied without a message to us. So consecutive
observations of one open document are compared in the status of each hunk. The conclusions must be correct whatever
else happens: results change while agents work, several runs have equal hunks, several clients have the same file
open.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp.core.history import Acceptance, Cause, ChangeKey, HistoryText, context, extract
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
"""Maximum number of other runs' files compared hunk by hunk for agreement. Beyond it, only equal files count."""


class LinePlace(NamedTuple):
    """Position of a hunk's lines: the file, the first line, and all lines of the text."""

    path: str
    start: int
    lines: Sequence[str]


class Author(NamedTuple):
    """Client and run that an acceptance is attributed to, and its cause."""

    client: str
    run: str
    cause: Cause


class History:
    """Journal of acceptances. A failure to write it is logged and has no other effect."""

    def __init__(self, journal: Journal, task: Callable[[str], Task], run: Callable[[str], Run]) -> None:
        self._journal = journal
        self._task = task
        self._run = run
        self._person = _person()
        self._watches: list[ClientObserver] = []
        self._deciding: dict[ChangeKey, tuple[str, str]] = {}
        """Hunks that a command is about to bring into a text: the client that asked, and the run."""

    def join(self, watch: ClientObserver) -> Callable[[], None]:
        """Observe a client's texts from now on. Returns the function that ends it."""
        self._watches.append(watch)
        return lambda: self._watches.remove(watch)

    def read(self, file: Path | None = None, root: Path | None = None) -> Iterator[Acceptance]:
        """Yield acceptances, newest first: those in one file, in one repository, or all. Can be used in any thread.

        Raises MuxError if they cannot be read.
        """
        places: list[tuple[str, str | None]] | None = None
        if file is not None:
            # The repository that it belonged to when it was accepted need not exist today.
            places = [(str(folder), file.relative_to(folder).as_posix()) for folder in file.parents]
        elif root is not None:
            places = [(str(root), None)]
        return acceptances.read(self._journal.path, places)

    @contextlib.contextmanager
    def deciding(self, selection: Selection, client: str) -> Iterator[None]:
        """Attribute hunks to this command within the block, while it brings a selection into texts.

        The attribution applies to whichever text shows them first.
        """
        keys = {key_of(item): (client, selection.run.id) for item in selection.placed}
        self._deciding |= keys
        try:
            yield
        finally:
            for key in keys:
                self._deciding.pop(key, None)

    def prepare(self, selection: Selection, reviews: HunkCache, client: str) -> dict[ChangeKey, Row]:
        """Return the records for a selection, to be stored once it is in the texts. Slow: call it in a thread."""
        agreed = agreement(selection, self._task(selection.run.task), reviews)
        texts = {path: HistoryText(plan.lines or ()).lines for plan in selection.plans for path in plan.paths}
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
        """Return the rows to record for a selection that a command has brought into texts or to the disk.

        These are the changes that no text has shown yet. Also return the changes whose acceptance is to be
        withdrawn. Must be called within `deciding`, and ends it: changes that a text shows from now on are on record
        already.
        """
        rows = {key: one for key, one in prepared if self._deciding.pop(key, None) is not None}
        # These changes were not in the text. A current acceptance that no open text confirms was lost before.
        lost = [*rows, *map(key_of, selection.displaced)]
        return list(rows.values()), [key for key in lost if not self._holds(key)]

    def observe(self, watch: ClientObserver, seen: DocumentObservations, now: PresenceMap) -> None:
        """Process a new observation of a client's text."""
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
            with contextlib.suppress(UsageError):  # the run was deleted meanwhile
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
    """Return, by change, the other active runs of the task that make it too. Slow: call it in a thread."""
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
                made = {ChangeKey(task.id, change.base_path, hunk.id) for hunk in reviews.get(run, change).hunks}
            else:
                continue
            for item in items:
                if (key := key_of(item)) in made:
                    agreed.setdefault(key, []).append(run.id)
    return agreed


def _person() -> str:
    """Return the name of the user that we run as, according to the operating system."""
    try:
        import pwd
    except ImportError:
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
