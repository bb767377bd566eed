"""Find the processes that runs have started in the system's process table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome


def processes_of_runs(home: IsolatedHome) -> list[psutil.Process]:
    """Return the living processes marked with a run of this home: supervisors, agents, checks."""
    return [process for process in psutil.process_iter() if _belongs(process, str(home.folder))]


def heads(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that no other one of these has started: one for each agent or check."""
    return [process for process in processes if process.ppid() not in {one.pid for one in processes}]


def _belongs(process: psutil.Process, folder: str) -> bool:
    try:
        marked = process.environ().get("MUX_WORKTREE", "").startswith(folder)
        return marked and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
