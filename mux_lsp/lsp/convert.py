"""From the words of the core to the shapes of the wire, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.agents.log import printable
from mux_lsp.core import text
from mux_lsp.engine.events import (
    PermissionRequested,
    PermissionSettled,
    ReviewChanged,
    RunChanged,
    RunOutput,
    TaskChanged,
)
from mux_lsp.lsp import protocol
from mux_lsp.lsp.documents import uri_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.model import FileChange, LeftOut, Run, Task
    from mux_lsp.core.permissions import PermissionRequest
    from mux_lsp.engine.events import Event
    from mux_lsp.engine.offers import How
    from mux_lsp.engine.review import Item


def run_shape(run: Run, most: int | None = protocol.FILES_TOLD) -> protocol.RunShape:
    """A run as clients see it, with so many of its files at the most."""
    return protocol.RunShape(
        id=run.id,
        task=run.task,
        agent=run.agent,
        model=run.model,
        state=run.state.value,
        reason=run.reason and printable(run.reason),
        files=[file_summary(change) for change in run.files[:most]],
        file_count=len(run.files),
        added=sum(change.lines_added or 0 for change in run.files),
        removed=sum(change.lines_removed or 0 for change in run.files),
        hunks=run.hunks,
        checks=[
            protocol.CheckResult(
                command=check.command, state=check.state.value, exit_status=check.exit_status, seconds=check.seconds
            )
            for check in run.checks
        ],
        left_out=[left_out_path(left) for left in run.left_out],
        worktree=run.worktree,
        exit_status=run.exit_status,
        cost_usd=run.cost_usd,
        tokens=run.tokens,
        started=run.started,
        finished=run.finished,
    )


def task_shape(task: Task) -> protocol.TaskShape:
    """A task as clients see it."""
    return protocol.TaskShape(
        id=task.id,
        prompt=task.prompt,
        state="ended" if task.ended else "running",
        repository=uri_of(Path(task.repository)),
        snapshot=task.snapshot.commit if task.snapshot else None,
        left_out=[left_out_path(left) for left in (task.snapshot.left_out if task.snapshot else ())],
        created=task.created,
        runs=[run_shape(run) for run in task.runs],
    )


def notification(event: Event) -> tuple[str, protocol.Shape]:
    """What clients are told of an event: a method of the protocol and its parameters."""
    match event:
        case TaskChanged(task=task, deleted=deleted):
            return "mux/taskChanged", protocol.TaskChangedParams(task=task_shape(task), deleted=deleted)
        case RunChanged(run=run, previous=previous):
            return "mux/runChanged", protocol.RunChangedParams(run=run_shape(run), previous=previous.value)
        case RunOutput(run=run_id, stream=stream, offset=offset, text=printed):
            return "mux/runOutput", protocol.RunOutputParams(run=run_id, stream=stream, offset=offset, text=printed)
        case PermissionRequested() | PermissionSettled():
            return permission_notification(event)
        case ReviewChanged(repository=repository, paths=paths):
            named = sorted(paths)[: protocol.FILES_TOLD]
            uris = [uri_of(Path(repository) / path) for path in named]
            return "mux/reviewChanged", protocol.ReviewChangedParams(uris=uris, more=len(paths) - len(named))


def permission_notification(event: PermissionRequested | PermissionSettled) -> tuple[str, protocol.Shape]:
    """What clients are told of a question and of its end."""
    if isinstance(event, PermissionSettled):
        return "mux/permissionSettled", protocol.PermissionSettledParams(
            id=event.id, task=event.task, answer=event.answer
        )
    asked = permission_shape(event.id, event.task, event.runs, event.request)
    return "mux/permissionRequested", protocol.PermissionRequestedParams(permission=asked)


def permission_shape(
    ask_id: str, task: str, runs: Iterable[str], request: PermissionRequest
) -> protocol.PermissionShape:
    """What an agent asks leave for, made harmless to show."""
    return protocol.PermissionShape(
        id=ask_id,
        task=task,
        runs=list(runs),
        tool=printable(request.tool),
        subject=printable(request.subject),
        title=printable(request.title),
    )


def file_summary(change: FileChange) -> protocol.FileSummary:
    """A changed file in one line."""
    return protocol.FileSummary(
        path=text.shown_path(change.path),
        old_path=change.old_path and text.shown_path(change.old_path),
        change=change.kind.value,
        added=change.lines_added,
        removed=change.lines_removed,
    )


def left_out_path(left: LeftOut) -> protocol.LeftOutPath:
    """What could not be taken."""
    return protocol.LeftOutPath(path=text.shown_path(left.path), reason=left.reason)


def item_range(item: Item, encoding: text.PositionEncoding) -> types.Range:
    """Where an item lands, stands or collides, in the client's units."""
    return lines_range(item.live.lines or (), item.start, item.end, encoding)


def lines_range(lines: Sequence[str], start: int, end: int, encoding: text.PositionEncoding) -> types.Range:
    """The range of the lines `[start, end)`."""
    first, last = text.line_range(lines, start, end, encoding)
    return types.Range(types.Position(*first), types.Position(*last))


def wire_range(range_: types.Range) -> protocol.Range:
    """An LSP range in one of our own shapes."""
    return protocol.Range(
        start=protocol.Position(line=range_.start.line, character=range_.start.character),
        end=protocol.Position(line=range_.end.line, character=range_.end.character),
    )


def review_item(root: Path, item: Item, ways: Iterable[How], encoding: text.PositionEncoding) -> protocol.ReviewItem:
    """A hunk as it stands to a live text, with the ways there are where that is a conflict."""
    change = item.review.change
    return protocol.ReviewItem(
        run=item.review.run,
        agent=item.review.agent,
        path=text.shown_path(change.path),
        old_path=change.old_path and text.shown_path(change.old_path),
        uri=uri_of(root / item.live.path),
        hunk=item.hunk.id if item.hunk else None,
        status=item.status.value,
        reason=item.reason,
        ways=[how.value for how in ways],
        range=wire_range(item_range(item, encoding)),
        removed="".join(item.hunk.removed) if item.hunk else "",
        added="".join(item.hunk.added) if item.hunk else "",
    )
