"""Provide the operations on tasks and runs."""

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
    """Operations that start, continue, order and delete tasks and their runs. Use it on one event loop."""

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
        """Return the agents of a task that names none. Raises UsageError if the settings are invalid."""
        return backends.default_agents(await self.parts.ground.configuration.reload(), os.environ)

    async def no_agent(self) -> str | None:
        """Return why a task must name an agent, or None if there is a default. Raises UsageError if settings are
        invalid.
        """
        return None if await self.default_agents() else backends.no_agent(self.parts.ground.configuration.current)

    def pause(self, task_id: str) -> Task:
        """Pause a task: its queued runs do not begin; those at work continue."""
        return self._reorder(task_id, "paused", paused=True)

    def resume(self, task_id: str) -> Task:
        """Let the queued runs of a task begin again when their turn comes."""
        return self._reorder(task_id, "resumed", paused=False)

    def prioritize(self, task_id: str, priority: int) -> Task:
        """Set the priority of a task: its queued runs begin before those of tasks with a lower priority."""
        return self._reorder(task_id, "prioritized", priority=priority)

    def summary(self, run: Run) -> RunSummary:
        """Return a run's queue position, rank and retention. Cheap."""
        if run.discarded is not None:
            return RunSummary(kept_until=self.discards.kept_until(run))
        number, ranked = self.parts.queue.number(run.id), self.rankings.get(run)
        if ranked is not None:
            return RunSummary(number, ranked.rank, ranked.tied, ranked.reasons)
        return NO_SUMMARY if number is None else RunSummary(queue_place=number)

    async def ranked(self, task_id: str) -> Task:
        """Return a task whose ranks, as in `summary`, are up to date. Raises UsageError if there is no such task."""
        self.parts.registry.task(task_id)
        # If the settings are invalid, the last valid ones stay in force.
        with contextlib.suppress(UsageError):
            await self.parts.ground.configuration.reload()
        await self.rankings.settled(task_id)
        return self.parts.registry.task(task_id)

    def _reorder(self, task_id: str, kind: str, **changes: object) -> Task:
        task = self.parts.registry.change_task(self.parts.registry.task(task_id).id, kind, **changes)
        self.parts.queue.set_priority(task)
        return task
