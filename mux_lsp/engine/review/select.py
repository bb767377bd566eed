"""Select changes of a run to accept, and plan the effect on each path. Applying the plans is up to the client."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.core import text
from mux_lsp.core.history import ChangeKey
from mux_lsp.core.model import FileChange, HunkStatus, Run, Task
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review.items import evaluate, refuse_conflicts
from mux_lsp.engine.review.live_text import read_live_text
from mux_lsp.engine.review.presence import key_of
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.engine.review.resolve import Resolution, ResolveRequest, resolve
from mux_lsp.engine.review.selection import Selection
from mux_lsp.engine.state.guards import refuse_discarded
from mux_lsp.engine.working_tree import disk
from mux_lsp.errors import ConflictError, GitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mux_lsp.core.transaction import Intent
    from mux_lsp.engine.review.hunks import HunkCache
    from mux_lsp.engine.review.items import Item, PathPlan
    from mux_lsp.engine.review.live_text import LiveOf, LiveText
    from mux_lsp.engine.review.service import ReviewService
    from mux_lsp.engine.review.transactions import Transaction
    from mux_lsp.engine.state.clients import Client


def changes_of(run: Run, paths: Collection[str] | None) -> tuple[FileChange, ...]:
    """Return the changed files of a run, or those at or below these paths. Raises UsageError for an unknown path."""
    if paths is None:
        return run.files
    wanted = {path.strip("/") for path in paths}
    # All names of each change are collected once: there may be ten thousand of both.
    by_name = [(change, _names(change)) for change in run.files]
    unknown = wanted.difference(*(names for _, names in by_name))
    if unknown:
        raise UsageError(
            f"{run.id} does not change {printable(min(unknown))!r}; `mux-lsp show {run.id}` lists what it changes."
        )
    return tuple(change for change, names in by_name if not names.isdisjoint(wanted))


def refuse_moved_on(review: ReviewService, run: Run, result: str, paths: Collection[str] | None) -> None:
    """Raise ConflictError if a run's newest result differs from `result` in these files and folders (None: anywhere).

    Slow: call it in a thread. Raises UsageError if there is no such result.
    """
    if run.result == result:
        return
    store = review.repositories.get(Path(review.registry.task(run.task).repository)).shadow
    try:
        moved = store.changed_files(result, run.result or "")
    except GitError:
        raise UsageError(f"{run.id} never had the result {result}.") from None
    wanted = {path.strip("/") for path in paths or [""]}
    for change in moved:
        if not _names(change).isdisjoint(wanted):
            raise moved_on(run, change.path)


def moved_on(run: Run, path: str | None = None) -> ConflictError:
    """Return the error for a run whose result has changed since the client read it, at `path` or anywhere."""
    what = "it" if path is None else printable(text.shown_path(path))
    return ConflictError(
        f"{run.id} has gone on since you looked, and {what} is different now: look again. Nothing was written."
    )


def _names(change: FileChange) -> set[str]:
    """Return all names that a person may use for a changed file: its paths, plain and as shown, and its folders."""
    names = {"", "."}
    for path in change.paths:
        for name in (path, text.shown_path(path)):
            names.update((name, *disk.folders_of(name)))
    return names


def reject_ambiguous_paths(run: Run, changes: Iterable[FileChange], paths: Collection[str]) -> None:
    """Raise UsageError if a name stands for more than one file or folder.

    A byte that is not UTF-8 is shown as four characters, and an agent can create a file with these in its name: the
    person would see one file, and accept another one with it.
    """
    wanted = {path.strip("/") for path in paths}
    meant: dict[str, str] = {}
    for path in {path for change in changes for path in change.paths}:
        for name in (path, *disk.folders_of(path)):
            shown = text.shown_path(name)
            if shown in wanted and meant.setdefault(shown, name) != name:
                raise UsageError(
                    f"{run.id} changes more than one file or folder that is shown as {printable(shown)!r}. Nothing was "
                    f"written. Look at `mux-lsp diff {run.id}`, and accept by hunk or all of it."
                )


@dataclass(frozen=True, slots=True)
class FileReview:
    """Changed file of a run, with everything needed to evaluate it except the live text. Can be used in any thread."""

    root: Path
    run: Run
    change: FileChange
    rejected: frozenset[str]
    reviews: HunkCache

    @property
    def path(self) -> str:
        """Path of the changed file."""
        return self.change.path

    def items(self, live_of: LiveOf) -> list[Item]:
        """Return the file's items with their status in a live text. Slow the first time."""
        return evaluate(self.reviews.get(self.run, self.change), live_of, self.rejected)


