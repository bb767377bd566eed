"""Provide the checks of each task, compute baselines, and compare the results of runs with them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mux_lsp import descriptors
from mux_lsp.core.model import Check, CheckState
from mux_lsp.engine.checks.baseline import Baselines, path_for, was_interrupted
from mux_lsp.engine.checks.comparison import base_of, restored_folder, tell_apart
from mux_lsp.engine.checks.runner import check_folder
from mux_lsp.engine.checks.trial import CheckPlan, Trial
from mux_lsp.errors import MuxError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mux_lsp.config import RunsSection
    from mux_lsp.core.model import Run, Snapshot, Task
    from mux_lsp.engine.checks.runner import Baseline
    from mux_lsp.engine.repository.registry import RepositoryStore, RepositoryStores
    from mux_lsp.engine.repository.setup import SetupRegistry
    from mux_lsp.engine.state.registry import TaskRegistry

log = logging.getLogger(__name__)

CheckTarget = Literal["result", "restored", "snapshot"]
"""The tree that a check ran on: the run's result, the result with protected files restored, or the snapshot."""


class CheckService:
    """The check plan of every task, its baselines, and the comparison of results with them.

    `run_folder` returns the folder of a run's files, `spawn` runs a coroutine until the daemon ends.
    """

    def __init__(  # noqa: PLR0913, PLR0917  (its collaborators)
        self,
        book: TaskRegistry,
        rooms: RepositoryStores,
        setups: SetupRegistry,
        settings: Callable[[], RunsSection],
        run_folder: Callable[[str], Path],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    ) -> None:
        self._book = book
        self._rooms = rooms
        self._setups = setups
        self._settings = settings
        self._run_folder = run_folder
        self._spawn = spawn
        self.places = asyncio.Semaphore(descriptors.at_once(descriptors.CHECK, settings().checks_at_once))
        """Limit on the number of worktrees that are checked at once."""
        self._baselines = Baselines(self._trial_of, spawn, lambda room: spawn(self._publish_all(room)))

    @property
    def busy(self) -> bool:
        """True if a snapshot is being checked."""
        return self._baselines.busy

    def plan_of(self, task: Task) -> CheckPlan:
        """Return the checks of a task's runs and what they need."""
        seconds = task.check_seconds or self._settings().check_timeout_seconds
        return CheckPlan(task.checks, task.folder, task.setup, seconds)

    def begin(self, task: Task, run: Run) -> None:
        """Have the baseline of a run that begins computed, unless it is known. May be called again for the same run."""
        if not task.checks or task.snapshot is None:
            return
        if run.base in {None, task.snapshot.commit}:
            self._want(task, task.snapshot)
        else:
            self._spawn(self._want_other(task, run, task.snapshot))

    def recover(self) -> None:
        """Resume the work of a killed daemon."""
        for task in self._book.tasks():
            if task.checks and task.ended and task.snapshot is not None and not _is_known(task):
                room = self._rooms.get(Path(task.repository))
                if was_interrupted(room, self.plan_of(task), task.snapshot.tree):
                    self._baselines.want(room, self.plan_of(task), task.snapshot, task.id)
                self._publish(task)

    def ended(self, task: Task) -> None:
        """Handle the end of a run. If no run of the task has checks to compare, its baseline is not needed."""
        if task.ended and not any(run.checks for run in task.runs):
            self._baselines.leave(task.id)

    async def forget(self, task_id: str) -> None:
        """Handle the deletion of a task: wait until nothing works for it."""
        self._baselines.leave(task_id)
        await self._baselines.settle()

    async def baseline_of(self, root: Path, checks: tuple[str, ...]) -> Baseline | None:
        """Return the baseline of the newest task in a repository that has these checks, if it is known."""
        tasks = [task for task in self._book.tasks(root) if task.checks == checks and task.snapshot is not None]
        if not tasks or tasks[-1].snapshot is None:
            return None
        return await self._baselines.find(self._rooms.get(root), self.plan_of(tasks[-1]), tasks[-1].snapshot.tree)

    async def annotate_run(self, run_id: str) -> None:
        """Compare the checks of a run with the baseline, if that is known."""
        run = self._book.run(run_id)
        task = self._book.task(run.task)
        if not run.checks or task.snapshot is None:
            return
        room = self._rooms.get(Path(task.repository))
        base = await asyncio.to_thread(base_of, room, run, task.snapshot)
        baseline = self._baselines.get(room, self.plan_of(task), base.tree)
        if baseline is None:
            return
        told = await asyncio.to_thread(tell_apart, run, self._run_folder(run_id), baseline)
        try:
            now = self._book.run(run_id)
        except UsageError:
            return  # the run was deleted meanwhile
        # Checks that have changed meanwhile are compared when they are done.
        if (now.checks, now.restored_checks) == (run.checks, run.restored_checks):
            self._book.advance(run_id, checks=told.checks, restored_checks=told.restored_checks)

    async def output_of(self, run: Run, number: int, on: CheckTarget) -> Path:
        """Return the folder with a check's output. Raises UsageError if there is no such check."""
        task = self._book.task(run.task)
        checks = {"result": run.checks, "restored": run.restored_checks, "snapshot": task.checks}[on]
        if number >= len(checks):
            what = {"result": "", "restored": " with restored files", "snapshot": " on the snapshot"}[on]
            raise UsageError(
                f"{run.id} has no check with the number {number + 1}{what}; `mux-lsp show {run.id}` lists them."
            )
        folder = self._run_folder(run.id)
        if on == "restored":
            folder = restored_folder(folder)
        elif on == "snapshot" and task.snapshot is not None:
            room = self._rooms.get(Path(task.repository))
            base = await asyncio.to_thread(base_of, room, run, task.snapshot)
            folder = path_for(room, self.plan_of(task), base.tree)
        return check_folder(folder, number)

    def _want(self, task: Task, base: Snapshot) -> None:
        room, terms = self._rooms.get(Path(task.repository)), self.plan_of(task)
        self._baselines.want(room, terms, base, task.id)
        self._publish(task)

    async def _want_other(self, task: Task, run: Run, snapshot: Snapshot) -> None:
        try:
            self._want(task, await asyncio.to_thread(base_of, self._rooms.get(Path(task.repository)), run, snapshot))
        except MuxError as error:
            log.warning("the baseline of %s could not be determined: %s", run.id, error)

    def _trial_of(self, room: RepositoryStore, terms: CheckPlan, snapshot: Snapshot, name: str) -> Trial:
        return Trial(
            name=name,
            room=room,
            setups=self._setups.get(room),
            terms=terms,
            snapshot=snapshot,
            base=snapshot.commit,
            output=path_for(room, terms, snapshot.tree),
            settings=self._settings(),
            places=self.places,
            cancelled=asyncio.Event(),
            on_event=lambda _: None,
        )

    def _publish(self, task: Task) -> None:
        """Update a task's `baseline` field with what is known of it."""
        try:
            self._tell_now(task)
        except MuxError as error:
            # A run must not count as not started because this could not be journalled.
            log.warning("the baseline of %s could not be recorded: %s", task.id, error)

    def _tell_now(self, task: Task) -> None:
        if task.snapshot is None:
            return
        room, terms = self._rooms.get(Path(task.repository)), self.plan_of(task)
        known = self._baselines.get(room, terms, task.snapshot.tree)
        if known is not None:
            self._book.change_task(task.id, "baseline", baseline=known.checks)
        elif not _is_known(task):
            at_work = self._baselines.is_at_work(room, terms, task.snapshot.tree)
            running = tuple(Check(command, CheckState.RUNNING) for command in task.checks)
            self._book.change_task(task.id, "baseline", baseline=running if at_work else ())

    async def _publish_all(self, room: RepositoryStore) -> None:
        """Publish that a baseline is known, or will not be. The runs of a task come first, so that all is published
        once the task itself is.
        """
        for task in self._book.tasks(room.root):
            if not task.checks or (_is_known(task) and not any(map(_waits, task.runs))):
                continue
            await asyncio.gather(*(self._tell_apart_late(run.id) for run in task.runs if _waits(run)))
            if (now := self._book.find_task(task.id)) is not None:
                self._publish(now)

    async def _tell_apart_late(self, run_id: str) -> None:
        try:
            await self.annotate_run(run_id)
        except MuxError as error:
            log.warning("the checks of %s could not be compared with the baseline: %s", run_id, error)


def _is_known(task: Task) -> bool:
    return bool(task.baseline) and all(check.state is not CheckState.RUNNING for check in task.baseline)


def _waits(run: Run) -> bool:
    return any(check.baseline_state is None for check in run.checks)
