"""Connect the daemon's runs with the scheduler, and publish the order of the queue."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp import descriptors
from mux_lsp.coalescer import Coalescer
from mux_lsp.core.model import RunState
from mux_lsp.engine.backends import names_of
from mux_lsp.engine.scheduling.scheduler import QueuedRun, Scheduler, Urgency
from mux_lsp.engine.state.events import QueueChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mux_lsp.config import Configuration
    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.state.events import Event
    from mux_lsp.engine.state.registry import TaskRegistry

log = logging.getLogger(__name__)

SOON: Final = 0.05
"""Seconds for which changes of the order are collected before they are published."""


@dataclass(frozen=True, slots=True)
class AgentSlot:
    """The slot that one run holds or waits for."""

    _scheduler: Scheduler
    _run: str

    async def taken(self) -> None:
        """Wait until the run holds its slot."""
        await self._scheduler.turn(self._run)

    def release(self) -> None:
        """Give the slot up, or stop waiting for it. A second call has no effect."""
        self._scheduler.release(self._run)


class Queue:
    """The runs that wait for a slot. Use it on one event loop."""

    def __init__(self, book: TaskRegistry, emit: Callable[[Event], None]) -> None:
        self._book = book
        self._emit = emit
        self._publishing = Coalescer(self._publish, "publishing the queue", delay=SOON)
        self._scheduler = Scheduler(self._publishing.request)
        self._configuration: Configuration
        self._concurrent: int | None = None
        self._told: tuple[str, ...] = ()

    def configure(self, configuration: Configuration) -> None:
        """Apply the limits on how many agents work at once."""
        self._configuration = configuration
        wanted = configuration.runs.concurrent
        concurrent = descriptors.at_once(descriptors.AGENT, wanted)
        if concurrent < wanted and concurrent != self._concurrent:
            log.warning(
                "%d agents may be at work at once, and not %d: the system allows too few open files (`ulimit -n`)",
                concurrent,
                wanted,
            )
        self._concurrent = concurrent
        self._scheduler.limit(concurrent, configuration.runs.limits)

    def recover(self, tasks: Iterable[Task]) -> None:
        """Take over the unfinished runs of an earlier daemon, in their previous order."""
        tasks = tuple(tasks)
        left = [run for task in tasks for run in task.runs if not run.state.ended]
        for task in tasks:
            self.set_priority(task)
        for run in left:
            # These runs had been given a slot already, so they keep it regardless of the current limits.
            if run.state in {RunState.PREPARING, RunState.RUNNING, RunState.WAITING}:
                self._scheduler.occupy(self._entrant(run))
        begun = {task.id: max((run.started or 0.0) for run in task.runs) for task in tasks if task.runs}
        self._scheduler.had_turns(sorted((task for task in begun if begun[task]), key=begun.__getitem__))
        self._scheduler.enqueue([self._entrant(run) for run in left if run.state is RunState.QUEUED])

    def enqueue(self, task: Task, runs: Iterable[Run]) -> None:
        """Enqueue these runs of a task."""
        self.set_priority(task)
        self._scheduler.enqueue([self._entrant(run) for run in runs])

    def set_priority(self, task: Task) -> None:
        """Apply a task's current priority, and whether it is paused."""
        self._scheduler.set_priority(task.id, Urgency(task.priority, task.paused))

    def forget(self, task_id: str) -> None:
        """Forget a deleted task."""
        self._scheduler.forget(task_id)

    def place_of(self, run_id: str) -> AgentSlot:
        """Return the slot of a run, for use by the run itself."""
        return AgentSlot(self._scheduler, run_id)

    def number(self, run_id: str) -> int | None:
        """Return the position of a run in the queue, counted from 1; None if it does not wait or its task is paused."""
        return self._scheduler.queue_place(run_id)

    def _entrant(self, run: Run) -> QueuedRun:
        return QueuedRun(
            run.id,
            run.task,
            int(run.id.rpartition("-")[2]),
            names_of(self._configuration, run.agent),
            self._book.ancestors(run.task),
        )

    async def _publish(self) -> None:
        if (queue := self._scheduler.queue) != self._told:
            self._told = queue
            self._emit(QueueChanged(queue))
