"""Accept hunks into a client's live texts and files, all or nothing, or reject them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.core import text
from mux_lsp.core.model import HunkStatus
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review import select
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.engine.review.transactions import refuse_replaced
from mux_lsp.engine.state.guards import refuse_discarded
from mux_lsp.engine.working_tree import backup, disk
from mux_lsp.engine.working_tree.tree import opened
from mux_lsp.errors import ConflictError, MuxError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.review import overwrite, workspace_edit
from mux_lsp.lsp.wire.documents import Lives

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mux_lsp.core.model import Task
    from mux_lsp.engine.review.items import Item, PathPlan
    from mux_lsp.engine.review.select import FileReview
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.lsp.client import ClientSession
    from mux_lsp.lsp.wire.documents import Document

MANY_FILES = 50
"""Maximum number of files that are placed on the event loop; more are placed in a thread."""

TRIES = 3
"""Maximum number of attempts in a thread while somebody types; then hunks are placed on the event loop."""

CHANGED_JUST_NOW = "the text changed a moment ago"


class Accepting:
    """Accepts and rejects a run's hunks in a client's live texts and on disk."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._engine = session.engine

    async def edit(self, run_id: str, hunks: list[str], how: AcceptMode = AcceptMode.EXACT) -> types.WorkspaceEdit:
        """Return the edit that accepts these hunks, for a client that applies it itself."""
        selection = await self.select(run_id, hunks=hunks, how=how)
        carried, written = workspace_edit.split(selection, self._session.capabilities.edits)
        if written:
            raise ConflictError(f"{written[0].path} cannot be changed by this editor: use `mux-lsp accept {run_id}`.")
        files = frozenset(selection.root / path for plan in selection.plans for path in plan.paths)
        versions = self._session.documents.versions(files)
        edit = await self._workspace_edit(selection, carried)
        await self._refuse_unsaved_elsewhere(selection, carried)
        if self._session.documents.versions(files) != versions:
            raise ConflictError(f"{CHANGED_JUST_NOW}; nothing was written. Try again.")
        if self._session.is_persons:
            await select.offer(self._engine.review, selection, self._session)
        self._session.watch.offer(selection)
        return edit

    async def select(
        self,
        run_id: str,
        *,
        paths: list[str] | None = None,
        hunks: list[str] | None = None,
        how: AcceptMode = AcceptMode.EXACT,
        result: str | None = None,
    ) -> Selection:
        """Place hunks of a run on the client's current texts. See `engine.review.select.select`.

        `result` is the result that the person reviewed: raises ConflictError if the newest one differs in these files.
        """
        run = self._engine.registry.run(run_id)
        task = self._engine.registry.task(run.task)
        await asyncio.to_thread(_refuse_replaced, task)
        await self._engine.transactions.settle(Path(task.repository))
        if result is not None:
            await asyncio.to_thread(select.refuse_moved_on, self._engine.review, run, result, paths)
        wanted = select.candidates(self._engine.review, run, select.changes_of(run, paths))
        await asyncio.to_thread(_warm, wanted, task, hunks, how)
        documents = self._session.documents

        def placed() -> Selection:
            lives = Lives(Path(task.repository), documents.by_path())
            selection = select.select(self._engine.review, run_id, lives, paths=paths, hunks=hunks, how=how)
            documents.refuse_two_texts(selection.root / path for plan in selection.plans for path in plan.paths)
            if result is not None and selection.run.result != run.result:
                # The result has just changed, so it is not compared file by file again.
                raise select.moved_on(run)
            return selection

        root = Path(task.repository)
        large = any(documents.is_large(root / path) for one in wanted for path in one.change.paths)
        for _ in range(TRIES if large or len(wanted) > MANY_FILES else 0):
            # Thousands of files, or millions of characters, would keep all other clients waiting.
            versions = documents.versions()
            selection = await asyncio.to_thread(placed)
            if documents.versions() == versions:
                return selection
        # On the event loop and not in a thread: no text may change here between placing the hunks and sending the edit.
        return placed()

    async def accept(self, selection: Selection, discard: Collection[str] = ()) -> protocol.AcceptResult:
        """Apply a selection to the client's texts and to the disk, and discard these runs with it, all or nothing.

        Raises ConflictError, or MuxError if the disk refuses; nothing is written then.
        """
        with self._engine.history.deciding(selection, self._session.name):
            return await self._place(selection, discard)

    async def _place(self, selection: Selection, discard: Collection[str]) -> protocol.AcceptResult:
        session = self._session
        carried, written = workspace_edit.split(selection, session.capabilities.edits)
        for plan in written:
            path = plan.live.path
            if plan.live.unsaved:
                raise ConflictError(f"{path} is open with unsaved changes: save it first. Nothing was written.")
            if plan.transcodes:
                raise ConflictError(
                    f"{path} is not saved in UTF-8: save it so, or accept its hunks. Nothing was written."
                )
        # The versions of the texts that the hunks were placed on. They are compared again before the edit is sent.
        files = frozenset(selection.root / path for plan in selection.plans for path in plan.paths)
        versions = session.documents.versions(files)
        edit = await self._workspace_edit(selection, carried) if carried else None
        await self._refuse_unsaved_elsewhere(selection, carried)
        over = overwrite.taken(selection)
        lost = [plan.live for plan in selection.plans if overwrite.is_over(plan, over)]
        save = backup.save_overwritten
        kept = await asyncio.to_thread(save, self._engine.files.backups_dir, selection.run.id, lost) if lost else None
        transaction = await select.begin(
            self._engine.review, selection, written, carried, client=session, discard=discard
        )
        asked = False
        try:
            await transaction.write()
            if edit is not None:
                await asyncio.to_thread(_refuse_changed, selection.root, carried)
                transaction.asking()
                asked = True
                await self._have_applied(edit, files, versions, selection.run.id)
        except BaseException as error:
            # All or nothing, also if the client has gone meanwhile: it may have applied its part before.
            gone = asked and isinstance(error, asyncio.CancelledError)
            await asyncio.shield(session.keep(transaction.unanswered(session) if gone else transaction.undo()))
            raise
        await transaction.finish()
        self._engine.verify.tracker.disk_changed(selection.root, [path for plan in written for path in plan.paths])
        return protocol.AcceptResult(
            accepted=selection.accepted,
            already=selection.already,
            instead_of=list(selection.instead_of),
            marked=selection.marked,
            rejected=selection.rejected,
            kept=None if kept is None else str(kept),
            files=[text.shown_path(plan.path) for plan in selection.plans],
        )

    async def _workspace_edit(self, selection: Selection, carried: list[PathPlan]) -> types.WorkspaceEdit:
        documents, abilities = self._session.documents, self._session.capabilities.edits
        if any(documents.is_large(selection.root / path) for plan in carried for path in plan.paths):
            return await asyncio.to_thread(workspace_edit.workspace_edit, selection, carried, documents, abilities)
        return workspace_edit.workspace_edit(selection, carried, documents, abilities)

    async def _refuse_unsaved_elsewhere(self, selection: Selection, carried: list[PathPlan]) -> None:
        """Raise ConflictError if another client has unsaved text of a file that this edit deletes or moves."""
        if taken := [plan for plan in carried if plan.entry is None or plan.old_path is not None]:
            others = [client for client in self._engine.clients.connected if client is not self._session]
            await asyncio.to_thread(select.refuse_unsaved, selection, taken, others)

    async def _have_applied(
        self, edit: types.WorkspaceEdit, files: Collection[Path], versions: dict[str, int], run_id: str
    ) -> None:
        """Ask the client to apply an edit to files at these versions. Raises ConflictError if it does not."""
        session = self._session
        why = CHANGED_JUST_NOW
        # Not every client checks versions.
        if session.documents.versions(files) == versions:
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

    async def reject(
        self,
        run_id: str,
        *,
        paths: list[str] | None = None,
        hunks: list[str] | None = None,
        shared: bool = False,
    ) -> protocol.RejectResult:
        """Reject all changes of a run, or these paths or hunks; `shared`: also the same hunks in other runs."""
        run = self._engine.registry.run(run_id)
        refuse_discarded(run)
        wanted = select.candidates(self._engine.review, run, select.changes_of(run, paths))
        if shared:
            for other in self._engine.registry.task(run.task).active_runs:
                if other.id != run.id:
                    wanted += select.candidates(self._engine.review, other, other.files)
        judged = await asyncio.to_thread(evaluate_changes, wanted, self._session.documents.by_path(), hunks)
        if hunks is not None:
            own = [items for one, items in judged if one.run.id == run.id]
            select.refuse_unknown(run, hunks, {item.id for items in own for item in items})
        rejected = applied = 0
        no: dict[tuple[str, str], frozenset[str]] = {}
        for one, items in judged:
            # Also reject changes that are in this client's text: another client's text may not have them.
            named = frozenset(item.rejection_key for item in items if item.status is not HunkStatus.REJECTED)
            there = sum(item.text_status is HunkStatus.APPLIED for item in items)
            applied += there
            rejected += len(named) - there
            if named:
                no[one.run.id, one.path] = no.get((one.run.id, one.path), frozenset()) | named
        if no:
            self._engine.review.reject_all(no)
        return protocol.RejectResult(rejected=rejected, applied=applied)


