"""Supervise active runs: begin them, end them early, and wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.agents import process
from mux_lsp.agents.ports import PortBlocks
from mux_lsp.core.model import RunState
from mux_lsp.engine.backends import Backends
from mux_lsp.engine.repository.cancellation import Cancellation
from mux_lsp.engine.runs.job import Job
from mux_lsp.engine.runs.lifecycle import run_to_end
from mux_lsp.engine.runs.prompt import prompt_of
from mux_lsp.engine.scheduling.early_stop import consensus_reason
from mux_lsp.engine.state.events import RunChanged
from mux_lsp.engine.state.system_errors import in_plain_words, is_of_the_disk, is_of_the_system
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.faults import fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.checks.service import CheckService
    from mux_lsp.engine.repository.ref_cleanup import RefCleanup
    from mux_lsp.engine.repository.registry import RepositoryStore, RepositoryStores
    from mux_lsp.engine.repository.setup import SetupRegistry
    from mux_lsp.engine.review.results import ResultReader
    from mux_lsp.engine.runs.output import Outputs
    from mux_lsp.engine.runs.permissions import PermissionService
    from mux_lsp.engine.scheduling.queue import Queue
    from mux_lsp.engine.state.events import Event
    from mux_lsp.engine.state.foundation import Foundation
    from mux_lsp.engine.state.registry import TaskRegistry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """The asyncio task that carries a run out, and its cancellation."""

    task: asyncio.Task[None]
    cancelled: Cancellation


@dataclass(slots=True, kw_only=True)
class RunSupervisor:
    """The active runs. Use it on one event loop."""

    ground: Foundation
    registry: TaskRegistry
    repositories: RepositoryStores
    setups: SetupRegistry
    refs: RefCleanup
    results: ResultReader
    queue: Queue
    checks: CheckService
    outputs: Outputs
    permissions: PermissionService
    active: dict[str, ActiveRun] = field(default_factory=dict, init=False)
    """By id, the runs that are being carried out."""
    _ports: PortBlocks = field(default_factory=PortBlocks, init=False)

    # Begin

    def begin(self, run_id: str) -> None:
        """Carry a run out from its current state."""
        task = self.registry.task(self.registry.run(run_id).task)
        root = Path(task.repository)
        room = self.repositories.get(root)
        job = Job(
            run_id=run_id,
            task=task,
            room=room,
            setups=self.setups.get(room),
            backends=Backends(self.ground.configuration.current),
            settings=self.ground.configuration.current.runs,
            run_folder=self.ground.files.run_folder(run_id),
            ports=self._ports,
            place=self.queue.place_of(run_id),
            cancelled=Cancellation(),
            current=lambda: self.registry.run(run_id),
            advance=functools.partial(self.registry.advance, run_id),
            end=functools.partial(self.registry.end, run_id),
            clock=self.ground.clock,
            outputs=self.outputs,
            asks=self.permissions,
            terms=self.checks.plan_of(task),
            places=self.checks.places,
            tell_apart=lambda: self.checks.annotate_run(run_id),
            trusted=self.ground.configuration.current.trusts(root),
            prompt=lambda run: prompt_of(self.registry.task(run.task)) if run.message is None else run.message,
            read_result=self.results.reader(root),
        )
        self.active[run_id] = ActiveRun(self.ground.background.spawn(self._live(job)), job.cancelled)
        self.checks.begin(task, self.registry.run(run_id))

    def recover(self) -> None:
        """Continue the runs that an earlier daemon has left unfinished."""
        for run in list(self.registry.runs):
            if not run.state.ended or run.worktree is not None:
                self.begin(run.id)
        # Runs that a killed daemon was about to end are cancelled before any run continues.
        self.end({run.id: run.cancel_reason for run in self.registry.runs if _is_to_end(run)})

    def take_missing_results(self, root: Path) -> None:
        """Take results that a full disk has delayed. For use when a task has started, because then there is space."""
        for run in [run for task in self.registry.tasks(root) for run in task.runs]:
            if run.state.ended and run.worktree is not None and run.id not in self.active:
                self.begin(run.id)

    # End

    async def cancel(self, run_id: str) -> Run:
        """End a run with all its processes, and the runs that its agent has started. Results so far are kept.

        Has no effect on a run that has ended.
        """
        self.registry.run(run_id)
        self.end({run_id: None})
        return await self._over(run_id)

    async def cancel_task(self, task_id: str) -> Task:
        """End all runs of a task as `cancel` does. If the daemon is killed meanwhile, the next one ends the rest."""
        runs = [run.id for run in self.registry.task(task_id).runs]
        self.end(dict.fromkeys(runs))
        await asyncio.gather(*map(self._over, runs))
        return self.registry.task(task_id)

    def end(self, reasons: Mapping[str, str | None]) -> None:
        """End runs early, and those that their agents have started. All of them are recorded first."""
        for number, (run_id, reason) in enumerate(self.registry.request_cancel(reasons).items()):
            fault("cancel.noted", number)
            if (life := self.active.get(run_id)) is not None:
                life.cancelled.end(reason)
                fault("cancel.given", number)

    def on_event(self, event: Event) -> None:
        """End the other runs of a task once enough of its results agree."""
        if isinstance(event, RunChanged) and event.run.state is RunState.FINISHED:
            self.end_unneeded(self.registry.task(event.run.task))

    def end_unneeded(self, task: Task) -> None:
        """End the runs of a task that are not needed any more."""
        if (reason := consensus_reason(task)) is not None:
            self.end({run.id: reason for run in task.runs})

    async def free(self, run_id: str) -> None:
        """End a run and have its worktree released, even if that failed at the run's end."""
        with contextlib.suppress(UsageError):  # the run was deleted meanwhile
            await self.cancel(run_id)
            if self.registry.run(run_id).worktree is not None and run_id not in self.active:
                self.begin(run_id)
            await self.settled(run_id)

    # Wait

    async def until(self, run_id: str, met: Callable[[Run], bool]) -> Run:
        """Wait until a run meets a condition. Returns the run."""
        reached = asyncio.Event()

        def listen(event: Event) -> None:
            if isinstance(event, RunChanged) and event.run.id == run_id and met(event.run):
                reached.set()

        stop = self.ground.events.subscribe(listen)
        try:
            if not met(self.registry.run(run_id)):
                await reached.wait()
        finally:
            stop()
        return self.registry.run(run_id)

    async def settled(self, *run_ids: str) -> None:
        """Wait until the worktrees of those of these runs that have ended are released."""
        # Another one of these runs may end meanwhile.
        while lives := {
            life.task for one in run_ids if self.registry.run(one).state.ended and (life := self.active.get(one))
        }:
            await asyncio.wait(lives)

    # Owners of processes

    def starter(self, names: Iterable[str]) -> str | None:
        """Return the owner of a program that carries these names: a run, for its agent, or the name of a set-up or a
        trial, for its commands. None for a person's program, and for one that another daemon has started.
        """
        for name in names:
            # The name of a trial is the run's id with a suffix.
            run = self.registry.find_run(name.partition(".")[0])
            if run is not None or self.repositories.is_trial(name):
                return name if run is None else run.id
        return None

    def sessions(self) -> dict[int, str]:
        """Return the sessions that supervisors of runs, checks and set-ups lead, with their names."""
        at_work = [self.registry.run(run_id) for run_id in self.active]
        return {run.pid: run.id for run in at_work if run.pid is not None} | process.sessions()

    # Internal

    async def _over(self, run_id: str) -> Run:
        """Wait until a run that is to end has ended. Returns the run."""
        if run_id not in self.active:
            return self.registry.run(run_id)
        return await self.until(run_id, lambda run: run.state.ended)

    async def _live(self, job: Job) -> None:
        try:
            await run_to_end(job)
            await self._tidy(job.room)
        except MuxError as error:
            self.registry.fail(job.run_id, str(error))
        except Exception as error:
            if is_of_the_system(error):
                words = in_plain_words(error, self.ground.files.root)
                log.warning("run %s: %s", job.run_id, words, exc_info=not is_of_the_disk(error))
                self.registry.fail(job.run_id, words)
            else:
                log.exception("run %s ended by a bug in mux-lsp", job.run_id)
                self.registry.fail(job.run_id, "a bug in mux-lsp; its log has the details")
        finally:
            if (life := self.active.get(job.run_id)) and life.cancelled is job.cancelled:
                del self.active[job.run_id]
            if self.registry.find_run(job.run_id) is not None:
                self.checks.ended(self.registry.task(job.task.id))

    async def _tidy(self, room: RepositoryStore) -> None:
        """Clean up the shadow store once no run is active: delete leftover refs, and pack objects if worthwhile."""
        at_work = any(not run.state.ended for task in self.registry.tasks(room.root) for run in task.runs)
        if not at_work:
            await self.refs.delete(room)
            if await asyncio.to_thread(lambda: room.shadow.needs_gc):
                await asyncio.to_thread(room.shadow.gc)


def _is_to_end(run: Run) -> bool:
    return run.cancel_requested and not run.state.ended
