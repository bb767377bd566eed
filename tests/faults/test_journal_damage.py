"""Test a journal that is newer, older, damaged, truncated or locked by another program, and the messages about it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from mux_lsp.store.database import MIGRATIONS
from tests.faults.test_kill import kill_at_once
from tests.support.client import RefusedError, connected
from tests.support.person import make_repository
from tests.support.runs import processes_of_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.client import Client
    from tests.support.home import IsolatedHome

JOURNALS: Final = Path(__file__).parents[1] / "integration" / "store" / "journals"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"f.txt": "f\n"})


def mux(home: IsolatedHome, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the terminal and return its outcome."""
    return subprocess.run(
        home.command(*arguments), cwd=root, env=home.environment(), capture_output=True, text=True, check=False
    )


async def check_refused(home: IsolatedHome, root: Path, *words: str) -> None:
    """Assert that terminal and editor both report it in a sentence, and that the journal stays unchanged."""
    before = journal_of(home).read_bytes()
    done = mux(home, root, "list")
    assert done.returncode == 1
    with pytest.raises(RefusedError) as refused:
        async with connected(home, root):
            pass
    for said in (done.stderr, str(refused.value)):
        for word in words:
            assert word in said
        assert "Traceback" not in said
        assert "bug" not in said
    assert journal_of(home).read_bytes() == before


def journal_of(home: IsolatedHome) -> Path:
    return home.state / "mux.db"


async def test_a_newer_journal(mux_home: IsolatedHome, root: Path) -> None:
    mux_home.state.mkdir(mode=0o700)
    with closing(sqlite3.connect(journal_of(mux_home))) as connection:
        connection.execute("CREATE TABLE later (name TEXT)")
        connection.execute("PRAGMA user_version = 99")
    sentence = f"was written by a newer mux-lsp (schema 99; this one knows up to {len(MIGRATIONS)})"
    await check_refused(mux_home, root, sentence, "Upgrade mux-lsp", str(journal_of(mux_home)))


def _hole(path: Path) -> None:
    """Overwrite a page of the table of runs."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


DAMAGE: Final[dict[str, Callable[[Path], object]]] = {
    "rubbish": lambda path: path.write_bytes(b"rubbish that is long enough for a header" * 100),
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a hole": _hole,
}


@pytest.mark.parametrize("how", DAMAGE)
async def test_a_damaged_journal(mux_home: IsolatedHome, root: Path, how: str) -> None:
    async with connected(mux_home, root) as client:
        await client.run("echo x >> f.txt")
    mux(mux_home, root, "stop")
    DAMAGE[how](journal_of(mux_home))
    await check_refused(
        mux_home, root, "is damaged", "mux-lsp leaves it as it is", "PRAGMA integrity_check", "move the three files"
    )
    # Following the message: once the three files are moved away, the daemon begins with an empty journal.
    for file in mux_home.state.glob("mux.db*"):
        file.rename(mux_home.folder / file.name)
    done = mux(mux_home, root, "status", "--json")
    assert json.loads(done.stdout) is None
    async with connected(mux_home, root) as client:
        assert (await client.command("mux.task.list"))["tasks"] == []
        assert (await client.command("mux.status"))["notices"] == []
        assert (await client.run("echo x >> f.txt"))["state"] == "finished"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Let another program begin to write to a database, and hold its lock."""
    hold = f"import sqlite3; c = sqlite3.connect({str(path)!r}, isolation_level=None); "
    hold += "c.execute('BEGIN IMMEDIATE'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield
        other.communicate(b"\n")


async def test_a_journal_that_another_program_holds(mux_home: IsolatedHome, root: Path) -> None:
    async with connected(mux_home, root) as client:
        await client.run("true")
    mux(mux_home, root, "stop")
    # Not in this process: closing any descriptor of a file releases the process's locks on it.
    with held(journal_of(mux_home)):
        await check_refused(mux_home, root, "is held by another program", "Nothing was lost")
    async with connected(mux_home, root) as client:
        assert len((await client.command("mux.task.list"))["tasks"]) == 1


async def _killed(client: Client) -> None:
    kill_at_once(psutil.Process((await client.command("mux.status"))["pid"]))


def messages(client: Client) -> list[str]:
    """Return the messages that the client was asked to show."""
    shown = [json.loads(body) for body in client.raw]
    return [one["params"]["message"] for one in shown if one["method"] == "window/showMessage"]


@pytest.mark.parametrize("plain", [None, "x"], ids=["a client of ours", "any editor"])
async def test_a_journal_whose_log_was_cut(mux_home: IsolatedHome, root: Path, plain: str | None) -> None:
    async with connected(mux_home, root) as client:
        kept = await client.run("echo x >> f.txt")
    mux(mux_home, root, "stop")  # what is in the journal itself stays
    async with connected(mux_home, root) as client:
        lost = await client.run("echo y >> f.txt")
        await _killed(client)
    log = mux_home.state / "mux.db-wal"
    assert log.stat().st_size
    log.write_bytes(b"")
    async with connected(mux_home, root, plain=plain) as client:
        assert [task["id"] for task in (await client.command("mux.task.list"))["tasks"]] == [kept["task"]]
        (notice,) = (await client.command("mux.status"))["notices"]
        assert "lacks the last" in notice
        assert f"{lost['id']}." in notice
        await client.until(lambda: notice in messages(client), "the notice")
        assert notice in mux_home.log
        assert notice in mux(mux_home, root, "status").stdout
        assert notice in mux(mux_home, root, "doctor").stdout
    mux(mux_home, root, "stop")
    # Only one daemon reports it.
    async with connected(mux_home, root, plain=plain) as client:
        assert (await client.command("mux.status"))["notices"] == []


async def test_kill_alone_cuts_nothing(mux_home: IsolatedHome, root: Path) -> None:
    for number in range(1, 4):
        async with connected(mux_home, root) as client:
            assert (await client.command("mux.status"))["notices"] == []
            assert len((await client.command("mux.task.list"))["tasks"]) == number - 1
            await client.run(f"echo {number} >> f.txt")
            await _killed(client)


def put(home: IsolatedHome, fixture: Path) -> None:
    """Make the fixture the journal of a home."""
    home.state.mkdir(mode=0o700)
    with closing(sqlite3.connect(journal_of(home))) as connection:
        connection.executescript(fixture.read_text(encoding="ascii"))


@pytest.mark.parametrize("file", sorted(JOURNALS.glob("v*.sql")), ids=lambda file: file.stem)
async def test_an_old_journal_is_taken_up(mux_home: IsolatedHome, root: Path, file: Path) -> None:
    """Its runs were at work in a repository that is gone: each ends with a reason, and new ones begin."""
    put(mux_home, file)
    async with connected(mux_home, root) as client:
        old = {task["id"]: task for task in (await client.command("mux.task.list"))["tasks"]}
        assert set(old) == {"k3f", "b2c"}
        runs = {run["id"]: run for run in await client.ended("k3f")}
        assert runs["k3f-1"]["state"] == "finished"
        assert runs["k3f-2"]["state"] in {"failed", "interrupted"}
        assert "a bug in mux-lsp" not in runs["k3f-2"]["reason"]
        assert (await client.run("echo x >> f.txt"))["state"] == "finished"
        accepted = (await client.command("mux.history.list"))["acceptances"]
        assert [one["run"] for one in accepted] == ([] if file.stem == "v1" else ["k3f-1", "k3f-1"])
    assert not processes_of_runs(mux_home)
    assert "Traceback" not in mux_home.log
