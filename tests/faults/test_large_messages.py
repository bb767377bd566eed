"""Test that a client's large messages cost the others nothing. The watchdog of `IsolatedHome` checks the event loop."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.daemon.connection import MESSAGE_LIMIT
from mux_lsp.lsp.wire.documents import MAX_TEXT, uri_of
from tests.support.client import RefusedError, connected
from tests.support.person import make_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome

TURNS = 5
"""Minimum requests of the neighbour that are answered before one large message."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"f.txt": "one\ntwo\n", "g.txt": "one\n"})


@asynccontextmanager
async def two(home: IsolatedHome, root: Path) -> AsyncIterator[tuple[Client, Client]]:
    """Yield the client with the large messages, and its neighbour."""
    async with AsyncExitStack() as stack:
        large = await stack.enter_async_context(connected(home, root, name="large"))
        neighbour = await stack.enter_async_context(connected(home, root, name="neighbour"))
        await neighbour.command("mux.status")
        yield large, neighbour


async def turns_until(answer: asyncio.Task[Any], neighbour: Client) -> int:
    """Return how many requests of the neighbour are answered before that of the large client."""
    turns = 0
    while not answer.done():
        await neighbour.command("mux.task.list")
        turns += 1
    return turns


def command(name: str, **argument: object) -> Json:
    return {"command": name, "arguments": [argument]}


@pytest.mark.parametrize("first", ["method", "params"])
async def test_an_id_of_sixty_megabytes_is_refused_unread(mux_home: IsolatedHome, root: Path, first: str) -> None:
    async with two(mux_home, root) as (large, neighbour):
        params = json.dumps(command("mux.task.get", task="x" * 60_000_000))
        parts = {
            "method": '"jsonrpc":"2.0","id":"big","method":"workspace/executeCommand"',
            "params": f'"params":{params}',
        }
        body = ("{" + parts.pop(first) + "," + parts.popitem()[1] + "}").encode()
        asking = large.expect("big")
        large.send_bytes(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        with pytest.raises(
            RefusedError, match=rf"has {len(body):,} bytes and was not read: {MESSAGE_LIMIT:,} is"
        ) as no:
            await asking
        assert len(str(no.value)) < 200
        assert (await large.command("mux.status"))["unfinished_runs"] == 0, "the client goes on"
        await neighbour.command("mux.status")
    assert "Traceback" not in mux_home.log


@pytest.mark.parametrize(
    "argument", ["x" * 5_000_000, ["x"] * 1_500_000, [[]] * 1_500_000, {str(n): n for n in range(400_000)}]
)
async def test_an_argument_of_some_megabytes_is_refused_in_a_sentence(
    mux_home: IsolatedHome, root: Path, argument: object
) -> None:
    async with two(mux_home, root) as (large, neighbour):
        asking = asyncio.create_task(large.command("mux.task.get", task=argument))
        assert await turns_until(asking, neighbour) >= TURNS
        with pytest.raises(RefusedError, match=r"mux\.task\.get: task: ") as refused:
            await asking
        assert len(str(refused.value)) < 200
    assert len(mux_home.log) < 100_000


async def test_twenty_megabytes_of_edits_are_made_in_order(mux_home: IsolatedHome, root: Path) -> None:
    async with two(mux_home, root) as (large, neighbour):
        buffer = large.open(root / "f.txt", "ab\n" * 50_000)
        identifier = {"uri": buffer.uri, "version": 2}
        edits = [
            {"range": {"start": {"line": n, "character": 0}, "end": {"line": n, "character": 1}}, "text": "x" * 300}
            for n in range(50_000)
        ]
        large.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": edits})
        # The next message applies to the text that this one makes.
        last = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 49_999, "character": 0}}, "text": ""}
        identifier = {"uri": buffer.uri, "version": 3}
        large.notify("textDocument/didChange", {"textDocument": identifier, "contentChanges": [last]})
        task = asyncio.create_task(large.run("cat f.txt"))
        assert await turns_until(task, neighbour) >= TURNS
        assert await large.log((await task)["id"]) == "x" * 300 + "b\n"


async def test_a_document_of_many_megabytes_is_followed(mux_home: IsolatedHome, root: Path) -> None:
    text = "a line of a text\n" * 700_000
    async with two(mux_home, root) as (large, neighbour):
        large.open(root / "f.txt", text)
        for line in range(5):
            large.change(root / "f.txt", f"{line}\n{text}")
        task = asyncio.create_task(large.run("head -c 20 f.txt"))
        assert await turns_until(task, neighbour) >= TURNS
        assert await large.log((await task)["id"]) == "4\na line of a text\na"


async def test_a_document_that_is_too_large_counts_as_not_open(mux_home: IsolatedHome, root: Path) -> None:
    async with two(mux_home, root) as (large, _):
        small, big = root / "f.txt", root / "g.txt"
        large.open(small, "typed\n")
        large.open(big, "x" * (MAX_TEXT + 1))
        large.change(big, "y")  # of a document that is not open
        run = await large.run("cat f.txt g.txt")
        assert await large.log(run["id"]) == "typed\none\n"
        large.change(small, "x" * (MAX_TEXT + 1))
        run = await large.run("cat f.txt g.txt")
        assert await large.log(run["id"]) == "one\ntwo\none\n"
        told = [json.loads(body)["params"]["message"] for body in large.raw if b"window/showMessage" in body]
        assert [words.partition(" has ")[0] for words in told] == ["g.txt", "f.txt"]
        assert all("To mux-lsp it is not open" in words for words in told)
        large.notify("textDocument/didClose", {"textDocument": {"uri": uri_of(small)}})
        large.open(small, "again\n")
        run = await large.run("cat f.txt")
        assert await large.log(run["id"]) == "again\n"


async def test_a_large_answer_keeps_its_place_and_the_neighbour_its_turns(mux_home: IsolatedHome, root: Path) -> None:
    async with two(mux_home, root) as (large, neighbour):
        run = await large.run("seq 1500000 >f.txt")
        diff = asyncio.create_task(large.diff(run["id"]))
        assert await turns_until(diff, neighbour) >= TURNS
        assert (await diff).endswith("+1500000\n")
