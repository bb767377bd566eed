"""Review the results of runs: their hunks, their rejections, and the runs that compete for a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.engine.state.events import ReviewChanged
from mux_lsp.engine.state.path_index import affected_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mux_lsp.core.model import FileChange, Run
    from mux_lsp.engine.repository.registry import RepositoryStores
    from mux_lsp.engine.review.history import History
    from mux_lsp.engine.review.hunks import HunkCache
    from mux_lsp.engine.review.rejections import Rejections
    from mux_lsp.engine.review.results import ResultReader
    from mux_lsp.engine.review.transactions import Transactions
    from mux_lsp.engine.state.clients import Clients
    from mux_lsp.engine.state.events import Event
    from mux_lsp.engine.state.registry import TaskRegistry
    from mux_lsp.store.pending_accepts import Accepted

    FoundRuns = list[tuple[Run, FileChange]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewService:
    """Services that selecting, accepting and rejecting need. Lives on one event loop."""

    registry: TaskRegistry
    repositories: RepositoryStores
    results: ResultReader
    rejected: Rejections
    history: History
    transactions: Transactions
    clients: Clients
    best_first: Callable[[FoundRuns], FoundRuns]
    """Sorts the runs of each task by rank."""
    emit: Callable[[Event], None]

    def hunks(self, root: Path) -> HunkCache:
        """Return the cache of hunks of a repository's results."""
        return self.results.hunks(root)

    def rejections(self, run_id: str, path: str) -> frozenset[str]:
        """Return the rejection keys (`Item.rejection_key`) of a file."""
        return self.rejected.get(run_id, path)

    def reject(self, run_id: str, path: str, hunks: frozenset[str]) -> None:
        """Record that the person rejected these hunks, by their rejection keys."""
        self.reject_all({(run_id, path): hunks})

    def reject_all(self, named: Mapping[tuple[str, str], frozenset[str]]) -> None:
        """Record rejections in several files, by run and path, in one transaction."""
        self.rejected.add(named)
        paths: dict[str, set[str]] = {}
        for run_id, path in named:
            paths.setdefault(run_id, set()).add(path)
        for run_id, of_run in paths.items():
            run = self.registry.run(run_id)
            self.emit(ReviewChanged(self.registry.task(run.task).repository, affected_paths(run, of_run)))

    def on_accepted(self, accepted: Accepted) -> None:
        """Follow up on a recorded accept: drop the rejections that it takes back, and announce the changed review."""
        self.rejected.forget_hunks(accepted.run, accepted.unrejected)
        if (run := self.registry.find_run(accepted.run)) is not None:
            repository = self.registry.task(run.task).repository
            self.emit(ReviewChanged(repository, affected_paths(run, accepted.chosen)))

    def runs_at(self, file: Path) -> FoundRuns:
        """Return the active runs that change a file: the newest task first, and in each task the best run first."""
        return self.best_first(self.registry.runs_at(file))
