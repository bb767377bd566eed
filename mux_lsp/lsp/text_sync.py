"""Follow the texts of one client's documents: didOpen, didChange, didSave, didClose, and files that change on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core.sanitize import printable
from mux_lsp.lsp.wire import heavy
from mux_lsp.lsp.wire.documents import MAX_TEXT, as_changed, as_known, as_opened, as_saved, path_of

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.lsp.client import ClientSession
    from mux_lsp.lsp.pages.virtual_documents import VirtualDocuments
    from mux_lsp.lsp.review.views import Views
    from mux_lsp.lsp.wire.documents import Document


class TextSync:
    """The handlers of text document synchronization. Each change is passed on to everything that depends on the text.

    The client's next message waits until a handler has ended: nothing may come between two changes of a text.
    """

    def __init__(self, session: ClientSession, views: Views, virtual: VirtualDocuments) -> None:
        self._session = session
        self._documents = session.documents
        self._views = views
        self._virtual = virtual
        self._follows_files = False

    async def did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Handle `textDocument/didOpen`."""
        item = params.text_document
        if len(item.text) < heavy.LARGE:
            document = as_opened(item)
        else:
            document = await heavy.in_thread(as_opened, item)
        self._follow(item.uri, document, opened=True)

    async def did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Handle `textDocument/didChange`."""
        uri, version = params.text_document.uri, params.text_document.version
        document = self._documents.get(uri)
        if document is None:
            return
        if len(document.content) < heavy.LARGE and not heavy.is_large(params.content_changes):
            changed = as_changed(document, version, params.content_changes, self._documents.encoding)
        else:
            work = heavy.in_thread(as_changed, document, version, params.content_changes, self._documents.encoding)
            changed = await work
        self._follow(uri, changed)

    async def did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        """Handle `textDocument/didSave`."""
        # The status of a change depends on whether a file is on disk, and on its encoding.
        uri = params.text_document.uri
        if (document := self._documents.get(uri)) is not None:
            if len(document.content) < heavy.LARGE:
                document = as_known(document)
            else:
                document = await heavy.in_thread(as_known, document)
            self._documents.put(document)
        self._views.invalidate(uri)
        self._views.refresh(uri)
        if document is not None:
            self._live_text_changed(document.path)

    def did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Handle `textDocument/didClose`."""
        self._closed(params.text_document.uri)

    def did_change_files(self, params: types.DidChangeWatchedFilesParams) -> None:
        """Handle `workspace/didChangeWatchedFiles`."""
        for change in params.changes:
            if (file := path_of(change.uri)) is not None and self._documents.at(file) is None:
                self._session.engine.verify.tracker.text_changed(self._session, file, None)

    def follow_files(self) -> None:
        """Ask the client, once and if it supports it, to report files that change on disk."""
        if not self._follows_files and self._session.capabilities.registers_watchers:
            self._follows_files = True
            options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher("**/*")])
            registration = types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            self._session.server.protocol.send_request(
                types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams([registration])
            )

    def _follow(self, uri: str, document: Document | None, *, opened: bool = False) -> None:
        """Take a document's new text. One with more than `MAX_TEXT` is treated as closed, in all respects."""
        if document is not None and len(document.content) > MAX_TEXT:
            message = (
                f"{document.path.name} has {len(document.content):,} characters, more than the {MAX_TEXT:,} of which "
                "mux-lsp follows the text. To mux-lsp it is not open: agents get it as it is on disk, and its changes "
                "are reviewed once it is smaller and opened again. Nothing in it was changed."
            )
            self._session.server.window_show_message(
                types.ShowMessageParams(types.MessageType.Warning, printable(message))
            )
            self._closed(uri)
        elif document is not None:
            self._documents.put(document)
            self._views.refresh(uri)
            self._live_text_changed(document.path, opened=opened)

    def _closed(self, uri: str) -> None:
        document = self._documents.closed(uri)
        self._views.closed(uri, document)
        if document is not None:
            self._live_text_changed(document.path)

    def _live_text_changed(self, file: Path, *, opened: bool = False) -> None:
        """Pass on that the text of a file has changed, or may have."""
        self._virtual.live_text_changed(file)
        if self._session.is_persons:
            self._session.engine.transactions.text_seen(file, opened=opened)
        watched = self._session.engine.verify.tracker
        if watched.follows(self._session, file):
            document = self._documents.at(file)
            watched.text_changed(self._session, file, None if document is None else as_saved(document))
