"""The commands of the protocol, each from its argument to its answer."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp import __version__
from mux_lsp.agents.log import printable
from mux_lsp.core import text
from mux_lsp.core.model import AgentChoice, HunkStatus
from mux_lsp.engine import accepting
from mux_lsp.engine.output import LogPiece, read_log
from mux_lsp.engine.repositories import locate
from mux_lsp.engine.request import StartRequest
from mux_lsp.errors import ConflictError, UsageError
from mux_lsp.lsp import convert, edits, protocol
from mux_lsp.lsp.documents import Lives, path_of, uri_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mux_lsp.core.model import Task
    from mux_lsp.core.text import PositionEncoding
    from mux_lsp.engine.accepting import Candidate, Selection
    from mux_lsp.engine.repositories import Room
    from mux_lsp.engine.review import Item
    from mux_lsp.engine.reviews import Reviews
    from mux_lsp.lsp.documents import Document
    from mux_lsp.lsp.session import Session

CHANGES = frozenset(
    {
        "mux.task.start",
        "mux.task.delete",
        "mux.run.continue",
        "mux.run.retry",
        "mux.hunk.accept",
        "mux.hunk.reject",
        "mux.file.accept",
        "mux.file.reject",
        "mux.run.accept",
        "mux.run.reject",
    }
)
"""The commands that change something and must not stop half-way."""


class Commands:
    """What a session's client asks of the engine."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._engine = session.engine

    async def run(self, name: str, argument: protocol.Params) -> protocol.Shape:
        """Carry out a command. Raises MuxError."""
        method: Callable[[protocol.Params], Awaitable[protocol.Shape]] = getattr(self, name[4:].replace(".", "_"))
        return await method(argument)

    # Tasks

    async def task_start(self, params: protocol.TaskStartParams) -> protocol.TaskResult:
        session = self._session
        clients = {"own": (session,), "all": self._engine.clients, "none": ()}[params.unsaved]
        task = await self._engine.start(
            StartRequest(
                folder=self._folder(params.repository),
                prompt=params.prompt,
                choices=tuple(AgentChoice(one.agent, one.count, one.model) for one in params.agents or ()),
                checks=None if params.checks is None else tuple(params.checks),
                context=tuple(_context(place) for place in params.context),
                clients=clients,
            )
        )
        return protocol.TaskResult(task=convert.task_shape(task))

    async def task_list(self, params: protocol.TaskListParams) -> protocol.TaskListResult:
        root = None
        if params.repository is not None:
            root = (await asyncio.to_thread(locate, self._folder(params.repository))).root
        return protocol.TaskListResult(tasks=[convert.task_shape(task) for task in self._engine.tasks(root)])

    async def task_get(self, params: protocol.TaskParams) -> protocol.TaskResult:
        return protocol.TaskResult(task=convert.task_shape(self._engine.task(params.task)))

    async def task_compare(self, params: protocol.TaskParams) -> protocol.TaskCompareResult:
        task = self._engine.task(params.task)
        return await asyncio.to_thread(_compare, task, self._engine.reviews(Path(task.repository)))

    async def task_cancel(self, params: protocol.TaskParams) -> protocol.TaskResult:
        task = self._engine.task(params.task)
        await asyncio.gather(*(self._engine.cancel(run.id) for run in task.runs))
        return protocol.TaskResult(task=convert.task_shape(self._engine.task(task.id)))

    async def task_delete(self, params: protocol.IdParams) -> protocol.DeleteResult:
        return protocol.DeleteResult(deleted=list(await self._engine.delete(params.id)))

    # Runs

    async def run_get(self, params: protocol.RunParams) -> protocol.RunResult:
        return protocol.RunResult(run=convert.run_shape(self._engine.run(params.run)))

    async def run_log(self, params: protocol.RunLogParams) -> protocol.RunLogResult:
        piece = LogPiece(params.stream, params.offset, params.limit, params.check)
        printed, offset, ended = await read_log(self._engine, params.run, piece, follow=params.follow)
        return protocol.RunLogResult(text=printed, offset=offset, ended=ended)

    async def run_diff(self, params: protocol.RunDiffParams) -> protocol.RunDiffResult:
        run = self._engine.run(params.run)
        changes = accepting.changes_of(run, params.paths or None)
        if run.base is None or run.result is None or not changes:
            return protocol.RunDiffResult(patch="", base64=None)
        room = self._engine.room(Path(self._engine.task(run.task).repository))
        chosen = tuple(change.path for change in changes) if params.paths else ()
        patch = await asyncio.to_thread(room.shadow.patch, run.base, run.result, chosen)
        try:
            return protocol.RunDiffResult(patch=patch.decode(), base64=None)
        except UnicodeDecodeError:
            return protocol.RunDiffResult(patch=patch.decode(errors="replace"), base64=base64.b64encode(patch).decode())

    async def run_cancel(self, params: protocol.RunParams) -> protocol.RunResult:
        return protocol.RunResult(run=convert.run_shape(await self._engine.cancel(params.run)))

    async def run_continue(self, params: protocol.RunContinueParams) -> protocol.RunResult:
        return protocol.RunResult(run=convert.run_shape(await self._engine.carry_on(params.run, params.message)))

    async def run_retry(self, params: protocol.RunParams) -> protocol.RunResult:
        return protocol.RunResult(run=convert.run_shape(await self._engine.retry(params.run)))

    # Review

    async def review_list(self, params: protocol.ReviewListParams) -> protocol.ReviewListResult:
        if params.uri is None and params.run is None:
            raise UsageError("mux.review.list needs a uri, a run, or both.")
        if params.uri is not None:
            file = path_of(params.uri)
            if file is None:
                raise UsageError(f"{params.uri} is not a file.")
            found = accepting.candidates_at(self._engine, file)
        else:
            run = self._engine.run(params.run or "")
            found = accepting.candidates(self._engine, run, run.files)
        wanted = [one for one in found if params.run in {None, one.run.id}]
        documents = self._session.documents
        items = await asyncio.to_thread(_list, wanted, documents.by_path(), documents.encoding)
        return protocol.ReviewListResult(items=items)

    async def hunk_accept(self, params: protocol.HunkParams) -> protocol.AcceptResult:
        return await self._accept(await self._select(params.run, hunks=params.hunks))

    async def file_accept(self, params: protocol.FileParams) -> protocol.AcceptResult:
        return await self._accept(await self._select(params.run, paths=[params.path]))

    async def run_accept(self, params: protocol.RunReviewParams) -> protocol.AcceptResult:
        return await self._accept(await self._select(params.run, paths=params.paths))

    async def hunk_reject(self, params: protocol.HunkRejectParams) -> protocol.RejectResult:
        run = self._engine.run(params.run)
        return await self._reject(run.id, hunks=params.hunks, shared=params.shared)

    async def file_reject(self, params: protocol.FileParams) -> protocol.RejectResult:
        return await self._reject(params.run, paths=[params.path])

    async def run_reject(self, params: protocol.RunReviewParams) -> protocol.RejectResult:
        return await self._reject(params.run, paths=params.paths)

    async def edit(self, run_id: str, hunks: list[str]) -> types.WorkspaceEdit:
        """The edit that accepts these hunks, for a client that applies it itself."""
        selection = await self._select(run_id, hunks=hunks)
        carried, written = edits.split(selection, self._session.abilities)
        if written:
            raise ConflictError(f"{written[0].path} cannot be changed by this editor: use `mux-lsp accept {run_id}`.")
        return edits.workspace_edit(selection, carried, self._session.documents, self._session.abilities)

    async def _select(
        self, run_id: str, *, paths: list[str] | None = None, hunks: list[str] | None = None
    ) -> Selection:
        run = self._engine.run(run_id)
        wanted = accepting.candidates(self._engine, run, accepting.changes_of(run, paths))
        await asyncio.to_thread(accepting.warm, wanted)
        # On the loop and not in a thread: between placing the hunks and sending the edit no text may change here.
        lives = Lives(Path(self._engine.task(run.task).repository), self._session.documents.by_path())
        return accepting.select(self._engine, run_id, lives, paths=paths, hunks=hunks)

    async def _accept(self, selection: Selection) -> protocol.AcceptResult:
        session = self._session
        carried, written = edits.split(selection, session.abilities)
        for plan in written:
            if plan.live.unsaved:
                raise ConflictError(f"{plan.path} is open with unsaved changes: save it first. Nothing was written.")
        # Made now, with the versions of the texts that the hunks were placed on.
        edit = edits.workspace_edit(selection, carried, session.documents, session.abilities) if carried else None
        versions = session.documents.versions()
        take_back = None
        if written:
            take_back = await asyncio.to_thread(accepting.write, self._engine, selection, written, session)
        if edit is not None:
            try:
                await self._have_applied(edit, versions, selection.run.id)
            except BaseException:
                # All of it or nothing, also where the client has gone meanwhile.
                if take_back is not None:
                    await asyncio.shield(session.keep(asyncio.to_thread(take_back)))
                raise
        accepting.note(self._engine, selection)
        return protocol.AcceptResult(
            accepted=selection.accepted,
            already=selection.already,
            files=[text.shown_path(plan.path) for plan in selection.plans],
        )

    async def _have_applied(self, edit: types.WorkspaceEdit, versions: dict[str, int], run_id: str) -> None:
        """Have the client apply an edit. Raises ConflictError where it does not."""
        session = self._session
        why = "the text changed a moment ago"
        # Not every client looks at versions.
        if session.documents.versions() == versions:
            try:
                answer = await session.server.workspace_apply_edit_async(
                    types.ApplyWorkspaceEditParams(edit, label=f"mux: accept {run_id}")
                )
            except JsonRpcException as error:
                why = error.message
            else:
                if answer.applied:
                    return
                why = answer.failure_reason or why
        raise ConflictError(f"{session.name} refused the edit ({printable(why)}); nothing was written. Try again.")

    async def _reject(
        self,
        run_id: str,
        *,
        paths: list[str] | None = None,
        hunks: list[str] | None = None,
        shared: bool = False,
    ) -> protocol.RejectResult:
        run = self._engine.run(run_id)
        wanted = accepting.candidates(self._engine, run, accepting.changes_of(run, paths))
        if shared:
            for other in self._engine.task(run.task).runs:
                if other.id != run.id:
                    wanted += accepting.candidates(self._engine, other, other.files)
        judged = await asyncio.to_thread(_judge, wanted, self._session.documents.by_path(), hunks)
        if hunks is not None:
            own = [items for one, items in judged if one.run.id == run.id]
            accepting.refuse_unknown(run, hunks, {item.id for items in own for item in items})
        rejected = applied = 0
        for one, items in judged:
            # Also of what is in this client's text: another client's may not have it.
            ids = frozenset(item.id for item in items if item.status is not HunkStatus.REJECTED)
            there = sum(item.place is HunkStatus.APPLIED for item in items)
            applied += there
            rejected += len(ids) - there
            if ids:
                self._engine.reject(one.run.id, one.path, ids)
        return protocol.RejectResult(rejected=rejected, applied=applied)

    # The rest

    async def agent_list(self, _: protocol.NoParams) -> protocol.AgentListResult:
        configuration = await self._engine.configured()
        return protocol.AgentListResult(
            agents=[
                protocol.AgentShape(
                    name=name,
                    kind=agent.kind,
                    command=agent.command if isinstance(agent.command, str) else " ".join(agent.command),
                )
                for name, agent in sorted(configuration.agents.items())
            ],
            defaults=list(configuration.defaults.agents),
        )

    async def status(self, _: protocol.NoParams) -> protocol.StatusResult:
        repositories = []
        for root in sorted({task.repository for task in self._engine.tasks()}):
            room = self._engine.room(Path(root))
            disk, slots = await asyncio.to_thread(_take_stock, room)
            repositories.append(
                protocol.RepositoryStatus(repository=uri_of(Path(root)), worktrees=slots, disk_bytes=disk)
            )
        return protocol.StatusResult(
            version=__version__,
            pid=os.getpid(),
            unfinished_runs=sum(not run.state.ended for task in self._engine.tasks() for run in task.runs),
            repositories=repositories,
        )

    def _folder(self, uri: str | None) -> Path:
        if uri is not None:
            path = path_of(uri)
            if path is None:
                raise UsageError(f"{uri} is not a folder on this machine: give a file: URI.")
            return path
        if not self._session.folders:
            raise UsageError("No folder is open in this client: open one, or name it as `repository`.")
        return self._session.folders[0]


