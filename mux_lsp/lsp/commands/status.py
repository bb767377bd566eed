"""Implement the commands about the daemon as a whole: its agents, its disk use and spending."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp import __version__
from mux_lsp.core.model import RunState
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.agent_list import look_at
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import uri_of

if TYPE_CHECKING:
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.lsp.commands.caller import CallerSession


async def agent_list(client: CallerSession, _: protocol.NoParams) -> protocol.AgentListResult:
    looks = await look_at(await client.engine.configuration.reload(), os.environ)
    return protocol.AgentListResult(
        agents=[protocol.AgentShape(**dataclasses.asdict(look)) for look in looks],
        defaults=list(await client.engine.tasks.default_agents()),
    )


async def status(client: CallerSession, _: protocol.NoParams) -> protocol.StatusResult:
    settings = client.engine.budget.settings
    repositories = []
    watched = client.engine.verify.tracker
    for root in sorted({*(task.repository for task in client.engine.registry.tasks()), *map(str, watched.roots())}):
        room = client.engine.repositories.get(Path(root))
        used, slots = await asyncio.to_thread(_take_stock, room)
        last = await watched.compare(Path(root))
        repositories.append(
            protocol.RepositoryStatus(
                repository=uri_of(Path(root)),
                worktrees=slots,
                disk_bytes=used,
                spent=_spent(client, root),
                verdict=None if last is None else convert.verdict_shape(last[0], stale=last[1]),
            )
        )
    states = [run.state for task in client.engine.registry.tasks() for run in task.runs]
    return protocol.StatusResult(
        version=__version__,
        pid=os.getpid(),
        unfinished_runs=sum(not state.ended for state in states),
        queued_runs=states.count(RunState.QUEUED),
        spent=_spent(client),
        day_usd=settings.day_usd,
        day_tokens=settings.day_tokens,
        notices=list(map(printable, client.engine.notices.all)),
        repositories=repositories,
    )


def _spent(client: CallerSession, repository: str | None = None) -> protocol.SpentShape:
    spent = client.engine.budget.today(repository)
    return protocol.SpentShape(cost_usd=spent.usd, tokens=spent.tokens)


def _take_stock(room: RepositoryStore) -> tuple[int, int]:
    return room.shadow.disk_use(), len(room.worktrees.slots())
