"""The part of a session that commands use, and the clients that an argument of theirs names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from mux_lsp.lsp.client import ClientSession

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.callers import Caller
    from mux_lsp.engine.tasks.request import Client
    from mux_lsp.lsp.commands.accept import Accepting
    from mux_lsp.lsp.review.views import Views


class ReadOnlyDocuments(Protocol):
    """The read-only documents of one client."""

    async def get(self, uri: str) -> tuple[str, str | None]:
        """Return the text of a document, and its language where its name does not tell. Raises MuxError."""

    async def show(self, uri: str, take_focus: bool | None) -> str:
        """Have the client show a document. Return the URI that it is shown under. Raises MuxError."""


class CallerSession(ClientSession, Protocol):
    """The session of the client that calls a command."""

    @property
    def asker(self) -> Caller:
        """Who speaks through this client."""

    @property
    def agent_origin(self) -> str | None:
        """The run, the checks or the set-up that has started this client; None for all others."""

    @property
    def decisions(self) -> Accepting:
        """Accepts and rejects for this client."""

    @property
    def views(self) -> Views:
        """The reviews of this client's open documents."""

    @property
    def virtual(self) -> ReadOnlyDocuments:
        """The read-only documents of this client."""

    def folder(self, uri: str | None) -> Path:
        """Return the folder of a `file:` URI, or the first that is open. Raises UsageError where there is neither."""

    def warn(self, message: str) -> None:
        """Have the client show its person a warning."""

    def follow_files(self) -> None:
        """Have the client report files that change on disk."""


def clients_named(client: CallerSession, whose: Literal["own", "all", "none", "saved"]) -> tuple[Client, ...]:
    """Return the clients whose unsaved texts a command takes: the caller's own, those of all, or none."""
    if whose == "all":
        return client.engine.clients
    return (client,) if whose == "own" else ()
