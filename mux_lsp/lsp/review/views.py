"""Keep the reviews of one client's open documents, and publish them as the texts and the results change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.coalescer import Coalescer
from mux_lsp.core import text
from mux_lsp.engine.review import select
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.review.presence import presence_of
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.lsp.review import diagnostics, places
from mux_lsp.lsp.wire.documents import Lives

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mux_lsp.core.model import Task
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.presence import DocumentObservations, PresenceMap
    from mux_lsp.engine.review.select import FileReview
    from mux_lsp.lsp.client import ClientSession
    from mux_lsp.lsp.wire.documents import Document

log = logging.getLogger(__name__)


class Views:
    """The reviews of one client's open documents. For use on the event loop."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._views: dict[str, tuple[tuple[int, int], places.DocumentReview]] = {}
        self._chosen: dict[str, tuple[places.VariantSelection, ...]] = {}
        """The variants that the person has selected, by document."""
        self._published: dict[str, places.DocumentReview] = {}
        """The reviews whose diagnostics were last sent to the client."""
        self._generations: dict[str, int] = {}
        """Number of times that the review of a document was invalidated for a reason other than its text, by URI."""
        self._making: dict[str, asyncio.Task[None]] = {}
        self._stale: set[str] = set()
        self._lenses_stale = False
        self._refreshing = Coalescer(self._refresh_stale, "refreshing the reviews of open documents")
        self._last_looks: set[asyncio.Task[None]] = set()

    async def view(self, uri: str) -> places.DocumentReview | None:
        """Return the review of a document at its newest text; None if it is not open."""
        while (document := self._session.documents.get(uri)) is not None:
            known = self._views.get(uri)
            if known is not None and known[0] == self._key(document):
                return known[1]
            # One review per document is built at a time, shared by all who ask; of texts that change meanwhile, only
            # the last is used.
            making = self._making.get(uri)
            if making is None:
                making = self._making[uri] = self._session.keep(self._build_view(document))
            await asyncio.shield(making)
        return None

    async def require_view(self, uri: str) -> places.DocumentReview:
        """Return the review of an open document. Raises UsageError if it is not open."""
        review = await self.view(uri)
        if review is None:
            raise UsageError(f"{uri} is not open in {self._session.name}: places are those of an open document.")
        return review

    async def caught_up(self) -> None:
        """Wait until the newest text of every document was observed, also of those just closed."""
        looks = [self.view(document.uri) for document in self._session.documents]
        await asyncio.gather(*looks, *self._last_looks, return_exceptions=True)

    def show(self, review: places.DocumentReview, place: places.ReviewPlace, variant: places.ReviewVariant) -> None:
        """Show another variant at a place from now on."""
        uri = review.buffer.uri
        others = [choice for choice in self._chosen.get(uri, ()) if not places.is_for(choice, place)]
        chosen = self._chosen[uri] = (*others, place.choice_of(variant))
        if known := self._views.get(uri):
            self._views[uri] = (known[0], known[1].showing(chosen))
        self._lenses_stale = True
        self.refresh(uri)

    # Changes

    def results_changed(self, root: Path, paths: Collection[str]) -> None:
        """Refresh the documents of a repository at these paths."""
        touched = [document.uri for document in self._session.documents if _is_among(document.path, root, paths)]
        for uri in touched:
            self.invalidate(uri)
        if touched:
            self._lenses_stale = True
            self.refresh(*touched)

    def invalidate(self, uri: str) -> None:
        """Rebuild the review of a document when it is next needed, although its text is the same."""
        self._generations[uri] = self._generations.get(uri, 0) + 1

    def refresh(self, *uris: str) -> None:
        """Publish the reviews of these documents, each at its newest text."""
        self._stale.update(uris)
        self._refreshing.request()

    def closed(self, uri: str, document: Document | None) -> None:
        """Forget a closed document; `document` is the one that was open, if any."""
        self._views.pop(uri, None)
        self._published.pop(uri, None)
        self._generations.pop(uri, None)
        self._chosen.pop(uri, None)
        self._stale.discard(uri)
        watch = self._session.watch
        if document is not None:
            self._send_diagnostics(uri, None, [])
            if watch.awaits(uri):
                looking = self._session.keep(self._observe_closed(document, watch.of(uri)))
                self._last_looks.add(looking)
                looking.add_done_callback(self._last_looks.discard)
        watch.close(uri)

    async def close(self) -> None:
        """Stop publishing."""
        await self._refreshing.close()

    # Building

    def _key(self, document: Document) -> tuple[int, int]:
        return document.version, self._generations.get(document.uri, 0)

    async def _build_view(self, document: Document) -> None:
        key = self._key(document)
        seen = self._session.watch.of(document.uri)
        try:
            made, presence = await self._view_of(document)
            self._observe(seen, presence)
            if self._session.documents.get(document.uri) is document:
                self._views[document.uri] = (key, made.showing(self._chosen.get(document.uri, ())))
        finally:
            del self._making[document.uri]

    async def _observe_closed(self, document: Document, seen: DocumentObservations) -> None:
        """Observe a document that was closed before an edit that its client had asked for was seen in its text."""
        if making := self._making.get(document.uri):
            await asyncio.wait([making])
        _, presence = await self._view_of(document)
        self._observe(seen, presence)

    def _observe(self, seen: DocumentObservations, presence: PresenceMap) -> None:
        # An agent may write into a text that it has opened itself; that is not a person's acceptance.
        if self._session.is_persons:
            self._session.engine.history.observe(self._session.watch, seen, presence)

    async def _view_of(self, document: Document) -> tuple[places.DocumentReview, PresenceMap]:
        engine, open_documents = self._session.engine, self._session.documents
        found = select.candidates_at(engine.review, document.path)
        tasks = {task_id: engine.registry.task(task_id) for task_id in {candidate.run.task for candidate in found}}
        documents = {**open_documents.by_path(), document.path: document}
        return await asyncio.to_thread(_make_view, document, documents, found, tasks, open_documents.encoding)

    # Publishing

    async def _refresh_stale(self) -> None:
        while self._stale:
            uri = self._stale.pop()
            try:
                await self._publish(uri)
            except MuxError as error:
                log.warning("%s cannot be reviewed: %s", uri, error)
            except Exception:
                log.exception("a bug in mux-lsp, in showing %s", uri)
        if self._lenses_stale:
            self._lenses_stale = False
            if self._session.capabilities.refreshes_lenses:
                self._session.server.protocol.send_request(types.WORKSPACE_CODE_LENS_REFRESH, None)

    async def _publish(self, uri: str) -> None:
        review = await self.view(uri)
        document = self._session.documents.get(uri)
        if document is None or review is None:
            return
        if document.version != review.buffer.version:
            self._stale.add(uri)
            return
        # Another refresh may have published this review already.
        if self._published.get(uri) is not review:
            self._published[uri] = review
            found = diagnostics.diagnostics(review, self._session.capabilities)
            self._send_diagnostics(uri, review.buffer.version, found)

    def _send_diagnostics(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        if not self._session.capabilities.draws:
            params = types.PublishDiagnosticsParams(uri, found, version)
            self._session.server.text_document_publish_diagnostics(params)


def _make_view(
    document: Document,
    documents: Mapping[Path, Document],
    candidates: list[FileReview],
    tasks: Mapping[str, Task],
    encoding: text.PositionEncoding,
) -> tuple[places.DocumentReview, PresenceMap]:
    found: list[Item] = []
    live = LiveText("", tuple(text.split_lines(document.content)), None, open=True)
    lives: dict[Path, Lives] = {}
    for candidate in candidates:
        live_of = lives.setdefault(candidate.root, Lives(candidate.root, documents))
        here = document.path.relative_to(candidate.root).as_posix()
        # An item that renames a file is found at both of its paths, and shown where the text is.
        found += [item for item in candidate.items(live_of) if item.live.path == here]
    buffer = places.Buffer(document.uri, document.version, live)
    return places.view(buffer, found, tasks, encoding), presence_of(found)


def _is_among(file: Path, root: Path, paths: Collection[str]) -> bool:
    # Iterating over the paths instead would be slow: there may be ten thousand.
    return file.is_relative_to(root) and file.relative_to(root).as_posix() in paths
