"""One client's conversation: its documents, what it is told, and the features it uses, over the one engine."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.io_ import run_async

from mux_lsp import __version__
from mux_lsp.core import text
from mux_lsp.engine import accepting, review
from mux_lsp.engine.events import Event, ReviewChanged, RunChanged, RunOutput, TaskChanged
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.lsp import convert, edits, places, protocol
from mux_lsp.lsp.commands import CHANGES, Commands
from mux_lsp.lsp.documents import Document, Documents, Lives, path_of
from mux_lsp.lsp.progress import Progress
from mux_lsp.lsp.server import MuxServer, guarded, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from pygls.io_ import AsyncReader, Writer

    from mux_lsp.core.model import LeftOut
    from mux_lsp.engine.accepting import Candidate
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review import Item

log = logging.getLogger(__name__)

P = TypeVar("P", bound=protocol.Params)


async def serve_client(reader: AsyncReader, writer: Writer, engine: Engine) -> None:
    """Speak LSP with one client until its stream ends. What is in flight for it then is cancelled."""
    session = Session(engine)
    session.server.protocol.set_writer(writer)
    leave = engine.join(session)
    unsubscribe = engine.subscribe(session.tell)
    try:
        await run_async(
            threading.Event(),
            reader,
            session.server.protocol,
            logging.getLogger("pygls"),
            session.server.report_server_error,
        )
    finally:
        unsubscribe()
        leave()
        await session.close()


class Session:
    """What the daemon knows of one client."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.server = MuxServer()
        self.documents = Documents()
        self.abilities = edits.Abilities()
        self.folders: list[Path] = []
        self._name = "a client"
        self._own_protocol = False
        self._capabilities = types.ClientCapabilities()
        self._shows = places.Shows()
        self._views: dict[str, tuple[tuple[int, int], places.View]] = {}
        self._generations: dict[str, int] = {}
        """How often what there is to review in a document has changed, by its URI."""
        self._making: dict[str, asyncio.Task[None]] = {}
        self._stale: set[str] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._lenses_stale = False
        self._kept: set[asyncio.Task[Any]] = set()
        self._progress = Progress(self.server, engine)
        self._register()

    # What the engine asks

    @property
    def name(self) -> str:
        """The editor's name, for messages."""
        return self._name

    def unsaved(self, root: Path) -> tuple[Mapping[str, bytes], tuple[LeftOut, ...]]:
        """See `engine.Client`."""
        return self.documents.unsaved(root)

    # What the daemon tells

    def tell(self, event: Event) -> None:
        """Pass an engine's event on, in the shapes of the wire."""
        if self._own_protocol:
            method, params = convert.notification(event)
            self.server.protocol.notify(method, params.model_dump())
        match event:
            case TaskChanged(task=task):
                self._progress.task_changed(task)
            case RunChanged(run=run):
                self._progress.run_changed(run)
            case ReviewChanged(repository=repository, paths=paths):
                files = {Path(repository) / path for path in paths}
                touched = [document.uri for document in self.documents if document.path in files]
                for uri in touched:
                    self._moved_on(uri)
                if touched:
                    self._lenses_stale = True
                    self._refresh(*touched)
            case RunOutput():
                pass

    async def close(self) -> None:
        """The client has gone."""
        self.server.protocol.cancel_all()
        self._progress.close()
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._kept.add(self._refreshing)
        await asyncio.gather(*self._kept, return_exceptions=True)
        self.server.shutdown()  # type: ignore[no-untyped-call]  # pygls gives it no types

    # Live texts and what there is to review in them

    async def view(self, uri: str) -> places.View | None:
        """What there is to review in an open document."""
        while (document := self.documents.get(uri)) is not None:
            known = self._views.get(uri)
            if known is not None and known[0] == self._key(document):
                return known[1]
            # One at a time for a document, shared by all who ask meanwhile; of what is typed meanwhile only the last.
            making = self._making.get(uri)
            if making is None:
                making = self._making[uri] = self.keep(self._make(document))
            await asyncio.shield(making)
        return None

    def _key(self, document: Document) -> tuple[int, int]:
        return document.version, self._generations.get(document.uri, 0)

    def _moved_on(self, uri: str) -> None:
        self._generations[uri] = self._generations.get(uri, 0) + 1

    async def _make(self, document: Document) -> None:
        key = self._key(document)
        try:
            made = await self._view_of(document)
            if self.documents.get(document.uri) is document:
                self._views[document.uri] = (key, made)
        finally:
            del self._making[document.uri]

    async def _view_of(self, document: Document) -> places.View:
        found = accepting.candidates_at(self.engine, document.path)
        with_results = {
            task_id: sum(bool(run.files) for run in self.engine.task(task_id).runs)
            for task_id in {candidate.run.task for candidate in found}
        }
        return await asyncio.to_thread(
            _make_view, document, self.documents.by_path(), found, with_results, self.documents.encoding
        )

    def _refresh(self, *uris: str) -> None:
        """Show anew what there is to review in these documents: one refresh at a time, the newest state of each."""
        self._stale.update(uris)
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh_all())

    async def _refresh_all(self) -> None:
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
            workspace = self._capabilities.workspace
            if workspace and workspace.code_lens and workspace.code_lens.refresh_support:
                self.server.protocol.send_request(types.WORKSPACE_CODE_LENS_REFRESH, None)

    async def _publish(self, uri: str) -> None:
        found = await self.view(uri)
        document = self.documents.get(uri)
        if document is None or found is None:
            return
        if document.version != found.version:
            self._stale.add(uri)
            return
        self._send_diagnostics(uri, found.version, places.diagnostics(found.shown()))

    def _send_diagnostics(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        self.server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    # Features

    def _register(self) -> None:
        feature = self._feature
        feature(types.INITIALIZE)(self._initialize)
        feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(self._did_change_folders)
        feature(types.TEXT_DOCUMENT_DID_OPEN)(self._did_open)
        feature(types.TEXT_DOCUMENT_DID_CHANGE)(self._did_change)
        feature(types.TEXT_DOCUMENT_DID_CLOSE)(self._did_close)
        feature(types.TEXT_DOCUMENT_DID_SAVE)(self._did_save)
        feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions())(self._code_lens)
        feature(
            types.TEXT_DOCUMENT_CODE_ACTION,
            types.CodeActionOptions(code_action_kinds=list(places.KINDS), resolve_provider=True),
        )(self._code_action)
        feature(types.CODE_ACTION_RESOLVE)(self._resolve)
        feature(types.TEXT_DOCUMENT_HOVER)(self._hover)
        feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(self._progress_cancelled)
        commands = Commands(self)
        for name, (params, _) in protocol.COMMANDS.items():
            self.server.command(name)(functools.partial(self._command, commands, name, params))

    def _feature(self, method: str, options: Any = None) -> Callable[[Callable[[Any], Any]], None]:
        def register(handler: Callable[[Any], Any]) -> None:
            if asyncio.iscoroutinefunction(handler):
                self.server.feature(method, options)(guarded(handler))
            else:
                # Sync handlers run in the order of the messages; nothing may come between two changes of a text.
                self.server.feature(method, options)(functools.partial(_call, handler))

        return register

    def _initialize(self, params: types.InitializeParams) -> None:
        version = _protocol_of(params.initialization_options)
        if version is not None and version != protocol.PROTOCOL_VERSION:
            newer = isinstance(version, int) and version > protocol.PROTOCOL_VERSION
            raise refusal(
                UsageError(
                    f"This client speaks mux protocol {version}, mux-lsp {__version__} speaks "
                    f"{protocol.PROTOCOL_VERSION}: upgrade {'mux-lsp' if newer else 'the client'}."
                )
            )
        self._own_protocol = version is not None
        self._capabilities = params.capabilities
        self.abilities = edits.Abilities.of(params.capabilities)
        shows = places.Shows.of(params.capabilities)
        # An edit that is kept until it is chosen is for a version of its text, which not every client can be told.
        self._shows = replace(shows, lazily=shows.lazily and self.abilities.versions)
        self._progress.enabled = bool(params.capabilities.window and params.capabilities.window.work_done_progress)
        if params.client_info is not None:
            self._name = params.client_info.name
        self.documents.encoding = text.PositionEncoding(self.server.workspace.position_encoding or "utf-16")
        self.folders = _folders(folder.uri for folder in params.workspace_folders or ()) or _folders([params.root_uri])

    def _did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        removed = _folders(folder.uri for folder in params.event.removed)
        added = _folders(folder.uri for folder in params.event.added)
        self.folders = [folder for folder in self.folders if folder not in removed + added] + added

    def _did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        if self.documents.opened(params.text_document) is not None:
            self._refresh(params.text_document.uri)

    def _did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        identifier = params.text_document
        if self.documents.changed(identifier.uri, identifier.version, params.content_changes) is not None:
            self._refresh(identifier.uri)

    def _did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        self._views.pop(uri, None)
        self._generations.pop(uri, None)
        self._stale.discard(uri)
        if self.documents.closed(uri) is not None:
            self._send_diagnostics(uri, None, [])

    def _did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        # Whether a file is on disk, and how, is part of what a change stands to.
        self.documents.saved(params.text_document.uri)
        self._moved_on(params.text_document.uri)
        self._refresh(params.text_document.uri)

    async def _code_lens(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        found = await self.view(params.text_document.uri)
        return places.lenses(found) if found else []

    async def _code_action(self, params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        found = await self.view(params.text_document.uri)
        if found is None:
            return []
        return places.actions(found, params.range, params.context, self._shows)

    async def _resolve(self, action: types.CodeAction) -> types.CodeAction:
        if action.data is None:
            return action
        wanted = _argument(types.CODE_ACTION_RESOLVE, protocol.HunkParams, (action.data,))
        action.edit = await Commands(self).edit(wanted.run, wanted.hunks)
        return action

    async def _hover(self, params: types.HoverParams) -> types.Hover | None:
        found = await self.view(params.text_document.uri)
        return places.hover(found, params.position, self._shows) if found else None

    def _progress_cancelled(self, params: types.WorkDoneProgressCancelParams) -> None:
        self.keep(self._progress.cancelled(params.token))

    async def _command(self, commands: Commands, name: str, params: type[protocol.Params], *arguments: Any) -> Any:
        async def run() -> Any:
            argument = _argument(name, params, arguments)
            work = commands.run(name, argument)
            # A change that has begun is brought to its end, also when the client has gone meanwhile.
            answer = await (asyncio.shield(self.keep(work)) if name in CHANGES else work)
            return answer.model_dump()

        return await guarded(run)()

    def keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this session's, which its end waits for."""
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task


def _make_view(
    document: Document,
    documents: Mapping[Path, Document],
    candidates: list[Candidate],
    with_results: dict[str, int],
    encoding: text.PositionEncoding,
) -> places.View:
    found: list[Item] = []
    live = review.LiveText("", tuple(text.split_lines(document.content)), None, open=True)
    lives: dict[Path, Lives] = {}
    for candidate in candidates:
        live_of = lives.setdefault(candidate.root, Lives(candidate.root, documents))
        found += candidate.items(live_of)
    return places.view(document.version, live, found, with_results, encoding)


def _call(handler: Callable[[Any], Any], params: Any) -> Any:
    # pygls looks at a handler's own annotations; those of a bound method would mean something else to it.
    return handler(params)


def _protocol_of(options: Any) -> Any:
    """The version of mux's own protocol that a client speaks by its initialization options, None if it speaks none."""
    asked = options.get("mux") if isinstance(options, dict) else None
    return asked.get("protocol") if isinstance(asked, dict) else None


def _folders(uris: Iterable[str | None]) -> list[Path]:
    return [path for uri in uris if uri and (path := path_of(uri)) is not None]


def _argument(name: str, params: type[P], arguments: tuple[Any, ...]) -> P:
    from pydantic import ValidationError

    if len(arguments) > 1:
        raise UsageError(f"{name} takes one object as its argument, not {len(arguments)} arguments.")
    try:
        return params.model_validate(arguments[0] if arguments else {})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "its argument"
        raise UsageError(f"{name}: {where}: {problem['msg'].lower()}.") from None
