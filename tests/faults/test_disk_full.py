"""Test full, inodeless and read-only disks, of the state and of the repository, in every operation.

What cannot be done is refused in a sentence that names the disk; nothing is lost, no partial file is left, and
everything works again when there is room.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.client import RefusedError, connected
from tests.support.disks import Disks, small_disks
from tests.support.home import IsolatedHome, isolated_home
from tests.support.person import WHO, text_of
from tests.support.signals import signals

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.support.client import Client, Json

TEXT: Final = text_of(range(40))
EDIT: Final = "sed -i 's/^line 3$/LINE 3/' f.txt"
ADDITION: Final = "sed -i 's/^line 30$/LINE 30/' f.txt; echo new > new.txt"

BYTES, INODES, READ_ONLY = "bytes", "inodes", "read-only"
SENTENCES: Final = {
    BYTES: r"The disk of \S+ \(mounted at {place}\) is full|The disk of {place} is full",
    INODES: r"The disk of \S+( \(mounted at {place}\))? has no room for another file",
    READ_ONLY: r"The disk of \S+( \(mounted at \S+\))? is read-only",
}

LEFTOVERS: Final = ("tmp_*", "fast_import_crash_*", "*.lock", "*.new", ".new-*", ".mux-*", "*.tmp")
LOCKS: Final = {"daemon.lock", "start.lock"}
"""mux-lsp's own lock files, which stay."""


@dataclass(frozen=True, slots=True)
class HomeOnDisks(IsolatedHome):
    """A home whose processes run in a mount namespace."""

    disks: Disks | None = field(default=None)

    def command(self, *arguments: str) -> list[str]:
        """Return a command line, see `IsolatedHome.command`."""
        enter = [] if self.disks is None else self.disks.enter
        return [*enter, *IsolatedHome.command(self, *arguments)]

    @property
    def log(self) -> str:
        """Return the daemon's log."""
        assert self.disks is not None
        return self.disks.seen(Path(self.paths.log)).read_text()

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command line of mux-lsp in a folder."""
        assert self.disks is not None
        return self.disks.run(folder, *IsolatedHome.command(self, *arguments))


@dataclass
class World:
    """A state folder and a repository, each on a disk of its own."""

    home: HomeOnDisks
    disks: Disks
    root: Path
    """The repository, on the disk that is mounted above it."""

    def place(self, which: str) -> Path:
        return self.home.state if which == "state" else self.root.parent

    def seen(self, path: str) -> Path:
        return self.disks.seen(self.root / path)

    def text(self, path: str = "f.txt") -> str | None:
        """Return the content of the person's file."""
        seen = self.seen(path)
        return seen.read_text() if seen.exists() else None

    @property
    def state(self) -> Path:
        return self.disks.seen(self.home.state)

    def breaks(self, which: str, fault: str) -> None:
        """Break a disk."""
        disk = self.disks.disk(self.place(which))
        if fault == BYTES:
            disk.full()
        elif fault == INODES:
            disk.out_of_inodes()
        elif which == "state":
            for folder in ("repos", "runs", "kept"):
                (self.state / folder).mkdir(exist_ok=True)
                self.disks.read_only_below(self.home.state / folder)
        else:
            self.disks.read_only(disk.place)

    def mended(self, which: str, fault: str) -> None:
        """Repair the disk."""
        disk = self.disks.disk(self.place(which))
        if fault == READ_ONLY:
            self.disks.writable(disk.place)
        else:
            disk.roomy()

    def refused(self, which: str, fault: str, said: str) -> None:
        """Assert that the message names the disk and the fault."""
        words = SENTENCES[fault].replace("{place}", re.escape(str(self.place(which))))
        assert re.search(words, said), said
        assert "Traceback" not in said
        assert "bug in mux-lsp" not in said

    def check_nothing_left(self) -> None:
        """Assert that no partial file is left, and that the stores and the journal are intact."""
        found = [path for pattern in LEFTOVERS for path in (*self.state.rglob(pattern), *self.seen("").rglob(pattern))]
        assert not [path for path in found if path.name not in LOCKS]
        for store in self.state.glob("repos/*/shadow.git"):
            inside = self.home.state / store.relative_to(self.state)
            done = self.disks.run(inside, "git", "fsck", "--full", "--no-dangling", "--connectivity-only")
            assert done.returncode == 0, done.stderr
        database = str(self.home.state / "mux.db")
        check = f"import sqlite3; print(sqlite3.connect({database!r}).execute('PRAGMA integrity_check').fetchone()[0])"
        assert self.disks.run(Path("/"), "python3", "-c", check).stdout == b"ok\n"
        assert not unexpected(self.home.log), self.home.log
        assert "a bug in mux-lsp" not in self.home.log


