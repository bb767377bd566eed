"""Test a truncated write-ahead log: SQLite does not report it, so the journal must."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import Run, RunState, Task
from mux_lsp.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def task(name: str) -> Task:
    run = Run(f"{name}-1", name, "agent", None, RunState.QUEUED)
    return Task(id=name, prompt="do it", repository="/r", folder="", created=1.0, runs=(run,))


@dataclass(frozen=True, slots=True)
class State:
    """A state folder whose daemon was killed: its journal was never closed, so its log is still there."""

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "mux.db"

    @property
    def log(self) -> Path:
        return self.folder / "mux.db-wal"


@pytest.fixture
def killed(tmp_path: Path) -> State:
    """Write three tasks, the first one to the database itself, and return the state."""
    folder = tmp_path / "state"
    folder.mkdir()
    with Journal(folder / "mux.db") as journal:
        journal.add_task(task("a2b"))
    journal = Journal(folder / "mux.db")
    journal.add_task(task("c3d"))
    journal.add_task(task("f4g"))
    # Keep the files as they are when a process dies, under names that no connection has open.
    inodes = tmp_path / "killed"
    inodes.mkdir()
    for file in folder.iterdir():
        (inodes / file.name).hardlink_to(file)
    keep = {file.name: file.read_bytes() for file in inodes.iterdir()}
    journal.close()
    for name, content in keep.items():
        (inodes / name).write_bytes(content)
    shutil.rmtree(folder)
    return State(inodes)


def test_a_killed_daemon_has_lost_nothing(killed: State) -> None:
    with Journal(killed.journal) as journal:
        assert journal.lost is None
        assert [one.id for one in journal.tasks()] == ["a2b", "c3d", "f4g"]


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (lambda log: log.write_bytes(log.read_bytes()[:-10]), ["a2b", "c3d"]),
        (lambda log: log.write_bytes(b""), ["a2b"]),
        (lambda log: log.unlink(), ["a2b"]),
    ],
    ids=["its last bytes", "all of it", "the file"],
)
def test_a_log_that_was_cut_is_said_once(killed: State, cut: Callable[[Path], object], left: list[str]) -> None:
    cut(killed.log)
    with Journal(killed.journal) as journal:
        assert [one.id for one in journal.tasks()] == left
        lost = 3 - len(left)
        assert journal.lost is not None
        assert f"lacks the last {lost} of its changes" in journal.lost
        # A number that was given is not given again.
        assert journal.add_task(task("h5j")).seq == 4
    with Journal(killed.journal) as journal:
        assert journal.lost is None


def test_what_writes_no_event_counts_as_well(tmp_path: Path) -> None:
    path = tmp_path / "mux.db"
    writes: tuple[Callable[[Journal], object], ...] = (
        lambda journal: journal.add_task(task("a2b")),
        lambda journal: journal.grants.trust("/r", "0" * 8),
        lambda journal: journal.reject("a2b-1", [("f", "0" * 10)]),
        lambda journal: journal.grants.allow("/r", "tool", "what"),
        lambda journal: journal.grants.distrust("/r"),
        lambda journal: journal.delete_run("a2b-1"),
        lambda journal: journal.delete_task("a2b"),
    )
    with Journal(path) as journal:
        numbers = [journal._database.number]
        for write in writes:
            write(journal)
            numbers.append(journal._database.number)
    assert numbers == list(range(len(writes) + 1))


def test_what_was_not_committed_is_not_marked(tmp_path: Path) -> None:
    with Journal(tmp_path / "mux.db") as journal:
        journal.add_task(task("a2b"))
        with pytest.raises(Exception, match="already"):
            journal.add_task(task("a2b"))
        assert journal._database.number == 1
    with Journal(tmp_path / "mux.db") as journal:
        assert journal.lost is None


def test_another_database_in_its_place_is_none_that_was_cut(killed: State) -> None:
    """A person moves the journal away, or restores the copy of an earlier day."""
    for name in ("mux.db", "mux.db-wal", "mux.db-shm"):
        (killed.folder / name).rename(killed.folder / f"{name}.old")
    with Journal(killed.journal) as journal:
        assert journal.lost is None
        assert journal.tasks() == ()


def test_without_room_for_a_mark_the_journal_works(tmp_path: Path) -> None:
    (tmp_path / "mux.db-mark").mkdir()
    with Journal(tmp_path / "mux.db") as journal:
        journal.add_task(task("a2b"))
        assert journal.lost is None
