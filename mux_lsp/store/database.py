"""The daemon's SQLite file: opened, brought up to date, and written in whole transactions."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        # `position` keeps the order of creation. Texts that a person or a file system chose (`repository`, `path`) are
        # JSON strings in ASCII: they may hold bytes that are not UTF-8, which SQLite's TEXT could not.
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
        # AUTOINCREMENT: a number once given is never given again, so that `after` stays true when events are deleted.
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
        # What was accepted outlives its task: no reference. Of a task's change one acceptance stands at a time.
        # Prompts have a table of their own, since a thousand hunks may come of one.
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
        # What a person has allowed in a repository for good, exactly as it was asked.
        """CREATE TABLE permission_rules (
            repository TEXT NOT NULL,
            tool TEXT NOT NULL,
            subject TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (repository, tool, subject)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        # What was spent counts for its day and its repository also when the task is gone: no reference.
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
        # What a person trusts of repositories' own settings, by a digest of what they say.
        """CREATE TABLE trusted_settings (
            repository TEXT NOT NULL,
            digest TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        # Accepts that are under way (`core.transaction.Intent`): noted before the first byte is written. They need no
        # task: no reference.
        """CREATE TABLE accepting (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            phase TEXT NOT NULL,
            at REAL NOT NULL,
            data TEXT NOT NULL
        ) STRICT""",
    ),
)
"""The statements that lead from each version of the schema to the next. Only ever append."""

_BUSY_MS: Final = 5000


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database, made where it is missing and migrated where it is older. The caller closes it.

    In autocommit mode: write within `transaction`. The folder must exist; the file is its owner's alone.

    Raises MuxError where the file is newer than this program, no database, or cannot be read or written.
    """
    try:
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise MuxError(
            f"The database {path} cannot be used: {error}. Move it away to begin with an empty one."
        ) from error
    except OSError as error:
        raise MuxError(f"The database {path} cannot be opened: {error.strerror}.") from error
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All writes within, or none of them. Raises MuxError where they cannot be written."""
    try:
        with _all_or_none(connection):
            yield
    except sqlite3.Error as error:
        raise MuxError(
            f"The journal could not be written: {error}. Make sure that there is room on the disk, and try again."
        ) from error


@contextmanager
def _all_or_none(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # SQLite itself takes everything back where the disk is full
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    _refuse_newer(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    # With WAL nothing committed is lost when the process dies. When the power fails the last commits may be, but
    # the file stays whole.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    with _all_or_none(connection):
        for version in range(_refuse_newer(connection, path), len(MIGRATIONS)):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise MuxError(
            f"The database {path} was written by a newer mux-lsp (schema {version}; this one knows up to "
            f"{len(MIGRATIONS)}). Upgrade mux-lsp, or set MUX_LSP_HOME to another folder."
        )
    return version
