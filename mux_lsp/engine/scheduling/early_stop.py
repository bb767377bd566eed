"""Decide when enough runs of a task agree, so that the remaining ones can be cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.core.agreement import equal_runs
from mux_lsp.core.model import CheckState, RunState

if TYPE_CHECKING:
    from mux_lsp.core.model import Run, Task


def consensus_reason(task: Task) -> str | None:
    """Return the reason why no other run of the task is needed, in words; None if more are needed.

    Only runs count that have finished with a change, pass every check, and have the same result. A check counts once
    its baseline is known.
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
