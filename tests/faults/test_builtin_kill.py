"""Test the built-in agent under `kill -9`, stop and cancel of the real daemon; and that its key never leaks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp.agents.replay.script import parse
from mux_lsp.agents.replay.server import serve
from mux_lsp.daemon.client import request_stop
from tests.support.client import connected
from tests.support.home import wait_for_exit
from tests.support.person import make_repository, text_of
from tests.support.replaying import DONE, agent, call, text, turn
from tests.support.runs import processes_of_runs
from tests.support.signals import signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.client import Client
    from tests.support.home import IsolatedHome
    from tests.support.signals import Signal

SECONDS = 20.0
CANARY = "sk-canary-6f1d"
ALL_COMMANDS = '[permissions]\nallow = ["run"]\n'
EDIT = call("edit_file", path="f.txt", edits=[{"old": "line 3\n", "new": "LINE 3\n"}])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"f.txt": text_of(range(20))})


@pytest.fixture
def said(tmp_path: Path) -> Iterator[tuple[Signal, Signal]]:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        yield arrived, go


@asynccontextmanager
async def playing(home: IsolatedHome, *turns: str, rules: str = ALL_COMMANDS) -> AsyncIterator[str]:
    """Serve a script as the model of the agent `built`. It outlives every daemon."""
    async with serve(parse("[[conversation]]\n" + "".join(turns), "play.toml")) as url:
        home.write_config(rules + agent(url))
        yield url


async def kill(client: Client) -> None:
    daemon = psutil.Process((await client.command("mux.status"))["pid"])
    daemon.kill()
    assert wait_for_exit(daemon, SECONDS)


STALLED = turn(
    text("I change the third line now."), EDIT,
    more='usage = { input = 1000, output = 100 }\nfaults = [{ kind = "stall", after = 6 }]',
)  # fmt: skip


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_ended_while_the_model_speaks(mux_home: IsolatedHome, root: Path, how: str) -> None:
    async with playing(mux_home, STALLED, DONE):
        async with connected(mux_home, root) as client:
            task = await client.start("built")
            run = task["runs"][0]["id"]
            await client.until(lambda: "I change" in client.output.get((run, "stdout"), ""), "its first words")
            if how == "kill":
                await kill(client)
        if how == "stop":
            request_stop(SECONDS, home=mux_home.paths)
        async with connected(mux_home, root) as client:
            (ended,) = await client.ended(task["id"])
            assert (ended["state"], ended["hunks"]) == ("finished", 1)
            # Only a daemon that was not killed can count the usage of the interrupted answer; each other answer is
            # counted once.
            last = await client.log(run, "transcript")
            assert last.count('"kind": "usage"') == {"kill": 2, "stop": 3}[how]
            assert ended["tokens"] >= 1100
            assert "Going on from where mux-lsp was stopped" in await client.log(run)


async def test_killed_during_a_command(mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal]) -> None:
    arrived, go = said
    command = f"echo x >> log; {arrived.give}; {go.take}; echo y >> log"
    told = 'expect = { result_contains = "[interrupted: mux-lsp was stopped", result_is_error = true }'
    turns = (turn(call("run_command", command=command), EDIT), turn(text("I see."), more=told))
    async with playing(mux_home, *turns):
        async with connected(mux_home, root) as client:
            task = await client.start("built")
            await arrived.happened()
            await kill(client)
        left = processes_of_runs(mux_home)
        assert left
        async with connected(mux_home, root) as client:
            (ended,) = await client.ended(task["id"])
            assert ended["state"] == "finished", ended
            for process in left:
                assert wait_for_exit(process, 0), process
            patch = await client.diff(ended["id"])
            assert "+x\n" in patch
            assert "+x\n+x\n" not in patch
            assert "+y\n" not in patch
            assert "+LINE 3\n" in patch  # the next call, which had not begun


async def test_killed_while_a_person_is_asked(mux_home: IsolatedHome, root: Path) -> None:
    done = turn(text("Thanks."), more='expect = { result_contains = "allowed", result_is_error = false }')
    async with playing(mux_home, turn(call("run_command", command="echo allowed | tee log")), done, rules=""):
        async with connected(mux_home, root) as client:
            task = await client.start("built")
            run = task["runs"][0]["id"]
            await client.reaches(run, "waiting")
            (first,) = (await client.command("mux.permission.list"))["permissions"]
            await kill(client)
        async with connected(mux_home, root) as client:
            if not (await client.command("mux.permission.list"))["permissions"]:
                await client.until(
                    lambda: any(b"mux/permissionRequested" in body for body in client.raw), "the question"
                )
            (again,) = (await client.command("mux.permission.list"))["permissions"]
            assert (await client.command("mux.run.get", run=run))["run"]["state"] == "waiting"
            assert again["subject"] == "echo allowed | tee log"
            assert again["id"] != first["id"]  # an answer to the old question has no effect
            await client.command("mux.permission.reply", id=again["id"], answer="once")
            (ended,) = await client.ended(task["id"])
            assert ended["state"] == "finished", ended
            assert (await client.diff(run)).count("+allowed\n") == 1


async def test_killed_again_and_again(mux_home: IsolatedHome, root: Path) -> None:
    """Kill it in each of its answers. Every command is run once, and every complete answer is counted once."""
    steps = [
        turn(
            text(f"Step {n} of three."),
            call("run_command", command=f"echo {n} >> log"),
            more='usage = { input = 1000, output = 10 }\nfaults = [{ kind = "stall", after = 5 }]',
        )
        for n in range(3)
    ]
    async with playing(mux_home, *steps, turn(text("Done."), more="usage = { input = 1000, output = 10 }")):
        async with connected(mux_home, root) as client:
            task = await client.start("built")
            run = task["runs"][0]["id"]
        for n in range(3):
            async with connected(mux_home, root) as client:
                await heard(client, run, f"Step {n}")
                assert (await client.command("mux.run.get", run=run))["run"]["tokens"] == (1010 * n or None)
                await kill(client)
        async with connected(mux_home, root) as client:
            (ended,) = await client.ended(task["id"])
            assert ended["state"] == "finished", ended
            assert ended["tokens"] == 4040
            assert "+0\n+1\n+2\n" in await client.diff(run)


async def heard(client: Client, run: str, words: str) -> None:
    """Wait until the run's log has these words, whether or not a notification had them."""
    said, offset = "", 0
    while words not in said:
        piece = await client.command("mux.run.log", run=run, offset=offset, follow=True)
        said, offset = said + piece["text"], piece["offset"]
        assert not piece["ended"], said


