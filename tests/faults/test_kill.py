"""Test `kill -9` of the daemon at any point: agents go on, the next daemon resumes runs, and shown data survives."""

from __future__ import annotations

import asyncio
import functools
import random
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.client import ENDS, RefusedError, connected
from tests.support.home import wait_for_exit
from tests.support.person import git, make_repository, text_of
from tests.support.runs import heads, processes_of_runs
from tests.support.signals import Signal, signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome

SECONDS = 20.0

HIDDEN = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1], "w") as pipe:
            pipe.write("\\n")
        open(sys.argv[2]).read()
"""
"""A Python program that leaves its session and its parent, signals that, and stays."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"f.txt": text_of(range(20)), "g.txt": "g\n"})


@pytest.fixture
def said(tmp_path: Path) -> Iterator[tuple[Signal, Signal]]:
    """Yield the signal that the other side gives, and the one that it waits for."""
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        yield arrived, go


async def kill(client: Client) -> None:
    """Kill the daemon with `kill -9`, and wait for its end."""
    daemon = psutil.Process((await client.command("mux.status"))["pid"])
    kill_at_once(daemon)


def kill_at_once(daemon: psutil.Process) -> None:
    daemon.kill()
    assert wait_for_exit(daemon, SECONDS)


def blocking_git(folder: Path, subcommand: str, arrived: Signal, go: Signal) -> str:
    """Return a `PATH` with a git that signals its first such subcommand and waits there. The real git does all work."""
    folder.mkdir()
    armed = folder / "armed"
    armed.touch()
    wrapper = folder / "git"
    wrapper.write_text(
        f'#!/bin/sh\ncase " $* " in *" {subcommand} "*) if rm {shlex.quote(str(armed))} 2>/dev/null; then '
        f'{arrived.give}; {go.take}; fi;; esac\nexec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    return f"{folder}:/usr/local/bin:/usr/bin:/bin"


def check_result(run: Json, *, hunks: int = 1) -> None:
    assert (run["state"], run["reason"], run["exit_status"], run["hunks"]) == ("finished", None, 0, hunks)
    assert [check["state"] for check in run["checks"]] == ["passed"] * len(run["checks"])


@pytest.mark.parametrize("when", ["after the next daemon has come", "while there is no daemon"])
async def test_agents_at_work_go_on(mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal], when: str) -> None:
    arrived, go = said
    work = f"echo before; echo before >&2; sed -i 's/line 3$/LINE 3/' f.txt; {arrived.give}; {go.take}; "
    work += "echo after; echo after >&2; sed -i 's/line 17$/LINE 17/' f.txt"
    async with connected(mux_home, root) as client:
        task = await client.start(f"sh:{work}", f"sh:{work}; exit 3", checks=("grep -q 'LINE 17' f.txt",))
        await arrived.happened(2)
        await client.until(lambda: all(client.runs[run["id"]]["hunks"] for run in task["runs"]), "the first hunk")
        first = (await client.review(task["runs"][0]["id"]))[0]
        await client.command("mux.hunk.reject", run=first["run"], hunks=[first["hunk"]])
        await kill(client)
    going_on = processes_of_runs(mux_home)
    assert len(heads(going_on)) == 2
    if when == "while there is no daemon":
        go.happens(2)
        for process in going_on:
            assert wait_for_exit(process, SECONDS)
    async with connected(mux_home, root) as client:
        if when != "while there is no daemon":
            states = [run["state"] for run in (await client.command("mux.task.get", task=task["id"]))["task"]["runs"]]
            assert states == ["running", "running"]
            go.happens(2)
        good, bad = await client.ended(task["id"])
        check_result(good, hunks=2)
        assert len(good["checks"]) == 1
        assert (bad["state"], bad["exit_status"], bad["hunks"], bad["checks"]) == ("failed", 3, 2, [])
        for run in (good, bad):
            for stream in ("stdout", "stderr"):
                assert await client.log(run["id"], stream) == "before\nafter\n"
        assert [item["status"] for item in await client.review(good["id"])] == ["rejected", "pending"]
        assert "+LINE 17\n" in await client.diff(bad["id"])


async def test_killed_with_runs_in_the_queue(mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal]) -> None:
    arrived, go = said
    mux_home.write_config("[runs]\nconcurrent = 1\n")
    async with connected(mux_home, root) as client:
        task = await client.start(f"sh:echo x >> g.txt; {arrived.give}; {go.take}", count=3, checks=("true",))
        await arrived.happened()
        states = [run["state"] for run in (await client.command("mux.task.get", task=task["id"]))["task"]["runs"]]
        assert sorted(states) == ["queued", "queued", "running"]
        await kill(client)
    async with connected(mux_home, root) as client:
        go.happens(3)
        for run in await client.ended(task["id"]):
            check_result(run)