def preload(candidates: Iterable[FileReview]) -> None:
    """Load the hunks and their base texts into memory, so that evaluating them is quick."""
    for candidate in candidates:
        _ = candidate.reviews.get(candidate.run, candidate.change).base


def candidates(review: ReviewService, run: Run, changes: Iterable[FileChange]) -> list[FileReview]:
    """Return changed files of a run, ready to be evaluated."""
    root = Path(review.registry.task(run.task).repository)
    reviews = review.hunks(root)
    return [FileReview(root, run, change, review.rejections(run.id, change.path), reviews) for change in changes]


def candidates_at(review: ReviewService, file: Path) -> list[FileReview]:
    """Return all runs' changes of a file."""
    return [candidate for run, change in review.runs_at(file) for candidate in candidates(review, run, [change])]


def competing_changes(task: Task, paths: frozenset[str], reviews: HunkCache) -> list[FileReview]:
    """Return the changes of a task's runs at these paths, equal changes once. Rejections are ignored."""
    root = Path(task.repository)
    found: dict[tuple[str, str | None, str, int], FileReview] = {}
    for run in task.active_runs:
        for change in run.files:
            if not paths.isdisjoint(change.paths):
                outcome = (change.path, change.old_path, change.new_object, change.new_mode)
                found.setdefault(outcome, FileReview(root, run, change, frozenset(), reviews))
    return list(found.values())


def select(  # noqa: PLR0913  (what to select, in either of two ways, and the mode)
    review: ReviewService,
    run_id: str,
    live_of: LiveOf,
    *,
    paths: Collection[str] | None = None,
    hunks: Collection[str] | None = None,
    how: AcceptMode = AcceptMode.EXACT,
) -> Selection:
    """Place hunks of a run on live texts: the named ones, or all in these paths that were not rejected.

    Among the names, "" stands for the change of a file that is in none of its hunks. Raises UsageError for a path or
    hunk that the run does not have and for a discarded run, ConflictError if a hunk cannot be placed in this mode.
    """
    run = review.registry.run(run_id)
    refuse_discarded(run)
    task = review.registry.task(run.task)
    reviews = review.hunks(Path(task.repository))
    wanted: list[tuple[FileReview, list[Item], list[Item]]] = []
    rejected = 0
    changes = changes_of(run, paths)
    if paths:
        reject_ambiguous_paths(run, changes, paths)
    for candidate in candidates(review, run, changes):
        # Of hundreds of files, only those with one of the hunks need their texts read.
        if hunks is not None and not ids_of(candidate, hunks):
            continue
        items = candidate.items(live_of)
        if hunks is None:
            rejected += sum(item.status is HunkStatus.REJECTED for item in items)
        if found := [item for item in items if _wanted(item, hunks)]:
            wanted.append((candidate, items, found))
    if hunks is not None:
        named = [item.id for _, _, found in wanted for item in found]
        refuse_unknown(run, hunks, named)
        _refuse_ambiguous(run, named)
    if how is AcceptMode.EXACT:
        # Report all conflicts at once, before the first plan is made.
        refuse_conflicts(item for _, _, found in wanted for item in found)
    others: list[FileReview] = []
    if how is AcceptMode.INSTEAD:
        others = competing_changes(task, frozenset(path for one, _, _ in wanted for path in one.change.paths), reviews)
    resolved: dict[str, Resolution] = {}
    placed: list[Item] = []
    already = 0
    for candidate, items, found in wanted:
        already += sum(item.text_status is HunkStatus.APPLIED for item in found)
        near = [rival for rival in others if not {*rival.change.paths}.isdisjoint(candidate.change.paths)]
        held = [item for rival in near for item in rival.items(live_of)]
        choice = ResolveRequest(candidate.root, candidate.path, items, found, held, live_of, reviews)
        one = resolved[candidate.path] = resolve(choice, how)
        placed += (item for item in items if item.id in one.accepted and item.text_status is not HunkStatus.APPLIED)
    return Selection(
        run,
        Path(task.repository),
        tuple(one.plan for one in resolved.values() if one.plan is not None),
        tuple((path, one.accepted) for path, one in resolved.items() if one.accepted),
        already,
        sum(one.marked for one in resolved.values()),
        tuple(placed),
        tuple(item for one in resolved.values() for item in one.out),
        rejected,
    )


def _wanted(item: Item, hunks: Collection[str] | None) -> bool:
    if hunks is None:
        return item.status is not HunkStatus.REJECTED
    return item.id in hunks


