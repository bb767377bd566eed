"""Compare the runs of a task: ranks, and where they agree and differ. Discarded runs are left out."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Final

from mux_lsp.core import text, variants
from mux_lsp.core.agreement import equal_runs
from mux_lsp.core.sanitize import printable
from mux_lsp.lsp import protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mux_lsp.core.model import ChangeKind, FileChange, Hunk, Run, Task
    from mux_lsp.core.ranking import Ranked
    from mux_lsp.core.variants import Place
    from mux_lsp.engine.ranking.service import Hunks

MAX_PLACES: Final = 200
"""Maximum number of places of one file in an answer."""

MAX_GIST: Final = 80
"""Maximum number of characters of a hunk's first line."""


def compare(
    shape: protocol.TaskShape, task: Task, ranking: Sequence[Ranked], hunks: Hunks
) -> protocol.TaskCompareResult:
    """Return the comparison of a task's runs for clients. Slow the first time. Raises GitError."""
    changed = compared_paths(task)
    told = changed[: protocol.MAX_RUN_FILES]
    return protocol.TaskCompareResult(
        task=shape,
        ranking=[_ranked_run(one) for one in ranking],
        files=_files(task, [one.run for one in ranking], hunks, frozenset(told)),
        more=len(changed) - len(told),
        equal=equal_runs(task.active_runs),
    )


def compared_paths(task: Task) -> list[str]:
    """Return every file that a run of the task changes, by its path in the snapshot."""
    return sorted({change.base_path for run in task.active_runs for change in run.files}, key=os.fsencode)


def gist(hunk: Hunk) -> str:
    """Return the first line of a hunk that is not blank, with its sign, made harmless."""
    for sign, lines in (("+", hunk.added), ("-", hunk.removed)):
        for line in lines:
            words = " ".join(printable(line).split())
            if words:
                return f"{sign} {words if len(words) <= MAX_GIST else f'{words[: MAX_GIST - 1]}…'}"
    return ""


def _ranked_run(one: Ranked) -> protocol.RankedRun:
    judged = one.judged
    agreement = judged.attempt.agreement
    return protocol.RankedRun(
        run=one.run,
        rank=one.rank,
        tied=list(one.tied),
        grade=judged.grade.value,
        reasons=list(one.reasons),
        agreement=agreement.mean,
        shared=agreement.shared,
        sharing=agreement.sharing,
        total=agreement.total,
        fixed=judged.fixed,
        broken=judged.broken,
        lines=judged.lines,
        outside=list(map(text.shown_path, judged.attempt.outside[: protocol.MAX_RUN_FILES])),
        cost_usd=judged.run.cost_usd,
        seconds=judged.seconds,
    )


def _files(task: Task, order: Sequence[str], hunks: Hunks, paths: frozenset[str]) -> list[protocol.ComparedFile]:
    """Return the comparisons of the files with these paths. Runs agree on the hunks of a file wherever they move it."""
    by_path: dict[str, list[tuple[Run, FileChange]]] = {}
    for run in task.active_runs:
        for change in run.files:
            if change.base_path in paths:
                by_path.setdefault(change.base_path, []).append((run, change))
    of = sum(bool(run.files) for run in task.active_runs)
    rank = {run: number for number, run in enumerate(order)}
    return [_file(path, by_path[path], rank, of, hunks) for path in sorted(by_path, key=os.fsencode)]


def _file(
    path: str, changes: Sequence[tuple[Run, FileChange]], rank: Mapping[str, int], of: int, hunks: Hunks
) -> protocol.ComparedFile:
    found = {run.id: hunks.hunks(change) for run, change in changes}
    shared: dict[str, list[str]] = {}
    for run_id, own in found.items():
        for hunk in own:
            shared.setdefault(hunk.id, []).append(run_id)
    renamed: dict[str, list[str]] = {}
    for run, change in changes:
        if change.path != change.base_path:
            renamed.setdefault(text.shown_path(change.path), []).append(run.id)
    best_first = {run_id: found[run_id] for run_id in sorted(found, key=lambda run_id: rank.get(run_id, len(rank)))}
    return protocol.ComparedFile(
        path=text.shown_path(path),
        runs=[run.id for run, _ in changes],
        hunks=shared,
        renamed=renamed,
        changes={run.id: _change(one.kind, one.lines_added, one.lines_removed) for run, one in changes},
        places=[_place(place) for place in variants.places(best_first, of)[:MAX_PLACES]],
    )


@functools.lru_cache(maxsize=1024)
def _change(kind: ChangeKind, added: int | None, removed: int | None) -> protocol.ComparedChange:
    """Return the change of a run to a file. Cached, because many of thousands of changes are alike."""
    return protocol.ComparedChange(change=kind.value, added=added, removed=removed)


def _place(place: Place) -> protocol.ComparedPlace:
    return protocol.ComparedPlace(
        start=place.start,
        end=place.end,
        differs=any(len(variant.runs) < variant.of for variant in place.variants),
        variants=[
            protocol.ComparedVariant(
                hunk=variant.hunk.id,
                runs=list(variant.runs),
                added=len(variant.hunk.added),
                removed=len(variant.hunk.removed),
                gist=gist(variant.hunk),
            )
            for variant in place.variants
        ],
    )


def hunks_of(task: Task, hunks: Hunks, paths: Iterable[str]) -> dict[str, Hunk]:
    """Return the hunks of the files with these paths in the snapshot, by their ids."""
    shown = frozenset(paths)
    return {
        hunk.id: hunk
        for run in task.active_runs
        for change in run.files
        if change.base_path in shown
        for hunk in hunks.hunks(change)
    }