async def test_killed_while_checking(mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal]) -> None:
    """The checks of a result, those with the original tests, and those of the snapshot are all run anew."""
    arrived, go = said
    (root / "tests").mkdir()
    (root / "tests" / "a.txt").write_text("a\n")
    check = f"grep -q x g.txt; found=$?; {arrived.give}; {go.take}; exit $found"
    async with connected(mux_home, root) as client:
        task = await client.start("sh:echo x >> g.txt; echo b > tests/a.txt", checks=(check, "true"))
        await arrived.happened(3)
        first = heads(processes_of_runs(mux_home))
        await kill(client)
    async with connected(mux_home, root) as client:
        await arrived.happened(3)
        again = heads(processes_of_runs(mux_home))
        assert (len(first), len(again), set(first) & set(again)) == (3, 3, set())
        go.happens(3)
        (run,) = await client.ended(task["id"])
        check_result(run, hunks=2)
        await client.until(lambda: client.runs[run["id"]]["checks"][0]["baseline_state"], "the checks of the snapshot")
        told = client.runs[run["id"]]
        for checks in (told["checks"], told["restored_checks"]):
            assert [(one["state"], one["baseline_state"]) for one in checks] == [
                ("passed", "failed"),
                ("passed", "passed"),
            ]
        assert not processes_of_runs(mux_home)


async def test_killed_while_verifying(mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal]) -> None:
    arrived, go = said
    async with connected(mux_home, root) as client:
        asked = asyncio.ensure_future(client.command("mux.verify", checks=[f"{arrived.give}; {go.take}"]))
        await arrived.happened()
        assert len(heads(processes_of_runs(mux_home))) == 1
        await kill(client)
        with pytest.raises(EOFError):
            await asked
    async with connected(mux_home, root) as client:
        assert not processes_of_runs(mux_home)
        store = next(mux_home.state.glob("repos/*/shadow.git"))
        assert not [one for one in (store.parent / "verify").iterdir() if one.is_dir()]
        assert "verify" not in git(store, "for-each-ref")
        assert (await client.command("mux.verify", checks=["true"]))["verdict"]["passed"]
        (repository,) = (await client.command("mux.status"))["repositories"]
        assert (repository["worktrees"], repository["verdict"]["stale"]) == (1, False)


@pytest.mark.parametrize("subcommand", ["--revs", "read-tree", "update-index", "commit-tree"])
async def test_killed_with_git_at_work(
    mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal], tmp_path: Path, subcommand: str
) -> None:
    """The daemon is killed while git works: right after `mux.task.start`, while preparing, while a result is taken."""
    arrived, go = said
    path = blocking_git(tmp_path / "bin", subcommand, arrived, go)
    (root / "g.txt").write_text("unstaged\n")
    (root / "new.txt").write_text("untracked\n")
    if subcommand in {"update-index", "commit-tree"}:  # the snapshot needs them too: let that one pass
        (tmp_path / "bin" / "armed").unlink()
    async with connected(mux_home, root, PATH=path) as client:
        agent = f"touch {tmp_path / 'bin' / 'armed'}; echo x >> g.txt; cat new.txt >> g.txt"
        if subcommand in {"--revs", "read-tree"}:
            agent = "echo x >> g.txt; cat new.txt >> g.txt"
        task = await client.start(f"sh:{agent}", checks=("grep -q untracked g.txt",))
        await arrived.happened()
        await kill(client)
    try:
        async with connected(mux_home, root) as client:
            (run,) = await client.ended(task["id"])
            check_result(run)
            assert "+x\n+untracked\n" in await client.diff(run["id"])
            again = await client.run("echo y > g.txt")
            check_result(again)
            status = await client.command("mux.status")
            # No worktree was lost: there is the run's, and the one for the check of the snapshot.
            assert status["repositories"][0]["worktrees"] <= 2
            assert not [one for one in mux_home.processes() if subcommand in one.cmdline()], "it works on for nobody"
    finally:
        go.happens()  # release any process that still waits
    (worktrees,) = (mux_home.state / "repos").glob("*/worktrees")
    assert len(list(worktrees.iterdir())) <= 2


async def test_cancel_after_take_up_ends_the_whole_tree(
    mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal]
) -> None:
    arrived, go = said
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(HIDDEN)} {arrived.path} {go.path}; {go.take}"
    async with connected(mux_home, root) as client:
        task = await client.start(f"sh:{command}")
        await arrived.happened()
        await kill(client)
    left = processes_of_runs(mux_home)
    assert len(left) >= 3
    async with connected(mux_home, root) as client:
        answer = await client.command("mux.run.cancel", run=task["runs"][0]["id"])
        assert answer["run"]["state"] == "cancelled"
        for process in left:
            assert wait_for_exit(process, 0), process
        assert processes_of_runs(mux_home) == []


