"""Keep the current state of every task and run. Every change goes through here: it is journalled, then emitted."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from mux_lsp.core import ids
from mux_lsp.core.ids import task_of
from mux_lsp.core.model import Run, RunState
from mux_lsp.core.sanitize import printable
from mux_lsp.core.spending import NO_SPENDING, Spent
from mux_lsp.engine.state.clock import Clock
from mux_lsp.engine.state.events import ReviewChanged, RunChanged, TaskChanged
from mux_lsp.engine.state.path_index import PathIndex, paths_of
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.store.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from mux_lsp.core.model import FileChange, Task
    from mux_lsp.engine.state.events import Event
    from mux_lsp.store.journal import Journal

log = logging.getLogger(__name__)


class Advance(Protocol):
    """Callable that changes the run's state, its reason or other fields. It journals and emits the change, and returns
    the new run.
    """

    def __call__(self, state: RunState | None = None, *, reason: str | None = None, **changes: object) -> Run: ...


class End(Protocol):
    """Callable that brings the run to its end, otherwise like `Advance`."""

    def __call__(self, state: RunState, reason: str | None, **changes: object) -> Run: ...


class TaskRegistry:
    """The tasks and runs of a journal, of every repository. `emit` is called with each change."""

    def __init__(self, journal: Journal, emit: Callable[[Event], None], clock: Clock | None = None) -> None:
        self._journal = journal
        self._clock = clock or Clock()
        self._emit = emit
        self._tasks: dict[str, Task] = {}
        """The tasks by id. Their `runs` may be out of date: `_runs` has the current ones."""
        self._runs: dict[str, Run] = {}
        self._new_ids: set[str] = set()
        self._changed = PathIndex()
        self.spent: Callable[[Spending], None] = lambda _: None
        """Called with each additional amount that a run has spent, once it is journalled."""
        for task in journal.tasks():
            self._take_in(task)

    # Queries

    @property
    def runs(self) -> Collection[Run]:
        """All runs."""
        return self._runs.values()

    def status(self) -> dict[str, object]:
        """Return the numbers of tasks, runs and unfinished runs. Cheap."""
        unfinished = sum(not run.state.ended for run in self._runs.values())
        return {"tasks": len(self._tasks), "runs": len(self._runs), "unfinished_runs": unfinished}

    def busy(self) -> bool:
        """Return whether a run has not ended, except queued runs of paused tasks."""
        return any(
            not run.state.ended and not (run.state is RunState.QUEUED and self._tasks[run.task].paused)
            for run in self._runs.values()
        )

    def tasks(self, root: Path | None = None) -> tuple[Task, ...]:
        """Return all tasks, or those of the repository with this root, oldest first."""
        wanted = (task for task in self._tasks.values() if root is None or task.repository == str(root))
        return tuple(map(self._whole, sorted(wanted, key=lambda task: task.created)))

    def task(self, task_id: str) -> Task:
        """Return a task by its id. Raises UsageError if there is no such task."""
        task = self._tasks.get(task_id)
        if task is None:
            raise UsageError(f"There is no task {printable(task_id)!r}{ids.suggestion(task_id, self._tasks)}")
        return self._whole(task)

    def run(self, run_id: str) -> Run:
        """Return a run by its id. Raises UsageError if there is no such run."""
        run = self._runs.get(run_id)
        if run is None:
            raise UsageError(f"There is no run {printable(run_id)!r}{ids.suggestion(run_id, self._runs)}")
        return run

    def find(self, typed: str) -> str:
        """Return the id of the task or run that a person has typed, possibly abbreviated. Raises UsageError if it is
        unknown or ambiguous.
        """
        found = ids.resolve(typed, self._tasks | self._runs)
        if found is None:
            self.resolve_runs(typed)
        return found or typed

    def resolve_runs(self, id_: str) -> tuple[Task, tuple[Run, ...]]:
        """Return the task of an id, and the runs it names: all of a task's, or the one. Raises UsageError if it is
        unknown.
        """
        task = self.task(self.run(id_).task if "-" in id_ else id_)
        return task, tuple(run for run in task.runs if id_ in {run.id, task.id})

    def find_run(self, run_id: str | None) -> Run | None:
        """Return a run by its id, or None."""
        return None if run_id is None else self._runs.get(run_id)

    def find_task(self, task_id: str) -> Task | None:
        """Return a task by its id, or None."""
        task = self._tasks.get(task_id)
        return None if task is None else self._whole(task)

    def ancestors(self, task_id: str) -> tuple[str, ...]:
        """Return the runs whose agents started a task, directly or indirectly, the nearest first; empty if a person
        did.
        """
        found: list[str] = []
        task = self._tasks.get(task_id)
        while task is not None and task.parent is not None:
            found.append(task.parent)
            task = self._tasks.get(task_of(task.parent))
        return tuple(found)

    def started_by(self, run_id: str) -> tuple[Task, ...]:
        """Return the tasks that the agent of a run has started."""
        return tuple(self._whole(task) for task in self._tasks.values() if task.parent == run_id)

    def numbered_under(self, task_id: str) -> int:
        """Count the runs that a task has ever had, including those of tasks that its agents started."""
        return sum(
            task.runs_created
            for task in self._tasks.values()
            if task_id in {task.id, *(task_of(run) for run in self.ancestors(task.id))}
        )

    def spending(self, run: Run, spent: Spent) -> Spending:
        """Return what a run has spent as a journal entry, with the runs it is also charged to."""
        return Spending(run.id, run.task, self._tasks[run.task].repository, self.ancestors(run.task), spent)

    def runs_at(self, file: Path) -> list[tuple[Run, FileChange]]:
        """Return the runs that change a file, with their changes, newest task first, without discarded runs."""
        found: list[tuple[Run, FileChange]] = []
        roots = {task.repository for task in self._tasks.values()}
        relative = {
            root: file.relative_to(root).as_posix() for root in roots if file.is_relative_to(root) and str(file) != root
        }
        for task in reversed(self._tasks.values()):
            path = relative.get(task.repository)
            if path is None:
                continue
            for run in map(self._runs.__getitem__, [run.id for run in task.runs]):
                if run.discarded is None:
                    found += [(run, change) for change in self._changed.at(run, path)]
        return found

    # Changes

    @contextlib.contextmanager
    def new_id(self) -> Iterator[str]:
        """Yield an unused task id, which is reserved until the context ends."""
        task_id = self._journal.new_task_id()
        while task_id in self._new_ids:
            task_id = self._journal.new_task_id()
        self._new_ids.add(task_id)
        try:
            yield task_id
        finally:
            self._new_ids.discard(task_id)

    def add(self, task: Task) -> None:
        """Add a new task with its runs."""
        self._journal.add_task(task)
        self._take_in(task)
        self._emit(TaskChanged(task))

    def retried(self, old: Run) -> Run:
        """Add a new run of the same task and agent."""
        task = self.task(old.task)
        number = task.runs_created + 1
        run = Run(f"{task.id}-{number}", task.id, old.agent, old.model, RunState.QUEUED, base=old.base)
        # The number is stored first: a daemon killed in between then leaves a gap, not two runs with one number.
        task = self._tasks[task.id] = replace(task, runs_created=number)
        self._journal.save_task(task, "runs_created")
        self._journal.save_run(run, "retried", {"of": old.id})
        self._runs[run.id] = run
        self._tasks[task.id] = replace(task, runs=(*task.runs, run))
        self._emit(TaskChanged(self.task(task.id)))
        return run

    def change_task(self, task_id: str, kind: str, **changes: object) -> Task:
        """Change a task's own fields, not its runs. The change is journalled as an event of this kind and emitted."""
        before = self._tasks[task_id]
        after = replace(before, **changes)  # type: ignore[arg-type]  # checked by replace
        if after != before:
            self._journal.save_task(after, kind)
            self._tasks[task_id] = after
            self._emit(TaskChanged(self.task(task_id)))
        return self.task(task_id)

    def advance(
        self, run_id: str, state: RunState | None = None, *, reason: str | None = None, **changes: object
    ) -> Run:
        """Change a run, as described at `Advance`."""
        before = self._runs[run_id]
        after = replace(before, state=state or before.state, **changes)  # type: ignore[arg-type]  # checked by replace
        if state is not None:
            after = replace(after, reason=reason)
        if after == before:
            return before
        if after.state is not before.state:
            log.info("run %s: %s -> %s%s", run_id, before.state, after.state, f" ({reason})" if reason else "")
        more = self._spending(before, after)
        self._journal.save_run(after, after.state, {"previous": before.state, "reason": after.reason}, more)
        self._apply(before, after)
        if more is not None:
            self.spent(more)
        return after

    def charge(self, task: Task, spent: Spent) -> None:
        """Record what was spent on behalf of a task, charged under a placeholder run id (`…-0`)."""
        spending = Spending(f"{task.id}-0", task.id, task.repository, self.ancestors(task.id), spent)
        self._journal.spend(spending)
        self.spent(spending)

    def end(self, run_id: str, state: RunState, reason: str | None, **changes: object) -> Run:
        """Bring a run to its end. If its duration is not known, the default reason says so."""
        finished, doubt = self._clock.end(run_id, self._runs[run_id].started)
        return self.advance(run_id, state, reason=reason or doubt, finished=finished, **changes)

    def fail(self, run_id: str, reason: str) -> None:
        """Return whether another daemon can take over now. Always true: command agents are processes of their own."""
        before = self._runs.get(run_id)
        if before is None or before.state.ended:
            log.warning("after the end of run %s: %s", run_id, reason)
            return
        try:
            self.end(run_id, RunState.FAILED, reason)
        except MuxError as error:
            # The journal cannot be written. Nobody may be left waiting for a run that nothing carries out any more.
            log.error("run %s failed (%s), and that could not be journalled: %s", run_id, reason, error)
            finished, _ = self._clock.end(run_id, before.started)
            self._apply(before, replace(before, state=RunState.FAILED, reason=reason, finished=finished))

    def request_cancel(self, reasons: Mapping[str, str | None]) -> Mapping[str, str | None]:
        """Record that runs are to end early, with all runs that their agents started, before the first of them is
        ended.

        Returns the runs that have not ended yet, with their reasons. No event is emitted: they work until they end.
        """
        ending = self._ending(reasons)
        try:
            if new := self._not_noted(ending):
                self._journal.request_cancel(new)
        except MuxError as error:
            # A person's request to end a run must not fail because the disk is full.
            log.error("that %s are to end could not be journalled: %s", ", ".join(ending), error)
        self._note_cancel(ending)
        return ending

    def discard(self, run_ids: Sequence[str], at: float | None) -> None:
        """Discard runs of one task, or restore them if `at` is None: all of them or none.

        Discarded runs that are at work are recorded as to end, with all runs that their agents started.
        """
        if not run_ids:
            return
        ending = self._ending(dict.fromkeys(run_ids)) if at is not None else {}
        self._journal.discard(run_ids, at, self._not_noted(ending))
        self._note_cancel(ending)
        self.discarded(run_ids, at)

    def discarded(self, run_ids: Sequence[str], at: float | None) -> None:
        """Apply that the journal has runs of one task as discarded, or as restored if `at` is None."""
        if not run_ids:
            return
        for run_id in run_ids:
            self._runs[run_id] = replace(self._runs[run_id], discarded=at)
        task = self.task(self._runs[run_ids[0]].task)
        log.info("%s: %s %s", task.id, "brought back:" if at is None else "thrown away:", ", ".join(run_ids))
        self._emit(TaskChanged(task))
        # Files that only the other runs change are included, because the number of runs that agree there has changed.
        self._emit(ReviewChanged(task.repository, paths_of(change for run in task.runs for change in run.files)))

    def remove(self, task: Task, doomed: Collection[Run]) -> bool:
        """Forget runs of a task, and the task itself if no run is left. Returns whether the task was forgotten."""
        whole = len(doomed) == len(task.runs)
        if whole:
            self._journal.delete_task(task.id)
            del self._tasks[task.id]
        else:
            for run in doomed:
                self._journal.delete_run(run.id)
            self._tasks[task.id] = replace(task, runs=tuple(run for run in task.runs if run not in doomed))
        for run in doomed:
            del self._runs[run.id]
        self._changed.forget([run.id for run in doomed])
        self._emit(TaskChanged(task if whole else self.task(task.id), deleted=whole))
        self._emit(ReviewChanged(task.repository, paths_of(change for run in task.runs for change in run.files)))
        return whole

    # Internal

    def _ending(self, reasons: Mapping[str, str | None]) -> dict[str, str | None]:
        """Return the unfinished ones of these runs and of all runs that their agents have started, with reasons."""
        found: dict[str, str | None] = {}
        waiting = list(reasons.items())
        for run_id, reason in waiting:
            if not self._runs[run_id].state.ended:
                found.setdefault(run_id, reason)
            words = f"{run_id}, whose agent had started it, was ended"
            waiting += [(run.id, words) for task in self.started_by(run_id) for run in task.runs]
        return found

    def _not_noted(self, ending: Mapping[str, str | None]) -> dict[str, str | None]:
        return {run_id: reason for run_id, reason in ending.items() if not self._runs[run_id].cancel_requested}

    def _note_cancel(self, ending: Mapping[str, str | None]) -> None:
        for run_id, reason in self._not_noted(ending).items():
            self._runs[run_id] = replace(self._runs[run_id], cancel_requested=True, cancel_reason=reason)

    def _spending(self, before: Run, after: Run) -> Spending | None:
        """Return what a run has spent between two of its states, or None."""
        usd = (after.cost_usd or 0.0) - (before.cost_usd or 0.0)
        spent = Spent(max(0.0, usd), max(0, (after.tokens or 0) - (before.tokens or 0)))
        return None if spent == NO_SPENDING else self.spending(after, spent)

    def _take_in(self, task: Task) -> None:
        self._tasks[task.id] = task
        self._runs |= {run.id: run for run in task.runs}

    def _apply(self, before: Run, after: Run) -> Run:
        self._runs[after.id] = after
        self._emit(RunChanged(after, before.state))
        if after.files != before.files:
            paths = paths_of(set(after.files) ^ set(before.files))
            self._emit(ReviewChanged(self._tasks[after.task].repository, paths))
        return after

    def _whole(self, task: Task) -> Task:
        return replace(task, runs=tuple(self._runs[run.id] for run in task.runs))
