"""Test many runs at once: each has its own worktree and ports, and nothing of any is left when it has ended."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from typing import TYPE_CHECKING

from tests.support.client import connected
from tests.support.person import fingerprint, git, make_repository, text_of
from tests.support.runs import processes_of_runs
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome

WORK = 'echo "$MUX_PORT"; echo "$MUX_WORKTREE" >&2; sed -i "s/line 3$/$MUX_RUN/" f.txt; git commit -qam "$MUX_RUN"; '


async def check_right(client: Client, runs: list[Json]) -> None:
    """Assert that each run has finished with its own result, and with ports and worktrees of its own."""
    ports, worktrees = [], []
    for run in runs:
        assert (run["state"], run["reason"], run["hunks"]) == ("finished", None, 1)
        assert [check["state"] for check in run["checks"]] == ["passed"]
        assert f"-line 3\n+{run['id']}\n" in await client.diff(run["id"])
        ports.append(int(await client.log(run["id"])))
        worktrees.append(await client.log(run["id"], "stderr"))
    assert len(set(worktrees)) == len(runs)
    ports.sort()
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(ports)), ports


def check_nothing_left(home: IsolatedHome, kept: int = 10) -> None:
    """Assert that no process and no ref is left, and only the worktrees kept for the next runs, which are clean."""
    assert processes_of_runs(home) == []
    (room,) = (home.state / "repos").iterdir()
    worktrees = list((room / "worktrees").glob("*/*"))
    assert 1 <= len(worktrees) <= kept
    for worktree in worktrees:
        assert (worktree / "f.txt").read_text() == text_of(range(9))
        assert not (worktree / ".git").exists()
    assert git(room / "shadow.git", "for-each-ref", "refs/mux/slots").count("\n") <= kept


async def test_twenty_runs_of_one_task(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": text_of(range(9))})
    before = fingerprint(root / ".git")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with connected(mux_home, root) as client:
            task = await client.start(
                f"sh:{WORK}{arrived.give}; {go.take}", count=20, checks=('grep -q "$MUX_RUN" f.txt',)
            )
            await arrived.happened(20)  # all of them at work at the same time
            go.happens(20)
            runs = await client.ended(task["id"])
            assert len(runs) == 20
            await check_right(client, runs)
            check_nothing_left(mux_home)
            compared = await client.command("mux.task.compare", task=task["id"])
            assert (len(compared["files"][0]["hunks"]), compared["equal"]) == (20, [])
    assert fingerprint(root / ".git") == before


async def test_a_limit_of_open_files_that_is_low_by_default_is_no_limit_of_runs(
    mux_home: IsolatedHome, tmp_path: Path
) -> None:
    """Some systems limit a process to 256 by default and allow many more; a daemon with a hundred runs needs those."""
    root = make_repository(tmp_path / "project", {"f.txt": text_of(range(9))})
    start = ["/bin/sh", "-c", 'ulimit -Sn 64 && exec "$@"', "sh", *mux_home.command("list", "--all")]
    await asyncio.to_thread(subprocess.run, start, env=mux_home.environment(), check=True, capture_output=True)
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with connected(mux_home, root) as client:
            task = await client.start(f"sh:{WORK}{arrived.give}; {go.take}", count=15)
            await arrived.happened(15)
            go.happens(15)
            runs = await client.ended(task["id"])
            assert [(run["state"], run["reason"]) for run in runs] == [("finished", None)] * 15


async def test_a_limit_of_open_files_that_cannot_be_raised_makes_runs_wait_and_fails_none(
    mux_home: IsolatedHome, tmp_path: Path
) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": text_of(range(9))})
    start = ["/bin/sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", *mux_home.command("list", "--all")]
    await asyncio.to_thread(subprocess.run, start, env=mux_home.environment(), check=True, capture_output=True)
    async with connected(mux_home, root) as client:
        task = await client.start(f"sh:{WORK}", count=15, checks=("true",))
        runs = await client.ended(task["id"])
        assert [(run["state"], run["reason"]) for run in runs] == [("finished", None)] * 15
        assert "the system allows too few open files" in mux_home.log
        assert "Too many open files" not in mux_home.log


async def test_five_tasks_from_two_clients(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": text_of(range(9))})
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with connected(mux_home, root, name="one") as one, connected(mux_home, root, name="other") as other:
            agent, checks = f"sh:{WORK}{arrived.give}; {go.take}", ('grep -q "$MUX_RUN" f.txt',)
            askers = [one, other, one, other, one]
            tasks = await asyncio.gather(*(client.start(agent, count=4, checks=checks) for client in askers))
            assert len({task["id"] for task in tasks}) == 5
            await arrived.happened(20)
            go.happens(20)
            for client in (one, other):  # each is notified of all, whoever asked
                runs = [run for task in tasks for run in await client.ended(task["id"])]
                await check_right(client, runs)
                # Both were shown the same states in the same order.
                assert {name for name, _ in client.shown} == {run["id"] for run in runs}
            check_nothing_left(mux_home)
