"""Test creating, migrating and refusing the database file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mux_lsp.errors import MuxError
from mux_lsp.store import database
from mux_lsp.store.database import MIGRATIONS, open_database, transaction

if TYPE_CHECKING:
    from pathlib import Path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        assert isinstance(number, int)
        return number


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_new_database_is_its_owners_alone_and_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "mux.db"
    with closing(open_database(path)) as connection:
        connection.execute("INSERT INTO tasks (id, repository, data) VALUES ('k3f', '', '')")
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
        assert {file.name for file in tmp_path.iterdir()} == {"mux.db", "mux.db-mark", "mux.db-wal", "mux.db-shm"}
    assert version(path) == len(MIGRATIONS)
    assert {"tasks", "runs", "events", "rejections", "acceptances"} <= tables(path)


def test_opening_again_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "mux.db"
    for _ in range(2):
        with closing(open_database(path)) as connection:
            connection.execute("INSERT INTO tasks (id, repository, data) VALUES (hex(randomblob(4)), '', '')")
    with closing(open_database(path)) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (2,)


def test_older_database_is_migrated_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mux.db"
    first = ("CREATE TABLE things (name TEXT)", "INSERT INTO things VALUES ('old')")
    monkeypatch.setattr(database, "MIGRATIONS", (first,))
    open_database(path).close()
    monkeypatch.setattr(database, "MIGRATIONS", (first, ("ALTER TABLE things ADD COLUMN size INTEGER DEFAULT 7",)))
    with closing(open_database(path)) as connection:
        assert connection.execute("SELECT * FROM things").fetchall() == [("old", 7)]
    assert version(path) == 2


def test_a_database_from_before_the_history_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mux.db"
    with monkeypatch.context() as before:
        before.setattr(database, "MIGRATIONS", MIGRATIONS[:1])
        with closing(open_database(path)) as connection:
            connection.execute("INSERT INTO tasks (id, repository, data) VALUES ('k3f', '\"/r\"', '{}')")
            connection.execute("INSERT INTO runs (id, task, ended, data) VALUES ('k3f-1', 'k3f', 1, '{}')")
            connection.execute("INSERT INTO rejections VALUES ('k3f-1', '\"a\"', '0123456789', 7)")
    assert version(path) == 1
    with closing(open_database(path)) as connection:
        assert connection.execute("SELECT * FROM tasks").fetchall() == [(1, "k3f", '"/r"', "{}")]
        assert connection.execute("SELECT run, at FROM rejections").fetchall() == [("k3f-1", 7)]
        assert connection.execute("SELECT count(*) FROM acceptances").fetchone() == (0,)
    assert version(path) == len(MIGRATIONS)


def test_failed_migration_leaves_the_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mux.db"
    first = ("CREATE TABLE things (name TEXT)",)
    monkeypatch.setattr(database, "MIGRATIONS", (first,))
    open_database(path).close()
    monkeypatch.setattr(database, "MIGRATIONS", (first, ("CREATE TABLE more (name TEXT)", "NO SQL AT ALL")))
    with pytest.raises(MuxError, match="could not be used"):
        open_database(path)
    assert (version(path), tables(path)) == (1, {"things"})


def test_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mux.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE later (name TEXT)")
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(MuxError, match="newer mux-lsp"):
        open_database(path)
    assert path.read_bytes() == before


def test_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "mux.db"
    path.write_text("something else entirely, long enough to be looked at as a header of a database file" * 10)
    with pytest.raises(MuxError, match=r"is damaged \(file is not a database\), and mux-lsp leaves it as it is"):
        open_database(path)


def test_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MuxError, match="cannot be opened: No such file or directory"):
        open_database(tmp_path / "missing" / "mux.db")


def test_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "mux.db")) as connection:
        with pytest.raises(KeyboardInterrupt), transaction(connection):
            connection.execute("INSERT INTO tasks (id, repository, data) VALUES ('k3f', '', '')")
            raise KeyboardInterrupt
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
        with transaction(connection):
            connection.execute("INSERT INTO tasks (id, repository, data) VALUES ('k3f', '', '')")
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (1,)
