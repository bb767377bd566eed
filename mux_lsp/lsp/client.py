"""The session of one client, as the rooms of `lsp` see it.

`lsp.session.Session` implements it. Nothing else imports that module, so that no room depends on all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from lsprotocol import types

from mux_lsp.engine.tasks.request import Client

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from pathlib import Path

    from mux_lsp.callers import Caller
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review.history import ClientObserver
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities
    from mux_lsp.lsp.wire.documents import Documents
    from mux_lsp.lsp.wire.server import MuxServer


class ReadOnlyDocuments(Protocol):
    """The `mux:` documents of one client."""

    async def get(self, uri: str) -> tuple[str, str | None]:
        """Get the text of a document, and its language where its name does not tell. Raises MuxError."""
        ...

    async def show(self, uri: str, take_focus: bool | None) -> str:
        """Have the client show a document. Returns the URI that it is shown under. Raises MuxError."""
        ...


class ClientSession(Client, Protocol):
    """One client's conversation."""

    engine: Engine
    asker: Caller
    """Who speaks through this client."""
    is_persons: bool
    agent_origin: str | None
    """The run whose agent has started this client, or the set-up or the checks that have; None for all others."""
    server: MuxServer
    documents: Documents
    watch: ClientObserver
    folders: list[Path]
    """The workspace folders that are open."""
    capabilities: ClientCapabilities

    @property
    def virtual(self) -> ReadOnlyDocuments:
        """The read-only documents that the client has asked for."""
        ...

    def folder(self, uri: str | None) -> Path:
        """The folder of a `file:` URI; without one the first that is open. Raises UsageError where there is neither."""
        ...

    def follow_files(self) -> None:
        """Have the client report files that change on disk, if it can and has not been asked to."""
        ...

    def warn(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Have the client show its person a message, unless it speaks our protocol, which reports the same."""
        ...

    def keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of this session, which its end waits for."""
        ...
