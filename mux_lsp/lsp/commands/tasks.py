"""Implement the commands about whole tasks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.core.model import AgentChoice
from mux_lsp.engine.repository.registry import locate
from mux_lsp.engine.tasks.request import StartRequest
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import compare
from mux_lsp.lsp.commands.caller import clients_named
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import path_of

if TYPE_CHECKING:
    from mux_lsp.core.model import Task
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp.commands.caller import CallerSession


async def task_start(client: CallerSession, params: protocol.TaskStartParams) -> protocol.TaskResult:
    clients = clients_named(client, params.unsaved)
    task = await client.engine.tasks.start(
        StartRequest(
            folder=client.folder(params.repository),
            prompt=params.prompt,
            choices=tuple(AgentChoice(one.agent, one.count, one.model) for one in params.agents or ()),
            checks=None if params.checks is None else tuple(params.checks),
            context=tuple(_context(place) for place in params.context),
            clients=clients,
            priority=params.priority,
            stop_after=params.stop_after,
            max_cost_usd=params.max_cost_usd,
            max_tokens=params.max_tokens,
            parent=client.agent_origin or params.parent,
        )
    )
    for notice in task.notices:
        client.warn(notice)
    return _task_result(client.engine, task)


async def task_list(client: CallerSession, params: protocol.TaskListParams) -> protocol.TaskListResult:
    root = None
    if params.repository is not None:
        root = (await asyncio.to_thread(locate, client.folder(params.repository))).root
    return protocol.TaskListResult(
        tasks=[_task_result(client.engine, task).task for task in client.engine.registry.tasks(root)]
    )


async def task_get(client: CallerSession, params: protocol.TaskParams) -> protocol.TaskResult:
    return _task_result(client.engine, await client.engine.tasks.ranked(params.task))


async def task_compare(client: CallerSession, params: protocol.TaskParams) -> protocol.TaskCompareResult:
    task = await client.engine.tasks.ranked(params.task)
    shape, ranking = _task_result(client.engine, task).task, client.engine.rankings.ranking(task.id)
    reviews = client.engine.review.hunks(Path(task.repository))
    return await asyncio.to_thread(compare.compare, shape, task, ranking, reviews)


async def task_cancel(client: CallerSession, params: protocol.TaskParams) -> protocol.TaskResult:
    return _task_result(client.engine, await client.engine.runs.cancel_task(params.task))


async def task_pause(client: CallerSession, params: protocol.TaskParams) -> protocol.TaskResult:
    return _task_result(client.engine, client.engine.tasks.pause(params.task))


async def task_resume(client: CallerSession, params: protocol.TaskParams) -> protocol.TaskResult:
    return _task_result(client.engine, client.engine.tasks.resume(params.task))


async def task_prioritize(client: CallerSession, params: protocol.TaskPrioritizeParams) -> protocol.TaskResult:
    return _task_result(client.engine, client.engine.tasks.prioritize(params.task, params.priority))


async def task_delete(client: CallerSession, params: protocol.IdParams) -> protocol.DeleteResult:
    return protocol.DeleteResult(deleted=list(await client.engine.tasks.delete(params.id)))


def _task_result(engine: Engine, task: Task) -> protocol.TaskResult:
    return protocol.TaskResult(task=convert.task_shape(task, engine.tasks.summary))


def _context(place: protocol.ContextPlace) -> tuple[Path, int | None, int | None]:
    path = path_of(place.uri)
    if path is None:
        raise UsageError(f"{place.uri} is not a file on this machine; context must be.")
    if place.range is None:
        return path, None, None
    last = place.range.end
    return path, place.range.start.line, last.line + (1 if last.character else 0)
