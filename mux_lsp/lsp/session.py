"""Run the session of one client: its lifecycle, its events, and the handlers of its messages."""

from __future__ import annotations

import asyncio
import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp import __version__
from mux_lsp.callers import Agent, Person
from mux_lsp.core import text
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review.presence import ClientObserver
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.engine.state import events
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import dispatch
from mux_lsp.lsp.commands.accept import Accepting
from mux_lsp.lsp.effects import OnCancel
from mux_lsp.lsp.pages import virtual_documents
from mux_lsp.lsp.pages.virtual_documents import VirtualDocuments
from mux_lsp.lsp.permission_prompts import PermissionPrompts
from mux_lsp.lsp.progress import Progress
from mux_lsp.lsp.review import code_action
from mux_lsp.lsp.review.features import ReviewFeatures
from mux_lsp.lsp.review.views import Views
from mux_lsp.lsp.text_sync import TextSync
from mux_lsp.lsp.wire import convert, heavy
from mux_lsp.lsp.wire.capabilities import ClientCapabilities, MuxOptions
from mux_lsp.lsp.wire.documents import Documents, path_of
from mux_lsp.lsp.wire.server import MuxServer, guarded, receive_all, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from pygls.io_ import Writer

    from mux_lsp.callers import Caller
    from mux_lsp.core.model import LeftOut
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp.wire.server import Incoming

log = logging.getLogger(__name__)

P = TypeVar("P", bound=protocol.Params)


async def serve_client(incoming: Incoming, writer: Writer, engine: Engine, asker: Caller) -> None:
    """Speak LSP with one client until its stream ends. Requests that are open then are cancelled."""
    session = Session(engine, asker)
    session.server.protocol.set_writer(writer)
    # Texts in an agent's own editor are not visible to its person.
    leave = engine.clients.join(session) if session.is_persons else lambda: None
    unsubscribe = engine.subscribe(session.on_event)
    unwatch = engine.history.join(session.watch)
    try:
        await receive_all(incoming, session.server)
    finally:
        unsubscribe()
        leave()
        await session.close()
        unwatch()


