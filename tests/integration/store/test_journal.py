"""Test that the journal keeps what was written, also when its daemon is killed."""

from __future__ import annotations

import re
import signal
import sqlite3
import string
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import (
    ChangeKind,
    Check,
    CheckState,
    Context,
    FileChange,
    LeftOut,
    Run,
    RunState,
    Setup,
    Snapshot,
    Task,
)
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.store.journal import Event, Journal, Rejection
from mux_lsp.store.pending_accepts import Accepted

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = Run(id="k3f-1", task="k3f", agent="sh:make", model=None, state=RunState.QUEUED)
TASK = Task(
    id="k3f",
    prompt="do ünïcödé\n\ud800",
    repository="/home/caf\udce9/repository",
    folder="sub",
    created=12.5,
    snapshot=Snapshot("c0", "70", None, (LeftOut("big\udcff.bin", "too large"),)),
    setup=Setup(("uv sync",), ("*.lock",)),
    checks=("make test",),
    protected=("judge/",),
    notices=("a sentence",),
    context=(Context("a.py", 1, 2),),
    runs=(RUN, replace(RUN, id="k3f-2", agent="other", model="big")),
)
DONE = replace(
    RUN,
    state=RunState.FINISHED,
    files=(FileChange("b\udce9.py", ChangeKind.ADDED, 0, 0o100644, "0" * 40, "1" * 40, 3, None),),
    hunks=2,
    checks=(Check("make test", CheckState.FAILED, 2, 0.25),),
    pid=17,
    pid_created=1234.56,
    exit_status=0,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mux.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal(path, clock=lambda: 100.0) as journal:
        yield journal


def test_task_and_runs_come_back_after_a_restart(path: Path) -> None:
    with Journal(path) as journal:
        journal.add_task(TASK)
        journal.save_run(DONE, "run.finished")
    with Journal(path) as journal:
        expected = replace(TASK, runs=(DONE, TASK.runs[1]))
        assert journal.task("k3f") == expected
        assert journal.tasks() == (expected,)
        assert journal.run("k3f-1") == DONE


def test_tasks_of_one_repository_oldest_first(journal: Journal) -> None:
    ids = ["z9z", "b2b", "m5m"]
    for number, task in enumerate(ids):
        run = replace(RUN, id=f"{task}-1", task=task)
        repository = TASK.repository if number != 1 else "/elsewhere"
        journal.add_task(replace(TASK, id=task, repository=repository, runs=(run,)))
    assert [task.id for task in journal.tasks()] == ids
    assert [task.id for task in journal.tasks(TASK.repository)] == ["z9z", "m5m"]
    assert [[run.id for run in task.runs] for task in journal.tasks(TASK.repository)] == [["z9z-1"], ["m5m-1"]]
    assert journal.tasks("/nowhere") == ()


def test_more_than_nine_runs_stay_in_order(journal: Journal) -> None:
    runs = tuple(replace(RUN, id=f"k3f-{number}") for number in range(1, 13))
    journal.add_task(replace(TASK, runs=runs))
    journal.save_run(replace(runs[2], hunks=5), "run.changed")
    assert [run.id for run in journal.task("k3f").runs] == [run.id for run in runs]


def test_save_task_leaves_its_runs_alone(journal: Journal) -> None:
    journal.add_task(TASK)
    journal.save_run(DONE, "run.finished")
    journal.save_task(replace(TASK, folder="elsewhere"), "task.changed")
    assert journal.task("k3f") == replace(TASK, folder="elsewhere", runs=(DONE, TASK.runs[1]))


@pytest.mark.parametrize("state", RunState)
def test_unfinished_runs(journal: Journal, state: RunState) -> None:
    journal.add_task(replace(TASK, runs=(RUN,)))
    journal.save_run(replace(RUN, state=state), "run.state")
    assert [run.state for run in journal.unfinished_runs()] == ([] if state.ended else [state])


def test_events_of_task_and_run_in_order(journal: Journal) -> None:
    added = journal.add_task(TASK)
    first = journal.save_run(replace(RUN, state=RunState.RUNNING), "run.state", {"from": "queued", "path": "\udcff"})
    second = journal.save_run(replace(TASK.runs[1], state=RunState.RUNNING), "run.state")
    assert first == Event(added.seq + 1, "k3f", "k3f-1", 100.0, "run.state", {"from": "queued", "path": "\udcff"})
    assert journal.events("k3f") == (added, first, second)
    assert journal.events("k3f-1") == (first,)
    assert journal.events("k3f", after=first.seq) == (second,)
    assert journal.events("nothing") == journal.events("\udcff") == ()


def test_event_numbers_are_never_given_again(journal: Journal) -> None:
    last = journal.add_task(TASK)
    journal.delete_task("k3f")
    assert journal.add_task(TASK).seq == last.seq + 2  # the deletion has a number of its own


def test_run_and_event_are_stored_both_or_neither(journal: Journal) -> None:
    journal.add_task(TASK)
    with pytest.raises(TypeError):
        journal.save_run(DONE, "run.finished", {"what": object()})
    assert journal.run("k3f-1") == RUN
    assert len(journal.events("k3f")) == 1


def test_a_note_leaves_the_run_as_it_is(journal: Journal) -> None:
    journal.add_task(TASK)
    journal.save_run(DONE, "run.finished")
    noted = journal.note("k3f-1", "accepted", {"hunks": {"caf\udce9": ["a"]}})
    assert (noted.task, noted.run, noted.kind, noted.data) == (
        "k3f",
        "k3f-1",
        "accepted",
        {"hunks": {"caf\udce9": ["a"]}},
    )
    assert journal.events("k3f-1")[-1] == noted
    assert journal.run("k3f-1") == DONE
    with pytest.raises(UsageError, match="There is no run"):
        journal.note("k3f-9", "accepted")


def test_runs_are_discarded_all_or_none_and_nothing_else_of_them_changes(path: Path) -> None:
    odd = replace(DONE, reason="caf\udce9 \x00 \U0001f600 ' \"")
    with Journal(path, clock=lambda: 100.0) as journal:
        journal.add_task(TASK)
        journal.save_run(odd, "run.finished")
        with pytest.raises(UsageError, match="There is no run"):
            journal.discard(["k3f-1", "k3f-9"], 1_800_000_000.123)
        assert journal.task("k3f").runs == (odd, TASK.runs[1])
        journal.discard(["k3f-1", "k3f-2"], 1_800_000_000.123)
    with Journal(path) as journal:
        assert journal.task("k3f").runs == tuple(
            replace(run, discarded=1_800_000_000.123) for run in (odd, TASK.runs[1])
        )
        journal.discard(["k3f-1"], None)
        assert journal.run("k3f-1") == odd
        assert [(event.run, event.kind) for event in journal.events("k3f")[-3:]] == [
            ("k3f-1", "discarded"),
            ("k3f-2", "discarded"),
            ("k3f-1", "restored"),
        ]


def test_what_is_trusted_of_repositories_is_kept_by_what_it_says(journal: Journal) -> None:
    assert journal.grants.trusted("/r") == frozenset()
    for repository, digest in (("/r", "a"), ("/r", "b"), ("/r", "a"), ("/caf\udce9", "c")):
        journal.grants.trust(repository, digest)
    assert journal.grants.trusted("/r") == {"a", "b"}
    assert [repository for repository, _ in journal.grants.trusting()] == ["/caf\udce9", "/r"]
    assert journal.grants.distrust("/r")
    assert not journal.grants.distrust("/r")
    assert journal.grants.trusted("/r") == frozenset()
    assert journal.grants.trusted("/caf\udce9") == {"c"}


def test_rejections(journal: Journal) -> None:
    journal.add_task(TASK)
    journal.reject("k3f-1", [("b.py", "22"), ("a\udce9.py", "11")])
    journal.reject("k3f-1", [("b.py", "22"), ("b.py", "33")])
    assert journal.rejections("k3f-1") == (
        Rejection("a\udce9.py", "11", 100.0),
        Rejection("b.py", "22", 100.0),
        Rejection("b.py", "33", 100.0),
    )
    back = [("a\udce9.py", "11"), ("b.py", "33"), ("never", "1")]
    journal.end_accept("none", Accepted("k3f-1", (), (), None, back, {}, (), 0.0))
    assert journal.rejections("k3f-1") == (Rejection("b.py", "22", 100.0),)
    assert journal.rejections("k3f-2") == journal.rejections("nothing") == ()


def test_deleted_task_leaves_nothing_of_it(journal: Journal, path: Path) -> None:
    journal.add_task(TASK)
    other = replace(TASK, id="m5m", runs=(replace(RUN, id="m5m-1", task="m5m"),))
    journal.add_task(other)
    for run in ("k3f-1", "m5m-1"):
        journal.reject(run, [("a", "1")])
    journal.delete_task("k3f")
    assert journal.tasks() == (other,)
    assert journal.rejections("m5m-1")
    with closing(sqlite3.connect(path)) as connection:
        left = [text for text in connection.iterdump() if "k3f" in text]
    assert left == []


@pytest.mark.parametrize("unknown", ["", "x", "k3", "K3F", "\udcff", "' OR 1=1 --"])
def test_unknown_ids_are_refused_in_words(journal: Journal, unknown: str) -> None:
    journal.add_task(TASK)
    for ask in (journal.task, journal.delete_task):
        with pytest.raises(UsageError, match="There is no task"):
            ask(unknown)
    with pytest.raises(UsageError, match="There is no run"):
        journal.run(unknown)
    with pytest.raises(UsageError, match="There is no run"):
        journal.reject(unknown, [])


def test_task_id_that_is_taken(journal: Journal) -> None:
    journal.add_task(TASK)
    with pytest.raises(UsageError, match="already"):
        journal.add_task(replace(TASK, prompt="another", runs=()))
    assert journal.task("k3f") == TASK


def test_run_of_a_deleted_task_is_not_stored(journal: Journal) -> None:
    journal.add_task(TASK)
    journal.delete_task("k3f")
    with pytest.raises(UsageError, match="There is no task 'k3f'"):
        journal.save_run(DONE, "run.finished")
    assert journal.unfinished_runs() == ()


def test_a_damaged_record_is_named_and_hides_no_other(
    journal: Journal, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal.add_task(TASK)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET data = replace(data, 'queued', 'dreaming') WHERE id = 'k3f-1'")
    with pytest.raises(MuxError, match=r"k3f-1 in .*mux.db cannot be read .*'dreaming' is no RunState"):
        journal.run("k3f-1")
    [task] = journal.tasks()
    assert [run.id for run in task.runs] == [run.id for run in TASK.runs if run.id != "k3f-1"]
    assert "k3f-1" in caplog.text
    journal.delete_task("k3f")
    assert journal.tasks() == ()


def test_a_full_disk_is_said_in_words_and_nothing_is_half_written(journal: Journal) -> None:
    journal.add_task(TASK)
    pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
    journal._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(MuxError, match=r"cannot be used. The disk of .* is full .*make room on it and try again"):
        journal.save_run(replace(TASK.runs[0], reason="x" * 100_000), "run.changed")
    journal._database.execute("PRAGMA max_page_count = 1000000")
    assert journal.run(TASK.runs[0].id) == TASK.runs[0]
    journal.save_run(DONE, "run.finished")


def test_task_ids_are_short_new_and_no_words(journal: Journal) -> None:
    seen = set()
    for _ in range(300):
        new = journal.new_task_id()
        assert re.fullmatch(r"[a-z][a-z0-9]{2}", new)
        assert not re.search(r"[aeiouyl01]", new)
        assert re.search(r"\d", new)
        assert new not in seen
        seen.add(new)
        journal.add_task(replace(TASK, id=new, runs=()))


def test_task_ids_grow_when_it_is_crowded(journal: Journal, path: Path) -> None:
    """Ids grow once a quarter of the short ones is taken, so that finding a free one stays quick."""

    def take(first_letters: str) -> None:
        letters = string.ascii_lowercase + string.digits
        ids = [(a + b + c, "", "") for a in first_letters for b in letters for c in letters]
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany("INSERT INTO tasks (id, repository, data) VALUES (?, ?, ?)", ids)

    take("b")
    assert len(journal.new_task_id()) == 3
    take("cd")
    assert len(journal.new_task_id()) == 4


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from mux_lsp.store.journal import Journal
from tests.integration.store.test_journal import RUN, TASK
with Journal(Path(sys.argv[1])) as journal:
    journal.add_task(TASK)
    number = 0
    while True:
        number += 1
        event = journal.save_run(replace(RUN, hunks=number), "run.changed", {"hunks": number})
        journal.reject(RUN.id, [("a.py", str(number))])
        print(event.seq, number, flush=True)
"""


@pytest.mark.parametrize("writes", [1, 50, 400])
def test_every_acknowledged_write_survives_kill_9(path: Path, writes: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(writes)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.readlines()
    last_event, last = (
        int(word) for word in next(line for line in reversed(acknowledged) if line.endswith("\n")).split()
    )
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Journal(path) as journal:
        events = journal.events("k3f-1")
        assert [event.data["hunks"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1].seq >= last_event
        assert journal.run("k3f-1").hunks == events[-1].data["hunks"], "a run and its event are stored together"
        assert {rejection.hunk for rejection in journal.rejections("k3f-1")} >= {
            str(number) for number in range(1, last + 1)
        }


def test_a_run_with_many_files_is_stored_as_any_other(journal: Journal) -> None:
    files = tuple(replace(DONE.files[0], path=f'"files":[] {number}') for number in range(1000))
    run = replace(RUN, files=files, reason='"files":[]')
    journal.add_task(replace(TASK, runs=(run,)))
    assert journal.run(run.id) == run
    other = replace(run, files=files[:-1])
    journal.save_run(other, "changed")
    assert journal.run(run.id) == other
    journal.save_run(replace(run, turn=3), "changed")
    assert journal.run(run.id) == replace(run, turn=3)
