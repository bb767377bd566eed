"""Test a task's progress bar in a client that is slow to show it or refuses it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types

from mux_lsp.core.model import Run, RunState, Task
from mux_lsp.errors import UsageError
from mux_lsp.lsp.progress import Progress
from mux_lsp.lsp.wire.server import MuxServer
from tests.unit.lsp.wire import Written, receive

if TYPE_CHECKING:
    from mux_lsp.engine.engine import Engine

RUN = Run("k3f-1", "k3f", "sh:true", None, RunState.RUNNING)
TASK = Task("k3f", "do it", "/r", "", 1.0, runs=(RUN,))


class Client:
    """The client's side of its progress bars, over an engine with at most one task."""

    def __init__(self) -> None:
        self.server, self.written = MuxServer(), Written()
        self.server.protocol.set_writer(self.written)
        self.tasks = {TASK.id: TASK}
        engine = SimpleNamespace(registry=SimpleNamespace(task=self._task))
        self.progress = Progress(self.server, cast("Engine", engine))
        self.progress.enabled = True

    def _task(self, task_id: str) -> Task:
        if task_id not in self.tasks:
            raise UsageError("There is no such task.")
        return self.tasks[task_id]

    async def asked(self, number: int) -> dict[str, Any]:
        """Return the request for a progress bar, which is the message with this number."""
        async with asyncio.timeout(10):
            await self.written.have(number)
        message = self.written[number - 1]
        assert message["method"] == types.WINDOW_WORK_DONE_PROGRESS_CREATE
        return message

    async def answer(self, request: dict[str, Any], **answer: Any) -> None:
        """Answer the request and wait until the answer has taken effect."""
        ((_, begun),) = self.progress._begun.values()
        receive(self.server, {"id": request["id"], **answer})
        async with asyncio.timeout(10):
            await begun

    def shown(self) -> list[str]:
        """Return the kinds of values that the bars have shown so far."""
        told = [message["params"]["value"] for message in self.written if message["method"] == types.PROGRESS]
        return [value["kind"] for value in told]


async def test_a_bar_that_was_refused_is_asked_for_again_at_the_next_attempt() -> None:
    client = Client()
    client.progress.task_changed(TASK)
    refused = await client.asked(1)
    await client.answer(refused, error={"code": -32603, "message": "no bars today"})
    assert client.shown() == []
    client.progress.run_changed(RUN)
    client.progress.task_changed(TASK)
    again = await client.asked(2)
    assert again["params"]["token"] != refused["params"]["token"]
    await client.answer(again, result=None)
    assert client.shown() == ["begin", "report"]


async def test_a_task_that_is_deleted_before_its_bar_is_there_gets_none() -> None:
    client = Client()
    client.progress.task_changed(TASK)
    request = await client.asked(1)
    del client.tasks[TASK.id]
    await client.answer(request, result=None)
    assert client.shown() == []
    assert client.server.work_done_progress.tokens == {}


async def test_a_task_that_has_ended_before_its_bar_is_there_has_it_from_beginning_to_end() -> None:
    client = Client()
    client.progress.task_changed(TASK)
    request = await client.asked(1)
    ended = Run("k3f-1", "k3f", "sh:true", None, RunState.FINISHED)
    client.tasks[TASK.id] = Task("k3f", "do it", "/r", "", 1.0, runs=(ended,))
    await client.answer(request, result=None)
    assert client.shown() == ["begin", "end"]