def unexpected(log: str) -> list[str]:
    """Return the line before each traceback in a log.

    One failure is expected: taking a result while its agent works, which is repeated.
    """
    lines = log.splitlines()
    found = [lines[at - 1] for at, line in enumerate(lines) if line.startswith("Traceback")]
    return [line for line in found if "could not be taken while it works" not in line]


def _make_repository(disks: Disks, root: Path) -> None:
    """Make the person's repository. git resolves its own path, so it must run inside the namespace."""
    disks.seen(root).mkdir()
    (disks.seen(root) / "f.txt").write_text(TEXT)
    (disks.seen(root) / "g.txt").write_text("g\n")
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "first")):
        done = disks.run(root, "git", *WHO, *command)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with isolated_home() as plain:
        (plain.folder / "state").mkdir(mode=0o700)
        repositories = tmp_path / "disk"
        repositories.mkdir()
        environment = plain.environment(HOME=str(plain.folder))
        with small_disks(plain.state, repositories, environment=environment) as disks:
            home = HomeOnDisks(plain.folder, disks=disks)
            _make_repository(disks, repositories / "project")
            try:
                yield World(home, disks, repositories / "project")
            finally:
                home.run(Path("/"), "stop")


@asynccontextmanager
async def client_of(world: World) -> AsyncIterator[Client]:
    async with connected(world.home, world.root) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the person's on a task with two results: the first edits a line, the second adds a file."""

    act: Callable[[Client, list[Json]], Awaitable[Any]]
    done: Callable[[Client, World, list[Json]], Awaitable[object]]
    """Asserts that the operation was done."""
    not_done: Callable[[Client, World, list[Json]], Awaitable[object]]
    """Asserts that the operation had no effect."""


async def _started(client: Client, _: list[Json]) -> None:
    task = await client.start(f"sh:{EDIT}", checks=("true",))
    (run,) = await client.ended(task["id"])
    if run["state"] != "finished":
        raise RefusedError({"message": run["reason"]})
    assert (run["hunks"], [check["state"] for check in run["checks"]]) == (1, ["passed"])


async def _rejected(client: Client, runs: list[Json]) -> None:
    await client.command("mux.run.reject", run=runs[0]["id"])


async def _continued(client: Client, runs: list[Json]) -> None:
    await client.command("mux.run.continue", run=runs[0]["id"], message="more")
    (run, _) = await client.ended(runs[0]["task"])
    if run["state"] != "finished":
        raise RefusedError({"message": run["reason"]})


async def _verified(client: Client, _: list[Json]) -> None:
    assert (await client.command("mux.verify", checks=["true"]))["verdict"]["passed"]


async def _states(client: Client, runs: list[Json]) -> list[tuple[str, bool]]:
    told = (await client.command("mux.task.get", task=runs[0]["task"]))["task"]["runs"]
    return [(run["state"], run["discarded"] is not None) for run in told]


async def _statuses(client: Client, run: Json) -> set[str]:
    return {item["status"] for item in await client.review(run["id"])}


KEPT: Final = [("finished", False), ("finished", False)]


def _asserting(expected: object, found: Callable[[Client, World, list[Json]], Awaitable[object]]) -> Any:
    async def check(client: Client, world: World, runs: list[Json]) -> None:
        assert await found(client, world, runs) == expected

    return check


async def _all(client: Client, _: World, runs: list[Json]) -> object:
    return await _states(client, runs)


async def _texts(_: Client, world: World, __: list[Json]) -> object:
    return world.text(), world.text("new.txt")


async def _first(client: Client, _: World, runs: list[Json]) -> object:
    return await _statuses(client, runs[0])


async def _is_there(client: Client, _: World, runs: list[Json]) -> object:
    return runs[0]["task"] in [task["id"] for task in (await client.command("mux.task.list"))["tasks"]]


async def _anything(_: Client, __: World, ___: list[Json]) -> object:
    return None


EDITED: Final = TEXT.replace("line 3\n", "LINE 3\n")
BOTH: Final = TEXT.replace("line 30\n", "LINE 30\n")