class Session:
    """Implements `ClientSession` and `CallerSession`, and registers the handlers of the client's messages."""

    def __init__(self, engine: Engine, asker: Caller) -> None:
        self.engine = engine
        self.asker = asker
        """The caller behind this client: a person, an agent, a guest or nobody."""
        self.is_persons = isinstance(asker, Person)
        self.agent_origin = asker.starter if isinstance(asker, Agent) else None
        """The run whose agent has started this client, or the set-up or checks that have; None for all others."""
        self.server = MuxServer()
        self.documents = Documents()
        self.watch = ClientObserver(lambda: self._name)
        self.capabilities = ClientCapabilities()
        self.folders: list[Path] = []
        self._name = "a client"
        self._own_protocol = False
        self._initialized_once = False
        self._kept: set[asyncio.Task[Any]] = set()
        self._progress = Progress(self.server, engine)
        self._asking = PermissionPrompts(self.server, engine)
        self.virtual = VirtualDocuments(self)
        self.views = Views(self)
        self.decisions = Accepting(self)
        self._features = ReviewFeatures(self, self.views)
        self._text_sync = TextSync(self, self.views, self.virtual)
        self._register()

    # Requests of the engine

    @property
    def name(self) -> str:
        """The editor's name, for messages."""
        return self._name

    def unsaved(self, root: Path) -> tuple[Mapping[str, bytes], tuple[LeftOut, ...]]:
        """See `engine.state.clients.Client`."""
        return self.documents.unsaved(root)

    def folder(self, uri: str | None) -> Path:
        """Return the folder of a `file:` URI, or else the first open one. Raises UsageError if there is neither."""
        if uri is not None:
            path = path_of(uri)
            if path is None:
                raise UsageError(f"{uri} is not a folder on this machine: give a file: URI.")
            return path
        if not self.folders:
            raise UsageError("No folder is open in this client: open one, or name it as `repository`.")
        return self.folders[0]

    # Events

    def on_event(self, event: events.Event) -> None:
        """Send an event of the engine to the client, and pass it to the features that depend on it."""
        if self._own_protocol and not isinstance(event, events.Untold):
            method, params = convert.notification(event, self.engine.tasks.summary, self.documents.uri)
            self.server.protocol.send_notification(method, params)
        self.virtual.on_event(event)
        match event:
            case events.TaskChanged(task=task):
                self._progress.task_changed(task)
            case events.RunChanged(run=run):
                self._progress.run_changed(run)
            case events.ReviewChanged(repository=repository, paths=paths):
                self.views.results_changed(Path(repository), paths)
            case events.PermissionRequested():
                self._asking.requested(event)
            case events.PermissionSettled(id=ask_id):
                self._asking.settled(ask_id)
            case events.LimitReached(message=message, stopped=stopped):
                self.warn(message, types.MessageType.Error if stopped else types.MessageType.Warning)
            case events.Noticed():
                self._show_notices()
            case (
                events.RunOutput()
                | events.TranscriptGrown()
                | events.QueueChanged()
                | events.VerdictChanged()
                | events.WorkEnded()
            ):
                pass

    def _show_notices(self) -> None:
        """Show the person the notices that no client of theirs has shown yet."""
        for notice in self.engine.notices.take() if self.is_persons and self._initialized_once else ():
            # Clients that speak our protocol need this message too: none of our notifications has the notices.
            self.server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, printable(notice)))

    def warn(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show the person a message, unless the client speaks our protocol: then it got the same as a notification."""
        if not self._own_protocol:
            self.server.window_show_message(types.ShowMessageParams(kind, printable(message)))

    async def close(self) -> None:
        """End the session, because the client has gone."""
        self.server.protocol.cancel_all()
        self._progress.close()
        await self._asking.close()
        await self.views.close()
        await asyncio.gather(*self._kept, return_exceptions=True)
        await self.virtual.close()
        self.server.shutdown()  # type: ignore[no-untyped-call]  # pygls gives it no types

    def follow_files(self) -> None:
        """See `CallerSession`."""
        self._text_sync.follow_files()

    # Features

    def _register(self) -> None:
        feature, sync = self._feature, self._text_sync
        feature(types.INITIALIZE)(self._initialize)
        feature(types.INITIALIZED)(self._initialized)
        feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(self._did_change_folders)
        feature(types.TEXT_DOCUMENT_DID_OPEN)(sync.did_open)
        feature(types.TEXT_DOCUMENT_DID_CHANGE)(sync.did_change)
        feature(types.TEXT_DOCUMENT_DID_CLOSE)(sync.did_close)
        feature(types.TEXT_DOCUMENT_DID_SAVE)(sync.did_save)
        feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(sync.did_change_files)
        feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions())(self._features.code_lens)
        feature(
            types.TEXT_DOCUMENT_CODE_ACTION,
            types.CodeActionOptions(code_action_kinds=list(code_action.KINDS), resolve_provider=True),
        )(self._features.code_action)
        feature(types.CODE_ACTION_RESOLVE)(self._resolve)
        feature(types.TEXT_DOCUMENT_HOVER)(self._features.hover)
        feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(self._progress_cancelled)
        feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT, virtual_documents.OPTIONS)(self._content)
        for name, command in protocol.COMMANDS.items():
            self.server.protocol.answers(name, functools.partial(self._command, name, command))

    def _feature(self, method: str, options: Any = None) -> Callable[[Callable[[Any], Any]], None]:
        def register(handler: Callable[[Any], Any]) -> None:
            if asyncio.iscoroutinefunction(handler):
                self.server.feature(method, options)(guarded(handler))
            else:
                # Synchronous handlers run in the order of the messages.
                self.server.feature(method, options)(functools.partial(_call, handler))

        return register

    def _initialize(self, params: types.InitializeParams) -> None:
        options = MuxOptions.of(params.initialization_options)
        version = options.protocol
        if version is not None and version != protocol.PROTOCOL_VERSION:
            newer = isinstance(version, int) and version > protocol.PROTOCOL_VERSION
            raise JsonRpcException(
                f"This client speaks mux protocol {version}, mux-lsp {__version__} speaks {protocol.PROTOCOL_VERSION}: "
                f"upgrade {'mux-lsp' if newer else 'the client'}.",
                protocol.REQUEST_FAILED,
                protocol.VersionErrorData(kind="usage", protocol=protocol.PROTOCOL_VERSION).model_dump(),
            )
        self._own_protocol = version is not None
        self._asking.enabled = not self._own_protocol and self.is_persons
        self.capabilities = ClientCapabilities.of(params.capabilities, options)
        # A client that shows a task's progress bar can cancel the task with it, so only a person gets one.
        self._progress.enabled = self.capabilities.progress and self.is_persons
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

    async def _resolve(self, action: types.CodeAction) -> types.CodeAction:
        if action.data is None:
            return action
        wanted = _argument(types.CODE_ACTION_RESOLVE, protocol.HunkAcceptParams, (action.data,))
        action.edit = await self.decisions.edit(wanted.run, wanted.hunks, AcceptMode(wanted.mode))
        return action

    async def _content(self, params: types.TextDocumentContentParams) -> types.TextDocumentContentResult:
        content, _ = await self.virtual.get(params.uri)
        return types.TextDocumentContentResult(content)

    def _progress_cancelled(self, params: types.WorkDoneProgressCancelParams) -> None:
        self.keep(self._progress.cancelled(params.token))

    async def _command(self, name: str, command: protocol.Command, *arguments: Any) -> Any:
        async def run() -> Any:
            if heavy.is_large(arguments):
                argument = await heavy.in_thread(_argument, name, command.params, arguments)
            else:
                argument = _argument(name, command.params, arguments)
            work = dispatch.run(self, name, argument)
            completed = command.effect.on_cancel is OnCancel.COMPLETE
            answer = await (asyncio.shield(self.keep(work)) if completed else work)
            return answer

        return await guarded(run)()

    def keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that belongs to this session. The end of the session waits for it."""
        task = asyncio.create_task(work)
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task


def _call(handler: Callable[[Any], Any], params: Any) -> Any:
    # pygls inspects a handler's annotations; it would misinterpret those of a bound method.
    return handler(params)


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
