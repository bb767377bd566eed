"""Define the session of one client as the packages of `lsp` see it.

`lsp.session.Session` implements it. Nothing else imports that module, so that no package depends on all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mux_lsp.engine.state.clients import Client

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from pathlib import Path

    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review.presence import ClientObserver
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities
    from mux_lsp.lsp.wire.documents import Documents
    from mux_lsp.lsp.wire.server import MuxServer


class ClientSession(Client, Protocol):
    """Protocol of one client's session."""

    engine: Engine
    is_persons: bool
    server: MuxServer
    documents: Documents
    watch: ClientObserver
    folders: list[Path]
    """The open workspace folders."""
    capabilities: ClientCapabilities

    def keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that belongs to this session. The end of the session waits for it."""
        ...