OPERATIONS: Final = {
    "start": Operation(_started, _asserting(None, _anything), _asserting(KEPT, _all)),
    "accept": Operation(
        lambda client, runs: client.command("mux.run.accept", run=runs[1]["id"]),
        _asserting((BOTH, "new\n"), _texts),
        _asserting((TEXT, None), _texts),
    ),
    "pick": Operation(
        lambda client, runs: client.command("mux.run.pick", run=runs[1]["id"]),
        _asserting((BOTH, "new\n"), _texts),
        _asserting((TEXT, None), _texts),
    ),
    "reject": Operation(_rejected, _asserting({"rejected"}, _first), _asserting({"pending"}, _first)),
    "discard": Operation(
        lambda client, runs: client.command("mux.task.discard", id=runs[0]["task"]),
        _asserting([("finished", True)] * 2, _all),
        _asserting(KEPT, _all),
    ),
    "restore": Operation(
        lambda client, runs: client.command("mux.task.restore", id=runs[0]["task"]),
        _asserting(KEPT, _all),
        _asserting([("finished", True)] * 2, _all),
    ),
    "delete": Operation(
        lambda client, runs: client.command("mux.task.delete", id=runs[0]["task"]),
        _asserting(False, _is_there),
        _asserting(True, _is_there),
    ),
    "continue": Operation(_continued, _asserting(KEPT, _all), _asserting(None, _anything)),
    "verify": Operation(_verified, _asserting(KEPT, _all), _asserting(KEPT, _all)),
}

DONE, REFUSED, EITHER = "done", "refused", "either"

MATRIX: Final = {
    # The journal's log may have room left, so a change may be made or refused: all of it, or nothing.
    ("state", BYTES): dict.fromkeys(OPERATIONS, EITHER) | dict.fromkeys(("start", "continue", "verify"), REFUSED),
    # The journal has its files open: operations that make no new file are done.
    ("state", INODES): dict.fromkeys(OPERATIONS, DONE) | dict.fromkeys(("start", "continue", "verify"), REFUSED),
    ("state", READ_ONLY): dict.fromkeys(OPERATIONS, DONE) | dict.fromkeys(("start", "continue", "verify"), REFUSED),
    # The repository is read and never written, except by accepting.
    ("repository", BYTES): dict.fromkeys(OPERATIONS, DONE) | dict.fromkeys(("accept", "pick"), REFUSED),
    ("repository", INODES): dict.fromkeys(OPERATIONS, DONE) | dict.fromkeys(("accept", "pick"), REFUSED),
    ("repository", READ_ONLY): dict.fromkeys(OPERATIONS, DONE) | dict.fromkeys(("accept", "pick"), REFUSED),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("which", "fault"), MATRIX)
async def test_every_operation_on_a_broken_disk(world: World, which: str, fault: str) -> None:
    kept = []
    async with client_of(world) as client:
        for name in OPERATIONS:
            world.seen("f.txt").write_text(TEXT)
            world.seen("new.txt").unlink(missing_ok=True)
            runs = await client.ended((await client.start(f"sh:{EDIT}", f"sh:{ADDITION}"))["id"])
            assert [(run["state"], run["hunks"]) for run in runs] == [("finished", 1), ("finished", 2)]
            if name == "restore":
                await OPERATIONS["discard"].act(client, runs)
            await check_operation(world, client, runs, (which, fault, name))
            if name != "delete":
                kept.append(runs)
        await _started(client, [])
    world.home.run(world.root, "stop")
    world.check_nothing_left()
    # The next daemon gives the same answers.
    async with client_of(world) as client:
        for runs in kept:
            assert [state for state, _ in await _states(client, runs)] == ["finished", "finished"]


async def check_operation(world: World, client: Client, runs: list[Json], case: tuple[str, str, str]) -> None:
    """Break the disk, do the operation, repair the disk, and do it again if it was refused."""
    which, fault, name = case
    operation, expected = OPERATIONS[name], MATRIX[which, fault][name]
    world.breaks(which, fault)
    try:
        await operation.act(client, runs)
    except RefusedError as error:
        assert expected != DONE, (name, error)
        world.refused(which, fault, str(error))
        if name in {"accept", "pick"}:
            # The text is there as a whole or not at all; the refusal may concern the record of it.
            assert (world.text(), world.text("new.txt")) in {(TEXT, None), (BOTH, "new\n")}
        else:
            await operation.not_done(client, world, runs)
        refused = True
    else:
        assert expected != REFUSED, name
        await operation.done(client, world, runs)
        refused = False
    world.mended(which, fault)
    if refused:
        await operation.act(client, runs)
        await operation.done(client, world, runs)


# The daemon's start


