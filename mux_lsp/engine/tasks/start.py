"""Start a task: take a snapshot of what the person sees, and begin its runs."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mux_lsp import config
from mux_lsp.core.model import AgentChoice, Run, RunState, Task
from mux_lsp.engine import backends
from mux_lsp.engine.backends import Backends
from mux_lsp.engine.repository.registry import locate
from mux_lsp.engine.state.clients import buffers_of
from mux_lsp.engine.tasks.request import context_of
from mux_lsp.engine.tasks.unfinished import Unfinished
from mux_lsp.engine.working_tree.tree import identity_of
from mux_lsp.errors import MuxError, UsageError

if TYPE_CHECKING:
    from mux_lsp.core.model import Snapshot
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.engine.repository.settings import RepositorySettings
    from mux_lsp.engine.tasks.parts import TaskParts
    from mux_lsp.engine.tasks.request import StartRequest


async def start(parts: TaskParts, request: StartRequest) -> Task:
    """Take a snapshot of what the person sees, and begin a run for each requested agent.

    Raises NotARepositoryError, UsageError for a bad agent, MuxError if a limit is reached or the snapshot fails.
    """
    repository = await asyncio.to_thread(locate, request.folder)
    identity = await asyncio.to_thread(identity_of, repository.root)
    buffers, left_out = buffers_of(request.clients, repository.root)
    settings = await parts.trust.settings(repository.root, buffers)
    agents = Backends(parts.ground.configuration.current)
    choices = request.choices or _default_choices(parts, settings)
    for choice in choices:
        agents.check(choice.agent)
    parent = parts.registry.find_run(request.parent)
    admit = functools.partial(parts.budget.check_start, str(repository.root), sum(choice.count for choice in choices))
    admit(parent)
    room = parts.repositories.get(repository.root)
    parts.setups.get(room).try_again()
    context = tuple(context_of(repository.root, *place) for place in request.context)
    with parts.registry.new_id() as task_id:
        parts.unfinished.expect(task_id, Unfinished(str(repository.root), (task_id,)))
        snapshot = await asyncio.to_thread(room.shadow.snapshot, repository, buffers, task_id)
        try:
            # Meanwhile other tasks may have begun, or the run whose agent asked may have ended.
            parent = None if parent is None else parts.registry.run(parent.id)
            admit(parent)
        except MuxError:
            await asyncio.to_thread(_drop, room, snapshot, task_id)
            parts.unfinished.done(task_id)
            raise
        snapshot = replace(snapshot, left_out=(*snapshot.left_out, *left_out))
        names = [(choice.agent, choice.model) for choice in choices for _ in range(choice.count)]
        task = Task(
            id=task_id,
            prompt=request.prompt,
            repository=str(repository.root),
            folder=repository.prefix,
            created=time.time(),
            snapshot=snapshot,
            identity=identity,
            setup=settings.setup,
            checks=settings.checks if request.checks is None else request.checks,
            check_seconds=settings.check_seconds,
            protected=settings.protected,
            notices=settings.notices,
            context=context,
            runs=tuple(
                Run(f"{task_id}-{number}", task_id, agent, model, RunState.QUEUED, base=snapshot.commit)
                for number, (agent, model) in enumerate(names, 1)
            ),
            runs_created=len(names),
            # A task started by an agent is no more urgent than the task of that agent.
            priority=request.priority
            if parent is None
            else min(request.priority, parts.registry.task(parent.task).priority),
            stop_after=parts.ground.configuration.current.defaults.stop_after
            if request.stop_after is None
            else request.stop_after,
            parent=None if parent is None else parent.id,
            max_cost_usd=request.max_cost_usd,
            max_tokens=request.max_tokens,
        )
        parts.registry.add(task)
        parts.unfinished.done(task_id)
    parts.queue.enqueue(task, task.runs)
    for run in task.runs:
        parts.runs.begin(run.id)
    parts.runs.take_missing_results(repository.root)
    return task


def _default_choices(parts: TaskParts, settings: RepositorySettings) -> tuple[AgentChoice, ...]:
    chosen = settings.agents or backends.default_agents(parts.ground.configuration.current, os.environ)
    if not chosen:
        raise UsageError(" ".join((*settings.notices, backends.no_agent(parts.ground.configuration.current))))
    return tuple(AgentChoice(agent, count, model) for agent, count, model in map(config.parse_choice, chosen))


def _drop(room: RepositoryStore, snapshot: Snapshot, name: str) -> None:
    """Delete a snapshot that was just taken."""
    room.shadow.complete(snapshot)
    room.shadow.delete_refs(name)
