"""The commands of the protocol, each from its argument to its answer."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp import __version__
from mux_lsp.agents.log import printable
from mux_lsp.core import text
from mux_lsp.core.model import AgentChoice, HunkStatus
from mux_lsp.engine import accepting, disk, keeping
from mux_lsp.engine.agents import look_at
from mux_lsp.engine.offers import How, offers
from mux_lsp.engine.output import LogPiece, read_log
from mux_lsp.engine.repositories import locate
from mux_lsp.engine.request import StartRequest
from mux_lsp.errors import ConflictError, UsageError
from mux_lsp.lsp import comparing, convert, edits, protocol, surface, taking
from mux_lsp.lsp.addresses import Address, Kind
from mux_lsp.lsp.documents import Lives, path_of, uri_of
from mux_lsp.lsp.history import listed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mux_lsp.core.model import Task
    from mux_lsp.engine.accepting import Candidate, Selection
    from mux_lsp.engine.repositories import Room
    from mux_lsp.engine.review import Item, PathPlan
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


MANY_FILES = 50
"""More files than that are placed in a thread."""


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
        return protocol.RunResult(run=convert.run_shape(self._engine.run(params.run), most=None))

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
        chosen = tuple(path for change in changes for path in change.paths) if params.paths else ()
        patch = await asyncio.to_thread(room.shadow.patch, run.base, run.result, chosen)
        try:
            return protocol.RunDiffResult(patch=patch.decode(), base64=None)
        except UnicodeDecodeError:
            return protocol.RunDiffResult(patch=patch.decode(errors="replace"), base64=base64.b64encode(patch).decode())

    async def run_cancel(self, params: protocol.RunParams) -> protocol.RunResult:
        return protocol.RunResult(run=convert.run_shape(await self._engine.cancel(params.run)))

    async def run_continue(self, params: protocol.RunContinueParams) -> protocol.RunResult:
        clients = None
        if params.up_to_date is not None:
            clients = {"own": (self._session,), "all": self._engine.clients, "saved": ()}[params.up_to_date]
        run = await self._engine.carry_on(params.run, params.message, clients)
        return protocol.RunResult(run=convert.run_shape(run))

    async def run_retry(self, params: protocol.RunParams) -> protocol.RunResult:
        return protocol.RunResult(run=convert.run_shape(await self._engine.retry(params.run)))

    # Review

    async def review_list(self, params: protocol.ReviewListParams) -> protocol.ReviewListResult:
        if params.uri is None and params.run is None:
            raise UsageError("mux.review.list needs a uri, a run, or both.")
        file = None
        if params.uri is not None:
            file = path_of(params.uri)
            if file is None:
                raise UsageError(f"{params.uri} is not a file.")
            found = accepting.candidates_at(self._engine, file)
        else:
            run = self._engine.run(params.run or "")
            found = accepting.candidates(self._engine, run, accepting.changes_of(run, params.paths))
        wanted = [one for one in found if params.run in {None, one.run.id}]
        documents = self._session.documents
        tasks = {one.run.task: self._engine.task(one.run.task) for one in wanted}
        found_now = await asyncio.to_thread(_with_ways, wanted, tasks, documents.by_path())
        items = [
            convert.review_item(root, item, ways, documents.encoding)
            for root, item, ways in found_now
            if file is None or root / item.live.path == file
        ]
        return protocol.ReviewListResult(items=items)

    async def review_places(self, params: protocol.ReviewPlacesParams) -> protocol.ReviewPlacesResult:
        return await asyncio.to_thread(surface.places, await self._session.seen(params.uri))

    async def variant_show(self, params: protocol.VariantShowParams) -> protocol.VariantShowResult:
        found = await self._session.seen(params.uri)
        located = found.find(params.run, params.hunk)
        if located is None or not located.place.waits:
            raise UsageError(
                f"{printable(params.run)} has no such change waiting in {params.uri} (it may have changed while the "
                "agent works); mux.review.places lists those there are."
            )
        choice = located.place.open
        first = choice.index(located.variant) if located.variant in choice else 0
        shown = (first + params.step) % len(choice)
        self._session.show(found, located.place, choice[shown])
        variant = choice[shown]
        return protocol.VariantShowResult(run=variant.run, hunk=variant.hunk_id, shown=shown, of=len(choice))

    async def versions_show(self, params: protocol.VersionsShowParams) -> protocol.VersionsShowResult:
        run = self._engine.run(params.run)
        (change, *_) = accepting.changes_of(run, [params.path])
        wanted = [Address(Kind.RUN, run.id, change.path)]
        if change.old_mode:
            wanted.insert(0, Address(Kind.SNAPSHOT, run.task, change.base_path))
        return protocol.VersionsShowResult(uris=[await self._session.virtual.show(one.uri, None) for one in wanted])

    async def hunk_accept(self, params: protocol.HunkAcceptParams) -> protocol.AcceptResult:
        return await self._accept(await self._select(params.run, hunks=params.hunks, how=How(params.how)))

    async def file_accept(self, params: protocol.FileAcceptParams) -> protocol.AcceptResult:
        return await self._accept(
            await self._select(params.run, paths=[params.path], hunks=_hunks(params), how=How(params.how))
        )

    async def run_accept(self, params: protocol.RunAcceptParams) -> protocol.AcceptResult:
        return await self._accept(await self._select(params.run, paths=params.paths, how=How(params.how)))

    async def hunk_reject(self, params: protocol.HunkRejectParams) -> protocol.RejectResult:
        run = self._engine.run(params.run)
        return await self._reject(run.id, hunks=params.hunks, shared=params.shared)

    async def file_reject(self, params: protocol.FileParams) -> protocol.RejectResult:
        return await self._reject(params.run, paths=[params.path], hunks=_hunks(params))

    async def run_reject(self, params: protocol.RunReviewParams) -> protocol.RejectResult:
        return await self._reject(params.run, paths=params.paths)

    async def edit(self, run_id: str, hunks: list[str], how: How = How.EXACT) -> types.WorkspaceEdit:
        """The edit that accepts these hunks, for a client that applies it itself."""
        selection = await self._select(run_id, hunks=hunks, how=how)
        carried, written = edits.split(selection, self._session.abilities)
        if written:
            raise ConflictError(f"{written[0].path} cannot be changed by this editor: use `mux-lsp accept {run_id}`.")
        edit = edits.workspace_edit(selection, carried, self._session.documents, self._session.abilities)
        await self._refuse_unsaved_elsewhere(selection, carried)
        self._session.watch.offer(selection)
        return edit

    async def _select(
        self,
        run_id: str,
        *,
        paths: list[str] | None = None,
        hunks: list[str] | None = None,
        how: How = How.EXACT,
    ) -> Selection:
        run = self._engine.run(run_id)
        task = self._engine.task(run.task)
        wanted = accepting.candidates(self._engine, run, accepting.changes_of(run, paths))
        await asyncio.to_thread(_warm, wanted, task, hunks, how)
        documents = self._session.documents

        def placed() -> Selection:
            lives = Lives(Path(task.repository), documents.by_path())
            selection = accepting.select(self._engine, run_id, lives, paths=paths, hunks=hunks, how=how)
            documents.refuse_two_texts(selection.root / path for plan in selection.plans for path in plan.paths)
            return selection

        if len(wanted) > MANY_FILES:
            # Thousands of files would keep every other client waiting.
            versions = documents.versions()
            selection = await asyncio.to_thread(placed)
            if documents.versions() == versions:
                return selection
        # On the loop and not in a thread: between placing the hunks and sending the edit no text may change here.
        return placed()

    async def _accept(self, selection: Selection) -> protocol.AcceptResult:
        with self._engine.history.deciding(selection, self._session.name):
            return await self._place(selection)

    async def _place(self, selection: Selection) -> protocol.AcceptResult:
        session = self._session
        carried, written = edits.split(selection, session.abilities)
        for plan in written:
            path = plan.live.path
            if plan.live.unsaved:
                raise ConflictError(f"{path} is open with unsaved changes: save it first. Nothing was written.")
            if plan.transcodes:
                raise ConflictError(
                    f"{path} is not saved in UTF-8: save it so, or accept its hunks. Nothing was written."
                )
        # Made now, with the versions of the texts that the hunks were placed on.
        edit = edits.workspace_edit(selection, carried, session.documents, session.abilities) if carried else None
        versions = session.documents.versions()
        await self._refuse_unsaved_elsewhere(selection, carried)
        over = taking.taken(selection)
        lost = [plan.live for plan in selection.plans if taking.is_over(plan, over)]
        kept = await asyncio.to_thread(keeping.keep, self._engine.kept, selection.run.id, lost) if lost else None
        take_back = None
        if written:
            take_back = await asyncio.to_thread(accepting.write, self._engine, selection, written)
        if edit is not None:
            try:
                await asyncio.to_thread(_refuse_changed, selection.root, carried)
                await self._have_applied(edit, versions, selection.run.id)
            except BaseException:
                # All of it or nothing, also where the client has gone meanwhile.
                if take_back is not None:
                    await asyncio.shield(session.keep(asyncio.to_thread(take_back)))
                raise
        await accepting.note(self._engine, selection, session)
        return protocol.AcceptResult(
            accepted=selection.accepted,
            already=selection.already,
            instead_of=list(selection.instead_of),
            marked=selection.marked,
            rejected=selection.rejected,
            kept=None if kept is None else str(kept),
            files=[text.shown_path(plan.path) for plan in selection.plans],
        )

    async def _refuse_unsaved_elsewhere(self, selection: Selection, carried: list[PathPlan]) -> None:
        """Raise ConflictError where another client has unsaved text of a file that this one is to take away."""
        if taken := [plan for plan in carried if plan.entry is None or plan.old_path is not None]:
            others = [client for client in self._engine.clients if client is not self._session]
            await asyncio.to_thread(accepting.refuse_unsaved, selection, taken, others)

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
            named = frozenset(item.rejected_as for item in items if item.status is not HunkStatus.REJECTED)
            there = sum(item.place is HunkStatus.APPLIED for item in items)
            applied += there
            rejected += len(named) - there
            if named:
                self._engine.reject(one.run.id, one.path, named)
        return protocol.RejectResult(rejected=rejected, applied=applied)

    # Permissions

    async def permission_list(self, _: protocol.NoParams) -> protocol.PermissionListResult:
        return protocol.PermissionListResult(
            permissions=[
                convert.permission_shape(asked.id, asked.task, asked.runs, asked.request)
                for asked in self._engine.asked
            ]
        )

    async def permission_reply(self, params: protocol.PermissionReplyParams) -> protocol.PermissionListResult:
        answered = self._engine.reply(params.id, params.answer, params.reason)
        left = await self.permission_list(protocol.NoParams())
        return protocol.PermissionListResult(permissions=[one for one in left.permissions if one.id != answered.id])

    # Documents

    async def document_get(self, params: protocol.DocumentParams) -> protocol.DocumentResult:
        content, language = await self._session.virtual.get(params.uri)
        return protocol.DocumentResult(text=content, language=language)

    async def document_show(self, params: protocol.DocumentShowParams) -> protocol.DocumentShowResult:
        return protocol.DocumentShowResult(uri=await self._session.virtual.show(params.uri, params.take_focus))

    # History

    async def history_list(self, params: protocol.HistoryListParams) -> protocol.HistoryListResult:
        if params.uri is None and (params.start is not None or params.end is not None):
            raise UsageError("mux.history.list takes lines only of a document: name its uri.")
        root = None
        if params.repository is not None:
            root = (await asyncio.to_thread(locate, self._folder(params.repository))).root
        await self._session.caught_up()
        documents = self._session.documents
        read = self._engine.history.read
        return await asyncio.to_thread(listed, read, params, root, documents.by_path(), documents.encoding)

    # The rest

    async def agent_list(self, _: protocol.NoParams) -> protocol.AgentListResult:
        looks = await look_at(await self._engine.configured(), os.environ)
        return protocol.AgentListResult(
            agents=[protocol.AgentShape(**dataclasses.asdict(look)) for look in looks],
            defaults=list(await self._engine.default_agents()),
        )

    async def status(self, _: protocol.NoParams) -> protocol.StatusResult:
        repositories = []
        for root in sorted({task.repository for task in self._engine.tasks()}):
            room = self._engine.room(Path(root))
            used, slots = await asyncio.to_thread(_take_stock, room)
            repositories.append(
                protocol.RepositoryStatus(repository=uri_of(Path(root)), worktrees=slots, disk_bytes=used)
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


def _refuse_changed(root: Path, carried: list[PathPlan]) -> None:
    """Raise ConflictError where a file that an edit is for and that is not open is another one by now.

    Such a file has no version by which the client could tell, and writing the others may have taken its time.
    """
    for plan in carried:
        if not plan.live.open:
            for write in plan.writes():
                disk.check(root, write)


def _hunks(params: protocol.FileParams) -> list[str] | None:
    """What is meant of a file: everything, or what is in none of its hunks."""
    return None if params.what == "all" else [""]


def _warm(candidates: list[Candidate], task: Task, hunks: list[str] | None, how: How) -> None:
    accepting.warm(candidates)
    if how is not How.INSTEAD:
        return
    for one in candidates:
        if hunks is None or accepting.ids_of(one, hunks):
            accepting.warm(accepting.rivals(task, frozenset(one.change.paths), one.reviews))


def _with_ways(
    candidates: list[Candidate], tasks: Mapping[str, Task], documents: Mapping[Path, Document]
) -> list[tuple[Path, Item, tuple[How, ...]]]:
    """How each hunk of the candidates stands below its root, and the ways there are for those in conflict."""
    held: dict[tuple[str, tuple[str, ...]], list[Item]] = {}
    found = []
    for candidate, items in _judge(candidates, documents):
        place = (candidate.run.task, candidate.change.paths)
        if place not in held and any(item.status is HunkStatus.CONFLICT for item in items):
            # Once for all runs that change the file.
            rivals = accepting.rivals(tasks[candidate.run.task], frozenset(candidate.change.paths), candidate.reviews)
            judged = [item for _, of_one in _judge(rivals, documents) for item in of_one]
            held[place] = [item for item in judged if item.place is HunkStatus.APPLIED]
        others = held.get(place, [])
        found += [(candidate.root, item, offers([*others, *items], item).ways) for item in items]
    return found


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
    changed = sorted({change.base_path for run in task.runs for change in run.files}, key=os.fsencode)
    told = frozenset(changed[: protocol.FILES_TOLD])
    return protocol.TaskCompareResult(
        task=convert.task_shape(task),
        files=comparing.compared_files(task, reviews, told),
        more=len(changed) - len(told),
        equal=comparing.equal_runs(task),
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
