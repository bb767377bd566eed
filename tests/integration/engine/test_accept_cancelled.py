"""Test accepts whose client disconnects, or cancels its request, while they are in progress."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mux_lsp import faults
from mux_lsp.git.path_rules import STAGING
from tests.integration.engine.conftest import Workshop, ended
from tests.support.client import RefusedError
from tests.support.desk import at_desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mux_lsp.engine.engine import Engine

AGENT = "sh:for n in 1 2 3 4; do echo agent > f$n.txt; done"
FILES = [f"f{number}.txt" for number in range(1, 5)]


class Stopped:
    """The events of a thread that waits at a point."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.go = threading.Event()


@contextmanager
def stopped_at(point: str, number: int) -> Iterator[Stopped]:
    """Stop the first thread that passes the point with this number, until `go` is set."""
    stopped = Stopped()

    def plan(name: str, passed: int) -> None:
        if (name, passed) == (point, number) and not stopped.there.is_set():
            stopped.there.set()
            stopped.go.wait(20)

    faults.install(plan)
    try:
        yield stopped
    finally:
        stopped.go.set()
        faults.install(None)


def texts(root: Path) -> list[str]:
    return [(root / name).read_text() if (root / name).exists() else "" for name in FILES]


def on_record(engine: Engine) -> int:
    return sum(one.withdrawn is None for one in engine.history.read())


@pytest.mark.parametrize("how", ["request", "client"])
@pytest.mark.parametrize(("point", "number"), [("accept.staged", 1), ("accept.written", 1), ("accept.written", 3)])
async def test_all_or_nothing(workshop: Workshop, point: str, number: int, how: str) -> None:
    root = workshop.root
    async with workshop.engine() as engine:
        task = await workshop.start(engine, AGENT)
        run = await ended(engine, task.runs[0].id)
        async with at_desk(engine, root) as client:
            with stopped_at(point, number) as stopped:
                answer = client.expect(4711)
                client.send(
                    {
                        "jsonrpc": "2.0",
                        "id": 4711,
                        "method": "workspace/executeCommand",
                        "params": {"command": "mux.run.accept", "arguments": [{"run": run.id}]},
                    }
                )
                await asyncio.to_thread(stopped.there.wait, 20)
                assert stopped.there.is_set()
                if how == "request":
                    client.notify("$/cancelRequest", {"id": 4711})
                    with pytest.raises(RefusedError):
                        await asyncio.wait_for(answer, 20)
                else:
                    client.bridge.kill()
                    for _ in range(100):
                        await asyncio.sleep(0)  # the session reads the end of its stream
                stopped.go.set()
        # The session has ended, and everything that it had begun.
        found = texts(root)
        assert found in [[""] * 4, ["agent\n"] * 4]
        assert on_record(engine) == (4 if found[0] else 0)
        assert not (root / STAGING).exists()
        assert engine._ground.journal.pending_accepts() == ()


@pytest.mark.parametrize("shown", [True, False])
async def test_what_an_editor_has_applied_counts_though_it_is_gone_before_it_answers(
    workshop: Workshop, *, shown: bool
) -> None:
    """It has the text open and has sent the change, or has saved the file; the daemon writes the binary file."""
    root = workshop.root
    async with workshop.engine() as engine:
        task = await workshop.start(engine, r"sh:sed -i s/two/2/ f.txt; printf '\0\1' > b.bin")
        run = await ended(engine, task.runs[0].id)
        async with at_desk(engine, root, applies=True) as client:
            uri = (root / "f.txt").as_uri()
            document = {"uri": uri, "languageId": "x", "version": 1, "text": "one\ntwo\nthree\n"}
            client.notify("textDocument/didOpen", {"textDocument": document})

            def apply(_: object) -> object:
                assert (root / "b.bin").exists()
                text = "one\n2\nthree\n"
                if shown:
                    change = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": text}]}
                    client.notify("textDocument/didChange", change)
                else:
                    (root / "f.txt").write_text(text)
                client.bridge.kill()
                return {"applied": True}

            client._apply = apply  # type: ignore[method-assign, assignment]
            with pytest.raises(EOFError):
                await client.command("mux.run.accept", run=run.id)
        assert (root / "b.bin").read_bytes() == b"\0\1"
        assert on_record(engine) == 2
        assert engine._ground.journal.pending_accepts() == ()
        assert not (root / STAGING).exists()
