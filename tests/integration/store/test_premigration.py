"""Test the copy of a database before its migration: complete, limited in number, and omitted on a full disk."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from mux_lsp.errors import MuxError
from mux_lsp.store import database, premigration
from mux_lsp.store.database import open_database
from tests.support.disks import small_disks

if TYPE_CHECKING:
    from pathlib import Path

STEPS: Final = (
    ("CREATE TABLE things (name TEXT)",),
    ("CREATE TABLE more (name TEXT)",),
    ("CREATE TABLE still_more (name TEXT)",),
    ("CREATE TABLE most (name TEXT)",),
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(database, "MIGRATIONS", STEPS[:1])
    return tmp_path / "mux.db"


def migrate(monkeypatch: pytest.MonkeyPatch, path: Path, schema: int) -> None:
    monkeypatch.setattr(database, "MIGRATIONS", STEPS[:schema])
    open_database(path).close()


def content(path: Path) -> tuple[int, list[str]]:
    """Return the schema and the things in the database."""
    with closing(sqlite3.connect(path)) as connection:
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return schema, [name for (name,) in connection.execute("SELECT name FROM things")]


def copies(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir() if "before" in one.name)


def test_the_copy_has_all_that_was_committed(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with closing(open_database(path)) as held:
        assert copies(path) == []  # there was nothing to copy
        held.execute("INSERT INTO things VALUES ('in the log only')")
        assert b"in the log only" not in path.read_bytes()
        migrate(monkeypatch, path, 2)
        copy = path.with_name("mux.db-before-2")
        assert content(copy) == (1, ["in the log only"])
        assert copy.stat().st_mode & 0o777 == 0o600
    assert content(path) == (2, ["in the log only"])
    assert f"migrated {path} from schema 1 to 2; {copy} has what was before" in caplog.text
    caplog.clear()
    open_database(path).close()
    assert caplog.text == ""
    assert copies(path) == ["mux.db-before-2"]


def test_there_are_never_more_than_two(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database(path).close()
    path.with_name("mux.db-before-mine").touch()  # not one of our copies
    for schema in (2, 3, 4):
        migrate(monkeypatch, path, schema)
    assert copies(path) == ["mux.db-before-3", "mux.db-before-4", "mux.db-before-mine"]
    assert premigration.MAX_COPIES == 2


def test_a_migration_that_fails_keeps_the_copy_and_the_next_one_replaces_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(path).close()
    path.with_name("mux.db-before-2.new").write_bytes(b"left by one that was killed")
    monkeypatch.setattr(database, "MIGRATIONS", (*STEPS[:1], ("NO SQL AT ALL",)))
    with pytest.raises(MuxError, match="could not be used"):
        open_database(path)
    assert content(path) == content(path.with_name("mux.db-before-2")) == (1, [])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO things VALUES ('since')")
    migrate(monkeypatch, path, 2)
    assert content(path.with_name("mux.db-before-2")) == (1, ["since"])
    assert copies(path) == ["mux.db-before-2"]


def test_an_older_program_is_told_the_way_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_database(path)) as connection:
        connection.execute("INSERT INTO things VALUES ('old')")
    migrate(monkeypatch, path, 2)
    migrate(monkeypatch, path, 3)
    monkeypatch.setattr(database, "MIGRATIONS", STEPS[:1])
    with pytest.raises(MuxError, match=r"newer mux-lsp .*move mux\.db, .*out of .* and copy mux\.db-before-2 there"):
        open_database(path)
    for name in ("mux.db", "mux.db-wal", "mux.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    path.with_name("mux.db-before-2").rename(path)
    with closing(open_database(path)) as connection:
        assert connection.lost == 0
        assert connection.execute("SELECT name FROM things").fetchall() == [("old",)]
    path.with_name("mux.db-before-3").unlink()
    migrate(monkeypatch, path, 2)
    path.with_name("mux.db-before-2").write_bytes(b"short")
    monkeypatch.setattr(database, "MIGRATIONS", STEPS[:1])
    with pytest.raises(MuxError, match=r"set MUX_LSP_HOME to another folder\.$"):
        open_database(path)


OPEN: Final = """
import sys
from pathlib import Path
from mux_lsp.errors import MuxError
from mux_lsp.store import database
database.MIGRATIONS = tuple((f"CREATE TABLE t{n} (data BLOB)",) for n in range(int(sys.argv[2])))
try:
    connection = database.open_database(Path(sys.argv[1]))
except MuxError as error:
    sys.exit(str(error))
if len(sys.argv) > 3:
    connection.execute("INSERT INTO t0 VALUES (randomblob(4000000))")
connection.close()
"""


@pytest.mark.parametrize("fault", ["bytes", "inodes"])
def test_a_full_disk_refuses_in_a_sentence_and_changes_nothing(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    path = folder / "mux.db"
    with small_disks(folder, environment=dict(os.environ)) as disks:
        disk = disks.disk(folder)
        seen = disk.seen / "mux.db"

        def opened(*arguments: str) -> tuple[int, str]:
            done = disks.run(tmp_path, sys.executable, "-c", OPEN, str(path), *arguments)
            return done.returncode, done.stderr.decode()

        assert opened("1", "filled") == (0, "")
        before = seen.read_bytes()
        if fault == "bytes":
            disk.full()
            with (disk.seen / "filler").open("r+b") as filler:
                # Enough space for SQLite's own files, and not for the copy.
                filler.truncate((disk.seen / "filler").stat().st_size - 1_000_000)
        else:
            disk.out_of_inodes()
            for number in range(2):
                (disk.seen / "fillers" / str(number)).unlink()
        status, said = opened("2")
        assert status == 1
        assert "The disk of" in said
        assert ("is full" if fault == "bytes" else "no room for another file") in said
        assert "Traceback" not in said
        assert copies(seen) == []
        assert seen.read_bytes() == before
        disk.roomy()
        assert opened("2") == (0, "")
        assert copies(seen) == ["mux.db-before-2"]
        assert (disk.seen / "mux.db-before-2").stat().st_size > 4_000_000