async def killed_in_mid_end(client: Client, arrived: Signal, runs: int, command: str, **argument: object) -> None:
    """Request a command that ends runs, and kill the daemon when this many agents were asked to end, and have not."""
    asked = asyncio.ensure_future(client.command(command, **argument))
    await arrived.happened(runs)
    await kill(client)
    with pytest.raises(EOFError):
        await asked


@pytest.mark.parametrize(
    ("command", "of"),
    [("mux.run.cancel", "run"), ("mux.task.cancel", "task"), ("mux.task.discard", "id")],
)
async def test_a_cancel_that_was_not_answered_is_carried_out_by_the_next_daemon(
    mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal], command: str, of: str
) -> None:
    arrived, go = said
    agents = 1 if of == "run" else 2
    # The agent survives TERM and goes on undisturbed.
    wait = f"while ! {go.take}; do :; done"
    work = f"trap '{arrived.give}' TERM; echo x >> g.txt; {arrived.give}; {wait}; echo y >> g.txt"
    mux_home.write_config("[runs]\ngrace_seconds = 600\n")
    async with connected(mux_home, root) as client:
        task = await client.start(f"sh:{work}", count=agents)
        await arrived.happened(agents)
        await client.until(lambda: all(client.runs[run["id"]]["hunks"] for run in task["runs"]), "the first hunk")
        name = task["runs"][0]["id"] if of == "run" else task["id"]
        await killed_in_mid_end(client, arrived, agents, command, **{of: name})
    mux_home.write_config("[runs]\ngrace_seconds = 0.1\n")
    async with connected(mux_home, root) as client:
        for run in await client.ended(task["id"]):
            assert (run["state"], run["reason"], run["hunks"]) == ("cancelled", None, 1)
            assert "+y" not in await client.diff(run["id"])
        assert processes_of_runs(mux_home) == []


def it_is_time(client: Client, moment: int) -> bool:
    """Return whether this many messages have come, or no more will."""
    return len(client.raw) >= moment or all(run["state"] in ENDS for run in client.runs.values())


@pytest.mark.parametrize("seed", range(3))
async def test_killed_again_and_again(mux_home: IsolatedHome, root: Path, seed: int) -> None:
    """Kill it at a random message. Everything that a client was shown is true in every later daemon."""
    chance = random.Random(seed)
    shown: dict[str, Json] = {}
    diffs: dict[str, str] = {}
    for _ in range(5):
        async with connected(mux_home, root) as client:
            daemon = psutil.Process((await client.command("mux.status"))["pid"])
            await check_survived(client, shown, diffs)
            moment = len(client.raw) + chance.randrange(40)
            try:
                await client.start("sh:echo x >> g.txt; echo done", count=2, checks=("grep -q x g.txt",))
                await client.until(functools.partial(it_is_time, client, moment))
                if chance.random() < 0.5:
                    for run in list(client.runs.values()):
                        if run["state"] == "finished":
                            diffs[run["id"]] = await client.diff(run["id"])
            finally:
                kill_at_once(daemon)
            shown |= client.runs
    async with connected(mux_home, root) as client:
        await check_survived(client, shown, diffs)
        for task in (await client.command("mux.task.list"))["tasks"]:
            for run in await client.ended(task["id"]):
                check_result(run)
                assert await client.log(run["id"]) == "done\n"
                assert await client.diff(run["id"]) == diffs.get(run["id"], await client.diff(run["id"]))
        status = await client.command("mux.status")
        assert status["unfinished_runs"] == 0
        assert processes_of_runs(mux_home) == []


def known(now: Json, before: Json) -> Json:
    """Return the present check without the values that were unknown before: its baseline state comes a moment later."""
    return {key: None if before[key] is None else value for key, value in now.items()}


async def check_survived(client: Client, shown: dict[str, Json], diffs: dict[str, str]) -> None:
    for name, before in shown.items():
        now = (await client.command("mux.run.get", run=name))["run"]
        assert now["state"] not in {"failed", "interrupted", "cancelled"}, now
        if before["state"] == "finished":
            same = ("state", "files", "hunks", "exit_status", "started", "finished")
            assert {key: now[key] for key in same} == {key: before[key] for key in same}
            assert [known(now, before) for now, before in zip(now["checks"], before["checks"], strict=True)] == before[
                "checks"
            ]
    for name, patch in diffs.items():
        assert await client.diff(name) == patch


async def test_what_was_deleted_stays_deleted(mux_home: IsolatedHome, root: Path) -> None:
    async with connected(mux_home, root) as client:
        run = await client.run("echo x >> g.txt")
        kept = await client.run("echo y >> g.txt")
        await client.command("mux.task.delete", id=run["task"])
        await kill(client)
    async with connected(mux_home, root) as client:
        with pytest.raises(RefusedError, match="There is no run"):
            await client.command("mux.run.get", run=run["id"])
        assert "+y\n" in await client.diff(kept["id"])
