"""Open and close the engine, the facade that lsp and the daemon see: tasks and runs of every repository, for every
client.

It hands out the services that do the work. Of their methods it wraps only those that the daemon calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.core.grading import Weights
from mux_lsp.engine.checks.service import CheckService
from mux_lsp.engine.checks.trial import sweep
from mux_lsp.engine.ranking.llm_judge import LlmJudge
from mux_lsp.engine.ranking.service import Rankings
from mux_lsp.engine.repository.ref_cleanup import RefCleanup
from mux_lsp.engine.repository.registry import RepositoryStores
from mux_lsp.engine.repository.setup import SetupRegistry
from mux_lsp.engine.repository.trust import Trust
from mux_lsp.engine.review.history import History
from mux_lsp.engine.review.rejections import Rejections
from mux_lsp.engine.review.results import ResultReader
from mux_lsp.engine.review.select import applied_by
from mux_lsp.engine.review.service import ReviewService
from mux_lsp.engine.review.transactions import Transactions
from mux_lsp.engine.runs.log import LogReader
from mux_lsp.engine.runs.output import Outputs
from mux_lsp.engine.runs.permissions import JournalPermissionStore, PermissionService
from mux_lsp.engine.runs.supervisor import RunSupervisor
from mux_lsp.engine.scheduling.budget import Budget
from mux_lsp.engine.scheduling.queue import Queue
from mux_lsp.engine.state.clients import Clients
from mux_lsp.engine.state.clock import Clock
from mux_lsp.engine.state.foundation import opened
from mux_lsp.engine.state.registry import TaskRegistry
from mux_lsp.engine.tasks import delete
from mux_lsp.engine.tasks.discard import Discards
from mux_lsp.engine.tasks.parts import TaskParts
from mux_lsp.engine.tasks.service import TaskService
from mux_lsp.engine.tasks.unfinished import UnfinishedWork
from mux_lsp.engine.verify.service import VerifyService, roots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from mux_lsp.engine.state.events import Event
    from mux_lsp.engine.state.foundation import Foundation
    from mux_lsp.store.pending_accepts import Accepted

WORKERS: Final = 32
"""Maximum number of threads for git and disk access."""


class Engine:
    """The daemon's services, independent of LSP. Use it on one event loop. `open` yields a complete one."""

    def __init__(self, ground: Foundation, transactions: Transactions) -> None:
        files, emit, spawn = ground.files, ground.events.emit, ground.background.spawn
        self.files = files
        self.configuration = settings = ground.configuration
        self.notices = ground.notices
        self.background = ground.background
        self.clients = Clients()
        self._ground = ground
        journal = ground.journal
        self.registry = TaskRegistry(journal, emit, ground.clock)
        self.repositories = RepositoryStores(files.repositories, lambda: settings.current.key_variables)
        setups, refs, unfinished = SetupRegistry(), RefCleanup(), UnfinishedWork(files.unfinished)
        results = ResultReader(self.repositories)
        self.permissions = PermissionService(
            emit,
            JournalPermissionStore(lambda: settings.current, journal, self.registry),
            lambda: settings.current.permissions.timeout_seconds,
        )
        self.queue = Queue(self.registry, emit)
        self.checks = CheckService(
            self.registry, self.repositories, setups, lambda: settings.current.runs, files.run_folder, spawn
        )
        self.outputs = Outputs(files.runs, emit, lambda: settings.current.runs.output_bytes)
        self.runs = RunSupervisor(
            ground=ground,
            registry=self.registry,
            repositories=self.repositories,
            setups=setups,
            refs=refs,
            results=results,
            queue=self.queue,
            checks=self.checks,
            outputs=self.outputs,
            permissions=self.permissions,
        )
        self.budget = Budget(self.registry, emit, self.runs.end, settings.file)
        self.budget.load(journal.spending())
        self.registry.spent = self.budget.spent
        self.rankings = Rankings(
            self.registry.find_task,
            results.hunks,
            lambda: Weights(**settings.current.ranking.model_dump()),
            emit,
            spawn,
        )
        judge = LlmJudge(
            files.opinions,
            lambda: settings.current,
            self.rankings,
            results.patch,
            self.budget.check_spending,
            self.registry.charge,
            spawn,
        )
        self.trust = Trust(journal, settings.reload)
        self.history = History(journal, self.registry.task, self.registry.run)
        self.transactions = transactions
        self.review = ReviewService(
            registry=self.registry,
            repositories=self.repositories,
            results=results,
            rejected=Rejections(journal, (run.id for run in self.registry.runs)),
            history=self.history,
            transactions=self.transactions,
            clients=self.clients,
            best_first=self.rankings.best_first,
            emit=emit,
        )
        self.verify = VerifyService(
            registry=self.registry,
            repositories=self.repositories,
            setups=setups,
            trust=self.trust,
            baselines=self.checks,
            clients=self.clients,
            settings=lambda: settings.current.runs,
            spawn=spawn,
            emit=emit,
        )
        self.logs = LogReader(self.registry, self.repositories, self.checks, files, self.subscribe)
        self._parts = TaskParts(
            ground=ground,
            registry=self.registry,
            repositories=self.repositories,
            setups=setups,
            refs=refs,
            trust=self.trust,
            results=results,
            rejected=self.review.rejected,
            queue=self.queue,
            budget=self.budget,
            checks=self.checks,
            permissions=self.permissions,
            runs=self.runs,
            unfinished=unfinished,
        )
        self.discards = Discards(
            self.registry,
            free=self.runs.free,
            forget=functools.partial(delete.forget, self._parts),
            days=lambda: settings.current.runs.retention_days,
            spawn=spawn,
        )
        self.tasks = TaskService(self._parts, self.discards, self.rankings)
        for listener in (self.budget.on_event, self.rankings.on_event, judge.on_event, self.runs.on_event):
            self.subscribe(listener)
        settings.apply(self.queue.configure)
        settings.apply(lambda now: self.budget.configure(now.limits))
        settings.apply(lambda _: self.discards.configured())

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, state: Path, config_file: Path, clock: Clock | None = None) -> AsyncIterator[Engine]:
        """Read the settings and the journal, recover the work of an earlier daemon, and close everything at the end.

        At the end, agents whose runs are not over keep working, and the next daemon adopts them. Raises MuxError.
        """
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS, thread_name_prefix="engine"))
        async with opened(state, config_file, clock or Clock()) as ground:
            transactions = Transactions(ground.journal, state, ground.notices.add, ground.background.spawn)
            # This comes before anything else is read from the journal: recovering an interrupted accept changes its
            # contents.
            await transactions.recover(map(Path, ground.journal.repositories()))
            engine = cls(ground, transactions)
            try:
                await engine._recover()
                yield engine
            finally:
                await engine._close()

    async def _recover(self) -> None:
        """Recover the work of an earlier daemon."""
        await self._ground.report_loss({run.id for run in self.registry.runs})
        self.transactions.serve(self.history, functools.partial(applied_by, self.review), self._on_accepted)
        self.background.spawn(self.outputs.pump())
        tasks = self.registry.tasks
        verified = await asyncio.to_thread(roots, self.files.repositories)
        for root in {*(task.repository for task in tasks()), *map(str, verified)}:
            used = {run.worktree for task in tasks(Path(root)) for run in task.runs if run.worktree}
            await sweep(self.repositories.get(Path(root)), used)
        for place in verified:
            await self.verify.recover(place)
        await self._parts.unfinished.clear(self._ground.journal.ids(), self.repositories.get, self.files.run_folder)
        self.queue.recover(tasks())
        self.checks.recover()
        self.runs.recover()
        self.budget.enforce()
        for task in tasks():
            self.runs.end_unneeded(task)
        self.background.spawn(self.discards.recover())

    async def _close(self) -> None:
        self.discards.close()
        self.transactions.close()
        await self.background.close()
        await self.rankings.close()
        self.repositories.close()

    def _on_accepted(self, accepted: Accepted) -> None:
        self.review.on_accepted(accepted)
        self.discards.on_recorded(accepted.discard, accepted.discarded)

    # Used by the daemon

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on. Returns a function that ends this."""
        return self._ground.events.subscribe(listener)

    def busy(self) -> bool:
        """Return whether a run has not ended, or checks are running.

        Queued runs of paused tasks do not count: they would wait in the next daemon too.
        """
        return self.registry.busy() or self.checks.busy or self.verify.busy

    def can_hand_over(self) -> bool:
        """Return whether another daemon can take over now. Always true: command agents are processes of their own."""
        return True

    def status(self) -> dict[str, object]:
        """Return the numbers of tasks, runs and unfinished runs. Cheap."""
        return self.registry.status()

    def starter(self, names: Iterable[str]) -> str | None:
        """See `RunSupervisor.starter`."""
        return self.runs.starter(names)

    def sessions(self) -> dict[int, str]:
        """See `RunSupervisor.sessions`."""
        return self.runs.sessions()
