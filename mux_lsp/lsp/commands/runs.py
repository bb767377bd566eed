"""Implement the commands about one run: its state, its output and its diff; cancel, continue and retry."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.engine.review import select
from mux_lsp.engine.runs.log import LogPiece
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands.caller import clients_named
from mux_lsp.lsp.wire import convert

if TYPE_CHECKING:
    from mux_lsp.core.model import Run
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp.commands.caller import CallerSession

MAX_CHANGES: Final = 200
"""Maximum number of changes named on one command line of git."""


async def run_get(client: CallerSession, params: protocol.RunParams) -> protocol.RunResult:
    run = client.engine.registry.run(params.run)
    if run.state.ended:
        await client.engine.tasks.ranked(run.task)
    return _run_result(client.engine, client.engine.registry.run(params.run), most=None)


async def run_log(client: CallerSession, params: protocol.RunLogParams) -> protocol.RunLogResult:
    piece = LogPiece(params.stream, params.offset, params.limit, params.check, params.on, setup=params.setup)
    printed, offset, ended = await client.engine.logs.read(params.run, piece, follow=params.follow)
    return protocol.RunLogResult(text=printed, offset=offset, ended=ended)


async def run_diff(client: CallerSession, params: protocol.RunDiffParams) -> protocol.RunDiffResult:
    run = client.engine.registry.run(params.run)
    changes = select.changes_of(run, params.paths or None)
    if run.base is None or run.result is None or not changes:
        return protocol.RunDiffResult(patch="", base64=None)
    room = client.engine.repositories.get(Path(client.engine.registry.task(run.task).repository))
    # A command line may be too short for all names.
    groups = [changes[at : at + MAX_CHANGES] for at in range(0, len(changes), MAX_CHANGES)] if params.paths else [()]
    patch = b""
    for group in groups:
        named = [path for change in group for path in change.paths]
        patch += await asyncio.to_thread(room.shadow.patch, run.base, run.result, named)
    return await asyncio.to_thread(_diff, patch)


async def run_cancel(client: CallerSession, params: protocol.RunParams) -> protocol.RunResult:
    return _run_result(client.engine, await client.engine.runs.cancel(params.run))


async def run_continue(client: CallerSession, params: protocol.RunContinueParams) -> protocol.RunResult:
    clients = None if params.up_to_date is None else clients_named(client, params.up_to_date)
    run = await client.engine.tasks.carry_on(params.run, params.message, clients)
    return _run_result(client.engine, run)


async def run_retry(client: CallerSession, params: protocol.RunParams) -> protocol.RunResult:
    return _run_result(client.engine, await client.engine.tasks.retry(params.run))


def _run_result(engine: Engine, run: Run, most: int | None = protocol.MAX_RUN_FILES) -> protocol.RunResult:
    return protocol.RunResult(run=convert.run_shape(run, engine.tasks.summary(run), most))


def _diff(patch: bytes) -> protocol.RunDiffResult:
    try:
        return protocol.RunDiffResult(patch=patch.decode(), base64=None)
    except UnicodeDecodeError:
        return protocol.RunDiffResult(patch=patch.decode(errors="replace"), base64=base64.b64encode(patch).decode())
