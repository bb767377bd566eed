"""Convert the types of the core to those of the wire, and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core import text
from mux_lsp.core.sanitize import exact, printable
from mux_lsp.engine.state.events import (
    LimitReached,
    PermissionRequested,
    PermissionSettled,
    QueueChanged,
    ReviewChanged,
    RunChanged,
    RunOutput,
    TaskChanged,
    VerdictChanged,
)
from mux_lsp.engine.state.run_summary import NO_SUMMARY, RunSummary
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire.documents import uri_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mux_lsp.core.model import Check, FileChange, LeftOut, Run, Task
    from mux_lsp.core.permissions import PermissionRequest
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.resolutions import AcceptMode
    from mux_lsp.engine.state.events import Told
    from mux_lsp.engine.state.verdict import Verdict

    Standings = Callable[[Run], RunSummary]
    """Return the engine's summary of a run: `TaskService.summary`."""


def run_shape(
    run: Run, standing: RunSummary = NO_SUMMARY, most: int | None = protocol.MAX_RUN_FILES
) -> protocol.RunShape:
    """Return a run for clients, with at most `most` of its files; all of them for None."""
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
        result=run.result,
        checks=[check_result(check) for check in run.checks],
        tampered=list(map(text.shown_path, run.tampered)),
        restored_checks=[check_result(check) for check in run.restored_checks],
        left_out=[left_out_path(left) for left in run.left_out],
        worktree=run.worktree,
        exit_status=run.exit_status,
        cost_usd=run.cost_usd,
        tokens=run.tokens,
        started=run.started,
        # An older version recorded ends before their beginnings if the clock was set back.
        finished=None if run.finished is None else max(run.finished, run.started or 0.0),
        discarded=run.discarded,
        kept_until=standing.kept_until,
        queue_place=standing.queue_place,
        rank=standing.rank,
        tied=list(standing.tied),
        reasons=list(standing.reasons),
    )


def check_result(check: Check) -> protocol.CheckResult:
    """Return a check's result for clients."""
    tests = None
    if check.tests is not None:
        names = {
            "names_passing": list(map(printable, check.tests.names_passing)),
            "names_failing": list(map(printable, check.tests.names_failing)),
        }
        tests = protocol.TestsShape(**{**dataclasses.asdict(check.tests), **names})
    return protocol.CheckResult(
        command=check.command,
        state=check.state.value,
        exit_status=check.exit_status,
        seconds=check.seconds,
        baseline_state=None if check.baseline_state is None else check.baseline_state.value,
        tests=tests,
    )


def verdict_shape(verdict: Verdict, *, stale: bool) -> protocol.VerdictShape:
    """Return a verdict for clients."""
    return protocol.VerdictShape(
        repository=uri_of(Path(verdict.repository)),
        passed=verdict.passed,
        checks=[check_result(check) for check in verdict.checks],
        run=verdict.run,
        hunks=list(verdict.hunks),
        paths=list(map(text.shown_path, verdict.paths)),
        left_out=[left_out_path(left) for left in verdict.left_out],
        at=verdict.at,
        seconds=verdict.seconds,
        stale=stale,
    )


def task_shape(task: Task, standings: Standings) -> protocol.TaskShape:
    """Return a task for clients."""
    costs = [run.cost_usd for run in task.runs if run.cost_usd is not None]
    tokens = [run.tokens for run in task.runs if run.tokens is not None]
    return protocol.TaskShape(
        id=task.id,
        prompt=task.prompt,
        state="ended" if task.ended else "running",
        repository=uri_of(Path(task.repository)),
        snapshot=task.snapshot.commit if task.snapshot else None,
        left_out=[left_out_path(left) for left in (task.snapshot.left_out if task.snapshot else ())],
        created=task.created,
        notices=list(map(printable, task.notices)),
        setup=list(task.setup.commands),
        baseline=[check_result(check) for check in task.baseline],
        priority=task.priority,
        paused=task.paused,
        stop_after=task.stop_after,
        parent=task.parent,
        max_cost_usd=task.max_cost_usd,
        max_tokens=task.max_tokens,
        cost_usd=sum(costs) if costs else None,
        tokens=sum(tokens) if tokens else None,
        runs=[run_shape(run, standings(run)) for run in task.runs],
    )


