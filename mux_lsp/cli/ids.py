"""Resolve the ids that a user types: a task is `k3f`, its runs are `k3f-1`, `k3f-2`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.core.phrases import few_of
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.cli.client import DaemonClient


def is_run(id_: str) -> bool:
    """Return whether this is the id of a run rather than of a task."""
    return "-" in id_


def meant(client: DaemonClient, typed: str) -> str:
    """Resolve the id of a task or run, or the unique beginning of a task's id.

    Raises UsageError, with suggestions, if there is no such task or run.
    """
    return str(client.execute("mux.id.find", {"id": typed})["id"])


def one_run(client: DaemonClient, typed: str) -> str:
    """Resolve the id of a run, or of a task with a single run. Raises UsageError if the task has several runs."""
    id_ = meant(client, typed)
    if is_run(id_):
        return id_
    task = client.execute("mux.task.get", {"task": id_})["task"]
    runs = [run["id"] for run in task["runs"]]
    if len(runs) == 1:
        return str(runs[0])
    raise UsageError(f"{visible(id_)} has {len(runs)} runs: name one of {few_of(runs)}.")
