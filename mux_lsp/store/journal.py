"""Keep the journal: tasks, runs, their events in order, and the person's rejections."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from mux_lsp.core.model import Run, Task
from mux_lsp.core.transaction import Phase
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.store import acceptances, pending_accepts, spending
from mux_lsp.store.codec import dumps, loads
from mux_lsp.store.database import open_database, reading, transaction
from mux_lsp.store.grants import Grants
from mux_lsp.store.run_encoding import encode_run
from mux_lsp.store.task_ids import new_task_id

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from mux_lsp.core.history import ChangeKey
    from mux_lsp.store.acceptances import Row
    from mux_lsp.store.pending_accepts import Accepted, Pending
    from mux_lsp.store.spending import Spending

log = logging.getLogger(__name__)

T = TypeVar("T", Task, Run)


_NAMED_TASKS: Final = "SELECT id FROM tasks UNION SELECT task FROM acceptances UNION SELECT task FROM spending"


@dataclass(frozen=True, slots=True)
class Event:
    """Event of a task or one of its runs. `seq` only ever grows; `at` is seconds since the epoch."""

    seq: int
    task: str
    run: str | None
    at: float
    kind: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Hunk of a run's result that the person rejected. `at` is seconds since the epoch."""

    path: str
    hunk: str
    at: float