def _refuse_changed(root: Path, carried: list[PathPlan]) -> None:
    """Raise ConflictError if a file that an edit changes and that is not open has been replaced or changed by now.

    Such a file has no version for the client to compare, and writing the others may have taken a while.
    """
    with opened(root) as tree:
        for plan in carried:
            if not plan.live.open:
                for write in plan.writes():
                    disk.check(tree, write)


def _refuse_replaced(task: Task) -> None:
    """Raise MuxError if a task's working tree is gone, or another one is in its place.

    This is not a conflict of hunks: resolutions for hunks that would fit the other tree must not be offered.
    """
    try:
        with opened(Path(task.repository)) as tree:
            refuse_replaced(tree, task)
    except ConflictError as error:
        raise MuxError(str(error)) from error


def _warm(candidates: list[FileReview], task: Task, hunks: list[str] | None, how: AcceptMode) -> None:
    select.preload(candidates)
    if how is not AcceptMode.INSTEAD:
        return
    for one in candidates:
        if hunks is None or select.ids_of(one, hunks):
            select.preload(select.competing_changes(task, frozenset(one.change.paths), one.reviews))


def evaluate_changes(
    candidates: list[FileReview], documents: Mapping[Path, Document], hunks: list[str] | None = None
) -> list[tuple[FileReview, list[Item]]]:
    """Return these hunks, or all, of each candidate with their status on the client's live texts."""
    lives: dict[Path, Lives] = {}
    judged = []
    for candidate in candidates:
        live_of = lives.setdefault(candidate.root, Lives(candidate.root, documents))
        items = [item for item in candidate.items(live_of) if hunks is None or item.id in hunks]
        judged.append((candidate, items))
    return judged
