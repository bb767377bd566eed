"""What agents ask leave for, in editors: with our protocol by notifications, without it by a message with buttons."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.lsp import protocol
from tests.support.client import RefusedError, connected
from tests.support.person import make_repository
from tests.support.replaying import DONE, agent, call, replaying, turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    import json

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
    [("Allow once", "", ["\u202eallowed"]), ("Refuse", "✗ Not allowed: The person refused this.", [])],
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
                "Allow once", "Allow for this task", "Always allow here", "Refuse",
            ]  # fmt: skip
            async with connected(mux_home, root, name="watcher") as watcher:
                (ended,) = await watcher.ended(task["id"])
                assert ended["state"] == "finished"
                assert [one["path"] for one in ended["files"]] == changed
                assert said in await watcher.log(run)
