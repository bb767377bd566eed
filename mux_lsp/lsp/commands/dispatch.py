"""The commands of the protocol, each from its argument to its answer."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp import __version__
from mux_lsp.agents.log import printable
from mux_lsp.core.model import AgentChoice, HunkStatus, RunState
from mux_lsp.engine.agent_list import look_at
from mux_lsp.engine.repository.registry import locate
from mux_lsp.engine.review import select
from mux_lsp.engine.review.resolutions import AcceptMode, available_resolutions
from mux_lsp.engine.runs.log import LogPiece
from mux_lsp.engine.tasks.request import StartRequest
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import authority, compare
from mux_lsp.lsp.commands.accept import judge
from mux_lsp.lsp.commands.choose import Choosing
from mux_lsp.lsp.commands.history import listed
from mux_lsp.lsp.commands.repository import Trusting
from mux_lsp.lsp.commands.verify import Verification
from mux_lsp.lsp.review import wire_places
from mux_lsp.lsp.wire import convert
from mux_lsp.lsp.wire.documents import path_of, uri_of
from mux_lsp.lsp.wire.uris import Address, Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.select import FileReview
    from mux_lsp.lsp.session import Session
    from mux_lsp.lsp.wire.documents import Document

CHANGES = frozenset(
    {
        "mux.task.start",
        "mux.task.discard",
        "mux.task.restore",
        "mux.task.delete",
        "mux.run.continue",
        "mux.run.retry",
        "mux.hunk.accept",
        "mux.hunk.reject",
        "mux.file.accept",
        "mux.file.reject",
        "mux.run.accept",
        "mux.run.reject",
        "mux.run.pick",
        "mux.repository.trust",
        "mux.repository.distrust",
    }
)
"""The commands that change something and must not stop half-way."""

NAMED = 200
"""So many changes are named to git at a time."""


class Commands(Choosing, Trusting, Verification):
    """What a session's client asks of the engine."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._decisions = session.decisions

    async def run(self, name: str, argument: protocol.Params) -> protocol.Shape:
        """Carry out a command. Raises MuxError."""
        authority.refuse(self._engine, self._session.asker, name, argument)
        method: Callable[[protocol.Params], Awaitable[protocol.Shape]] = getattr(self, name[4:].replace(".", "_"))
        return await method(argument)

    # Tasks

    async def task_start(self, params: protocol.TaskStartParams) -> protocol.TaskResult:
        session = self._session
        clients = {"own": (session,), "all": self._engine.clients.connected, "none": ()}[params.unsaved]
        task = await self._engine.tasks.start(
            StartRequest(
                folder=self._folder(params.repository),
                prompt=params.prompt,
                choices=tuple(AgentChoice(one.agent, one.count, one.model) for one in params.agents or ()),
                checks=None if params.checks is None else tuple(params.checks),
                context=tuple(_context(place) for place in params.context),
                clients=clients,
                priority=params.priority,
                stop_after=params.stop_after,
                max_cost_usd=params.max_cost_usd,
                max_tokens=params.max_tokens,
                parent=session.starter or params.parent,
            )
        )
        for notice in task.notices:
            session.warn(notice)
        return self._task_result(task)

    async def task_list(self, params: protocol.TaskListParams) -> protocol.TaskListResult:
        root = None
        if params.repository is not None:
            root = (await asyncio.to_thread(locate, self._folder(params.repository))).root
        return protocol.TaskListResult(
            tasks=[self._task_result(task).task for task in self._engine.registry.tasks(root)]
        )

    async def task_get(self, params: protocol.TaskParams) -> protocol.TaskResult:
        return self._task_result(await self._engine.tasks.ranked(params.task))

    async def task_compare(self, params: protocol.TaskParams) -> protocol.TaskCompareResult:
        task = await self._engine.tasks.ranked(params.task)
        shape, ranking = self._task_result(task).task, self._engine.rankings.ranking(task.id)
        reviews = self._engine.review.hunks(Path(task.repository))
        return await asyncio.to_thread(compare.compare, shape, task, ranking, reviews)

    async def task_cancel(self, params: protocol.TaskParams) -> protocol.TaskResult:
        return self._task_result(await self._engine.runs.cancel_task(params.task))

    async def task_pause(self, params: protocol.TaskParams) -> protocol.TaskResult:
        return self._task_result(self._engine.tasks.pause(params.task))

    async def task_resume(self, params: protocol.TaskParams) -> protocol.TaskResult:
        return self._task_result(self._engine.tasks.resume(params.task))

    async def task_prioritize(self, params: protocol.TaskPrioritizeParams) -> protocol.TaskResult:
        return self._task_result(self._engine.tasks.prioritize(params.task, params.priority))

    async def task_delete(self, params: protocol.IdParams) -> protocol.DeleteResult:
        return protocol.DeleteResult(deleted=list(await self._engine.tasks.delete(params.id)))

    # Runs

    async def run_get(self, params: protocol.RunParams) -> protocol.RunResult:
        run = self._engine.registry.run(params.run)
        if run.state.ended:
            await self._engine.tasks.ranked(run.task)
        return self._run_result(self._engine.registry.run(params.run), most=None)

    async def run_log(self, params: protocol.RunLogParams) -> protocol.RunLogResult:
        piece = LogPiece(params.stream, params.offset, params.limit, params.check, params.on, setup=params.setup)
        printed, offset, ended = await self._engine.logs.read(params.run, piece, follow=params.follow)
        return protocol.RunLogResult(text=printed, offset=offset, ended=ended)

    async def run_diff(self, params: protocol.RunDiffParams) -> protocol.RunDiffResult:
        run = self._engine.registry.run(params.run)
        changes = select.changes_of(run, params.paths or None)
        if run.base is None or run.result is None or not changes:
            return protocol.RunDiffResult(patch="", base64=None)
        room = self._engine.repositories.of(Path(self._engine.registry.task(run.task).repository))
        # A command line may not hold the names of all.
        groups = [changes[at : at + NAMED] for at in range(0, len(changes), NAMED)] if params.paths else [()]
        patch = b""
        for group in groups:
            named = [path for change in group for path in change.paths]
            patch += await asyncio.to_thread(room.shadow.patch, run.base, run.result, named)
        return await asyncio.to_thread(_diff, patch)

    async def run_cancel(self, params: protocol.RunParams) -> protocol.RunResult:
        return self._run_result(await self._engine.runs.cancel(params.run))

    async def run_continue(self, params: protocol.RunContinueParams) -> protocol.RunResult:
        clients = None
        if params.up_to_date is not None:
            clients = {"own": (self._session,), "all": self._engine.clients.connected, "saved": ()}[params.up_to_date]
        run = await self._engine.tasks.carry_on(params.run, params.message, clients)
        return self._run_result(run)

    async def run_retry(self, params: protocol.RunParams) -> protocol.RunResult:
        return self._run_result(await self._engine.tasks.retry(params.run))

    # Review

    async def review_list(self, params: protocol.ReviewListParams) -> protocol.ReviewListResult:
        if params.uri is None and params.run is None:
            raise UsageError("mux.review.list needs a uri, a run, or both.")
        file = None
        if params.uri is not None:
            file = path_of(params.uri)
            if file is None:
                raise UsageError(f"{params.uri} is not a file.")
            found = select.candidates_at(self._engine.review, file)
        else:
            run = self._engine.registry.run(params.run or "")
            changes = select.changes_of(run, params.paths) if run.discarded is None else ()
            found = select.candidates(self._engine.review, run, changes)
        wanted = [one for one in found if params.run in {None, one.run.id}]
        documents = self._session.documents
        tasks = {one.run.task: self._engine.registry.task(one.run.task) for one in wanted}
        by_path, encoding = documents.by_path(), documents.encoding

        def listed() -> list[protocol.ReviewItem]:
            return [
                convert.review_item(root, item, ways, encoding)
                for root, item, ways in _with_ways(wanted, tasks, by_path)
                if file is None or root / item.live.path == file
            ]

        return protocol.ReviewListResult(items=await asyncio.to_thread(listed))

    async def review_places(self, params: protocol.ReviewPlacesParams) -> protocol.ReviewPlacesResult:
        return await asyncio.to_thread(wire_places.places, await self._session.require_view(params.uri))

    async def variant_show(self, params: protocol.VariantShowParams) -> protocol.VariantShowResult:
        found = await self._session.require_view(params.uri)
        located = found.find(params.run, params.hunk)
        if located is None or not located.place.is_open:
            raise UsageError(
                f"{printable(params.run)} has no such change waiting in {params.uri} (it may have changed while the "
                "agent works); mux.review.places lists those there are."
            )
        choice = located.place.open_variants
        first = choice.index(located.variant) if located.variant in choice else 0
        shown = (first + params.step) % len(choice)
        self._session.show(found, located.place, choice[shown])
        variant = choice[shown]
        return protocol.VariantShowResult(run=variant.run, hunk=variant.hunk_id, shown=shown, total=len(choice))

    async def versions_show(self, params: protocol.VersionsShowParams) -> protocol.VersionsShowResult:
        run = self._engine.registry.run(params.run)
        (change, *_) = select.changes_of(run, [params.path])
        wanted = [Address(Kind.RUN, run.id, change.path)]
        if change.old_mode:
            wanted.insert(0, Address(Kind.SNAPSHOT, run.task, change.base_path))
        return protocol.VersionsShowResult(uris=[await self._session.virtual.show(one.uri, None) for one in wanted])

    async def hunk_accept(self, params: protocol.HunkAcceptParams) -> protocol.AcceptResult:
        return await self._accept(params.run, hunks=params.hunks, how=AcceptMode(params.mode))

    async def file_accept(self, params: protocol.FileAcceptParams) -> protocol.AcceptResult:
        return await self._accept(
            params.run, paths=[params.path], hunks=_hunks(params), how=AcceptMode(params.mode), result=params.result
        )

    async def run_accept(self, params: protocol.RunAcceptParams) -> protocol.AcceptResult:
        return await self._accept(params.run, paths=params.paths, how=AcceptMode(params.mode), result=params.result)

    async def _accept(
        self,
        run: str,
        *,
        paths: list[str] | None = None,
        hunks: list[str] | None = None,
        how: AcceptMode,
        result: str | None = None,
    ) -> protocol.AcceptResult:
        decisions = self._decisions
        return await decisions.accept(await decisions.select(run, paths=paths, hunks=hunks, how=how, result=result))

    async def hunk_reject(self, params: protocol.HunkRejectParams) -> protocol.RejectResult:
        run = self._engine.registry.run(params.run)
        return await self._decisions.reject(run.id, hunks=params.hunks, shared=params.shared)

    async def file_reject(self, params: protocol.FileParams) -> protocol.RejectResult:
        return await self._decisions.reject(params.run, paths=[params.path], hunks=_hunks(params))

    async def run_reject(self, params: protocol.RunReviewParams) -> protocol.RejectResult:
        return await self._decisions.reject(params.run, paths=params.paths)

    # Permissions

    async def permission_list(self, _: protocol.NoParams) -> protocol.PermissionListResult:
        return protocol.PermissionListResult(
            permissions=[
                convert.permission_shape(asked.id, asked.task, asked.runs, asked.request)
                for asked in self._engine.permissions.open()
            ]
        )

    async def permission_reply(self, params: protocol.PermissionReplyParams) -> protocol.PermissionListResult:
        answered = self._engine.permissions.reply(params.id, params.answer, params.reason)
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
        looks = await look_at(await self._engine.configuration.reload(), os.environ)
        return protocol.AgentListResult(
            agents=[protocol.AgentShape(**dataclasses.asdict(look)) for look in looks],
            defaults=list(await self._engine.tasks.default_agents()),
        )

    async def status(self, _: protocol.NoParams) -> protocol.StatusResult:
        settings = self._engine.budget.settings
        repositories = []
        watched = self._engine.verify.tracker
        for root in sorted({*(task.repository for task in self._engine.registry.tasks()), *map(str, watched.roots())}):
            room = self._engine.repositories.of(Path(root))
            used, slots = await asyncio.to_thread(_take_stock, room)
            last = await watched.look(Path(root))
            repositories.append(
                protocol.RepositoryStatus(
                    repository=uri_of(Path(root)),
                    worktrees=slots,
                    disk_bytes=used,
                    spent=self._spent(root),
                    verdict=None if last is None else convert.verdict_shape(last[0], stale=last[1]),
                )
            )
        states = [run.state for task in self._engine.registry.tasks() for run in task.runs]
        return protocol.StatusResult(
            version=__version__,
            pid=os.getpid(),
            unfinished_runs=sum(not state.ended for state in states),
            queued_runs=states.count(RunState.QUEUED),
            spent=self._spent(),
            day_usd=settings.day_usd,
            day_tokens=settings.day_tokens,
            notices=list(map(printable, self._engine.notices.all)),
            repositories=repositories,
        )

    def _spent(self, repository: str | None = None) -> protocol.SpentShape:
        spent = self._engine.budget.today(repository)
        return protocol.SpentShape(cost_usd=spent.usd, tokens=spent.tokens)

    def _task_result(self, task: Task) -> protocol.TaskResult:
        return protocol.TaskResult(task=convert.task_shape(task, self._engine.tasks.summary))

    def _run_result(self, run: Run, most: int | None = protocol.MAX_RUN_FILES) -> protocol.RunResult:
        return protocol.RunResult(run=convert.run_shape(run, self._engine.tasks.summary(run), most))


