"""Serve the read-only documents of one client, show them on request, and keep them up to date.

A client with LSP 3.18's `workspace/textDocumentContent` gets them under their `mux:` URIs, and is notified when one has
changed. Any other client that can be asked to show a document gets read-only files, in a private folder that is removed
at the end of the session; they are rewritten when their content changes.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.coalescer import Coalescer
from mux_lsp.core.ids import task_of
from mux_lsp.core.sanitize import printable
from mux_lsp.core.text import shown_path
from mux_lsp.engine.state.events import ReviewChanged, RunChanged, RunOutput, TaskChanged, TranscriptGrown
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.lsp.pages import contents, read_only_files
from mux_lsp.lsp.wire.documents import uri_of
from mux_lsp.lsp.wire.uris import SCHEME, Address, Kind, parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mux_lsp.engine.state.events import Event
    from mux_lsp.lsp.client import ClientSession

log = logging.getLogger(__name__)

MAX_FOLLOWED = 64
"""Maximum number of documents of a client that are kept up to date: those that were requested last."""

OPTIONS = types.TextDocumentContentRegistrationOptions([SCHEME])
"""Our options for `workspace/textDocumentContent`."""


@dataclass(slots=True)
class _Followed:
    """A document that a client has requested."""

    address: Address
    shown: int | None
    """Hash of the text that the client has; None if it could not be read."""
    files: frozenset[Path] = field(default_factory=frozenset)
    file: Path | None = None
    """Its file, for a client that takes files."""


class VirtualDocuments:
    """The documents of one client. For use on the event loop."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._followed: dict[str, _Followed] = {}
        """Documents by URI in the client's spelling, the one requested last at the end."""
        self._stale: set[str] = set()
        self._refreshing = Coalescer(self._refresh_stale, "refreshing read-only documents")
        self._folder: Path | None = None
        self._files = 0
        self._writing = asyncio.Lock()
        self._write_task: asyncio.Task[None] | None = None
        self._moves = 0
        """Number of events so far that a document may depend on."""

    async def register(self) -> None:
        """Register our scheme with the client, if it wants a registration."""
        if not self._session.capabilities.registers_content:
            return
        method = types.WORKSPACE_TEXT_DOCUMENT_CONTENT
        wanted = types.RegistrationParams([types.Registration("mux-documents", method, OPTIONS)])
        try:
            await self._session.server.client_register_capability_async(wanted)
        except JsonRpcException as error:
            log.info("%s does not ask for mux: documents: %s", self._session.name, printable(error.message))

    # Requests of the client

    async def get(self, uri: str) -> tuple[str, str | None]:
        """Return the text of a document, and its language if its name does not determine it. Raises MuxError."""
        address = parse(uri)
        moves = self._moves
        followed, content = await self._read(address)
        if self._session.capabilities.content:
            self._follow(uri, followed, moves)
        return content, contents.language(address)

    async def show(self, uri: str, take_focus: bool | None) -> str:
        """Ask the client to show a document. Returns the URI under which it is shown. Raises MuxError."""
        name = self._session.name
        if not self._session.capabilities.documents:
            raise UsageError(
                f"{name} cannot be asked to show a document (window/showDocument): "
                "get its text by mux.document.get, or use `mux-lsp diff`, `log` and `compare` in a terminal."
            )
        address = parse(uri)
        if self._session.capabilities.content:
            await self._read(address)
            shown = uri
        else:
            shown = uri_of(await self._as_file(address))
        try:
            answer = await self._session.server.window_show_document_async(
                types.ShowDocumentParams(shown, take_focus=take_focus)
            )
        except JsonRpcException as error:
            raise MuxError(f"{name} did not show {shown}: {printable(error.message)}.") from None
        if not answer.success:
            raise MuxError(f"{name} did not show {shown} and did not say why.")
        return shown

    # Events

    def on_event(self, event: Event) -> None:
        """Refresh the documents that may depend on an event."""
        self._moves += 1
        match event:
            case RunOutput(run=run_id) | TranscriptGrown(run=run_id):
                self._changed(lambda one: one.address == Address(Kind.TRANSCRIPT, run_id))
            case RunChanged(run=run):
                self._changed(lambda one: one.address.kind.page and one.address.of in {run.id, run.task})
            case TaskChanged(task=task):
                self._changed(lambda one: one.address.kind.page and task_of(one.address.of) == task.id)
            case ReviewChanged(repository=repository, paths=paths):
                # Check the few files that are followed, not the paths: there may be thousands.
                self._changed(lambda one: any(_below(file, repository) in paths for file in one.files))

    def live_text_changed(self, file: Path) -> None:
        """Refresh the documents that depend on the client's text of a file, which may have changed."""
        self._moves += 1
        self._changed(lambda one: file in one.files and one.address.kind is not Kind.RUN)

    async def close(self) -> None:
        """Stop, and remove the files, because the client has gone. To be called when no request is open any more."""
        await self._refreshing.close()
        self._followed.clear()
        if self._write_task is not None:
            await asyncio.wait([self._write_task])
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    # Reading and refreshing

    async def _read(self, address: Address) -> tuple[_Followed, str]:
        if address.kind.of_task:
            await self._session.engine.tasks.ranked(address.of)
        found = contents.source(self._session.engine, self._session.documents.by_path(), address)
        content = await asyncio.to_thread(found.read)
        return _Followed(address, hash(content), found.files), content

    def _follow(self, uri: str, followed: _Followed, moves: int) -> None:
        """Keep a document up to date. `moves` is the number of events before it was read."""
        self._followed.pop(uri, None)
        self._followed[uri] = followed
        while len(self._followed) > MAX_FOLLOWED:
            oldest = next(iter(self._followed))
            self._stale.discard(oldest)
            file = self._followed.pop(oldest).file
            if file is not None:
                # No file is better than an outdated one.
                self._session.keep(asyncio.to_thread(shutil.rmtree, file.parent, ignore_errors=True))
        if self._moves != moves:
            # An event has happened while it was read.
            self._refresh_soon([uri])

    async def _as_file(self, address: Address) -> Path:
        async with self._writing:
            uri, moves = address.uri, self._moves
            known = self._followed.get(uri)
            followed, content = await self._read(address)
            followed.file = known.file if known is not None else None
            if followed.file is None:
                if self._folder is None:
                    self._folder = read_only_files.make_folder(self._session.engine.files.client_files)
                self._files += 1
                followed.file = self._folder / str(self._files) / shown_path(address.name)
            await self._write(followed.file, content)
            self._follow(uri, followed, moves)
            return followed.file

    async def _write(self, file: Path, content: str) -> None:
        # Written completely even if nobody waits any more, because the folder is removed after that.
        self._write_task = asyncio.create_task(asyncio.to_thread(read_only_files.write, file, content))
        await asyncio.shield(self._write_task)

    def _changed(self, concerns: Callable[[_Followed], bool]) -> None:
        found = [uri for uri, followed in self._followed.items() if concerns(followed)]
        if found:
            self._refresh_soon(found)

    def _refresh_soon(self, uris: list[str]) -> None:
        self._stale.update(uris)
        self._refreshing.request()

    async def _refresh_stale(self) -> None:
        while self._stale:
            uri = self._stale.pop()
            try:
                await self._refresh(uri)
            except MuxError as error:
                log.warning("%s is not up to date: %s", uri, error)
            except Exception:
                log.exception("a bug in mux-lsp, in refreshing %s", uri)

    async def _refresh(self, uri: str) -> None:
        """Read a document again, and send the client what is different."""
        async with self._writing:
            before = self._followed.get(uri)
            if before is None:
                return
            try:
                now, content = await self._read(before.address)
            except MuxError:
                # It is gone or can no longer be shown. The next request gets the reason; a file keeps its last content.
                if before.file is not None:
                    return
                now, content = _Followed(before.address, None, before.files), ""
            if self._followed.get(uri) is not before:
                return  # the client has asked for it meanwhile
            before.files = now.files
            if now.shown == before.shown:
                return
            before.shown = now.shown
            if before.file is None:
                params = types.TextDocumentContentRefreshParams(uri)
                self._session.server.protocol.send_request(types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, params)
            else:
                await self._write(before.file, content)


def _below(file: Path, repository: str) -> str | None:
    return file.relative_to(repository).as_posix() if file.is_relative_to(repository) else None