class Journal:
    """The only writer of the database, for the thread that created it. Every method that writes is atomic.

    Everything that a method has written when it returns survives the death of the process. The owner must close it.
    Methods that take the id of a task or run raise UsageError if it does not exist.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Open or create the database at `path`. Raises MuxError if that fails."""
        self._database = open_database(path)
        self.path = path
        """Path of the database, for readers in other threads."""
        self._clock = clock
        self.grants = Grants(self._database, clock)
        """Permissions and trust that the person granted permanently."""

    @property
    def lost(self) -> str | None:
        """Sentence about commits lost since a daemon last wrote the journal; None if all are there."""
        if not self._database.lost:
            return None
        return (
            f"The journal {self.path} lacks the last {self._database.lost} of its changes: the machine went down "
            f"before they were on the disk, or {self.path.name}-wal beside it was cut or removed. Tasks may be missing "
            "or stand as they did before."
        )

    def close(self) -> None:
        """Close the database. No method may be called afterwards."""
        self._database.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def new_task_id(self) -> str:
        """Return an id that no task, acceptance or spending record has.

        It has three characters, or more once a quarter of the ids of that length are taken.
        """
        return new_task_id({row[0] for row in self._rows(_NAMED_TASKS)})

    def ids(self) -> frozenset[str]:
        """Return the ids of all tasks and runs on record, including those that cannot be read."""
        return frozenset(row[0] for row in self._rows("SELECT id FROM tasks UNION SELECT id FROM runs"))

    def add_task(self, task: Task, event_kind: str = "task.added", data: Mapping[str, object] | None = None) -> Event:
        """Store a new task with its runs. Raises UsageError if its id is taken."""
        with transaction(self._database):
            if self._find("SELECT data FROM tasks WHERE id = ?", task.id):
                raise UsageError(f"There is a task {task.id!r} already.")
            self._put_task(task)
            for run in task.runs:
                self._put_run(run)
            return self._append(task.id, None, event_kind, data)

    def save_task(self, task: Task, event_kind: str, data: Mapping[str, object] | None = None) -> Event:
        """Store a task's own fields and the event that changed them. Its runs are not changed."""
        with transaction(self._database):
            self._require_task(task.id)
            self._put_task(task)
            return self._append(task.id, None, event_kind, data)

    def save_run(
        self, run: Run, event_kind: str, data: Mapping[str, object] | None = None, spent: Spending | None = None
    ) -> Event:
        """Store a run, new or changed, with the event that changed it and what that spent, in one transaction."""
        with transaction(self._database):
            self._require_task(run.task)
            self._put_run(run)
            if spent is not None:
                spending.note(self._database, spent, self._clock())
            return self._append(run.task, run.id, event_kind, data)

    def spend(self, spent: Spending) -> None:
        """Record spending on behalf of a task that none of its agents caused."""
        with transaction(self._database):
            spending.note(self._database, spent, self._clock())

    def note(self, run_id: str, event_kind: str, data: Mapping[str, object] | None = None) -> Event:
        """Append an event that does not change the run. The run is not rewritten: it may have ten thousand files."""
        with transaction(self._database):
            return self._append(self._task_of(run_id), run_id, event_kind, data)

    def request_cancel(self, reasons: Mapping[str, str | None]) -> None:
        """Record, in one transaction, that runs are to end early, each with the reason in words.

        As with `note`, the runs are not rewritten.
        """
        with transaction(self._database):
            self._request_cancel(reasons)

    def discard(
        self, run_ids: Iterable[str], at: float | None, cancelled: Mapping[str, str | None] | None = None
    ) -> None:
        """Record, in one transaction, that runs were discarded at a time in whole milliseconds, or restored (None).

        `cancelled` are the runs that this ends, with their reasons. As with `note`, the runs are not rewritten.
        """
        with transaction(self._database):
            self._request_cancel(cancelled or {})
            self._discard(run_ids, at)

    def task(self, task_id: str) -> Task:
        """Return a task with its runs in the order in which they were added."""
        row = self._require_task(task_id)
        runs = self._rows("SELECT id, data FROM runs WHERE task = ? ORDER BY position", (task_id,))
        return replace(
            self._decode(Task, task_id, row[0]), runs=tuple(self._decode(Run, name, text) for name, text in runs)
        )

    def tasks(self, repository: str | None = None) -> tuple[Task, ...]:
        """Return every task, or those of one repository, oldest first.

        A record that cannot be read is logged and left out: one of them must not hide all the others.
        """
        values: tuple[str, ...]
        which, values = ("", ()) if repository is None else ("WHERE repository = ?", (dumps(repository),))
        runs: dict[str, list[Run]] = {}
        with reading(self._database):
            for task, name, text in self._database.execute(
                f"SELECT task, id, data FROM runs WHERE task IN (SELECT id FROM tasks {which}) ORDER BY position",  # noqa: S608
                values,
            ):
                if run := self._readable(Run, name, text):
                    runs.setdefault(task, []).append(run)
        rows = self._rows(f"SELECT id, data FROM tasks {which} ORDER BY position", values)  # noqa: S608
        return tuple(
            replace(task, runs=tuple(runs.get(name, ())))
            for name, text in rows
            if (task := self._readable(Task, name, text))
        )

    def run(self, run_id: str) -> Run:
        """Return one run."""
        self._task_of(run_id)
        ((data,),) = self._rows("SELECT data FROM runs WHERE id = ?", (run_id,))
        return self._decode(Run, run_id, data)

    def unfinished_runs(self) -> tuple[Run, ...]:
        """Return the runs that have not ended, oldest first: those that a new daemon must recover."""
        rows = self._rows("SELECT id, data FROM runs WHERE ended = 0 ORDER BY position")
        return tuple(self._decode(Run, name, text) for name, text in rows)

    def delete_task(self, task_id: str) -> None:
        """Delete a task with its runs, events and rejections. Its acceptances stay on record."""
        with transaction(self._database):
            self._require_task(task_id)
            self._database.execute("DELETE FROM tasks WHERE id = ?", (task_id,))

    def delete_run(self, run_id: str) -> None:
        """Delete a run with its events and rejections. Its task stays."""
        with transaction(self._database):
            self._task_of(run_id)
            self._database.execute("DELETE FROM runs WHERE id = ?", (run_id,))

    def events(self, task_or_run: str, after: int = 0) -> tuple[Event, ...]:
        """Return the events of a task (its runs included) or of one run after event `after`, oldest first.

        Returns () for an id that does not exist.
        """
        if not _is_text(task_or_run):
            return ()
        rows = self._rows(
            "SELECT seq, task, run, at, kind, data FROM events WHERE (task = ?1 OR run = ?1) AND seq > ?2 ORDER BY seq",
            (task_or_run, after),
        )
        return tuple(Event(seq, task, run, at, kind, json.loads(data)) for seq, task, run, at, kind, data in rows)

    def reject(self, run_id: str, hunks: Iterable[tuple[str, str]]) -> None:
        """Record that the person rejected these hunks, each as (path, hunk id). Repeating it has no effect."""
        self.reject_all({run_id: hunks})

    def reject_all(self, hunks: Mapping[str, Iterable[tuple[str, str]]]) -> None:
        """Record rejections of several runs, by run id, in one transaction."""
        with transaction(self._database):
            at = self._clock()
            for run_id, of_run in hunks.items():
                self._task_of(run_id)
                self._database.executemany(
                    "INSERT INTO rejections (run, path, hunk, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    [(run_id, dumps(path), hunk, at) for path, hunk in of_run],
                )

    def rejections(self, run_id: str) -> tuple[Rejection, ...]:
        """Return what the person rejected of a run, by path and hunk; () for an id that does not exist."""
        if not _is_text(run_id):
            return ()
        rows = self._rows("SELECT path, hunk, at FROM rejections WHERE run = ? ORDER BY path, hunk", (run_id,))
        return tuple(Rejection(json.loads(path), hunk, at) for path, hunk, at in rows)

    def record(self, accepted: Sequence[Row], withdrawn: Iterable[ChangeKey] = ()) -> None:
        """Withdraw acceptances, then record the hunks that became part of a person's text.

        A hunk with a current acceptance is skipped. Acceptances outlive their task. `store.acceptances` reads them.
        """
        with transaction(self._database):
            at = self._clock()
            acceptances.withdraw(self._database, withdrawn, at)
            acceptances.insert(self._database, accepted, at)

    def begin_accept(self, id_: str, phase: Phase, data: str) -> None:
        """Record an accept before its first byte is written.

        An accept that writes files is on the disk when this returns, so it survives a power failure.
        """
        if phase is Phase.WRITING:
            self._database.execute("PRAGMA synchronous = FULL")
        try:
            with transaction(self._database):
                pending_accepts.insert(self._database, pending_accepts.Pending(id_, phase, self._clock(), data))
        finally:
            self._database.execute("PRAGMA synchronous = NORMAL")

    def advance_accept(self, id_: str, phase: Phase) -> None:
        """Record the progress of an accept."""
        with transaction(self._database):
            self._database.execute("UPDATE accepting SET phase = ? WHERE id = ?", (phase, id_))

    def end_accept(self, id_: str, accepted: Accepted | None = None) -> None:
        """End an accept: forget it, and record what was accepted (None: nothing), in one transaction."""
        with transaction(self._database):
            self._database.execute("DELETE FROM accepting WHERE id = ?", (id_,))
            if accepted is not None:
                self._accept(accepted)

    def repositories(self) -> tuple[str, ...]:
        """Return the roots of the working trees that have tasks."""
        return tuple(loads(str, row[0]) for row in self._database.execute("SELECT DISTINCT repository FROM tasks"))

    def pending_accepts(self) -> tuple[Pending, ...]:
        """Return the accepts that are under way, oldest first; when a daemon starts, those that an earlier one left."""
        return pending_accepts.read(self._database)

    def spending(self) -> tuple[Spending, ...]:
        """Return the spending that counts at present, by run and day: see `store.spending.read`."""
        with reading(self._database):
            return spending.read(self._database, self._clock())

    def _accept(self, accepted: Accepted) -> None:
        at = self._clock()
        acceptances.withdraw(self._database, accepted.withdrawn, at, accepted.before)
        acceptances.insert(self._database, accepted.rows, at)
        # The run may have been deleted meanwhile; the record of acceptance stays.
        if self._find("SELECT id FROM runs WHERE id = ?", accepted.run) is not None:
            self._database.executemany(
                "DELETE FROM rejections WHERE run = ? AND path = ? AND hunk = ?",
                [(accepted.run, dumps(path), hunk) for path, hunk in accepted.unrejected],
            )
            hunks = {path: sorted(ids) for path, ids in accepted.chosen.items()}
            self._append(self._task_of(accepted.run), accepted.run, "accepted", {"hunks": hunks})
        kept = "SELECT id FROM runs WHERE id = ? AND json_extract(data, '$.discarded') IS NULL"
        self._discard([run for run in accepted.discard if self._find(kept, run) is not None], accepted.discarded)

    def _discard(self, run_ids: Iterable[str], at: float | None) -> None:
        for run_id in run_ids:
            task = self._task_of(run_id)
            self._database.execute("UPDATE runs SET data = json_set(data, '$.discarded', ?) WHERE id = ?", (at, run_id))
            self._append(task, run_id, "restored" if at is None else "discarded", None)

    def _request_cancel(self, reasons: Mapping[str, str | None]) -> None:
        for run_id, reason in reasons.items():
            task = self._task_of(run_id)
            self._database.execute(
                "UPDATE runs SET data = json_set(data, '$.cancel_requested', json('true'), '$.cancel_reason', json(?))"
                " WHERE id = ?",
                (dumps(reason), run_id),
            )
            self._append(task, run_id, "cancel requested", {"reason": reason})

    def _put_task(self, task: Task) -> None:
        self._database.execute(
            "INSERT INTO tasks (id, repository, data) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET repository = excluded.repository, data = excluded.data",
            (task.id, dumps(task.repository), dumps(replace(task, runs=()))),
        )

    def _put_run(self, run: Run) -> None:
        self._database.execute(
            "INSERT INTO runs (id, task, ended, data) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, data = excluded.data",
            (run.id, run.task, run.state.ended, encode_run(run)),
        )

    def _append(self, task: str, run: str | None, kind: str, data: Mapping[str, object] | None) -> Event:
        at = self._clock()
        data = dict(data or {})
        row = self._database.execute(
            "INSERT INTO events (task, run, at, kind, data) VALUES (?, ?, ?, ?, ?)", (task, run, at, kind, dumps(data))
        )
        assert row.lastrowid is not None  # noqa: S101  # an INSERT has a lastrowid
        return Event(row.lastrowid, task, run, at, kind, data)

    def _require_task(self, task_id: str) -> sqlite3.Row:
        row = self._find("SELECT data FROM tasks WHERE id = ?", task_id)
        if row is None:
            raise UsageError(f"There is no task {task_id!r}. `mux-lsp list` shows those there are.")
        return row

    def _task_of(self, run_id: str) -> str:
        """Return the task of a run, without reading the run."""
        row = self._find("SELECT task FROM runs WHERE id = ?", run_id)
        if row is None:
            raise UsageError(f"There is no run {run_id!r}. `mux-lsp list` shows those there are.")
        return str(row[0])

    def _find(self, query: str, one_id: str) -> sqlite3.Row | None:
        if not _is_text(one_id):
            return None
        return next(iter(self._rows(query, (one_id,))), None)

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query. Raises MuxError if the database cannot be read."""
        with reading(self._database):
            return self._database.execute(query, values).fetchall()

    def _readable(self, kind: type[T], one_id: str, text: str) -> T | None:
        try:
            return self._decode(kind, one_id, text)
        except MuxError as error:
            log.error("%s", error)
            return None

    def _decode(self, kind: type[T], one_id: str, text: str) -> T:
        try:
            return loads(kind, text)
        except ValueError as error:
            raise MuxError(
                f"{one_id} in {self.path} cannot be read ({error}) and is left out: "
                "it is damaged, or of a newer mux-lsp."
            ) from error


def _is_text(value: str) -> bool:
    """Return whether SQLite can search for it: an id typed by a person may hold any character."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
