"""Implement the commands for read-only documents: read one, or ask the client to show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.engine.review import select
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire.uris import Address, Kind

if TYPE_CHECKING:
    from mux_lsp.lsp.commands.caller import CallerSession


async def document_get(client: CallerSession, params: protocol.DocumentParams) -> protocol.DocumentResult:
    content, language = await client.virtual.get(params.uri)
    return protocol.DocumentResult(text=content, language=language)


async def document_show(client: CallerSession, params: protocol.DocumentShowParams) -> protocol.DocumentShowResult:
    return protocol.DocumentShowResult(uri=await client.virtual.show(params.uri, params.take_focus))


async def versions_show(client: CallerSession, params: protocol.VersionsShowParams) -> protocol.VersionsShowResult:
    run = client.engine.registry.run(params.run)
    (change, *_) = select.changes_of(run, [params.path])
    wanted = [Address(Kind.RUN, run.id, change.path)]
    if change.old_mode:
        wanted.insert(0, Address(Kind.SNAPSHOT, run.task, change.base_path))
    return protocol.VersionsShowResult(uris=[await client.virtual.show(one.uri, None) for one in wanted])