def _hunks(params: protocol.FileParams) -> list[str] | None:
    """What is meant of a file: everything, or what is in none of its hunks."""
    return None if params.what == "all" else [""]


def _diff(patch: bytes) -> protocol.RunDiffResult:
    try:
        return protocol.RunDiffResult(patch=patch.decode(), base64=None)
    except UnicodeDecodeError:
        return protocol.RunDiffResult(patch=patch.decode(errors="replace"), base64=base64.b64encode(patch).decode())


def _with_ways(
    candidates: list[FileReview], tasks: Mapping[str, Task], documents: Mapping[Path, Document]
) -> list[tuple[Path, Item, tuple[AcceptMode, ...]]]:
    """How each hunk of the candidates stands below its root, and the ways there are for those in conflict."""
    held: dict[tuple[str, tuple[str, ...]], list[Item]] = {}
    found = []
    for candidate, items in judge(candidates, documents):
        place = (candidate.run.task, candidate.change.paths)
        if place not in held and any(item.status is HunkStatus.CONFLICT for item in items):
            # Once for all runs that change the file.
            rivals = select.competing_changes(
                tasks[candidate.run.task], frozenset(candidate.change.paths), candidate.reviews
            )
            judged = [item for _, of_one in judge(rivals, documents) for item in of_one]
            held[place] = [item for item in judged if item.text_status is HunkStatus.APPLIED]
        others = held.get(place, [])
        found += [(candidate.root, item, available_resolutions([*others, *items], item).names) for item in items]
    return found


def _take_stock(room: RepositoryStore) -> tuple[int, int]:
    return room.shadow.disk_use(), len(room.worktrees.slots())


def _context(place: protocol.ContextPlace) -> tuple[Path, int | None, int | None]:
    path = path_of(place.uri)
    if path is None:
        raise UsageError(f"{place.uri} is not a file on this machine; context must be.")
    if place.range is None:
        return path, None, None
    last = place.range.end
    return path, place.range.start.line, last.line + (1 if last.character else 0)
