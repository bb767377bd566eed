"""One client's conversation: its documents, what it is told, and the features it uses, over the one engine."""

from __future__ import annotations

import asyncio
import functools
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp import __version__
from mux_lsp.agents.log import printable
from mux_lsp.callers import Agent, Person
from mux_lsp.core import text
from mux_lsp.engine.review import select
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.review.presence import ClientObserver, presence_of
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.engine.state.events import (
    Event,
    LimitReached,
    Noticed,
    PermissionRequested,
    PermissionSettled,
    QueueChanged,
    ReviewChanged,
    RunChanged,
    RunOutput,
    TaskChanged,
    TranscriptGrown,
    Untold,
    VerdictChanged,
    WorkEnded,
)
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands.accept import Accepting
from mux_lsp.lsp.commands.dispatch import CHANGES, Commands
from mux_lsp.lsp.pages import virtual_documents
from mux_lsp.lsp.pages.virtual_documents import VirtualDocuments
from mux_lsp.lsp.permission_prompts import PermissionPrompts
from mux_lsp.lsp.progress import Progress
from mux_lsp.lsp.review import (
    ask_actions,
    code_action,
    code_lens,
    diagnostics,
    places,
    workspace_edit,
)
from mux_lsp.lsp.review.hover import hover
from mux_lsp.lsp.wire import convert, heavy
from mux_lsp.lsp.wire.capabilities import ClientCapabilities
from mux_lsp.lsp.wire.documents import (
    TEXT_LIMIT,
    Document,
    Documents,
    Lives,
    as_changed,
    as_known,
    as_opened,
    as_saved,
    path_of,
)
from mux_lsp.lsp.wire.server import MuxServer, guarded, receive_all, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping

    from pygls.io_ import Writer

    from mux_lsp.callers import Caller
    from mux_lsp.core.model import LeftOut, Task
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.presence import DocumentObservations, PresenceMap
    from mux_lsp.engine.review.select import FileReview
    from mux_lsp.lsp.wire.server import Incoming

log = logging.getLogger(__name__)

P = TypeVar("P", bound=protocol.Params)


async def serve_client(incoming: Incoming, writer: Writer, engine: Engine, asker: Caller) -> None:
    """Speak LSP with one client until its stream ends. What is in flight for it then is cancelled."""
    session = Session(engine, asker)
    session.server.protocol.set_writer(writer)
    # What an agent has in an editor of its own is nothing that its person sees.
    leave = engine.clients.join(session) if session.is_persons else lambda: None
    unsubscribe = engine.subscribe(session.tell)
    unwatch = engine.history.join(session.watch)
    try:
        await receive_all(incoming, session.server)
    finally:
        unsubscribe()
        leave()
        await session.close()
        unwatch()


