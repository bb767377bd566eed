"""Work-done progress: one bar for each running task, in the editors that show such; cancelling it cancels the task."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.agents.log import printable
from mux_lsp.core.model import RunState
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp.wire.server import MuxServer

log = logging.getLogger(__name__)

MAX_TITLE = 60
"""Maximum number of characters of a prompt in the title of a progress bar."""


class Progress:
    """The bars of one client. Off until `enabled`, which the client's capabilities decide."""

    def __init__(self, server: MuxServer, engine: Engine) -> None:
        self._server = server
        self._engine = engine
        self._begun: dict[str, tuple[str, asyncio.Task[None]]] = {}
        """By task: the token of its bar, and what begins it."""
        self._numbers = itertools.count(1)
        self.enabled = False

    def task_changed(self, task: Task) -> None:
        """A task began, or changed."""
        if self.enabled and not task.ended and task.id not in self._begun:
            # A token is good for one bar, and a task has another one when it is tried again.
            token = f"mux/{task.id}/{next(self._numbers)}"
            self._begun[task.id] = token, asyncio.create_task(self._begin(task, token))

    def run_changed(self, run: Run) -> None:
        """A run changed."""
        token, begun = self._begun.get(run.task, ("", None))
        if begun is not None and begun.done() and not begun.cancelled():
            self._report(run.task, token)

    async def cancelled(self, token: types.ProgressToken) -> None:
        """The person cancelled a bar: end the runs of its task."""
        for task_id in [task_id for task_id, (mine, _) in self._begun.items() if mine == token]:
            await self._engine.cancel_task(task_id)

    def close(self) -> None:
        """The client has gone."""
        for _, begun in self._begun.values():
            begun.cancel()

    async def _begin(self, task: Task, token: str) -> None:
        progress = self._server.work_done_progress
        try:
            await progress.create_async(token)
        except JsonRpcException as error:
            # It does without this one; the task's next attempt may ask again.
            log.info("the client shows no bar for %s: %s", task.id, error.message)
            del self._begun[task.id]
            return
        try:
            self._engine.task(task.id)
        except UsageError:
            # Deleted meanwhile: nothing would ever end its bar.
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
        task = self._engine.task(task_id)
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
