"""Test today's code on journals that every earlier schema's own code has written: migrate and read them.

`journals/write.py` has made them; a new migration requires the fixture of the schema before it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from mux_lsp.core.history import Cause
from mux_lsp.core.model import ChangeKind, CheckState, Context, LeftOut, RunState
from mux_lsp.core.transaction import Intent, Phase
from mux_lsp.errors import StorageError
from mux_lsp.store import acceptances, database
from mux_lsp.store.codec import loads
from mux_lsp.store.database import MIGRATIONS, migrate
from mux_lsp.store.journal import Journal, Rejection

FOLDER: Final = Path(__file__).parent / "journals"
REPOSITORY: Final = "/home/ada/caf\udce9/project"
AT: Final = 1_764_000_000.0


def fixture(version: int) -> Path:
    return FOLDER / f"v{version}.sql"


def written(version: int, path: Path) -> Path:
    """Write the journal as the code of that schema has left it, and return its path."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(fixture(version).read_text(encoding="ascii"))
    return path


VERSIONS: Final = [version for version in range(1, len(MIGRATIONS) + 1) if fixture(version).exists()]


def test_every_schema_before_the_newest_has_its_fixture() -> None:
    assert set(range(1, len(MIGRATIONS))) <= set(VERSIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_fixture_is_of_its_schema(tmp_path: Path, version: int) -> None:
    """It has exactly the tables of its migrations, and data in each of them."""
    path = written(version, tmp_path / "mux.db")
    with closing(sqlite3.connect(":memory:")) as empty, closing(sqlite3.connect(path)) as connection:
        migrate(empty, 0, version)
        schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        assert connection.execute(schema).fetchall() == empty.execute(schema).fetchall()
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        for kind, name, _ in empty.execute(schema):
            if kind == "table":
                assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() > (0,), name  # noqa: S608


@pytest.mark.parametrize("version", VERSIONS)
def test_migrated_and_read(tmp_path: Path, version: int) -> None:
    path = written(version, tmp_path / "mux.db")
    for _ in range(2):  # once to migrate, once already migrated
        with Journal(path, clock=lambda: AT) as journal:
            assert journal.lost is None
            check_tasks(journal)
            check_records(journal, path, version)
            if version >= 6:
                check_renamed(journal)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def check_tasks(journal: Journal) -> None:
    first, second = journal.tasks()
    assert (first.id, first.repository, first.folder, first.created) == ("k3f", REPOSITORY, "src", 1000.0)
    assert first.prompt == "Do ünïcödé\nand half of a character: \ud800"
    assert first.snapshot is not None
    assert (first.snapshot.commit, first.snapshot.head) == ("1" * 40, "3" * 40)
    assert (first.checks, first.context) == (("make test",), (Context("a.py", 1, 2), Context("b.py")))
    done, working, failed = first.runs
    assert (done.state, done.result, done.hunks, done.exit_status) == (RunState.FINISHED, "4" * 40, 2, 0)
    assert (done.tokens, done.cost_usd, done.started, done.finished) == (5000, 0.25, 1000.5, 1060.25)
    assert done.left_out == (LeftOut("big.bin", "is too large"),)
    text, picture = done.files
    assert (text.path, text.kind, text.lines_added, text.base_path) == (
        "src/b\udce9.py",
        ChangeKind.ADDED,
        3,
        text.path,
    )
    assert (picture.path, picture.kind, picture.lines_added) == ("logo.png", ChangeKind.MODIFIED, None)
    (check,) = done.checks
    assert (check.command, check.state, check.seconds, check.tests) == ("make test", CheckState.PASSED, 1.5, None)
    assert (working.state, working.worktree, working.pid, working.reason) == (RunState.RUNNING, "s1", 4712, "a reason")
    assert (failed.state, failed.exit_status) == (RunState.FAILED, 3)
    assert (second.id, second.snapshot and second.snapshot.head) == ("b2c", None)
    assert [(run.id, run.model, run.state) for run in second.runs] == [("b2c-1", "pro", RunState.QUEUED)]
    assert {run.id for run in journal.unfinished_runs()} == {"k3f-2", "b2c-1"}
    kinds = [event.kind for event in journal.events("k3f")]
    assert kinds == ["task.added", "run.finished", "run.running", "run.failed"]
    rejected = (Rejection("logo.png", "", AT), Rejection("src/b\udce9.py", "0123456789", AT))
    assert journal.rejections("k3f-1") == rejected


def check_renamed(journal: Journal) -> None:
    """Check fields that had other names before schema 7: the fixtures from schema 6 on have a value in each."""
    first = journal.tasks()[0]
    assert (first.runs_created, first.stop_after, first.baseline[0].baseline_state) == (3, 2, CheckState.FAILED)
    done = first.runs[0]
    assert (done.work_seconds, done.result_complete, done.hidden_config) == (50.0, True, ("conftest.py",))
    assert (done.tampered, done.merge_conflicts) == (("tests/t.py",), ("src/c.py",))
    assert [check.baseline_state for check in (*done.checks, *done.restored_checks)] == [CheckState.FAILED] * 2


def check_records(journal: Journal, path: Path, version: int) -> None:
    found = [(one.hunk, one.withdrawn, one.prompt, one.added.lines, one.cause) for one in acceptances.read(path)]
    prompt = "Do it\n\ud800"
    accepted = [("abcdef0123", AT, prompt, 2, Cause.ACCEPT), ("0123456789", None, prompt, 2, Cause.ACCEPT)]
    assert found == (accepted if version >= 2 else [])
    assert journal.grants.allowed(REPOSITORY) == ((("bash", "make test"),) if version >= 3 else ())
    spent = {one.run: (one.spent.usd, one.spent.tokens, one.under) for one in journal.spending()}
    assert spent == ({"k3f-1": (0.25, 5000, ()), "b2c-1": (0.5, 100, ("k3f-1",))} if version >= 4 else {})
    assert journal.grants.trusted(REPOSITORY) == (frozenset({"8" * 64}) if version >= 5 else frozenset())
    pending = [(one.phase, loads(Intent, one.data)) for one in journal.pending_accepts()]
    assert [(phase, one.root, one.steps[0].path, one.discard) for phase, one in pending] == (
        [(Phase.ASKING, REPOSITORY, "src/b\udce9.py", ("k3f-2",))] if version >= 6 else []
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_written_to_as_before(tmp_path: Path, version: int) -> None:
    with Journal(written(version, tmp_path / "mux.db"), clock=lambda: AT) as journal:
        last = journal.events("b2c")[-1].seq
        event = journal.save_task(journal.task("b2c"), "resumed")
        assert event.seq > last
        journal.grants.trust(REPOSITORY, "9" * 64)
        journal.grants.allow(REPOSITORY, "bash", "ls")
        journal.delete_task("k3f")
        assert [task.id for task in journal.tasks()] == ["b2c"]
        assert journal.new_task_id() != "k3f"


@pytest.mark.parametrize("version", VERSIONS)
def test_one_that_another_program_holds_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 1)
    path = written(version, tmp_path / "mux.db")
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match=r"is held by another program: .*try again\. Nothing was lost"):
            Journal(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    with Journal(path) as journal:
        check_tasks(journal)