def ids_of(candidate: FileReview, hunks: Collection[str]) -> frozenset[str]:
    """Return the ids among `hunks` that a changed file's hunks may have."""
    found = candidate.reviews.get(candidate.run, candidate.change)
    return frozenset(one for one in ("", *(hunk.id for hunk in found.hunks)) if one in hunks)


def refuse_unknown(run: Run, hunks: Collection[str], found: Collection[str]) -> None:
    """Raise UsageError if the run does not have one of the hunks."""
    unknown = sorted(set(hunks) - set(found))
    if unknown:
        raise UsageError(
            f"{run.id} has no hunk {printable(unknown[0])!r}"
            f"{'' if run.state.ended else ' (it may have changed while the agent works)'}; "
            f"`mux-lsp show {run.id}` lists its hunks."
        )


def _refuse_ambiguous(run: Run, named: Collection[str]) -> None:
    """Raise UsageError if an id stands for more than one change.

    An id is too short to be safe against an agent that constructs two changes with the same one: a harmless change
    to be accepted, and another that is accepted with it. Finding such a pair takes half a minute.
    """
    seen: set[str] = set()
    for one in named:
        if one and one in seen:
            raise UsageError(
                f"{run.id} has more than one change with the id {one}, which does not come about by chance. Nothing "
                f"was written. Look at `mux-lsp diff {run.id}` before you accept any of it by file."
            )
        seen.add(one)


def refuse_unsaved(selection: Selection, plans: Iterable[PathPlan], clients: Iterable[Client]) -> None:
    """Raise ConflictError if one of these clients has unsaved changes of a file of these plans."""
    paths = {path for plan in plans for path in plan.paths}
    for client in clients if paths else ():
        texts, missing = client.unsaved(selection.root)
        for path in sorted(paths & {*texts, *(left.path for left in missing)}):
            raise ConflictError(
                f"{path} has unsaved changes in {client.name}: save it there, or accept from there. Nothing was "
                "written."
            )


def applied_by(review: ReviewService, intent: Intent, gone: Client | None = None) -> frozenset[ChangeKey]:
    """Return the changes that an editor was asked to apply and that any client's text, or the disk, has now. Slow.

    The last text of a client that has `gone` counts too.
    """
    run, root = review.registry.find_run(intent.run), Path(intent.root)
    if run is None:
        return frozenset()
    changes = [change for change in run.files if not {*change.paths}.isdisjoint(intent.paths)]
    wanted = {ChangeKey(*one) for one in intent.carried}
    found: set[ChangeKey] = set()
    clients = review.clients.connected if gone is None else (*review.clients.connected, gone)
    for unsaved in [*(client.unsaved(root)[0] for client in clients), {}]:
        live_of = functools.partial(_live_text, root, unsaved)
        for candidate in candidates(review, run, changes):
            items = candidate.items(live_of)
            found |= wanted & {key_of(item) for item in items if item.text_status is HunkStatus.APPLIED}
    return frozenset(found)


def _live_text(root: Path, unsaved: Mapping[str, bytes], path: str) -> LiveText:
    data = unsaved.get(path)
    return read_live_text(root, path, None if data is None else data.decode("utf-8", "replace"))


async def offer(review: ReviewService, selection: Selection, client: Client) -> None:
    """Record that a client gets the edit of a selection: it may apply it while no daemon is running."""
    task = review.registry.task(selection.run.task)
    reviews = review.hunks(selection.root)
    rows = await asyncio.to_thread(review.history.prepare, selection, reviews, client.name)
    await review.transactions.offer(selection, task, rows, client.name)


async def begin(  # noqa: PLR0913  (all parts of an accept)
    review: ReviewService,
    selection: Selection,
    written: Sequence[PathPlan],
    carried: Sequence[PathPlan],
    *,
    client: Client,
    discard: Collection[str] = (),
) -> Transaction:
    """Stage the plans of a selection that the daemon writes, and record the accept. Call it within `History.deciding`.

    Raises ConflictError if a client holds unsaved changes of one of the files (the asking client included: its
    person may have typed since), or the disk has changed. Conflict markers are not recorded.
    """
    task = review.registry.task(selection.run.task)
    reviews = review.hunks(selection.root)
    rows = await asyncio.to_thread(review.history.prepare, selection, reviews, client.name)
    await asyncio.to_thread(refuse_unsaved, selection, written, review.clients.connected)
    return await review.transactions.begin(selection, task, rows, written, carried, client=client.name, discard=discard)
