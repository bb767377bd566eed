"""Test that acceptances stay on record: once while they stand, and whatever happens to their task."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.history import Acceptance, Cause, ChangeKey, extract
from mux_lsp.core.model import Task
from mux_lsp.errors import MuxError
from mux_lsp.store.acceptances import read, row
from mux_lsp.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ONE = Acceptance(
    repository="/home/caf\udce9/repository",
    task="k3f",
    run="k3f-1",
    agent="codex",
    model="big",
    prompt="do ünïcödé\n\ud800",
    message=None,
    path="b\udce9.py",
    origin="b\udce9.py",
    hunk="0123456789",
    change="0123456789",
    cause=Cause.ACCEPT,
    client="an editor",
    person="ada",
    line=4,
    removed=extract(["a\n"]),
    added=extract(["b\ud800\n", "c\n"]),
    before=("x",),
    agreed=("k3f-2",),
    total=3,
)
OTHER = replace(ONE, change="9876543210", hunk="9876543210", message="go on")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    ticks = count(100)
    with Journal(tmp_path / "mux.db", clock=lambda: float(next(ticks))) as journal:
        yield journal


def record(journal: Journal, accepted: list[Acceptance], withdrawn: Sequence[ChangeKey] = ()) -> None:
    journal.record([row(one) for one in accepted], withdrawn)


def found(journal: Journal, *places: tuple[str, str | None]) -> list[Acceptance]:
    return list(read(journal.path, places or None))


def test_it_comes_back_as_it_was_newest_first(journal: Journal) -> None:
    record(journal, [ONE])
    record(journal, [OTHER])
    assert found(journal) == [replace(OTHER, id=2, at=101.0), replace(ONE, id=1, at=100.0)]


def test_of_equal_hunks_one_stands_at_a_time(journal: Journal) -> None:
    record(journal, [ONE, replace(ONE, run="k3f-2", client="another")])
    record(journal, [replace(ONE, client="another")])
    assert found(journal) == [replace(ONE, id=1, at=100.0)]
    record(journal, [], [ONE.key])
    record(journal, [], [ONE.key, ChangeKey("k3f", "nothing", "here")])
    assert found(journal) == [replace(ONE, id=1, at=100.0, withdrawn=102.0)]
    record(journal, [OTHER, ONE])
    record(journal, [ONE], [ONE.key])
    assert [(one.change, one.at, one.withdrawn) for one in found(journal)] == [
        (ONE.change, 105.0, None),
        (ONE.change, 104.0, 105.0),
        (OTHER.change, 104.0, None),
        (ONE.change, 100.0, 102.0),
    ]


def test_where_it_was(journal: Journal) -> None:
    elsewhere = replace(ONE, repository="/elsewhere", task="m4d")
    record(journal, [ONE, replace(OTHER, path="a.py"), elsewhere])
    assert [one.id for one in found(journal, (ONE.repository, None))] == [2, 1]
    assert [one.id for one in found(journal, (ONE.repository, ONE.path))] == [1]
    assert [one.id for one in found(journal, (ONE.repository, ONE.path), ("/elsewhere", ONE.path))] == [3, 1]
    assert found(journal, (ONE.repository, "c.py")) == []
    assert list(read(journal.path, [])) == []


def test_it_outlives_its_task_whose_id_is_not_given_again(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.add_task(Task("k3f", "do it", "/r", "", 1.0))
    record(journal, [ONE])
    journal.delete_task("k3f")
    assert [one.task for one in found(journal)] == ["k3f"]
    letters = iter("k3fk4f")
    monkeypatch.setattr("secrets.choice", lambda _: next(letters))
    # The first letter is drawn last.
    letters = iter("3fk" + "4fk")
    assert journal.new_task_id() == "k4f"


def test_a_prompt_is_kept_once(journal: Journal) -> None:
    record(journal, [replace(ONE, change=str(number)) for number in range(50)])
    record(journal, [replace(ONE, change="more"), replace(ONE, change="other", prompt="other")])
    assert {one.prompt for one in found(journal)} == {ONE.prompt, "other"}
    with closing(sqlite3.connect(journal.path)) as database:
        assert database.execute("SELECT count(*) FROM prompts").fetchone() == (2,)


def test_one_that_cannot_be_read_hides_no_other(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    record(journal, [ONE, OTHER])
    with closing(sqlite3.connect(journal.path)) as database, database:
        database.execute("UPDATE acceptances SET data = '{}' WHERE id = 1")
    assert [one.id for one in found(journal)] == [2]
    assert re.search(r"acceptance 1 in .*mux\.db cannot be read", caplog.text)


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MuxError, match="could not be used: unable to open"):
        list(read(tmp_path / "mux.db"))
