"""Show work-done progress: one bar per running task, in editors that support it. Cancelling a bar cancels its task."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.core.model import RunState
from mux_lsp.core.sanitize import printable
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp.wire.server import MuxServer

log = logging.getLogger(__name__)

MAX_TITLE = 60
"""Maximum number of characters of a prompt in the title of a progress bar."""


class Progress:
    """The bars of one client. Off until `enabled`, which depends on the client's capabilities."""

    def __init__(self, server: MuxServer, engine: Engine) -> None:
        self._server = server
        self._engine = engine
        self._begun: dict[str, tuple[str, asyncio.Task[None]]] = {}
        """The token of each task's bar, and the asyncio task that begins it, by task id."""
        self._numbers = itertools.count(1)
        self.enabled = False

    def task_changed(self, task: Task) -> None:
        """Begin a bar for a task that has started or changed, unless it has one."""
        if self.enabled and not task.ended and task.id not in self._begun:
            # A token is valid for one bar, and a task that is retried gets another bar.
            token = f"mux/{task.id}/{next(self._numbers)}"
            self._begun[task.id] = token, asyncio.create_task(self._begin(task, token))

    def run_changed(self, run: Run) -> None:
        """Update the bar of a run's task."""
        token, begun = self._begun.get(run.task, ("", None))
        if begun is not None and begun.done() and not begun.cancelled():
            self._report(run.task, token)

    async def cancelled(self, token: types.ProgressToken) -> None:
        """End the runs of a task whose bar the person has cancelled."""
        for task_id in [task_id for task_id, (mine, _) in self._begun.items() if mine == token]:
            await self._engine.runs.cancel_task(task_id)

    def close(self) -> None:
        """Stop, because the client has gone."""
        for _, begun in self._begun.values():
            begun.cancel()

    async def _begin(self, task: Task, token: str) -> None:
        progress = self._server.work_done_progress
        try:
            await progress.create_async(token)
        except JsonRpcException as error:
            # Continue without this bar; the next attempt of the task may ask again.
            log.info("the client shows no bar for %s: %s", task.id, error.message)
            del self._begun[task.id]
            return
        try:
            self._engine.registry.task(task.id)
        except UsageError:
            # The task was deleted meanwhile, so nothing would ever end its bar.
            del progress.tokens[token]
            del self._begun[task.id]
            return
        title = " ".join(printable(task.prompt).split())
        if len(title) > MAX_TITLE:
            title = title[: MAX_TITLE - 1] + "…"
        progress.begin(token, types.WorkDoneProgressBegin(title=f"{task.id}: {title}", cancellable=True, percentage=0))
        self._report(task.id, token)

    def _report(self, task_id: str, token: str) -> None:
        progress = self._server.work_done_progress
        if token not in progress.tokens:
            return
        task = self._engine.registry.task(task_id)
        ended = sum(run.state.ended for run in task.runs)
        if task.ended:
            finished = sum(run.state is RunState.FINISHED for run in task.runs)
            progress.end(token, types.WorkDoneProgressEnd(message=f"{finished} of {len(task.runs)} finished"))
            del progress.tokens[token]
            del self._begun[task_id]
            return
        states = " · ".join(f"{run.id} {run.state.value}" for run in task.runs if not run.state.ended)
        progress.report(
            token,
            types.WorkDoneProgressReport(
                cancellable=True,
                message=f"{ended}/{len(task.runs)} · {states}",
                percentage=100 * ended // len(task.runs),
            ),
        )
