"""Open the daemon's SQLite file, migrate its schema, and write to it in whole transactions."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mux_lsp import storage
from mux_lsp.errors import MuxError, StorageError
from mux_lsp.faults import fault
from mux_lsp.store import premigration, renamed_fields
from mux_lsp.store.commit_mark import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        # `position` keeps the order of creation. Texts chosen by a person or a file system (`repository`, `path`) are
        # JSON strings in ASCII: they may hold bytes that are not UTF-8, which SQLite's TEXT could not store.
        """CREATE TABLE tasks (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            repository TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX tasks_by_repository ON tasks (repository)",
        """CREATE TABLE runs (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
            ended INTEGER NOT NULL,
            data TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX runs_by_task ON runs (task)",
        "CREATE INDEX runs_unfinished ON runs (id) WHERE ended = 0",
        # AUTOINCREMENT: a number is never reused, so that `after` stays correct when events are deleted.
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
            run TEXT REFERENCES runs (id) ON DELETE CASCADE,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT""",
        "CREATE INDEX events_by_task ON events (task)",
        "CREATE INDEX events_by_run ON events (run)",
        """CREATE TABLE rejections (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            hunk TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (run, path, hunk)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        # Acceptances outlive their task: no reference. A change of a task has at most one current acceptance. Prompts
        # have a table of their own, since a thousand hunks may come from one.
        """CREATE TABLE prompts (
            digest TEXT PRIMARY KEY,
            data TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE acceptances (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            repository TEXT NOT NULL,
            path TEXT NOT NULL,
            task TEXT NOT NULL,
            origin TEXT NOT NULL,
            change TEXT NOT NULL,
            at REAL NOT NULL,
            withdrawn REAL,
            prompt TEXT NOT NULL REFERENCES prompts (digest),
            data TEXT NOT NULL
        ) STRICT""",
        "CREATE UNIQUE INDEX acceptances_standing ON acceptances (task, origin, change) WHERE withdrawn IS NULL",
        "CREATE INDEX acceptances_by_path ON acceptances (repository, path)",
    ),
    (
        # Permissions that a person has granted permanently in a repository, exactly as they were requested.
        """CREATE TABLE permission_rules (
            repository TEXT NOT NULL,
            tool TEXT NOT NULL,
            subject TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (repository, tool, subject)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        # Spending counts for its day and its repository even after the task is deleted: no reference.
        """CREATE TABLE spending (
            day TEXT NOT NULL,
            run TEXT NOT NULL,
            task TEXT NOT NULL,
            repository TEXT NOT NULL,
            under TEXT NOT NULL,
            usd REAL NOT NULL,
            tokens INTEGER NOT NULL,
            PRIMARY KEY (day, run)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX spending_by_task ON spending (task)",
        "CREATE INDEX spending_on_behalf ON spending (under) WHERE under <> ''",
    ),
    (
        # Repositories' own settings that a person trusts, by the digest of their values.
        """CREATE TABLE trusted_settings (
            repository TEXT NOT NULL,
            digest TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        # Accepts that are under way (`core.transaction.Intent`), recorded before the first byte is written. They do not
        # need the task: no reference.
        """CREATE TABLE accepting (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            phase TEXT NOT NULL,
            at REAL NOT NULL,
            data TEXT NOT NULL
        ) STRICT""",
    ),
    (
        # Renames fields of the stored JSON (`store.renamed_fields`).
        "UPDATE tasks SET data = renamed_fields('task', data)",
        "UPDATE runs SET data = renamed_fields('run', data)",
        "UPDATE acceptances SET data = renamed_fields('acceptance', data)",
    ),
)
"""Statements that migrate each version of the schema to the next. Only ever append."""

_BUSY_MS: Final = 5000


class Database(sqlite3.Connection):
    """Connection whose commits are numbered, with the last number marked beside the file.

    The number is SQLite's own counter of events: a transaction that writes an event raises it anyway, any other
    raises it explicitly. So a commit writes no additional pages.
    """

    path: Path
    number: int = 0
    lost: int = 0
    """Distance of the number behind the mark: above 0, commits are missing."""
    _mark: Mark | None = None

    def begin_to_mark(self, path: Path) -> None:
        """Compare the file with its mark, and update the mark from now on."""
        self.path = path
        if not self.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            return
        self.number = self._numbered()
        with contextlib.suppress(OSError):  # without a mark, only a truncated log goes unnoticed
            self._mark = Mark(path)
            self.lost = max(0, self._mark.number - self.number)
        if self.lost:
            # A number is never reused, even if it is no longer known what it was used for.
            with all_or_none(self):
                self._number(self.number + self.lost)
            self.number = self._numbered()
        self.noted()

    def count(self) -> None:
        """Raise the number, unless an event already has. Call it at the end of a transaction."""
        if self._mark is not None and self._numbered() == self.number:
            self._number(self.number + 1)

    def noted(self) -> None:
        """Record the number of the last commit in the mark."""
        if self._mark is not None:
            self.number = self._numbered()
            self._mark.note(self.number)

    def close(self) -> None:
        """Close the connection and its mark."""
        super().close()
        mark, self._mark = self._mark, None
        if mark is not None:
            mark.close()

    def _numbered(self) -> int:
        row = self.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        return 0 if row is None else int(row[0])

    def _number(self, number: int) -> None:
        if not self.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'events'", (number,)).rowcount:
            self.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (number,))


def open_database(path: Path) -> Database:
    """Open the database, created if it is missing and migrated if it is older. The caller closes it.

    The connection is in autocommit mode: write within `transaction`. The folder must exist; only the owner can read
    the file. A copy of a migrated database stays beside it (`store.premigration`).

    Raises MuxError if the file is newer than this program, is not a database, or cannot be read or written.
    """
    try:
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, isolation_level=None, factory=Database)
        try:
            _prepare(connection, path)
            connection.begin_to_mark(path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explained(error, path) from error
    except OSError as error:
        refused = storage.explained(error, os.fspath(path))
        raise refused or MuxError(f"The database {path} cannot be opened: {error.strerror}.") from error
    return connection


@contextmanager
def transaction(connection: Database) -> Iterator[None]:
    """Commit all writes within the block, or none of them. Raises MuxError if they cannot be written."""
    with reading(connection):
        with all_or_none(connection):
            yield
            connection.count()
        connection.noted()


@contextmanager
def reading(connection: Database) -> Iterator[None]:
    """Turn errors of SQLite within the block into a MuxError with a sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(error, connection.path) from error


def explained(error: sqlite3.Error, path: Path) -> MuxError:
    """Return an error that explains what SQLite could not do, where, and what the person can do.

    SQLite has one code for a full disk, and a full disk also causes several of the other codes: so the disk itself
    is checked first.
    """
    code = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF
    folder = os.fspath(path.parent)
    refusal = None
    if primary in _BY_THE_DISK:
        refusal = storage.probe(folder) or (_BY_CODE.get(primary) if path.exists() else None)
    if refusal is not None:
        return StorageError(f"The journal cannot be used. {storage.sentence(refusal, folder)}")
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StorageError(
            f"The journal {path} is held by another program: end that (`fuser {path}` names it) and try again. "
            "Nothing was lost."
        )
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StorageError(
            f"The journal {path} is damaged ({error}), and mux-lsp leaves it as it is. End the daemon (`mux-lsp stop`) "
            f"and copy {path.name}, {path.name}-wal and {path.name}-shm to a safe place. `sqlite3 {path} "
            "'PRAGMA integrity_check'` says what is wrong, and `.recover` of the same program writes all that can "
            f"still be read as statements for a new one. To begin with an empty journal, move the three files out of "
            f"{folder}: results of agents stay in the stores beside it, and your repositories are not touched."
        )
    return MuxError(f"The journal {path} could not be used: {error}. `mux-lsp doctor` says where the log is.")


_BY_CODE: Final = {
    sqlite3.SQLITE_FULL: storage.Refusal.FULL,
    sqlite3.SQLITE_READONLY: storage.Refusal.READ_ONLY,
    sqlite3.SQLITE_PERM: storage.Refusal.FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: storage.Refusal.FORBIDDEN,
    sqlite3.SQLITE_IOERR: storage.Refusal.DEVICE,
}
"""Meaning of SQLite's primary codes if the disk accepts another file."""

_BY_THE_DISK: Final = frozenset({*_BY_CODE, sqlite3.SQLITE_NOMEM})


@contextmanager
def all_or_none(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all writes within the block, or none of them. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        fault("journal.written")
        connection.execute("COMMIT")
        fault("journal.committed")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back if the disk is full
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    _refuse_newer(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    # With WAL no commit is lost when the process dies. A power failure may lose the last commits, not the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    with all_or_none(connection):
        found = _refuse_newer(connection, path)
        copy = premigration.copy(path, len(MIGRATIONS)) if 0 < found < len(MIGRATIONS) else None
        migrate(connection, found, len(MIGRATIONS))
    if copy is not None:
        log.info("migrated %s from schema %d to %d; %s has what was before", path, found, len(MIGRATIONS), copy)
        premigration.prune(path)


def migrate(connection: sqlite3.Connection, version: int, target: int) -> None:
    """Migrate a schema from one version to a later one, within the caller's transaction. Raises sqlite3.Error."""
    renamed_fields.install(connection)
    for number in range(version, target):
        for statement in MIGRATIONS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise MuxError(
            f"The database {path} was written by a newer mux-lsp (schema {version}; this one knows up to "
            f"{len(MIGRATIONS)}). Upgrade mux-lsp, or set MUX_LSP_HOME to another folder."
            f"{premigration.way_back(path, len(MIGRATIONS))}"
        )
    return version
