"""Test `kill -9` while a set-up runs: the next daemon ends it and starts it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil

from tests.support.client import connected
from tests.support.home import wait_for_exit
from tests.support.person import make_repository
from tests.support.runs import processes_of_runs
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome


async def test_a_set_up_is_begun_again(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": "one\n", "a.lock": "1\n"})
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        setup = ["echo half > made.txt", f"sleep 1000 & {arrived.give}; {go.take}; echo whole > made.txt"]
        mux_home.write_config(f"[[repository]]\npath = {json.dumps(str(root))}\nsetup = {json.dumps(setup)}\n")
        async with connected(mux_home, root) as client:
            task = await client.start("sh:cat made.txt > got.txt", count=3)
            await arrived.happened()
            states = {run["state"]: run["reason"] for run in client.runs.values()}
            assert states == {"preparing": "waits for the set-up"}
            daemon = psutil.Process((await client.command("mux.status"))["pid"])
            daemon.kill()
            assert wait_for_exit(daemon, 20)
        left = processes_of_runs(mux_home)
        assert left
        async with connected(mux_home, root) as client:
            await arrived.happened()
            for process in left:
                assert wait_for_exit(process, 20)
            go.happens()
            for run in await client.ended(task["id"]):
                assert (run["state"], run["reason"]) == ("finished", None)
                assert "+whole\n" in await client.diff(run["id"])
            slots = (await client.command("mux.status"))["repositories"][0]["worktrees"]
            assert slots <= 4, "those of the killed daemon are gone"
