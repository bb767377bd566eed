"""Compare the checks of a run's result with the baseline of its snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mux_lsp.core.model import Snapshot
from mux_lsp.engine.checks.runner import compare_to_baseline

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.core.model import Run
    from mux_lsp.engine.checks.runner import Baseline
    from mux_lsp.engine.repository.registry import RepositoryStore


def restored_folder(run_folder: Path) -> Path:
    """Return the folder for the output of checks on the result with protected files restored."""
    return run_folder / "restored"


def tell_apart(run: Run, run_folder: Path, baseline: Baseline) -> Run:
    """Return the run with its checks compared to the baseline. For use in a thread."""
    return replace(
        run,
        checks=compare_to_baseline(run.checks, run_folder, baseline),
        restored_checks=compare_to_baseline(run.restored_checks, restored_folder(run_folder), baseline),
    )


def base_of(room: RepositoryStore, run: Run, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot that a run's result is compared with: the task's, or the one it was last brought up to.
    Raises GitError if the store has lost it. For use in a thread.
    """
    if run.base is None or run.base == snapshot.commit:
        return snapshot
    return Snapshot(run.base, room.shadow.tree_of(run.base), room.shadow.parent_of(run.base))
