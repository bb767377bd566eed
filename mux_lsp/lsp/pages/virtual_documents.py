"""The read-only documents of one client: asked for, shown, and kept up with what they show.

A client that has LSP 3.18's `workspace/textDocumentContent` gets them under their `mux:` URIs, and is told when one has
changed. For any other one that can be asked to show a document they are files, read-only, in a private folder that goes
with the conversation; those are rewritten when they change.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.agents.log import printable
from mux_lsp.coalescer import Coalescer
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
"""Maximum number of documents of a client that are kept up to date: those that were asked for last."""

OPTIONS = types.TextDocumentContentRegistrationOptions([SCHEME])
"""What we say of `workspace/textDocumentContent`."""


@dataclass(slots=True)
class _Followed:
    """A document that a client has asked for."""

    address: Address
    shown: int | None
    """A hash of the text that the client has."""
    files: frozenset[Path] = field(default_factory=frozenset)
    file: Path | None = None
    """Where it is for a client that takes files."""


class VirtualDocuments:
    """The documents of one client. For use on the loop."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._followed: dict[str, _Followed] = {}
        """By the URI as the client spells it, the one asked for last behind the others."""
        self._stale: set[str] = set()
        self._refreshing = Coalescer(self._refresh_stale, "refreshing read-only documents")
        self._folder: Path | None = None
        self._files = 0
        self._writing = asyncio.Lock()
        self._write_task: asyncio.Task[None] | None = None
        self._moves = 0
        """How often anything has happened that a document may show."""

    async def register(self) -> None:
        """Have the client ask for our scheme, if it wants to be told so in this way."""
        if not self._session.capabilities.registers_content:
            return
        method = types.WORKSPACE_TEXT_DOCUMENT_CONTENT
        wanted = types.RegistrationParams([types.Registration("mux-documents", method, OPTIONS)])
        try:
            await self._session.server.client_register_capability_async(wanted)
        except JsonRpcException as error:
            log.info("%s does not ask for mux: documents: %s", self._session.name, printable(error.message))

    # What the client asks

    async def get(self, uri: str) -> tuple[str, str | None]:
        """The text of a document and its language where its name does not tell. Raises MuxError."""
        address = parse(uri)
        moves = self._moves
        followed, content = await self._read(address)
        if self._session.capabilities.content:
            self._follow(uri, followed, moves)
        return content, contents.language(address)

    async def show(self, uri: str, take_focus: bool | None) -> str:
        """Have the client show a document. Returns the URI that it is shown under. Raises MuxError."""
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

    # What happens

    def on_event(self, event: Event) -> None:
        """Refresh the documents that may show what has happened."""
        self._moves += 1
        match event:
            case RunOutput(run=run_id) | TranscriptGrown(run=run_id):
                self._changed(lambda one: one.address == Address(Kind.TRANSCRIPT, run_id))
            case RunChanged(run=run):
                self._changed(lambda one: one.address.kind.page and one.address.of in {run.id, run.task})
            case TaskChanged(task=task):
                self._changed(lambda one: one.address.kind.page and one.address.of.partition("-")[0] == task.id)
            case ReviewChanged(repository=repository, paths=paths):
                # Of thousands of paths only the few that are followed are looked at.
                self._changed(lambda one: any(_below(file, repository) in paths for file in one.files))

    def live_text_changed(self, file: Path) -> None:
        """The client's text of a file is another one now, or may be."""
        self._moves += 1
        self._changed(lambda one: file in one.files and one.address.kind is not Kind.RUN)

    async def close(self) -> None:
        """The client has gone. To be called when nothing is asked any more."""
        await self._refreshing.close()
        self._followed.clear()
        if self._write_task is not None:
            await asyncio.wait([self._write_task])
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    # Inside

    async def _read(self, address: Address) -> tuple[_Followed, str]:
        if address.kind.of_task:
            await self._session.engine.ranked(address.of)
        found = contents.source(self._session.engine, self._session.documents.by_path(), address)
        content = await asyncio.to_thread(found.read)
        return _Followed(address, hash(content), found.files), content

    def _follow(self, uri: str, followed: _Followed, moves: int) -> None:
        """Keep a document up to date that was read since there had been so many `moves`."""
        self._followed.pop(uri, None)
        self._followed[uri] = followed
        while len(self._followed) > MAX_FOLLOWED:
            oldest = next(iter(self._followed))
            self._stale.discard(oldest)
            file = self._followed.pop(oldest).file
            if file is not None:
                # Rather none than one that is no longer true.
                self._session.keep(asyncio.to_thread(shutil.rmtree, file.parent, ignore_errors=True))
        if self._moves != moves:
            # Something has happened while it was read.
            self._refresh_soon([uri])

    async def _as_file(self, address: Address) -> Path:
        async with self._writing:
            uri, moves = address.uri, self._moves
            known = self._followed.get(uri)
            followed, content = await self._read(address)
            followed.file = known.file if known is not None else None
            if followed.file is None:
                if self._folder is None:
                    self._folder = read_only_files.make_folder(self._session.engine.client_files)
                self._files += 1
                followed.file = self._folder / str(self._files) / shown_path(address.name)
            await self._write(followed.file, content)
            self._follow(uri, followed, moves)
            return followed.file

    async def _write(self, file: Path, content: str) -> None:
        # To its end also when nobody waits any more: the folder is removed after that.
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
        """Look at a document anew, and pass on what is different."""
        async with self._writing:
            before = self._followed.get(uri)
            if before is None:
                return
            try:
                now, content = await self._read(before.address)
            except MuxError:
                # It has gone, or is nothing that can be shown. Who asks again gets the reason; a file stays as it was.
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
