"""Ids as a person types them: a task is `k3f`, its runs are `k3f-1`, `k3f-2`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.cli.text import listed, visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.cli.client import Client


def is_run(id_: str) -> bool:
    """Whether this is the id of a run rather than of a task."""
    return "-" in id_


def one_run(client: Client, id_: str) -> str:
    """The run that is meant. A task stands for its run where it has one only. Raises UsageError where it has more."""
    if is_run(id_):
        return id_
    task = client.execute("mux.task.get", {"task": id_})["task"]
    runs = [run["id"] for run in task["runs"]]
    if len(runs) == 1:
        return str(runs[0])
    raise UsageError(f"{visible(id_)} has {len(runs)} runs: name one of {listed(runs)}.")
