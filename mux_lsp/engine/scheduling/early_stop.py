"""When enough attempts agree: those that are left can be spared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.core.agreement import equal_runs
from mux_lsp.core.model import CheckState, RunState

if TYPE_CHECKING:
    from mux_lsp.core.model import Run, Task


def consensus_reason(task: Task) -> str | None:
    """Why no other run of the task is needed, in words; None where that is not so.

    Those count that have finished, pass every check as it counts, and have changed something: all of them the same. How
    a check counts is known when it is known how it goes on the snapshot.
    """
    if task.stop_after is None or task.ended:
        return None
    good = [run for run in task.active_runs if _is_good(run)]
    groups = [[run.id] for run in good] if task.stop_after == 1 else equal_runs(good)
    for group in groups:
        if len(group) >= task.stop_after:
            words = "has a good result" if len(group) == 1 else "have the same good result"
            return f"enough: {', '.join(group)} {words}"
    return None


def _is_good(run: Run) -> bool:
    passed = all(
        check.state is CheckState.PASSED and check.baseline_state is not None for check in run.effective_checks
    )
    return run.state is RunState.FINISHED and bool(run.files) and passed
