"""Offer all that a person does with tasks as a whole."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.engine import backends
from mux_lsp.engine.state.run_summary import NO_SUMMARY, RunSummary
from mux_lsp.engine.tasks import delete, follow_up, start
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.ranking.service import Rankings
    from mux_lsp.engine.state.clients import Client
    from mux_lsp.engine.tasks.discard import Discards
    from mux_lsp.engine.tasks.parts import TaskParts
    from mux_lsp.engine.tasks.request import StartRequest


@dataclass(frozen=True, slots=True)
class TaskService:
    """Starts, continues, orders and deletes tasks and their runs. Lives on one event loop."""

    parts: TaskParts
    discards: Discards
    rankings: Rankings

    async def start(self, request: StartRequest) -> Task:
        """See `start.start`."""
        return await start.start(self.parts, request)

    async def retry(self, run_id: str) -> Run:
        """See `follow_up.retry`."""
        return await follow_up.retry(self.parts, run_id)

    async def carry_on(self, run_id: str, message: str, clients: tuple[Client, ...] | None = None) -> Run:
        """See `follow_up.carry_on`."""
        return await follow_up.carry_on(self.parts, run_id, message, clients)

    async def delete(self, id_: str) -> tuple[str, ...]:
        """See `delete.delete`."""
        return await delete.delete(self.parts, id_)

    async def default_agents(self) -> tuple[str, ...]:
        """The agents of a task that names none. Raises UsageError where the settings are wrong."""
        return backends.default_agents(await self.parts.ground.configuration.reload(), os.environ)

    async def no_agent(self) -> str | None:
        """Why no task begins that names no agent; None where one does. Raises UsageError as `default_agents` does."""
        return None if await self.default_agents() else backends.no_agent(self.parts.ground.configuration.current)

    def pause(self, task_id: str) -> Task:
        """Keep the runs of a task that are queued from beginning; those at work go on."""
        return self._reorder(task_id, "paused", paused=True)

    def resume(self, task_id: str) -> Task:
        """Let the runs of a task begin again when their turn comes."""
        return self._reorder(task_id, "resumed", paused=False)

    def prioritize(self, task_id: str, priority: int) -> Task:
        """Have the queued runs of a task begin before those of tasks with a lower priority."""
        return self._reorder(task_id, "prioritized", priority=priority)

    def summary(self, run: Run) -> RunSummary:
        """Where a run stands among the others, at no cost."""
        if run.discarded is not None:
            return RunSummary(kept_until=self.discards.kept_until(run))
        number, ranked = self.parts.queue.number(run.id), self.rankings.of(run)
        if ranked is not None:
            return RunSummary(number, ranked.rank, ranked.tied, ranked.reasons)
        return NO_SUMMARY if number is None else RunSummary(queue_place=number)

    async def ranked(self, task_id: str) -> Task:
        """A task whose runs are ranked as everything stands now, so that `summary` has it. Raises UsageError where
        there is none.
        """
        self.parts.registry.task(task_id)
        # With settings that are wrong the last good ones hold.
        with contextlib.suppress(UsageError):
            await self.parts.ground.configuration.reload()
        await self.rankings.settled(task_id)
        return self.parts.registry.task(task_id)

    def _reorder(self, task_id: str, kind: str, **changes: object) -> Task:
        task = self.parts.registry.change_task(self.parts.registry.task(task_id).id, kind, **changes)
        self.parts.queue.set_priority(task)
        return task
