"""Test `kill -9` with a full queue: order, pauses, priorities and spending stay as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from tests.support.client import connected
from tests.support.home import wait_for_exit
from tests.support.person import make_repository
from tests.support.replaying import DONE, agent, call, replaying, turn
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome


async def stand(client: Client) -> tuple[dict[str, int | None], dict[str, tuple[int, bool]], Json]:
    """Return the queue order, the state of the tasks, and the spending."""
    tasks = (await client.command("mux.task.list"))["tasks"]
    places = {run["id"]: run["queue_place"] for task in tasks for run in task["runs"] if run["state"] == "queued"}
    return (
        places,
        {task["id"]: (task["priority"], task["paused"]) for task in tasks},
        (await client.command("mux.status"))["spent"],
    )


async def test_the_queue_and_the_ledger_survive(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": "one\n"})
    spends = turn(call("read_file", path="f.txt"), more="usage = { input = 700, output = 50 }")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go), replaying(tmp_path, spends, DONE) as url:
        mux_home.write_config(agent(url) + "[runs]\nconcurrent = 1\n")
        async with connected(mux_home, root) as client:
            paid = await client.start("built")
            await client.ended(paid["id"])
            tasks = [await client.start(f"sh:{arrived.give}; {go.take}", count=count) for count in (3, 2, 2)]
            await arrived.happened()
            await client.command("mux.task.prioritize", task=tasks[2]["id"], priority=3)
            await client.command("mux.task.pause", task=tasks[1]["id"])
            before = await stand(client)
            assert sorted(place for place in before[0].values() if place is not None) == [1, 2, 3, 4]
            assert before[2]["tokens"] >= 750
            daemon = psutil.Process((await client.command("mux.status"))["pid"])
            daemon.kill()
            assert wait_for_exit(daemon, 20)
        async with connected(mux_home, root) as client:
            assert await stand(client) == before
            go.happens(5)
            for task in (tasks[0], tasks[2]):
                assert {run["state"] for run in await client.ended(task["id"])} == {"finished"}
            held = (await client.command("mux.task.get", task=tasks[1]["id"]))["task"]["runs"]
            assert {run["state"] for run in held} == {"queued"}
            await client.command("mux.task.cancel", task=tasks[1]["id"])
            await client.command("mux.task.delete", id=paid["id"])
            assert (await client.command("mux.status"))["spent"] == before[2]