def notification(  # noqa: PLR0911 - one an event
    event: Told, standings: Standings, uri: Callable[[Path], str]
) -> tuple[str, protocol.Shape]:
    """Return the notification of an event: its method and parameters. `uri` names files like the client."""
    match event:
        case TaskChanged(task=task, deleted=deleted):
            return "mux/taskChanged", protocol.TaskChangedParams(task=task_shape(task, standings), deleted=deleted)
        case RunChanged(run=run, previous=previous):
            shape = run_shape(run, standings(run))
            return "mux/runChanged", protocol.RunChangedParams(run=shape, previous=previous.value)
        case RunOutput(run=run_id, stream=stream, offset=offset, text=printed):
            return "mux/runOutput", protocol.RunOutputParams(run=run_id, stream=stream, offset=offset, text=printed)
        case PermissionRequested() | PermissionSettled():
            return permission_notification(event)
        case QueueChanged() | LimitReached():
            return schedule_notification(event)
        case VerdictChanged(verdict=verdict, stale=stale):
            return "mux/verdictChanged", protocol.VerdictChangedParams(verdict=verdict_shape(verdict, stale=stale))
        case ReviewChanged(repository=repository, paths=paths):
            named = sorted(paths)[: protocol.MAX_RUN_FILES]
            uris = [uri(Path(repository) / path) for path in named]
            return "mux/reviewChanged", protocol.ReviewChangedParams(uris=uris, more=len(paths) - len(named))


def schedule_notification(event: QueueChanged | LimitReached) -> tuple[str, protocol.Shape]:
    """Return the notification of an event that holds runs up: a changed queue or a reached limit."""
    if isinstance(event, QueueChanged):
        told = list(event.runs[: protocol.MAX_TASK_RUNS])
        return "mux/queueChanged", protocol.QueueChangedParams(runs=told, more=len(event.runs) - len(told))
    of = uri_of(Path(event.of)) if event.scope == "repository" and event.of is not None else event.of
    return "mux/limitReached", protocol.LimitReachedParams(
        scope=event.scope,
        of=of,
        unit=event.unit.value,
        spent=event.spent,
        most=event.most,
        stopped=event.stopped,
        message=printable(event.message),
    )


def permission_notification(event: PermissionRequested | PermissionSettled) -> tuple[str, protocol.Shape]:
    """Return the notification of a permission question or of its end."""
    if isinstance(event, PermissionSettled):
        return "mux/permissionSettled", protocol.PermissionSettledParams(
            id=event.id, task=event.task, answer=event.answer
        )
    asked = permission_shape(event.id, event.task, event.runs, event.request)
    return "mux/permissionRequested", protocol.PermissionRequestedParams(permission=asked)


def permission_shape(
    ask_id: str, task: str, runs: Iterable[str], request: PermissionRequest
) -> protocol.PermissionShape:
    """Return a permission question with its words made harmless to show."""
    return protocol.PermissionShape(
        id=ask_id,
        task=task,
        runs=list(runs),
        tool=exact(request.tool),
        subject=exact(request.subject),
        title=exact(request.title),
    )


def file_summary(change: FileChange) -> protocol.FileSummary:
    """Return the summary of a changed file."""
    return protocol.FileSummary(
        path=text.shown_path(change.path),
        old_path=change.old_path and text.shown_path(change.old_path),
        change=change.kind.value,
        added=change.lines_added,
        removed=change.lines_removed,
    )


def left_out_path(left: LeftOut) -> protocol.LeftOutPath:
    """Return a path that was left out, with the reason."""
    return protocol.LeftOutPath(path=text.shown_path(left.path), reason=left.reason)


def item_range(item: Item, encoding: text.PositionEncoding) -> types.Range:
    """Return the range where an item lands, is applied or collides, in the client's units."""
    return lines_range(item.live.lines or (), item.start, item.end, encoding)


def lines_range(lines: Sequence[str], start: int, end: int, encoding: text.PositionEncoding) -> types.Range:
    """Return the range of the lines `[start, end)`."""
    first, last = text.line_range(lines, start, end, encoding)
    return types.Range(types.Position(*first), types.Position(*last))


def wire_range(range_: types.Range) -> protocol.Range:
    """Convert an LSP range to the protocol's type."""
    return protocol.Range(
        start=protocol.Position(line=range_.start.line, character=range_.start.character),
        end=protocol.Position(line=range_.end.line, character=range_.end.character),
    )


def review_item(
    root: Path, item: Item, ways: Iterable[AcceptMode], encoding: text.PositionEncoding
) -> protocol.ReviewItem:
    """Return an item with its status on the live text, and the given modes as its resolutions."""
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
        resolutions=[how.value for how in ways],
        range=wire_range(item_range(item, encoding)),
        removed="".join(item.hunk.removed) if item.hunk else "",
        added="".join(item.hunk.added) if item.hunk else "",
    )
