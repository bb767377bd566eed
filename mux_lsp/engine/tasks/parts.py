"""Collect the services that operations on tasks use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mux_lsp.core.model import Run
    from mux_lsp.engine.checks.service import CheckService
    from mux_lsp.engine.repository.ref_cleanup import RefCleanup
    from mux_lsp.engine.repository.registry import RepositoryStore, RepositoryStores
    from mux_lsp.engine.repository.setup import SetupRegistry
    from mux_lsp.engine.repository.trust import Trust
    from mux_lsp.engine.review.rejections import Rejections
    from mux_lsp.engine.review.results import ResultReader
    from mux_lsp.engine.runs.permissions import PermissionService
    from mux_lsp.engine.runs.supervisor import RunSupervisor
    from mux_lsp.engine.scheduling.budget import Budget
    from mux_lsp.engine.scheduling.queue import Queue
    from mux_lsp.engine.state.foundation import Foundation
    from mux_lsp.engine.state.registry import TaskRegistry
    from mux_lsp.engine.tasks.unfinished import UnfinishedWork


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskParts:
    """The services that starting, continuing and deleting tasks share."""

    ground: Foundation
    registry: TaskRegistry
    repositories: RepositoryStores
    setups: SetupRegistry
    refs: RefCleanup
    trust: Trust
    results: ResultReader
    rejected: Rejections
    queue: Queue
    budget: Budget
    checks: CheckService
    permissions: PermissionService
    runs: RunSupervisor
    unfinished: UnfinishedWork

    def store_of(self, run: Run) -> RepositoryStore:
        """Return the store of a run's repository."""
        return self.repositories.get(Path(self.registry.task(run.task).repository))
