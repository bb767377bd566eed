"""Compare the checks of a run's result with those of the snapshot that it started from."""

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
    """Where the output is of checks that were run with restored judges."""
    return run_folder / "restored"


def tell_apart(run: Run, run_folder: Path, baseline: Baseline) -> Run:
    """A run with its checks told apart from how they go on the snapshot. For use in a thread."""
    return replace(
        run,
        checks=compare_to_baseline(run.checks, run_folder, baseline),
        restored_checks=compare_to_baseline(run.restored_checks, restored_folder(run_folder), baseline),
    )


def base_of(room: RepositoryStore, run: Run, snapshot: Snapshot) -> Snapshot:
    """What the result of a run is compared with: the task's snapshot, or what it was last brought up to. For use in a
    thread. Raises GitError where the store has lost it.
    """
    if run.base is None or run.base == snapshot.commit:
        return snapshot
    return Snapshot(run.base, room.shadow.tree_of(run.base), room.shadow.parent_of(run.base))
