"""Where the runs of a task agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.core import text
from mux_lsp.lsp import protocol

if TYPE_CHECKING:
    from collections.abc import Hashable

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.reviews import Reviews


def compared_files(task: Task, reviews: Reviews, paths: frozenset[str] | None = None) -> list[protocol.ComparedFile]:
    """Every file that a run of the task changes, or those of these paths, with the runs that share each hunk.

    A file goes by its path in the snapshot, so that runs agree on its hunks wherever they move it.
    """
    files: dict[str, protocol.ComparedFile] = {}
    for run in task.runs:
        for change in run.files:
            if paths is not None and change.base_path not in paths:
                continue
            path = text.shown_path(change.base_path)
            compared = files.setdefault(path, protocol.ComparedFile(path=path, runs=[], hunks={}, renamed={}))
            compared.runs.append(run.id)
            if change.path != change.base_path:
                compared.renamed.setdefault(text.shown_path(change.path), []).append(run.id)
            for hunk in reviews.of(run, change).hunks:
                compared.hunks.setdefault(hunk.id, []).append(run.id)
    return [files[path] for path in sorted(files)]


def equal_runs(task: Task) -> list[list[str]]:
    """The runs whose whole results are the same, in groups."""
    results: dict[tuple[Hashable, ...], list[str]] = {}
    for run in task.runs:
        if run.files:
            results.setdefault(_result(run), []).append(run.id)
    return [runs for runs in results.values() if len(runs) > 1]


def _result(run: Run) -> tuple[Hashable, ...]:
    return tuple((one.paths, one.new_object, one.new_mode) for one in run.files)
