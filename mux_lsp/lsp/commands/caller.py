"""Define the part of a session that commands use, and the clients that an argument of a command selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from mux_lsp.lsp.client import ClientSession

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.callers import Caller
    from mux_lsp.engine.state.clients import Client
    from mux_lsp.lsp.commands.accept import Accepting
    from mux_lsp.lsp.review.views import Views


class ReadOnlyDocuments(Protocol):
    """The read-only documents of one client."""

    async def get(self, uri: str) -> tuple[str, str | None]:
        """Return the text of a document, and its language if its name does not determine it. Raises MuxError."""

    async def show(self, uri: str, take_focus: bool | None) -> str:
        """Ask the client to show a document. Return the URI under which it is shown. Raises MuxError."""


class CallerSession(ClientSession, Protocol):
    """The session of the client that calls a command."""

    @property
    def asker(self) -> Caller:
        """The caller behind this client: a person, an agent, a guest or nobody."""

    @property
    def agent_origin(self) -> str | None:
        """The run, the checks or the set-up that has started this client; None for all others."""

    @property
    def decisions(self) -> Accepting:
        """Accepts and rejects hunks for this client."""

    @property
    def views(self) -> Views:
        """The reviews of this client's open documents."""

    @property
    def virtual(self) -> ReadOnlyDocuments:
        """The read-only documents of this client."""

    def folder(self, uri: str | None) -> Path:
        """Return the folder of a `file:` URI, or else the first open one. Raises UsageError if there is neither."""

    def warn(self, message: str) -> None:
        """Ask the client to show its person a warning."""

    def follow_files(self) -> None:
        """Ask the client to report files that change on disk."""


def clients_named(client: CallerSession, whose: Literal["own", "all", "none", "saved"]) -> tuple[Client, ...]:
    """Return the clients whose unsaved texts a command uses: only the caller, all clients, or no client."""
    if whose == "all":
        return client.engine.clients.connected
    return (client,) if whose == "own" else ()
