"""Test agents' permission requests in editors: notifications with our protocol, a message with buttons without it."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.lsp import protocol
from tests.support.client import RefusedError, connected
from tests.support.person import make_repository
from tests.support.replaying import DONE, agent, call, replaying, text, turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Client
    from tests.support.home import IsolatedHome

ASK = turn(call("run_command", command="touch \u202eallowed"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"f.txt": "f\n"})


@contextmanager
def playing(home: IsolatedHome, folder: Path, *turns: str) -> Iterator[None]:
    with replaying(folder, *turns) as url:
        home.write_config(agent(url))
        yield


def told(client: Client, method: str) -> list[Any]:
    return [one["params"] for one in map(json.loads, client.raw) if one["method"] == method]


async def test_a_client_with_our_protocol(mux_home: IsolatedHome, root: Path, tmp_path: Path) -> None:
    with playing(mux_home, tmp_path, ASK, DONE):
        async with connected(mux_home, root) as client, connected(mux_home, root, name="other") as other:
            task = await client.start("built", count=2)
            first, second = (run["id"] for run in task["runs"])
            await client.reaches(first, "waiting")
            await client.reaches(second, "waiting")
            await client.until(lambda: len(told(client, "mux/permissionRequested")) == 2)
            asked = told(client, "mux/permissionRequested")[-1]["permission"]
            protocol.PermissionShape.model_validate(asked)
            assert set(asked["runs"]) == {first, second}
            assert (asked["tool"], asked["subject"]) == ("run", "touch <U+202E>allowed")
            assert client.runs[first]["reason"] == "asks for leave: Run `touch <U+202E>allowed`"
            assert (await other.command("mux.permission.list"))["permissions"] == [asked]
            left = await other.command("mux.permission.reply", id=asked["id"], answer="once")
            assert left["permissions"] == []
            runs = await client.ended(task["id"])
            assert [run["state"] for run in runs] == ["finished", "finished"]
            (settled,) = told(client, "mux/permissionSettled")
            assert (settled["id"], settled["answer"]) == (asked["id"], "once")
            with pytest.raises(RefusedError, match="There is no open question"):
                await client.command("mux.permission.reply", id=asked["id"], answer="once")


@pytest.mark.parametrize(
    ("button", "said", "changed"),
    [
        ("Allow once", "", ["\u202eallowed"]),
        ("Allow for this run", "", ["\u202eallowed"]),
        ("Refuse", "✗ Not allowed: The person refused this.", []),
    ],
)
async def test_a_client_without_our_protocol(
    mux_home: IsolatedHome, root: Path, tmp_path: Path, button: str, said: str, changed: list[str]
) -> None:
    with playing(mux_home, tmp_path, ASK, DONE):
        async with connected(mux_home, root, plain=button) as client:
            task = (await client.command("mux.task.start", prompt="do it", agents=[{"agent": "built"}]))["task"]
            run = task["runs"][0]["id"]
            (message,) = await client.until(lambda: client.messages)
            assert (
                message["message"]
                == f"{run} asks for leave: Run `touch <U+202E>allowed`\ntouch <U+202E>allowed"[
                    : len(message["message"])
                ]
            )
            assert [one["title"] for one in message["actions"]] == [
                "Allow once", "Allow for this run", "Allow for this task", "Always allow here", "Refuse",
            ]  # fmt: skip
            async with connected(mux_home, root, name="watcher") as watcher:
                (ended,) = await watcher.ended(task["id"])
                assert ended["state"] == "finished"
                assert [one["path"] for one in ended["files"]] == changed
                assert said in await watcher.log(run)


async def test_who_comes_later_is_asked_what_was_asked_before(
    mux_home: IsolatedHome, root: Path, tmp_path: Path
) -> None:
    with playing(mux_home, tmp_path, ASK, DONE):
        async with connected(mux_home, root) as client:
            task = await client.start("built")
            await client.reaches(task["runs"][0]["id"], "waiting")
            async with connected(mux_home, root, plain="Allow once") as later:
                await later.until(lambda: later.messages)
                (ended,) = await client.ended(task["id"])
            assert [one["path"] for one in ended["files"]] == ["\u202eallowed"]


# A message to a run that waits


async def test_a_message_is_a_no_with_words_for_that_run_alone(
    mux_home: IsolatedHome, root: Path, tmp_path: Path
) -> None:
    with playing(mux_home, tmp_path, ASK, DONE):
        async with connected(mux_home, root) as client:
            task = await client.start("built", count=2)
            first, second = (run["id"] for run in task["runs"])
            for run in (first, second):
                await client.reaches(run, "waiting")
            await client.command("mux.run.continue", run=first, message="Use make instead.")
            assert (await client.reaches(first, "finished"))["files"] == []
            assert "They say: Use make instead." in await client.log(first, "transcript")
            (left,) = (await client.command("mux.permission.list"))["permissions"]
            assert (left["runs"], client.runs[second]["state"]) == ([second], "waiting")
            await client.command("mux.permission.reply", id=left["id"], answer="once")
            assert [len(run["files"]) for run in await client.ended(task["id"])] == [0, 1]


async def test_it_reaches_an_agent_whose_protocol_has_no_words_in_a_no(mux_home: IsolatedHome, root: Path) -> None:
    steps = [
        [{"ask": {"toolCallId": "1", "title": "`make`", "kind": "execute"}}, {"say": "Then not."}],
        [{"repeat": 1}],
    ]
    mux_home.write_config(acp_agent({"prompts": steps}))
    async with connected(mux_home, root) as client:
        task = await client.start("scripted")
        run = task["runs"][0]["id"]
        await client.reaches(run, "waiting")
        await client.command("mux.run.continue", run=run, message="Use ninja instead.")
        (ended,) = await client.ended(task["id"])
        assert (ended["state"], ended["reason"]) == ("finished", None)
        said = await client.log(run)
    assert "Then not." in said
    assert "told: I refused this: Run `make`. Use ninja instead.;" in said


async def test_one_that_waits_is_brought_up_to_date(mux_home: IsolatedHome, root: Path, tmp_path: Path) -> None:
    look = turn(call("read_file", path="f.txt"), more='expect = { user_contains = "Go on." }')
    told = turn(call("finish", summary="I see."), more='expect = { result_contains = "typed since" }')
    with playing(mux_home, tmp_path, turn(call("write_file", path="new", content="mine")), ASK, look, told):
        async with connected(mux_home, root) as client:
            task = await client.start("built", count=2)
            run, other = (one["id"] for one in task["runs"])
            for one in (run, other):
                await client.reaches(one, "waiting")
            (root / "f.txt").write_text("typed since\n")
            await client.command("mux.run.continue", run=run, message="Go on.", up_to_date="all")
            ended = await client.reaches(run, "finished")
            assert [file["path"] for file in ended["files"]] == ["new"]
            assert client.runs[other]["state"] == "waiting"
            (left,) = (await client.command("mux.permission.list"))["permissions"]
            assert left["runs"] == [other]
            await client.command("mux.task.cancel", task=task["id"])


# Once for all runs of a task


def acp_agent(script: dict[str, Any]) -> str:
    """Return the configuration of an agent that plays a script."""
    command = [sys.executable, "-P", "-m", "tests.support.acp_agent", json.dumps(script)]
    return (
        f'[agents.scripted]\nkind = "acp"\ncommand = {json.dumps(command)}\n'
        f"environment = {{ PYTHONPATH = {json.dumps(str(Path(__file__).parents[3]))} }}\n"
    )


@pytest.mark.parametrize(("answer", "again"), [("once", True), ("run", False), ("task", False), ("always", False)])
async def test_the_same_in_each_worktree_is_asked_once(
    mux_home: IsolatedHome, root: Path, answer: str, again: bool
) -> None:
    asked = {"ask": {"toolCallId": "1", "title": "x", "kind": "execute", "rawInput": {"command": "cd @CWD@ && make"}}}
    mux_home.write_config(acp_agent({"steps": [asked, asked]}))
    async with connected(mux_home, root) as client:
        task = await client.start("scripted", count=2)
        for run in task["runs"]:
            await client.reaches(run["id"], "waiting")
        (left,) = (await client.command("mux.permission.list"))["permissions"]
        assert (left["subject"], len(left["runs"])) == ("cd $MUX_WORKTREE && make", 2)
        await client.command("mux.permission.reply", id=left["id"], answer=answer)
        if again:
            await client.until(lambda: all(client.shown.count((run["id"], "waiting")) == 2 for run in task["runs"]))
            await client.command("mux.task.cancel", task=task["id"])
        else:
            assert [run["state"] for run in await client.ended(task["id"])] == ["finished", "finished"]
            for run in task["runs"]:
                assert (await client.log(run["id"])).count("answered allow_once") == 2


async def test_what_was_allowed_for_a_task_is_known_to_the_next_daemon(
    mux_home: IsolatedHome, root: Path, tmp_path: Path
) -> None:
    make = call("run_command", command="echo x >> log")
    stall = 'faults = [{ kind = "stall", after = 5 }]'
    with playing(mux_home, tmp_path, turn(make), turn(text("I do it once more."), make, more=stall), DONE):
        async with connected(mux_home, root) as client:
            task = await client.start("built")
            run = task["runs"][0]["id"]
            await client.reaches(run, "waiting")
            (asked,) = (await client.command("mux.permission.list"))["permissions"]
            await client.command("mux.permission.reply", id=asked["id"], answer="task")
            await client.until(lambda: "I do" in client.output.get((run, "stdout"), ""), "its words")
            os.kill((await client.command("mux.status"))["pid"], signal.SIGKILL)
        async with connected(mux_home, root) as client:
            (ended,) = await client.ended(task["id"])
            assert ended["state"] == "finished", ended
            assert "+x\n+x\n" in await client.diff(run)
            assert (run, "waiting") not in client.shown
