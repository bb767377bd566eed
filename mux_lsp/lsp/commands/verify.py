"""The command that verifies: from its argument to its answer."""

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
from mux_lsp.lsp.review import workspace_edit
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import as_saved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.engine.working_tree.disk import Write
    from mux_lsp.lsp.session import Session


class Verification:
    """That one of the protocol's commands."""

    _session: Session

    async def verify(self, params: protocol.VerifyParams) -> protocol.VerifyResult:
        session, engine = self._session, self._session.engine
        if params.run is None and (params.hunks is not None or params.paths is not None):
            raise UsageError("mux.verify takes hunks and paths only of a run: name it.")
        clients = {"own": (session,), "all": engine.clients.connected, "none": ()}[params.unsaved]
        folder = session.folder(params.repository) if params.run is None else self._root_of(params.run)
        # The last verdict is what the person believes of their files.
        authority.refuse_outside(engine, session.asker, folder, "verify what is")
        request = VerifyRequest(
            folder=folder,
            clients=clients,
            only=None if params.unsaved == "all" else clients,
            checks=None if params.checks is None else tuple(params.checks),
            choose=None if params.run is None else lambda: self._choose(params.run or "", params),
        )
        session.follow_files()
        verdict = await engine.verify.verify(request)
        last = engine.verify.tracker.last(Path(verdict.repository))
        stale = last is None or last[0] != verdict or last[1]
        printed = await asyncio.to_thread(engine.verify.printed, verdict)
        return protocol.VerifyResult(verdict=convert.verdict_shape(verdict, stale=stale), printed=list(printed))

    def _root_of(self, run_id: str) -> Path:
        run = self._session.engine.registry.run(run_id)
        refuse_discarded(run)
        return Path(self._session.engine.registry.task(run.task).repository)

    async def _choose(self, run_id: str, params: protocol.VerifyParams) -> Overlay:
        session = self._session
        selection = await session.decisions.select(run_id, paths=params.paths, hunks=params.hunks)
        _, written = workspace_edit.split(selection, session.abilities)
        # What accepting would refuse cannot be had, so there is nothing to verify.
        select.refuse_unsaved(selection, written, session.engine.clients.connected)
        return Overlay(
            run_id,
            tuple(self._writes(selection)),
            hunks=tuple(params.hunks or ()),
            paths=tuple(params.paths or ()),
        )

    def _writes(self, selection: Selection) -> Iterator[Write]:
        for plan in selection.plans:
            *others, last = plan.writes()
            yield from others
            document = self._session.documents.at(selection.root / plan.live.path)
            if document is not None and plan.lines is not None and last.entry is not None:
                # As its editor would save it, in whatever encoding.
                content = as_saved(replace(document, content="".join(plan.lines)))
                if content is not None:
                    last = replace(last, entry=replace(last.entry, content=content))
            yield last