async def test_a_person_ends_it(mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal]) -> None:
    arrived, _ = said
    async with (
        playing(mux_home, turn(call("run_command", command=f"setsid sleep 1000 & {arrived.give}; sleep 1000"))),
        connected(mux_home, root) as client,
    ):
        task = await client.start("built")
        await arrived.happened()
        assert processes_of_runs(mux_home)
        answer = await client.command("mux.run.cancel", run=task["runs"][0]["id"])
        assert answer["run"]["state"] == "cancelled"
        assert processes_of_runs(mux_home) == []


async def test_the_key_is_nowhere(mux_home: IsolatedHome, root: Path, said: tuple[Signal, Signal]) -> None:
    arrived, go = said
    look = f"env; cat /proc/self/environ; {arrived.give}; {go.take}"
    turns = (turn(call("search", pattern="x"), call("run_command", command=look)), DONE)
    async with (
        playing(mux_home, *turns),
        connected(mux_home, root, ANTHROPIC_API_KEY=CANARY, ANTHROPIC_AUTH_TOKEN=CANARY, OTHER_SECRET=CANARY) as client,
    ):
        task = await client.start("built", checks=("env",))
        await arrived.happened()
        daemon = psutil.Process((await client.command("mux.status"))["pid"])
        assert daemon.environ()["ANTHROPIC_API_KEY"] == CANARY
        children = processes_of_runs(mux_home)
        assert children
        for child in children:
            assert CANARY not in str(child.environ())
        go.happens()
        (ended,) = await client.ended(task["id"])
        assert ended["state"] == "finished", ended
        assert not [body for body in client.raw if CANARY.encode() in body]
        # The notified output equals the log: complete, once, in order.
        told = client.output[ended["id"], "stdout"]
        assert told == await client.log(ended["id"])
        assert told.startswith("▸ search x\n▸ run command env; ")
        assert told.endswith("\nIt is done.\n")
    # The check is the person's own command and has the person's environment, but no API key.
    kept = [path for path in mux_home.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert kept
    found = [path.relative_to(mux_home.folder) for path in kept if CANARY.encode() in path.read_bytes()]
    assert [str(path.name) for path in found if "check-" not in str(path)] == []
    for path in found:
        assert f"OTHER_SECRET={CANARY}" in (mux_home.folder / path).read_text()
        assert f"ANTHROPIC_API_KEY={CANARY}" not in (mux_home.folder / path).read_text()
