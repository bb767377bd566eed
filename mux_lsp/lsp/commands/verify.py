"""Implement the command that verifies files, or the files with a selection of a run accepted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.engine.review import select
from mux_lsp.engine.state.guards import refuse_discarded
from mux_lsp.engine.verify.service import Overlay, VerifyRequest
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import authority
from mux_lsp.lsp.commands.caller import clients_named
from mux_lsp.lsp.review import workspace_edit
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import as_saved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.engine.working_tree.disk import Write
    from mux_lsp.lsp.commands.caller import CallerSession


async def verify(client: CallerSession, params: protocol.VerifyParams) -> protocol.VerifyResult:
    engine = client.engine
    if params.run is None and (params.hunks is not None or params.paths is not None):
        raise UsageError("mux.verify takes hunks and paths only of a run: name it.")
    clients = clients_named(client, params.unsaved)
    folder = client.folder(params.repository) if params.run is None else _root_of(client, params.run)
    # A person relies on the last verdict on their files.
    authority.refuse_outside(engine, client.asker, folder, "verify what is")
    request = VerifyRequest(
        folder=folder,
        clients=clients,
        only=None if params.unsaved == "all" else clients,
        checks=None if params.checks is None else tuple(params.checks),
        choose=None if params.run is None else lambda: _choose(client, params.run or "", params),
    )
    client.follow_files()
    verdict = await engine.verify.verify(request)
    last = engine.verify.tracker.last(Path(verdict.repository))
    stale = last is None or last[0] != verdict or last[1]
    printed = await asyncio.to_thread(engine.verify.printed, verdict)
    return protocol.VerifyResult(verdict=convert.verdict_shape(verdict, stale=stale), printed=list(printed))


def _root_of(client: CallerSession, run_id: str) -> Path:
    run = client.engine.registry.run(run_id)
    refuse_discarded(run)
    return Path(client.engine.registry.task(run.task).repository)


async def _choose(client: CallerSession, run_id: str, params: protocol.VerifyParams) -> Overlay:
    selection = await client.decisions.select(run_id, paths=params.paths, hunks=params.hunks)
    _, written = workspace_edit.split(selection, client.capabilities.edits)
    # If accepting would be refused, there is nothing to verify.
    select.refuse_unsaved(selection, written, client.engine.clients.connected)
    return Overlay(
        run_id,
        tuple(_writes(client, selection)),
        hunks=tuple(params.hunks or ()),
        paths=tuple(params.paths or ()),
    )


def _writes(client: CallerSession, selection: Selection) -> Iterator[Write]:
    for plan in selection.plans:
        *others, last = plan.writes()
        yield from others
        document = client.documents.at(selection.root / plan.live.path)
        if document is not None and plan.lines is not None and last.entry is not None:
            # Encoded as its editor would save it.
            content = as_saved(replace(document, content="".join(plan.lines)))
            if content is not None:
                last = replace(last, entry=replace(last.entry, content=content))
        yield last
