"""Test `kill -9` of the daemon while runs are discarded or one is picked: all or none are gone, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.faults.test_kill import kill_at_once
from tests.support.client import connected
from tests.support.person import make_repository, text_of
from tests.support.runs import processes_of_runs
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Client
    from tests.support.home import IsolatedHome

TEXT = text_of(range(20))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"f.txt": TEXT})


async def daemon_of(client: Client) -> psutil.Process:
    return psutil.Process((await client.command("mux.status"))["pid"])


async def thrown_away(client: Client, task: str) -> list[bool]:
    runs = (await client.command("mux.task.get", task=task))["task"]["runs"]
    return [run["discarded"] is not None for run in runs]


async def test_killed_while_agents_are_ended(mux_home: IsolatedHome, root: Path, tmp_path: Path) -> None:
    """The agents have just been asked to end, and take their time."""
    with signals(tmp_path / "signals", "arrived", "asked", "go") as (arrived, asked, go):
        async with connected(mux_home, root) as client:
            done = await client.run("echo done >> f.txt")
            stubborn = f"trap '{asked.give}; {go.take}' TERM; echo begun >> f.txt; {arrived.give}; {go.take}"
            task = await client.start(f"sh:{stubborn}", count=2)
            await arrived.happened(2)
            await client.until(lambda: all(client.runs[run["id"]]["files"] for run in task["runs"]), "their results")
            await client.command("mux.task.discard", id=done["id"])
            daemon = await daemon_of(client)
            discarding = asyncio.ensure_future(client.command("mux.task.discard", id=task["id"]))
            await asked.happened(2)
            kill_at_once(daemon)
            with pytest.raises(EOFError):
                await discarding
        async with connected(mux_home, root) as client:
            assert await thrown_away(client, task["id"]) == [True, True]
            # The answer comes when all runs have ended, including those that the killed daemon had begun to end.
            await client.command("mux.task.discard", id=task["id"])
            assert processes_of_runs(mux_home) == []
            runs = (await client.command("mux.task.restore", id=task["id"]))["restored"]
            for run in runs:
                shape = (await client.command("mux.run.get", run=run))["run"]
                assert (shape["state"], shape["worktree"], shape["discarded"]) == ("cancelled", None, None)
                assert "+begun\n" in await client.diff(run)
            await client.command("mux.task.restore", id=done["id"])
            assert await client.diff(done["id"]) != ""
            assert len(runs) == 2


@pytest.mark.parametrize("moment", range(5))
async def test_killed_while_picking(mux_home: IsolatedHome, root: Path, moment: int) -> None:
    """The kill comes after a number of messages: about the text, its record and the other runs, in turn."""
    picked = TEXT.replace("line 3\n", "LINE 3\n")
    async with connected(mux_home, root) as client:
        task = await client.start("sh:sed -i 's/line 3$/LINE 3/' f.txt", "sh:echo x >> f.txt", "sh:echo y >> f.txt")
        winner, *rest = (run["id"] for run in await client.ended(task["id"]))
        await client.command("mux.hunk.reject", run=rest[0], hunks=[(await client.review(rest[0]))[0]["hunk"]])
        diffs = {run: await client.diff(run) for run in (winner, *rest)}
        daemon = await daemon_of(client)
        told = len(client.raw)
        picking = asyncio.ensure_future(client.command("mux.run.pick", run=winner))
        reached = asyncio.ensure_future(client.until(lambda: len(client.raw) >= told + moment))
        # The command may be done with fewer.
        await asyncio.wait({picking, reached}, return_when=asyncio.FIRST_COMPLETED)
        kill_at_once(daemon)
        reached.cancel()
        with contextlib.suppress(EOFError):
            await picking
    text = (root / "f.txt").read_text()
    assert text in {TEXT, picked}
    async with connected(mux_home, root) as client:
        thrown = await thrown_away(client, task["id"])
        assert thrown in ([False, False, False], [False, True, True])
        assert text == picked or thrown == [False, False, False]
        # Repeated, it has the outcome of an undisturbed one.
        answer = await client.command("mux.run.pick", run=winner)
        assert (root / "f.txt").read_text() == picked
        assert await thrown_away(client, task["id"]) == [False, True, True]
        assert answer["accepted"] + answer["already"] == 1
        assert {run: await client.diff(run) for run in (winner, *rest)} == diffs
        await client.command("mux.task.restore", id=task["id"])
        assert [(await client.review(run))[0]["status"] for run in rest] == ["rejected", "pending"]
