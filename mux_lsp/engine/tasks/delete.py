"""Delete tasks and runs from the journal, with their logs and results."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.engine.runs import sync_base
from mux_lsp.engine.tasks.unfinished import Unfinished
from mux_lsp.errors import StorageError, UsageError
from mux_lsp.faults import fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.tasks.parts import TaskParts


async def delete(parts: TaskParts, id_: str) -> tuple[str, ...]:
    """Delete a task with its runs, or one run: journal, logs and results. Returns the ids of the runs.

    Raises UsageError if one of them has not ended.
    """
    await parts.runs.settled(*(run.id for run in parts.registry.resolve_runs(id_)[1]))
    # From here until the journal is changed nothing is awaited, so that nobody can begin one of these runs meanwhile.
    task, doomed = parts.registry.resolve_runs(id_)
    for run in doomed:
        if not run.state.ended:
            raise UsageError(f"{run.id} is still {run.state}; cancel it first: `mux-lsp cancel {run.id}`.")
    return await forget(parts, task, doomed)


async def forget(parts: TaskParts, task: Task, doomed: Sequence[Run]) -> tuple[str, ...]:
    """Delete runs of a task that have ended, from the journal first. Returns their ids."""
    ids = tuple(run.id for run in doomed)
    whole = len(doomed) == len(task.runs)
    renewals = [sync_base.snapshot_name(run.id, turn) for run in doomed for turn in range(1, run.turn + 1)]
    names = (*ids, *renewals, *([task.id] if whole else []))
    going = ids[0] if ids else task.id
    with contextlib.suppress(StorageError):  # deleting frees the disk space that this record needs
        parts.unfinished.expect(going, Unfinished(task.repository, names))
    parts.registry.remove(task, doomed)
    if whole:
        parts.queue.forget(task.id)
    parts.rejected.forget(ids)
    room = parts.repositories.get(Path(task.repository))
    if whole:
        await parts.checks.forget(task.id)
    # Folders come first: on a full disk, deleting them frees the space that the rest needs.
    for run_id in ids:
        await asyncio.to_thread(shutil.rmtree, parts.ground.files.run_folder(run_id), ignore_errors=True)
        fault("delete.folder_gone")
    if await parts.refs.delete(room, names):
        parts.unfinished.done(going)
    return ids