@pytest.mark.parametrize("fault", SENTENCES)
async def test_a_daemon_cannot_start(world: World, fault: str) -> None:
    """This holds for the first one and for one that finds tasks: neither loses any."""
    disk = world.disks.disk(world.home.state)
    for tasks in (0, 1):
        if fault == READ_ONLY:
            world.disks.read_only(disk.place)
        else:
            world.breaks("state", fault)
        done = world.home.run(world.root, "list")
        assert done.returncode == 1
        world.refused("state", fault, done.stderr.decode())
        with pytest.raises(RefusedError) as refused:
            async with client_of(world):
                pass
        world.refused("state", fault, str(refused.value))
        world.mended("state", fault)
        async with client_of(world) as client:
            assert len((await client.command("mux.task.list"))["tasks"]) == tasks
            assert (await client.command("mux.status"))["notices"] == []
            await _started(client, [])
        world.home.run(world.root, "stop")
    world.check_nothing_left()


# While agents and checks are at work


@pytest.mark.parametrize("fault", [BYTES, INODES])
async def test_the_disk_is_full_at_the_end_of_an_agent(world: World, tmp_path: Path, fault: str) -> None:
    """Its result is taken once something is started with room, otherwise by the next daemon."""
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with client_of(world) as client:
            command = f"sh:{EDIT}; {arrived.give}; {go.take}; echo printed; echo new > new.txt"
            task = await client.start(command, count=2)
            await arrived.happened(2)
            world.breaks("state", fault)
            go.happens(2)
            runs = await client.ended(task["id"])
            for run in runs:
                assert run["state"] == "failed"
                world.refused("state", fault, run["reason"])
            world.mended("state", fault)
            await _started(client, [])
            found = await client.until(lambda: _taken(client, task), "their results")
            assert all(run["hunks"] >= 1 for run in found)
            for run in found:
                assert "LINE 3" in await client.diff(run["id"], "f.txt")
    world.home.run(world.root, "stop")
    world.check_nothing_left()


def _taken(client: Client, task: Json) -> list[Json]:
    found = [client.runs[run["id"]] for run in task["runs"]]
    return found if all(run["worktree"] is None for run in found) else []


@pytest.mark.parametrize("fault", [BYTES, INODES])
async def test_the_disk_is_full_between_checks(world: World, tmp_path: Path, fault: str) -> None:
    with signals(tmp_path / "signals", "arrived", "go", "later") as (arrived, go, later):
        async with client_of(world) as client:
            # The check of the snapshot beside it frees its space when it ends.
            gate = f"{arrived.give}; if grep -q LINE f.txt; then {go.take}; else {later.take}; fi"
            task = await client.start(f"sh:{EDIT}", checks=(gate, "echo printed"))
            await arrived.happened(2)
            world.breaks("state", fault)
            go.happens()
            run = await client.reaches(task["runs"][0]["id"], "failed")
            world.refused("state", fault, run["reason"])
            assert run["hunks"] == 1
            world.mended("state", fault)
            later.happens()
            await _started(client, [])
            await client.command("mux.run.accept", run=run["id"])
            assert world.text() == EDITED
    world.home.run(world.root, "stop")
    world.check_nothing_left()


# Files that the person stores


@pytest.mark.parametrize("fault", SENTENCES)
async def test_no_copy_can_be_kept_of_what_would_be_written_over(world: World, fault: str) -> None:
    mine = TEXT.replace("line 3\n", "mine\n")
    async with client_of(world) as client:
        (run,) = await client.ended((await client.start(f"sh:{EDIT}"))["id"])
        world.seen("f.txt").write_text(mine)
        world.breaks("state", fault)
        with pytest.raises(RefusedError) as refused:
            await client.command("mux.run.accept", run=run["id"], mode="take")
        world.refused("state", fault, str(refused.value))
        assert world.text() == mine
        assert not list((world.state / "kept").rglob("f.txt"))
        world.mended("state", fault)
        await client.command("mux.run.accept", run=run["id"], mode="take")
        assert world.text() == EDITED
        (kept,) = (world.state / "kept").rglob("f.txt")
        assert kept.read_text() == mine
    world.home.run(world.root, "stop")
    world.check_nothing_left()


@pytest.mark.parametrize("fault", [BYTES, INODES])
async def test_trust_is_kept_or_refused(world: World, fault: str) -> None:
    world.seen("mux.toml").write_text('setup = ["true"]\n')
    async with client_of(world) as client:
        shown = await client.command("mux.repository.get")
        # Until the journal's log has no room left.
        world.breaks("state", fault)
        try:
            answer = await client.command("mux.repository.trust", digest=shown["digest"])
        except RefusedError as error:
            assert fault == BYTES
            world.refused("state", fault, str(error))
            assert not (await client.command("mux.repository.get"))["trusted"]
        else:
            assert answer["trusted"]
        world.mended("state", fault)
        assert (await client.command("mux.repository.trust", digest=shown["digest"]))["trusted"]
    world.home.run(world.root, "stop")
    async with client_of(world) as client:
        assert (await client.command("mux.repository.get"))["trusted"]
