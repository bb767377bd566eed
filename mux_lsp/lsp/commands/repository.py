"""Commands about repositories' own settings: what they are, and whether their person trusts them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mux_lsp.agents.log import exact
from mux_lsp.engine.repository.registry import locate
from mux_lsp.engine.repository.settings import FILE
from mux_lsp.engine.state.clients import buffers_of
from mux_lsp.errors import NotARepositoryError, UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire.documents import uri_of

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.repository.trust import TrustReport
    from mux_lsp.lsp.session import Session


class Trusting:
    """Those of the protocol's commands."""

    _session: Session

    async def repository_get(self, params: protocol.RepositoryParams) -> protocol.RepositoryResult:
        root = await self._root(params.repository)
        return _shown(await self._session.engine.trust.look(root, self._buffers(root, params)))

    async def repository_trust(self, params: protocol.RepositoryTrustParams) -> protocol.RepositoryResult:
        root = await self._root(params.repository)
        return _shown(await self._session.engine.trust.trust(root, self._buffers(root, params), params.digest))

    async def repository_distrust(self, params: protocol.RepositoryNameParams) -> protocol.TrustListResult:
        folder = self._folder(params.repository)
        with contextlib.suppress(NotARepositoryError):  # it may be gone
            folder = (await asyncio.to_thread(locate, folder)).root
        if not self._session.engine.trust.forget(folder):
            raise UsageError(f"Nothing is trusted of {folder}; `mux-lsp trust --list` shows where something is.")
        return self._trusted()

    async def repository_list(self, _: protocol.NoParams) -> protocol.TrustListResult:
        return self._trusted()

    def _trusted(self) -> protocol.TrustListResult:
        trusted = self._session.engine.trust.trusted()
        return protocol.TrustListResult(
            trusted=[protocol.TrustedRepository(repository=uri_of(root), at=at) for root, at in trusted]
        )

    def _buffers(self, root: Path, params: protocol.RepositoryParams) -> dict[str, bytes]:
        clients = {"own": (self._session,), "all": self._session.engine.clients.connected, "none": ()}[params.unsaved]
        return buffers_of(clients, root)[0]

    async def _root(self, uri: str | None) -> Path:
        return (await asyncio.to_thread(locate, self._folder(uri))).root

    def _folder(self, uri: str | None) -> Path:
        return self._session.folder(uri)


def _shown(look: TrustReport) -> protocol.RepositoryResult:
    said = look.offer.said
    return protocol.RepositoryResult(
        repository=uri_of(look.root),
        file=uri_of(look.root / FILE),
        digest=look.offer.digest,
        trusted=look.trusted,
        problem=look.offer.problem,
        agents=_words(said.agents),
        checks=_words(said.checks),
        setup=_words(said.setup),
        setup_inputs=_words(said.setup_inputs),
        protected=_words(said.protected),
        check_timeout_seconds=said.check_timeout_seconds,
        hooks_trusted=look.hooks,
    )


def _words(said: tuple[str, ...] | None) -> list[str] | None:
    return None if said is None else list(map(exact, said))