class Session:
    """What the daemon knows of one client."""

    def __init__(self, engine: Engine, asker: Caller) -> None:
        self.engine = engine
        self.asker = asker
        """Who speaks through this client."""
        self.is_persons = isinstance(asker, Person)
        self.starter = asker.starter if isinstance(asker, Agent) else None
        """The run whose agent has started this client, or the set-up or the checks that have; None for all others."""
        self.server = MuxServer()
        self.documents = Documents()
        self.watch = ClientObserver(lambda: self._name)
        self.abilities = workspace_edit.EditCapabilities()
        self.folders: list[Path] = []
        self._name = "a client"
        self._own_protocol = False
        self._initialized_once = False
        self._follows_files = False
        self._capabilities = types.ClientCapabilities()
        self._shows = ClientCapabilities()
        self._draws = False
        """Whether the client draws the places itself: it gets no hints for them."""
        self._views: dict[str, tuple[tuple[int, int], places.DocumentReview]] = {}
        self._chosen: dict[str, tuple[places.VariantSelection, ...]] = {}
        """Which variants the person wants to see, by document."""
        self._published: dict[str, places.DocumentReview] = {}
        """The views whose hints the client has last been sent."""
        self._generations: dict[str, int] = {}
        """How often what there is to review in a document has changed, by its URI."""
        self._making: dict[str, asyncio.Task[None]] = {}
        self._stale: set[str] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._lenses_stale = False
        self._kept: set[asyncio.Task[Any]] = set()
        self._last_looks: set[asyncio.Task[Any]] = set()
        self._progress = Progress(self.server, engine)
        self._asking = PermissionPrompts(self.server, engine)
        self.virtual = VirtualDocuments(self)
        self.decisions = Accepting(self)
        self._register()

    # What the engine asks

    @property
    def name(self) -> str:
        """The editor's name, for messages."""
        return self._name

    def unsaved(self, root: Path) -> tuple[Mapping[str, bytes], tuple[LeftOut, ...]]:
        """See `state.clients.Client`."""
        return self.documents.unsaved(root)

    def folder(self, uri: str | None) -> Path:
        """The folder of a `file:` URI; without one the first that is open. Raises UsageError where there is neither."""
        if uri is not None:
            path = path_of(uri)
            if path is None:
                raise UsageError(f"{uri} is not a folder on this machine: give a file: URI.")
            return path
        if not self.folders:
            raise UsageError("No folder is open in this client: open one, or name it as `repository`.")
        return self.folders[0]

    # What the daemon tells

    def tell(self, event: Event) -> None:
        """Pass an engine's event on, in the shapes of the wire."""
        if self._own_protocol and not isinstance(event, Untold):
            method, params = convert.notification(event, self.engine.tasks.summary, self.documents.uri)
            self.server.protocol.tell(method, params)
        self.virtual.told(event)
        match event:
            case TaskChanged(task=task):
                self._progress.task_changed(task)
            case RunChanged(run=run):
                self._progress.run_changed(run)
            case ReviewChanged(repository=repository, paths=paths):
                root = Path(repository)
                touched = [document.uri for document in self.documents if _is_among(document.path, root, paths)]
                for uri in touched:
                    self._invalidate(uri)
                if touched:
                    self._lenses_stale = True
                    self._refresh(*touched)
            case PermissionRequested():
                self._asking.requested(event)
            case PermissionSettled(id=ask_id):
                self._asking.settled(ask_id)
            case LimitReached(message=message, stopped=stopped):
                self.warn(message, types.MessageType.Error if stopped else types.MessageType.Warning)
            case Noticed():
                self._show_notices()
            case RunOutput() | TranscriptGrown() | QueueChanged() | VerdictChanged() | WorkEnded():
                pass

    def _show_notices(self) -> None:
        """Show the person what no client of theirs has shown yet."""
        for notice in self.engine.notices.take() if self.is_persons and self._initialized_once else ():
            # Also where the client speaks our protocol: no notification of ours says it.
            self.server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, printable(notice)))

    def warn(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Have the client show its person a message. One that speaks our protocol was told the same by that."""
        if not self._own_protocol:
            self.server.window_show_message(types.ShowMessageParams(kind, printable(message)))

    async def close(self) -> None:
        """The client has gone."""
        self.server.protocol.cancel_all()
        self._progress.close()
        await self._asking.close()
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._kept.add(self._refreshing)
        await asyncio.gather(*self._kept, return_exceptions=True)
        await self.virtual.close()
        self.server.shutdown()  # type: ignore[no-untyped-call]  # pygls gives it no types

    # Live texts and what there is to review in them

    async def view(self, uri: str) -> places.DocumentReview | None:
        """What there is to review in an open document."""
        while (document := self.documents.get(uri)) is not None:
            known = self._views.get(uri)
            if known is not None and known[0] == self._key(document):
                return known[1]
            # One at a time for a document, shared by all who ask meanwhile; of what is typed meanwhile only the last.
            making = self._making.get(uri)
            if making is None:
                making = self._making[uri] = self.keep(self._build_view(document))
            await asyncio.shield(making)
        return None

    async def caught_up(self) -> None:
        """Wait until all that the client has said of its texts so far was looked at."""
        looks = [self.view(document.uri) for document in self.documents]
        await asyncio.gather(*looks, *self._last_looks, return_exceptions=True)

    def _key(self, document: Document) -> tuple[int, int]:
        return document.version, self._generations.get(document.uri, 0)

    def _invalidate(self, uri: str) -> None:
        self._generations[uri] = self._generations.get(uri, 0) + 1

    async def _build_view(self, document: Document) -> None:
        key = self._key(document)
        seen = self.watch.of(document.uri)
        try:
            made, said = await self._view_of(document)
            self._observe(seen, said)
            if self.documents.get(document.uri) is document:
                self._views[document.uri] = (key, made.showing(self._chosen.get(document.uri, ())))
        finally:
            del self._making[document.uri]

    async def _observe_closed(self, document: Document, seen: DocumentObservations) -> None:
        """A document was closed before the edit that its client had asked for was seen in its text."""
        if making := self._making.get(document.uri):
            await asyncio.wait([making])
        _, said = await self._view_of(document)
        self._observe(seen, said)

    def _observe(self, seen: DocumentObservations, said: PresenceMap) -> None:
        # What an agent writes into a text that it has opened itself is no person's acceptance.
        if self.is_persons:
            self.engine.history.observe(self.watch, seen, said)

    async def _view_of(self, document: Document) -> tuple[places.DocumentReview, PresenceMap]:
        found = select.candidates_at(self.engine.review, document.path)
        tasks = {task_id: self.engine.registry.task(task_id) for task_id in {candidate.run.task for candidate in found}}
        documents = {**self.documents.by_path(), document.path: document}
        return await asyncio.to_thread(_make_view, document, documents, found, tasks, self.documents.encoding)

    async def require_view(self, uri: str) -> places.DocumentReview:
        """What there is to review in an open document. Raises UsageError where it is not open."""
        found = await self.view(uri)
        if found is None:
            raise UsageError(f"{uri} is not open in {self._name}: places are those of an open document.")
        return found

    def show(self, found: places.DocumentReview, place: places.Place, variant: places.Variant) -> None:
        """Have this client see another variant at a place from now on."""
        uri = found.buffer.uri
        others = [choice for choice in self._chosen.get(uri, ()) if not places.is_for(choice, place)]
        chosen = self._chosen[uri] = (*others, place.choice_of(variant))
        if known := self._views.get(uri):
            self._views[uri] = (known[0], known[1].showing(chosen))
        self._lenses_stale = True
        self._refresh(uri)

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
        if document.version != found.buffer.version:
            self._stale.add(uri)
            return
        # What was typed while a view was made for it is shown already.
        if self._published.get(uri) is not found:
            self._published[uri] = found
            self._send_diagnostics(uri, found.buffer.version, diagnostics.diagnostics(found, self._shows))

    def _send_diagnostics(self, uri: str, version: int | None, found: list[types.Diagnostic]) -> None:
        if not self._draws:
            params = types.PublishDiagnosticsParams(uri, found, version)
            self.server.text_document_publish_diagnostics(params)

    # Features

    def _register(self) -> None:
        feature = self._feature
        feature(types.INITIALIZE)(self._initialize)
        feature(types.INITIALIZED)(self._initialized)
        feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(self._did_change_folders)
        feature(types.TEXT_DOCUMENT_DID_OPEN)(self._did_open)
        feature(types.TEXT_DOCUMENT_DID_CHANGE)(self._did_change)
        feature(types.TEXT_DOCUMENT_DID_CLOSE)(self._did_close)
        feature(types.TEXT_DOCUMENT_DID_SAVE)(self._did_save)
        feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(self._did_change_files)
        feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions())(self._code_lens)
        feature(
            types.TEXT_DOCUMENT_CODE_ACTION,
            types.CodeActionOptions(code_action_kinds=list(code_action.KINDS), resolve_provider=True),
        )(self._code_action)
        feature(types.CODE_ACTION_RESOLVE)(self._resolve)
        feature(types.TEXT_DOCUMENT_HOVER)(self._hover)
        feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(self._progress_cancelled)
        feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT, virtual_documents.OPTIONS)(self._content)
        commands = Commands(self)
        for name, (params, _) in protocol.COMMANDS.items():
            self.server.protocol.answers(name, functools.partial(self._command, commands, name, params))

    def _feature(self, method: str, options: Any = None) -> Callable[[Callable[[Any], Any]], None]:
        def register(handler: Callable[[Any], Any]) -> None:
            if asyncio.iscoroutinefunction(handler):
                self.server.feature(method, options)(guarded(handler))
            else:
                # Sync handlers run in the order of the messages.
                self.server.feature(method, options)(functools.partial(_call, handler))

        return register

    def _initialize(self, params: types.InitializeParams) -> None:
        version = _protocol_of(params.initialization_options)
        if version is not None and version != protocol.PROTOCOL_VERSION:
            newer = isinstance(version, int) and version > protocol.PROTOCOL_VERSION
            raise JsonRpcException(
                f"This client speaks mux protocol {version}, mux-lsp {__version__} speaks {protocol.PROTOCOL_VERSION}: "
                f"upgrade {'mux-lsp' if newer else 'the client'}.",
                protocol.REQUEST_FAILED,
                protocol.VersionErrorData(kind="usage", protocol=protocol.PROTOCOL_VERSION).model_dump(),
            )
        self._own_protocol = version is not None
        self._draws = _mux_options(params.initialization_options).get("draws") is True
        self._asking.enabled = not self._own_protocol and self.is_persons
        self._capabilities = params.capabilities
        self.abilities = workspace_edit.EditCapabilities.of(params.capabilities)
        self.virtual.initialized(params.capabilities)
        shows = ClientCapabilities.of(params.capabilities, _client_commands(params.initialization_options))
        # An edit that is kept until it is chosen is for a version of its text, which not every client can be told.
        self._shows = replace(shows, lazily=shows.lazily and self.abilities.versions)
        # Whoever has a task's bar can cancel it there.
        able = params.capabilities.window and params.capabilities.window.work_done_progress
        self._progress.enabled = bool(able) and self.is_persons
        if params.client_info is not None:
            self._name = params.client_info.name
        self.documents.encoding = text.PositionEncoding(self.server.workspace.position_encoding or "utf-16")
        self.folders = _folders(folder.uri for folder in params.workspace_folders or ()) or _folders([params.root_uri])

    def _initialized(self, _: types.InitializedParams) -> None:
        self.keep(self.virtual.register())
        self._asking.begin()
        self._initialized_once = True
        self._show_notices()

    def _did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        removed = _folders(folder.uri for folder in params.event.removed)
        added = _folders(folder.uri for folder in params.event.added)
        self.folders = [folder for folder in self.folders if folder not in removed + added] + added

    # The next message of the client waits for these: nothing may come between two changes of a text.

    async def _did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        if len(item.text) < heavy.LARGE:
            document = as_opened(item)
        else:
            document = await heavy.in_thread(as_opened, item)
        self._follow(item.uri, document, opened=True)

    async def _did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        uri, version = params.text_document.uri, params.text_document.version
        document = self.documents.get(uri)
        if document is None:
            return
        if len(document.content) < heavy.LARGE and not heavy.is_large(params.content_changes):
            changed = as_changed(document, version, params.content_changes, self.documents.encoding)
        else:
            work = heavy.in_thread(as_changed, document, version, params.content_changes, self.documents.encoding)
            changed = await work
        self._follow(uri, changed)

    def _follow(self, uri: str, document: Document | None, *, opened: bool = False) -> None:
        """A document has this text now. One with more of it than is followed counts as not open, in all respects."""
        if document is not None and len(document.content) > TEXT_LIMIT:
            message = (
                f"{document.path.name} has {len(document.content):,} characters, more than the {TEXT_LIMIT:,} of which "
                "mux-lsp follows the text. To mux-lsp it is not open: agents get it as it is on disk, and its changes "
                "are reviewed once it is smaller and opened again. Nothing in it was changed."
            )
            self.server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, printable(message)))
            self._closed(uri)
        elif document is not None:
            self.documents.put(document)
            self._refresh(uri)
            self._live_text_changed(document.path, opened=opened)

    def _did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self._closed(params.text_document.uri)

    def _closed(self, uri: str) -> None:
        self._views.pop(uri, None)
        self._published.pop(uri, None)
        self._generations.pop(uri, None)
        self._chosen.pop(uri, None)
        self._stale.discard(uri)
        if (document := self.documents.closed(uri)) is not None:
            self._send_diagnostics(uri, None, [])
            self._live_text_changed(document.path)
            if self.watch.awaits(uri):
                looking = self.keep(self._observe_closed(document, self.watch.of(uri)))
                self._last_looks.add(looking)
                looking.add_done_callback(self._last_looks.discard)
        self.watch.close(uri)

    async def _did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        # Whether a file is on disk, and how, is part of what a change stands to.
        uri = params.text_document.uri
        if (document := self.documents.get(uri)) is not None:
            if len(document.content) < heavy.LARGE:
                document = as_known(document)
            else:
                document = await heavy.in_thread(as_known, document)
            self.documents.put(document)
        self._invalidate(uri)
        self._refresh(uri)
        if document is not None:
            self._live_text_changed(document.path)

    def _did_change_files(self, params: types.DidChangeWatchedFilesParams) -> None:
        for change in params.changes:
            if (file := path_of(change.uri)) is not None and self.documents.at(file) is None:
                self.engine.verify.tracker.text_changed(self, file, None)

    def follow_files(self) -> None:
        """Have the client tell of files that change on disk, if it can and has not been asked to."""
        workspace = self._capabilities.workspace
        able = workspace and workspace.did_change_watched_files
        if not self._follows_files and able and able.dynamic_registration:
            self._follows_files = True
            options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher("**/*")])
            registration = types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            self.server.protocol.send_request(
                types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams([registration])
            )

    def _live_text_changed(self, file: Path, *, opened: bool = False) -> None:
        """The text of a file is another one now, or may be."""
        self.virtual.live_text_changed(file)
        if self.is_persons:
            self.engine.transactions.text_seen(file, opened=opened)
        watched = self.engine.verify.tracker
        if watched.follows(self, file):
            document = self.documents.at(file)
            watched.text_changed(self, file, None if document is None else as_saved(document))

    async def _code_lens(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        found = await self.view(params.text_document.uri)
        return code_lens.lenses(found, self._shows) if found else []

    async def _code_action(self, params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        found = await self.view(params.text_document.uri)
        made: list[types.CodeAction] = []
        if found is not None and found.items:
            # Which runs are equal may have changed in other files than this one.
            found = replace(found, tasks={task: self.engine.registry.task(task) for task in found.tasks})
            made += await asyncio.to_thread(code_action.review, found, params.range, params.context, self._shows)
        made += await self._prompts(params)
        return code_action.menu(made, params.context.only, self._shows)

    async def _prompts(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """What agents can be asked to do here, also where there is nothing to review."""
        document = self.documents.get(params.text_document.uri)
        complaints = ask_actions.foreign(params.context.diagnostics)
        selected = ask_actions.is_selection(params.range, complaints)
        if document is None or not (complaints or selected or ask_actions.may_have_todos(document.content)):
            return []
        subject = ask_actions.Subject.of(document, self.folders)
        begin = await self._begin()
        made = ask_actions.fixes(subject, complaints, begin)
        if selected:
            return made + ask_actions.work(subject, params.range, begin)
        return made + ask_actions.todo(subject, params.range.start.line, begin)

    async def _begin(self) -> ask_actions.Begin:
        """How a code action begins a task: the client may have its person pick the agents."""
        if "mux.client.ask" in self._shows.commands:
            return ask_actions.Begin("mux.client.ask")
        return ask_actions.Begin(refusal=await self._refusal())

    async def _refusal(self) -> str | None:
        """Why no agent would begin that is not named, in words."""
        try:
            return await self.engine.tasks.no_agent()
        except UsageError as error:
            return places.one_line(str(error))

    async def _resolve(self, action: types.CodeAction) -> types.CodeAction:
        if action.data is None:
            return action
        wanted = _argument(types.CODE_ACTION_RESOLVE, protocol.HunkAcceptParams, (action.data,))
        action.edit = await self.decisions.edit(wanted.run, wanted.hunks, AcceptMode(wanted.mode))
        return action

    async def _hover(self, params: types.HoverParams) -> types.Hover | None:
        found = await self.view(params.text_document.uri)
        return hover(found, params.position, self._shows) if found else None

    async def _content(self, params: types.TextDocumentContentParams) -> types.TextDocumentContentResult:
        content, _ = await self.virtual.get(params.uri)
        return types.TextDocumentContentResult(content)

    def _progress_cancelled(self, params: types.WorkDoneProgressCancelParams) -> None:
        self.keep(self._progress.cancelled(params.token))

    async def _command(self, commands: Commands, name: str, params: type[protocol.Params], *arguments: Any) -> Any:
        async def run() -> Any:
            if heavy.is_large(arguments):
                argument = await heavy.in_thread(_argument, name, params, arguments)
            else:
                argument = _argument(name, params, arguments)
            work = commands.run(name, argument)
            # A change that has begun is brought to its end, also when the client has gone meanwhile.
            answer = await (asyncio.shield(self.keep(work)) if name in CHANGES else work)
            return answer

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
        # What renames a file is found at both of its paths, and shown where the text is.
        found += [item for item in candidate.items(live_of) if item.live.path == here]
    buffer = places.Buffer(document.uri, document.version, live)
    return places.view(buffer, found, tasks, encoding), presence_of(found)


def _is_among(file: Path, root: Path, paths: Collection[str]) -> bool:
    # The other way round it would be ten thousand paths to look at.
    return file.is_relative_to(root) and file.relative_to(root).as_posix() in paths


def _call(handler: Callable[[Any], Any], params: Any) -> Any:
    # pygls looks at a handler's own annotations; those of a bound method would mean something else to it.
    return handler(params)


def _mux_options(options: Any) -> dict[str, Any]:
    """What a client's initialization options say of mux."""
    asked = options.get("mux") if isinstance(options, dict) else None
    return asked if isinstance(asked, dict) else {}


def _protocol_of(options: Any) -> Any:
    """The version of mux's own protocol that a client speaks by its initialization options, None if it speaks none."""
    return _mux_options(options).get("protocol")


def _client_commands(options: Any) -> frozenset[str]:
    """The commands of ours that a client says it has itself."""
    named = _mux_options(options).get("commands")
    return frozenset(name for name in protocol.CLIENT_COMMANDS if isinstance(named, list) and name in named)


def _folders(uris: Iterable[str | None]) -> list[Path]:
    return [path for uri in uris if uri and (path := path_of(uri)) is not None]


def _argument(name: str, params: type[P], arguments: tuple[Any, ...]) -> P:
    from pydantic import ValidationError

    if len(arguments) > 1:
        raise UsageError(f"{name} takes one object as its argument, not {len(arguments)} arguments.")
    try:
        return params.model_validate(arguments[0] if arguments else {})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = shortened(".".join(map(str, problem["loc"])) or "its argument")
        raise UsageError(f"{name}: {where}: {problem['msg'].lower()}.") from None