def _list(
    candidates: list[Candidate], documents: Mapping[Path, Document], encoding: PositionEncoding
) -> list[protocol.ReviewItem]:
    return [
        convert.review_item(candidate.root, item, encoding)
        for candidate, items in _judge(candidates, documents)
        for item in items
    ]


def _judge(
    candidates: list[Candidate], documents: Mapping[Path, Document], hunks: list[str] | None = None
) -> list[tuple[Candidate, list[Item]]]:
    """How these hunks, or all, of each candidate stand to the client's live texts."""
    lives: dict[Path, Lives] = {}
    judged = []
    for candidate in candidates:
        live_of = lives.setdefault(candidate.root, Lives(candidate.root, documents))
        items = [item for item in candidate.items(live_of) if hunks is None or item.id in hunks]
        judged.append((candidate, items))
    return judged


def _compare(task: Task, reviews: Reviews) -> protocol.TaskCompareResult:
    files: dict[str, protocol.ComparedFile] = {}
    results: dict[tuple[tuple[str, str, int], ...], list[str]] = {}
    for run in task.runs:
        if not run.files:
            continue
        results.setdefault(tuple((one.path, one.new_object, one.new_mode) for one in run.files), []).append(run.id)
        for change in run.files:
            path = text.shown_path(change.path)
            compared = files.setdefault(path, protocol.ComparedFile(path=path, runs=[], hunks={}))
            compared.runs.append(run.id)
            for hunk in reviews.of(run, change).hunks:
                compared.hunks.setdefault(hunk.id, []).append(run.id)
    return protocol.TaskCompareResult(
        task=convert.task_shape(task),
        files=[files[path] for path in sorted(files)],
        equal=[runs for runs in results.values() if len(runs) > 1],
    )


def _take_stock(room: Room) -> tuple[int, int]:
    return room.shadow.disk_use(), len(room.worktrees.slots())


def _context(place: protocol.ContextPlace) -> tuple[Path, int | None, int | None]:
    path = path_of(place.uri)
    if path is None:
        raise UsageError(f"{place.uri} is not a file on this machine; context must be.")
    if place.range is None:
        return path, None, None
    last = place.range.end
    return path, place.range.start.line, last.line + (1 if last.character else 0)
