"""Implement the commands about a repository's own settings, and the person's trust in them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mux_lsp.core.sanitize import exact
from mux_lsp.engine.repository.registry import locate
from mux_lsp.engine.repository.settings import FILE
from mux_lsp.engine.state.clients import buffers_of
from mux_lsp.errors import NotARepositoryError, UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands.caller import clients_named
from mux_lsp.lsp.wire.documents import uri_of

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.repository.trust import TrustReport
    from mux_lsp.lsp.commands.caller import CallerSession


async def repository_get(client: CallerSession, params: protocol.RepositoryParams) -> protocol.RepositoryResult:
    root = await _root(client, params.repository)
    return _shown(await client.engine.trust.report(root, _buffers(client, root, params)))


async def repository_trust(client: CallerSession, params: protocol.RepositoryTrustParams) -> protocol.RepositoryResult:
    root = await _root(client, params.repository)
    return _shown(await client.engine.trust.trust(root, _buffers(client, root, params), params.digest))


async def repository_distrust(client: CallerSession, params: protocol.RepositoryNameParams) -> protocol.TrustListResult:
    folder = client.folder(params.repository)
    with contextlib.suppress(NotARepositoryError):  # it may be gone
        folder = (await asyncio.to_thread(locate, folder)).root
    if not client.engine.trust.forget(folder):
        raise UsageError(f"Nothing is trusted of {folder}; `mux-lsp trust --list` shows where something is.")
    return _trusted(client)


async def repository_list(client: CallerSession, _: protocol.NoParams) -> protocol.TrustListResult:
    return _trusted(client)


def _trusted(client: CallerSession) -> protocol.TrustListResult:
    trusted = client.engine.trust.trusted()
    return protocol.TrustListResult(
        trusted=[protocol.TrustedRepository(repository=uri_of(root), at=at) for root, at in trusted]
    )


def _buffers(client: CallerSession, root: Path, params: protocol.RepositoryParams) -> dict[str, bytes]:
    clients = clients_named(client, params.unsaved)
    return buffers_of(clients, root)[0]


async def _root(client: CallerSession, uri: str | None) -> Path:
    return (await asyncio.to_thread(locate, client.folder(uri))).root


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
