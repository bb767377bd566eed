"""Play an editor for the daemon: it has buffers, applies edits exactly or not at all, and keeps what it receives."""

from __future__ import annotations

import asyncio
import codecs
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient
from pytest_lsp.client import register_lsp_features

from mux_lsp.lsp import protocol
from tests.e2e.lsp.wire import EditorProtocol, exactly
from tests.support import buffer

if TYPE_CHECKING:
    from collections.abc import Callable


WAIT_SECONDS = 30

T = TypeVar("T")
S = TypeVar("S", bound=protocol.Shape)


@dataclass
class Open:
    """An open buffer."""

    uri: str
    text: str
    version: int = 1
    saved: str | None = None
    mark: bytes = b""
    """The byte order mark of its file, which is not part of the text."""


class Refused(Exception):
    """A request that the server refused, with its error."""

    def __init__(self, error: JsonRpcException) -> None:
        super().__init__(error.message)
        self.message = error.message
        self.code = error.code
        self.data: dict[str, Any] = error.data if isinstance(error.data, dict) else getattr(error.data, "__dict__", {})
        self.kind = self.data.get("kind")


class Editor(LanguageClient):
    """The client side. `folder` is the folder that it has opened."""

    def __init__(self) -> None:
        super().__init__(converter_factory=default_converter, protocol_cls=EditorProtocol)
        register_lsp_features(self)
        self.folder = Path()
        self.encoding: buffer.Encoding = "utf-16"
        self.buffers: dict[str, Open] = {}
        self.runs: dict[str, protocol.RunShape] = {}
        self.tasks: dict[str, protocol.TaskShape] = {}
        self.told: list[protocol.Shape] = []
        self.published: dict[str, tuple[int | None, list[types.Diagnostic]]] = {}
        self.edits: list[types.WorkspaceEdit] = []
        self.lens_refreshes = 0
        self.offers = types.ServerCapabilities()
        self.registered: list[types.Registration] = []
        self.refreshed: list[str] = []
        """The URIs of documents that the server asks to be requested again."""
        self.refuses_to_show = False
        self.before_edit: Callable[[], None] | None = None
        """Called once when an edit arrives, before it is checked: the person's action at that moment."""
        self.refuse_edits: Exception | None = None
        self._undo: list[Callable[[], object]] = []
        """The steps that undo the server's last edit, the last one at the end."""
        self._waiting: set[asyncio.Future[None]] = set()
        for method in protocol.NOTIFICATIONS:
            self.feature(method)(partial(self._mux))
        self.protocol.fm.features.pop(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(partial(self._diagnostics))
        self.feature(types.WORKSPACE_APPLY_EDIT)(partial(self._apply))
        self.feature(types.WORKSPACE_CODE_LENS_REFRESH)(partial(self._lens_refresh))
        self.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH)(partial(self._content_refresh))
        self.feature(types.CLIENT_REGISTER_CAPABILITY)(partial(self._register))
        self.protocol.fm.features.pop(types.WINDOW_SHOW_DOCUMENT)
        self.feature(types.WINDOW_SHOW_DOCUMENT)(partial(self._show_document))

    # Received messages

    def arrived(self) -> None:
        """Wake all waits for messages."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def _mux(self, params: Any) -> None:
        self.told.append(params)
        match params:
            case protocol.RunChangedParams(run=run):
                self.runs[run.id] = run
            case protocol.TaskChangedParams(task=task, deleted=deleted):
                if deleted:
                    self.tasks.pop(task.id, None)
                else:
                    self.tasks[task.id] = task
                for run in task.runs:
                    self.runs[run.id] = run

    def _diagnostics(self, params: Any) -> None:
        self.published[params.uri] = (params.version, list(params.diagnostics))

    def _lens_refresh(self, _: Any) -> None:
        self.lens_refreshes += 1
        self.arrived()

    def _content_refresh(self, params: Any) -> None:
        self.refreshed.append(params.uri)
        self.arrived()

    def _register(self, params: Any) -> None:
        self.registered += params.registrations
        self.arrived()

    def _show_document(self, params: Any) -> types.ShowDocumentResult:
        if not self.refuses_to_show:
            self.shown_documents.append(params)
        return types.ShowDocumentResult(success=not self.refuses_to_show)

    def report_server_error(self, error: Exception, source: Any) -> None:
        if error is not self.refuse_edits:
            super().report_server_error(error, source)

    async def stop(self) -> None:
        await super().stop()  # type: ignore[no-untyped-call]  # pytest-lsp gives it no types

    def reports(self, token: types.ProgressToken) -> list[Any]:
        """Return the reports of a progress bar from its beginning. pytest-lsp declares another type for them."""
        return list(self.progress_reports[token])

    async def until(self, met: Callable[[], T | None]) -> T:
        """Wait for messages until the condition gives a value, and return it."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not (found := met()):
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(future)
                await future
        return found

    def told_of(self, kind: type[S]) -> list[S]:
        """Return the notifications of one type so far."""
        return [one for one in self.told if isinstance(one, kind)]

    async def ended(self, id_: str) -> protocol.TaskShape:
        """Wait until all runs of a task, or the run with this id, have ended. Return the task."""
        task = id_.partition("-")[0]
        await self.until(
            lambda: all(
                run.finished is not None and run.state in {"finished", "failed", "cancelled", "interrupted"}
                for run in self.runs.values()
                if run.task == task and id_ in {task, run.id}
            )
        )
        return (await self.command("mux.task.get", protocol.TaskResult, task=task)).task

    async def shown(self, uri: str, met: Callable[[list[types.Diagnostic]], bool]) -> list[types.Diagnostic]:
        """Wait until the diagnostics of a document's current text satisfy `met`, and return them."""

        def found() -> tuple[list[types.Diagnostic]] | None:
            version, diagnostics = self.published.get(uri, (None, []))
            current = self.buffers[uri].version if uri in self.buffers else None
            return (diagnostics,) if uri in self.published and version == current and met(diagnostics) else None

        return (await self.until(found))[0]

    # The person's actions

    def uri(self, path: str) -> str:
        return (self.folder / path).as_uri()

    def text(self, path: str) -> str:
        """Return the text that the person sees at a path: the buffer, or else the file."""
        known = self.buffers.get(self.uri(path))
        return known.text if known else (self.folder / path).read_bytes().decode()

    def open(self, path: str, text: str | None = None, *, encoding: str = "utf-8") -> str:
        """Open a file, with its text on disk or another one. Return its URI."""
        uri = self.uri(path)
        place = self.folder / path
        on_disk = place.read_bytes().decode(encoding) if place.exists() else ""
        self._open(uri, on_disk)
        if text is not None:
            self.retype(path, text)
        return uri

    def _load(self, uri: str) -> Open:
        content = _path(uri).read_bytes()
        opened = self._open(uri, content.decode("utf-8-sig"))
        opened.mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
        return opened

    def _open(self, uri: str, text: str) -> Open:
        self.buffers[uri] = Open(uri, text, saved=text)
        item = types.TextDocumentItem(uri, "plaintext", 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return self.buffers[uri]

    def insert(self, path: str, before: str, new: str, *, replacing: str = "") -> None:
        """Insert text before the first occurrence of `before`, and remove `replacing` there."""
        self._insert(self.buffers[self.uri(path)], before, new, replacing)

    def _insert(self, opened: Open, before: str, new: str, replacing: str) -> None:
        start = opened.text.index(replacing + before)
        range_ = types.Range(
            buffer.position_at(opened.text, start, self.encoding),
            buffer.position_at(opened.text, start + len(replacing), self.encoding),
        )
        self._change(opened, [types.TextEdit(range_, new)])

    def retype(self, path: str, text: str) -> None:
        """Replace the whole text in one incremental change."""
        self._retype(self.uri(path), text)

    def _retype(self, uri: str, text: str) -> None:
        opened = self.buffers[uri]
        end = buffer.position_at(opened.text, len(opened.text), self.encoding)
        self._change(opened, [types.TextEdit(types.Range(types.Position(0, 0), end), text)])

    def _change(self, opened: Open, edits: list[types.TextEdit]) -> None:
        """Change a buffer and notify the server. The coordinates of all edits refer to the text before."""
        after = buffer.with_edits(opened.text, edits, self.encoding)
        # In sequence, as the protocol requires: from the last to the first, so that none moves another.
        events = [
            types.TextDocumentContentChangePartial(edit.range, edit.new_text)
            for _, edit in sorted(
                enumerate(edits),
                key=lambda one: (one[1].range.start.line, one[1].range.start.character, one[0]),
                reverse=True,
            )
        ]
        opened.text = after
        opened.version += 1
        self.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(uri=opened.uri, version=opened.version), events
            )
        )

    def save(self, path: str, *, encoding: str = "utf-8") -> None:
        opened = self.buffers[self.uri(path)]
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(opened.mark + opened.text.encode(encoding))
        opened.saved = opened.text
        self.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(opened.uri)))

    def close(self, path: str) -> None:
        uri = self.uri(path)
        del self.buffers[uri]
        self.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))

    # Edits of the server

    def _apply(self, params: Any) -> types.ApplyWorkspaceEditResult:
        if self.before_edit is not None:
            before, self.before_edit = self.before_edit, None
            before()
        if self.refuse_edits is not None:
            raise self.refuse_edits
        why = self.apply(params.edit)
        return types.ApplyWorkspaceEditResult(applied=why is None, failure_reason=why)

    def apply(self, edit: types.WorkspaceEdit) -> str | None:
        """Apply the whole edit, or return the reason and apply nothing."""
        self.edits.append(edit)
        assert self.capabilities is not None
        workspace = self.capabilities.workspace
        can = workspace and workspace.workspace_edit
        steps = list(edit.document_changes or ())
        assert not (steps and edit.changes), "an edit says it one way or the other"
        assert not steps or (can and can.document_changes), "documentChanges to a client without"
        operations = set((can and can.resource_operations) or ())
        for uri, edits in (edit.changes or {}).items():
            identifier = types.OptionalVersionedTextDocumentIdentifier(uri, None)
            steps.append(types.TextDocumentEdit(identifier, list(edits)))
        for step in steps:
            if isinstance(step, types.TextDocumentEdit):
                known = self.buffers.get(step.text_document.uri)
                wanted = step.text_document.version
                if edit.document_changes and (known.version if known else None) != wanted:
                    return f"version {known.version if known else None} is not {wanted}"
            else:
                assert types.ResourceOperationKind(step.kind) in operations, f"{step.kind} to a client without"
                if not _can_be_done(step):
                    return "the file is not as the edit wants it"
        self._undo.clear()
        for step in steps:
            self._carry_out(step)
        return None

    def _carry_out(self, step: Any) -> None:
        if isinstance(step, types.CreateFile):
            place = _path(step.uri)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(exist_ok=False)
            self._undo.append(place.unlink)
        elif isinstance(step, types.RenameFile):
            self._move(step.old_uri, step.new_uri)
            self._undo.append(partial(self._move, step.new_uri, step.old_uri))
        elif isinstance(step, types.DeleteFile):
            self._undo.append(partial(_path(step.uri).write_bytes, _path(step.uri).read_bytes()))
            _path(step.uri).unlink()
            if step.uri in self.buffers:
                del self.buffers[step.uri]
                self.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(step.uri)))
        else:
            assert isinstance(step, types.TextDocumentEdit)
            uri = step.text_document.uri
            opened = self.buffers.get(uri) or self._load(uri)
            self._undo.append(partial(self._retype, uri, opened.text))
            self._change(opened, cast("list[types.TextEdit]", list(step.edits)))

    def _move(self, old: str, new: str) -> None:
        """Rename a file, and its buffer with the unsaved text in it."""
        _path(new).parent.mkdir(parents=True, exist_ok=True)
        _path(old).rename(_path(new))
        if (opened := self.buffers.pop(old, None)) is not None:
            self.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(old)))
            self._open(new, opened.text).saved = opened.saved

    def undo(self) -> None:
        """Undo the last edit of the server, as an editor's undo does."""
        while self._undo:
            self._undo.pop()()

    # Requests

    async def command(self, name: str, answer: type[S], **argument: Any) -> S:
        """Execute one of mux-lsp's commands and return its result. Raises Refused."""
        return exactly(answer, await self.execute(name, [argument]))

    async def execute(self, name: str, arguments: list[Any] | None) -> Any:
        """Execute a command with any arguments and return its result. Raises Refused."""
        try:
            return await self.workspace_execute_command_async(types.ExecuteCommandParams(name, arguments))
        except JsonRpcException as error:
            raise Refused(error) from None

    async def start(self, prompt: str, *agents: str, **more: Any) -> protocol.TaskShape:
        """Start a task, with an inline agent for each command."""
        choices = [{"agent": f"sh:{agent}"} for agent in agents]
        return (await self.command("mux.task.start", protocol.TaskResult, prompt=prompt, agents=choices, **more)).task

    async def done(self, *agents: str, **more: Any) -> protocol.TaskShape:
        """Start a task and wait for its end; every run must have finished."""
        ended = await self.ended((await self.start("do it", *agents, **more)).id)
        # The best run comes first in all views: this waits until the ranking is known.
        task = (await self.command("mux.task.get", protocol.TaskResult, task=ended.id)).task
        assert [run.state for run in task.runs] == ["finished"] * len(task.runs), task
        return task

    async def review(self, path: str | None = None, run: str | None = None) -> list[protocol.ReviewItem]:
        argument = {"uri": self.uri(path)} if path is not None else {}
        if run is not None:
            argument["run"] = run
        return (await self.command("mux.review.list", protocol.ReviewListResult, **argument)).items

    async def statuses(self, path: str | None = None, run: str | None = None) -> list[str]:
        return [item.status for item in await self.review(path, run)]

    async def accept(self, what: str, **argument: Any) -> protocol.AcceptResult:
        return await self.command(f"mux.{what}.accept", protocol.AcceptResult, **argument)

    async def reject(self, what: str, **argument: Any) -> protocol.RejectResult:
        return await self.command(f"mux.{what}.reject", protocol.RejectResult, **argument)

    async def lenses(self, path: str) -> list[types.CodeLens]:
        identifier = types.TextDocumentIdentifier(self.uri(path))
        return list(await self.text_document_code_lens_async(types.CodeLensParams(identifier)) or ())

    async def lens_titles(self, path: str) -> dict[int, list[str]]:
        """Return the titles of the code lenses by line, in the order in which an editor puts them."""
        found: dict[int, list[str]] = {}
        for lens in sorted(await self.lenses(path), key=lambda lens: lens.range.start.character):
            assert lens.command is not None
            found.setdefault(lens.range.start.line, []).append(lens.command.title)
        return dict(sorted(found.items()))

    async def click(self, path: str, line: int, title: str) -> Any:
        """Click on the code lens of that title."""
        lenses = [one for one in await self.lenses(path) if one.range.start.line == line]
        (command,) = [one.command for one in lenses if one.command is not None and one.command.title == title]
        return await self.carry_out(command)

    async def actions(self, path: str, line: int, *kinds: str) -> list[types.CodeAction]:
        """Return the code actions with the cursor at the start of a line."""
        found = await self.menu(path, line, *kinds)
        return [self.protocol._converter.structure(action, types.CodeAction) for action in found]

    async def menu(self, path: str, line: int, *kinds: str) -> list[dict[str, Any]]:
        """Return the code actions or commands as they were received."""
        at = types.Range(types.Position(line, 0), types.Position(line, 0))
        _, diagnostics = self.published.get(self.uri(path), (None, []))
        context = types.CodeActionContext(diagnostics, only=list(kinds) or None)
        params = types.CodeActionParams(types.TextDocumentIdentifier(self.uri(path)), at, context)
        return cast("list[dict[str, Any]]", await self.text_document_code_action_async(params) or [])

    async def resolve(self, action: types.CodeAction) -> types.CodeAction:
        """Resolve a code action and return it with its edit. Raises Refused."""
        try:
            return await self.code_action_resolve_async(action)
        except JsonRpcException as error:
            raise Refused(error) from None

    async def carry_out(self, command: types.Command | None) -> Any:
        """Execute a command as a click on its code lens or code action does."""
        assert command is not None
        return await self.execute(command.command, list(command.arguments or ()))

    async def hover(self, path: str, line: int) -> str:
        """Return the hover's text, or "" without a hover."""
        params = types.HoverParams(types.TextDocumentIdentifier(self.uri(path)), types.Position(line, 0))
        found = await self.text_document_hover_async(params)
        if found is None:
            return ""
        assert isinstance(found.contents, types.MarkupContent)
        return found.contents.value


def _can_be_done(step: types.CreateFile | types.RenameFile | types.DeleteFile) -> bool:
    """Return whether the file exists if the step needs it, and does not exist if the step makes it."""
    if isinstance(step, types.RenameFile):
        return _path(step.old_uri).exists() and not _path(step.new_uri).exists()
    return _path(step.uri).exists() is isinstance(step, types.DeleteFile)


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
