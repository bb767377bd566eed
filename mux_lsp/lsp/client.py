"""The session of one client, as the rooms of `lsp` see it.

`lsp.session.Session` implements it. Nothing else imports that module, so that no room depends on all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mux_lsp.engine.tasks.request import Client

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from pathlib import Path

    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review.history import ClientObserver
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities
    from mux_lsp.lsp.wire.documents import Documents
    from mux_lsp.lsp.wire.server import MuxServer


class ClientSession(Client, Protocol):
    """One client's conversation."""

    engine: Engine
    is_persons: bool
    server: MuxServer
    documents: Documents
    watch: ClientObserver
    folders: list[Path]
    """The workspace folders that are open."""
    capabilities: ClientCapabilities

    def keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of this session, which its end waits for."""
        ...
