"""The engine: tasks and runs of every repository, for every client. The facade that lsp and cli see."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mux_lsp import config
from mux_lsp.agents import process
from mux_lsp.agents.ports import PortBlocks
from mux_lsp.core.grading import Weights
from mux_lsp.core.model import AgentChoice, FileChange, Run, RunState, Task
from mux_lsp.engine import backends
from mux_lsp.engine.backends import Backends
from mux_lsp.engine.checks.service import CheckService
from mux_lsp.engine.checks.trial import sweep
from mux_lsp.engine.ranking.llm_judge import LlmJudge
from mux_lsp.engine.ranking.service import Rankings
from mux_lsp.engine.repository.cancellation import Cancellation
from mux_lsp.engine.repository.registry import RepositoryStore, RepositoryStores, locate
from mux_lsp.engine.repository.setup import SetupRegistry
from mux_lsp.engine.repository.trust import Trust
from mux_lsp.engine.review.diff_stats import DiffStats
from mux_lsp.engine.review.history import History
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.engine.review.rejections import Rejections
from mux_lsp.engine.review.select import applied_by
from mux_lsp.engine.review.transactions import Transactions
from mux_lsp.engine.runs import sync_base
from mux_lsp.engine.runs.job import Job
from mux_lsp.engine.runs.lifecycle import run_to_end
from mux_lsp.engine.runs.output import Outputs
from mux_lsp.engine.runs.permissions import Answer, JournalPermissionStore, PendingPermission, PermissionService
from mux_lsp.engine.scheduling.budget import Budget
from mux_lsp.engine.scheduling.early_stop import consensus_reason
from mux_lsp.engine.scheduling.queue import Queue
from mux_lsp.engine.state.clients import Client, buffers_of
from mux_lsp.engine.state.clock import Clock
from mux_lsp.engine.state.events import Event, Noticed, ReviewChanged, RunChanged, TaskChanged, WorkEnded
from mux_lsp.engine.state.guards import refuse_discarded
from mux_lsp.engine.state.path_index import affected_paths
from mux_lsp.engine.state.registry import TaskRegistry
from mux_lsp.engine.state.run_summary import NO_SUMMARY, RunSummary
from mux_lsp.engine.state.system_errors import in_plain_words, is_of_the_disk, is_of_the_system
from mux_lsp.engine.tasks.discard import Discards
from mux_lsp.engine.tasks.request import StartRequest, context_of, prompt_of
from mux_lsp.engine.tasks.unfinished import Unfinished, UnfinishedWork
from mux_lsp.engine.verify.service import VerifyService, roots
from mux_lsp.engine.working_tree.tree import identity_of
from mux_lsp.errors import MuxError, StorageError, UsageError
from mux_lsp.faults import fault
from mux_lsp.git.command import own
from mux_lsp.store.journal import Journal, encode_files
from mux_lsp.store.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from mux_lsp.core.model import Snapshot
    from mux_lsp.core.ranking import Ranked
    from mux_lsp.core.spending import Spent
    from mux_lsp.engine.repository.settings import Settings
    from mux_lsp.store.pending_accepts import Accepted


log = logging.getLogger(__name__)

GIT_GRACE_SECONDS = 2.0
"""How long a git that a killed daemon has left behind may take to tidy up after itself."""

MISSED_NAMED = 10
"""How many runs that the journal has lost are named."""

WORKERS = 32
"""Threads for git and the disk."""


class Engine:
    """All that the daemon does, without a word of LSP. Lives on one event loop."""

    def __init__(self, state: Path, config_file: Path, clock: Clock | None = None) -> None:
        self._state = state
        self._config_file = config_file
        self._clock = clock or Clock()
        self._configuration = config.Configuration()
        self._lives: dict[str, ActiveRun] = {}
        self._owned: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[Event], None]] = []
        self._outputs = Outputs(state / "runs", self._emit, lambda: self._configuration.runs.output_bytes)
        self._clients: list[Client] = []
        self.notices: tuple[str, ...] = ()
        """What the person should know of what an earlier daemon has left: sentences, as long as this daemon runs."""
        self._untold: list[str] = []
        self._doomed_refs: dict[Path, set[str]] = {}
        """What of deleted tasks and runs is still in stores that could not be written."""
        self._reviews: dict[Path, tuple[DiffStats, HunkCache]] = {}
        self._rooms = RepositoryStores(state / "repos", lambda: self._configuration.key_variables)
        self._leftovers = UnfinishedWork(state / "going")
        self.setups = SetupRegistry()
        self._ports = PortBlocks()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")
        self._journal: Journal
        self._book: TaskRegistry
        self._asks: PermissionService
        self._queue: Queue
        self.limits: Budget
        """What runs may spend, and have spent."""
        self._rejections: Rejections
        self.judgements: CheckService
        """By what runs are judged."""
        self.history: History
        """What became part of a person's text."""
        self.transactions: Transactions
        """Accepts that are under way."""
        self.trust: Trust
        """What counts of repositories' own settings."""
        self.discards: Discards
        """What a person has thrown away."""
        self.verifying = VerifyService(self, lambda: self._configuration.runs, self._own, self._emit)
        """Checks on the live texts of its clients."""

    # Life

    async def open(self) -> None:
        """Read the settings and the journal, and take up what an earlier daemon left. Raises MuxError."""
        asyncio.get_running_loop().set_default_executor(self._pool)
        self._configuration = config.load(self._config_file)
        # A git that a killed daemon has left at work would write among ours.
        await process.end(None, own(str(self._state)), GIT_GRACE_SECONDS)
        (self._state / "runs").mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(shutil.rmtree, self.client_files, ignore_errors=True)
        self._journal = Journal(self._state / "mux.db")
        self.transactions = Transactions(self._journal, self._state, self._notify, self._own)
        await self.transactions.take_up(map(Path, self._journal.repositories()))
        self._book = TaskRegistry(self._journal, self._emit, self._clock)
        if self._journal.lost is not None:
            self._notify(await asyncio.to_thread(self._missed, self._journal.lost))
        kept = JournalPermissionStore(lambda: self._configuration, self._journal, self._book)
        self._asks = PermissionService(self._emit, kept, lambda: self._configuration.permissions.timeout_seconds)
        self._queue = Queue(self._book, self._emit)
        self.limits = Budget(self._book, self._emit, self._end, self._config_file)
        self.limits.load(self._journal.spending())
        self._book.spent = self.limits.spent
        self.subscribe(self.limits.on_event)
        self._rankings = Rankings(self._book.find_task, self.reviews, self._weights, self._emit, self._own)
        self.subscribe(self._rankings.notice)
        self._judging = LlmJudge(
            self._state / "opinions",
            lambda: self._configuration,
            self._rankings,
            self._patch,
            self.limits.check_spending,
            self._charge,
            self._own,
        )
        self.subscribe(self._judging.notice)
        self.subscribe(self._spare)
        self._take_settings(self._configuration)
        self.trust = Trust(self._journal, self.configured)
        self._rejections = Rejections(self._journal, (run.id for run in self._book.runs))
        self.history = History(self._journal, self.task, self.run)
        self.judgements = CheckService(
            self._book, self._rooms, self.setups, lambda: self._configuration.runs, self.run_folder, self._own
        )
        self.discards = Discards(
            self._book,
            free=self._free,
            forget=self._forget,
            days=lambda: self._configuration.runs.retention_days,
            own=self._own,
        )
        self.transactions.serve(self.history, functools.partial(applied_by, self), self._accepted)
        self._own(self._outputs.pump())
        verified = await asyncio.to_thread(roots, self._state / "repos")
        for root in {*(task.repository for task in self.tasks()), *map(str, verified)}:
            used = {run.worktree for task in self.tasks(Path(root)) for run in task.runs if run.worktree}
            await sweep(self._rooms.of(Path(root)), used)
        for place in verified:
            await self.verifying.take_up(place)
        await self._leftovers.clear(self._journal.ids(), self._rooms.of, self.run_folder)
        self._queue.take_up(self.tasks())
        self.judgements.take_up()
        for run in list(self._book.runs):
            if not run.state.ended or run.worktree is not None:
                self._begin(run.id)
        # Before any of them goes on: what a killed daemon was about to end.
        self._end({run.id: run.cancel_reason for run in self._book.runs if _is_to_end(run)})
        self.limits.enforce()
        for task in self.tasks():
            self._end_the_rest(task)
        self._own(self.discards.take_up())

    def _missed(self, lost: str) -> str:
        """What is gone of the journal, with the runs that only their output still tells of."""
        known = {run.id for run in self._book.runs}
        unknown = sorted(folder.name for folder in (self._state / "runs").iterdir() if folder.name not in known)
        if not unknown:
            return lost
        named = ", ".join(unknown[:MISSED_NAMED]) + (" and more" if len(unknown) > MISSED_NAMED else "")
        return f"{lost} Without a task, but with output in {self._state / 'runs'}: {named}."

    async def close(self) -> None:
        """Stop watching. Agents of runs that have not ended go on, and the next daemon takes them up."""
        self.discards.close()
        self.transactions.close()
        for task in self._owned:
            task.cancel()
        await asyncio.gather(*self._owned, return_exceptions=True)
        await self._rankings.close()
        self._rooms.close()
        self._journal.close()

    def busy(self) -> bool:
        """Whether a run has not ended, or checks run.

        Runs that wait in a pause are no such thing: they would wait for the next daemon too.
        """
        return self._book.busy() or self.judgements.busy or self.verifying.busy

    def can_hand_over(self) -> bool:
        """Whether another daemon can take up everything now: command agents go on by themselves."""
        return True

    def status(self) -> dict[str, object]:
        """A few numbers, at no cost."""
        return self._book.status()

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Have a function called with every event from now on. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def take_notices(self) -> tuple[str, ...]:
        """The notices that no client was told yet."""
        notices, self._untold = tuple(self._untold), []
        return notices

    def join(self, client: Client) -> Callable[[], None]:
        """Take a client in: its unsaved buffers are respected from now on. Returns what ends it."""
        self._clients.append(client)
        return lambda: self._clients.remove(client)

    @property
    def clients(self) -> tuple[Client, ...]:
        """Those connected now."""
        return tuple(self._clients)

    async def configured(self) -> config.Configuration:
        """The settings as they are now. Raises UsageError where the file is wrong."""
        self._take_settings(await asyncio.to_thread(config.load, self._config_file))
        self.discards.configured()
        return self._configuration

    def _take_settings(self, configuration: config.Configuration) -> None:
        self._configuration = configuration
        self._queue.configure(configuration)
        self.limits.configure(configuration.limits)

    async def default_agents(self) -> tuple[str, ...]:
        """What a task takes that names no agent. Raises UsageError where the settings are wrong."""
        return backends.default_agents(await self.configured(), os.environ)

    async def no_agent(self) -> str | None:
        """Why no task begins that names no agent; None where one does. Raises UsageError as `default_agents` does."""
        return None if await self.default_agents() else backends.no_agent(self._configuration)

    # Tasks and runs

    async def start(self, request: StartRequest) -> Task:
        """Take a snapshot of what the person sees, and begin a run for each agent asked for.

        Raises NotARepositoryError, UsageError for a bad agent, MuxError where a limit is reached or the snapshot fails.
        """
        repository = await asyncio.to_thread(locate, request.folder)
        identity = await asyncio.to_thread(identity_of, repository.root)
        buffers, left_out = buffers_of(request.clients, repository.root)
        settings = await self.trust.settings(repository.root, buffers)
        backends = Backends(self._configuration)
        choices = request.choices or self._default_choices(settings)
        for choice in choices:
            backends.check(choice.agent)
        parent = self._book.find_run(request.parent)
        admit = functools.partial(
            self.limits.check_start, str(repository.root), sum(choice.count for choice in choices)
        )
        admit(parent)
        room = self._rooms.of(repository.root)
        self.setups.of(room).try_again()
        context = tuple(context_of(repository.root, *place) for place in request.context)
        with self._book.new_id() as task_id:
            self._leftovers.expect(task_id, Unfinished(str(repository.root), (task_id,)))
            snapshot = await asyncio.to_thread(room.shadow.snapshot, repository, buffers, task_id)
            try:
                # Meanwhile others may have begun, or the agent that asks for it may have been ended.
                parent = None if parent is None else self.run(parent.id)
                admit(parent)
            except MuxError:
                await asyncio.to_thread(_drop, room, snapshot, task_id)
                self._leftovers.done(task_id)
                raise
            snapshot = replace(snapshot, left_out=(*snapshot.left_out, *left_out))
            names = [(choice.agent, choice.model) for choice in choices for _ in range(choice.count)]
            task = Task(
                id=task_id,
                prompt=request.prompt,
                repository=str(repository.root),
                folder=repository.prefix,
                created=time.time(),
                snapshot=snapshot,
                identity=identity,
                setup=settings.setup,
                checks=settings.checks if request.checks is None else request.checks,
                check_seconds=settings.check_seconds,
                protected=settings.protected,
                notices=settings.notices,
                context=context,
                runs=tuple(
                    Run(f"{task_id}-{number}", task_id, agent, model, RunState.QUEUED, base=snapshot.commit)
                    for number, (agent, model) in enumerate(names, 1)
                ),
                runs_created=len(names),
                # What an agent starts is no more urgent than what it works on.
                priority=request.priority if parent is None else min(request.priority, self.task(parent.task).priority),
                stop_after=self._configuration.defaults.stop_after
                if request.stop_after is None
                else request.stop_after,
                parent=None if parent is None else parent.id,
                max_cost_usd=request.max_cost_usd,
                max_tokens=request.max_tokens,
            )
            self._book.add(task)
            self._leftovers.done(task_id)
        self._queue.enqueue(task, task.runs)
        for run in task.runs:
            self._begin(run.id)
        self._take_up_left(repository.root)
        return task

    def _take_up_left(self, root: Path) -> None:
        """Take the results that a full disk kept from being taken. A task has begun, so there is room."""
        for run in [run for task in self.tasks(root) for run in task.runs]:
            if run.state.ended and run.worktree is not None and run.id not in self._lives:
                self._begin(run.id)

    def tasks(self, root: Path | None = None) -> tuple[Task, ...]:
        """All tasks, oldest first; those of one repository where its root is given."""
        return self._book.tasks(root)

    def task(self, task_id: str) -> Task:
        """A task by its id. Raises UsageError where there is none."""
        return self._book.task(task_id)

    def run(self, run_id: str) -> Run:
        """A run by its id. Raises UsageError where there is none."""
        return self._book.run(run_id)

    def find_run(self, run_id: str) -> Run | None:
        """A run by its id, None where there is none."""
        return self._book.find_run(run_id)

    def starter(self, names: Iterable[str]) -> str | None:
        """Who has started a program that says it belongs to these: a run, for its agent, or the name of a set-up or a
        trial, for its commands. None for a person, and for what another daemon has started.
        """
        for name in names:
            # What tries a result out says so behind the run's id.
            run = self.find_run(name.partition(".")[0])
            if run is not None or self._rooms.is_trial(name):
                return name if run is None else run.id
        return None

    def sessions(self) -> dict[int, str]:
        """The sessions that the supervisors of runs, checks and set-ups lead, with the name of each."""
        at_work = [self.run(run_id) for run_id in self._lives]
        return {run.pid: run.id for run in at_work if run.pid is not None} | process.sessions()

    def ancestors(self, task_id: str) -> tuple[str, ...]:
        """The runs whose agents brought a task about, the nearest first; none where a person did."""
        return self._book.ancestors(task_id)

    def find(self, typed: str) -> str:
        """The id of the task or run that somebody means. Raises UsageError where that is none, or may be several."""
        return self._book.find(typed)

    def standing(self, run: Run) -> RunSummary:
        """Where a run stands among the others, at no cost."""
        if run.discarded is not None:
            return RunSummary(kept_until=self.discards.kept_until(run))
        number, ranked = self._queue.number(run.id), self._rankings.of(run)
        if ranked is not None:
            return RunSummary(number, ranked.rank, ranked.tied, ranked.reasons)
        return NO_SUMMARY if number is None else RunSummary(queue_place=number)

    def ranking(self, task_id: str) -> tuple[Ranked, ...]:
        """The ranked runs of a task as they were found last, best first, at no cost."""
        return self._rankings.ranking(task_id)

    async def ranked(self, task_id: str) -> Task:
        """A task whose runs are ranked as everything stands now, so that `standing` tells it. Raises as `task`."""
        self.task(task_id)
        # With settings that are wrong the last good ones hold.
        with contextlib.suppress(UsageError):
            await self.configured()
        await self._rankings.settled(task_id)
        return self.task(task_id)

    async def cancel(self, run_id: str) -> Run:
        """End a run and its whole process tree, and the runs that its agent has started; the results so far are kept.

        A run that has ended stays as it is.
        """
        self.run(run_id)
        self._end({run_id: None})
        return await self._over(run_id)

    async def cancel_task(self, task_id: str) -> Task:
        """End all runs of a task as `cancel` does. When the daemon is killed meanwhile, the next one ends the rest."""
        runs = [run.id for run in self.task(task_id).runs]
        self._end(dict.fromkeys(runs))
        await asyncio.gather(*map(self._over, runs))
        return self.task(task_id)

    async def _over(self, run_id: str) -> Run:
        """A run that is to end, when it has."""
        if run_id not in self._lives:
            return self.run(run_id)
        return await self.until(run_id, lambda run: run.state.ended)

    def _end(self, reasons: Mapping[str, str | None]) -> None:
        """End runs early, and those that their agents have started. On record first, all of them at once."""
        for number, (run_id, reason) in enumerate(self._book.request_cancel(reasons).items()):
            fault("cancel.noted", number)
            if (life := self._lives.get(run_id)) is not None:
                life.cancelled.end(reason)
                fault("cancel.given", number)

    def _spare(self, event: Event) -> None:
        if isinstance(event, RunChanged) and event.run.state is RunState.FINISHED:
            self._end_the_rest(self.task(event.run.task))

    def _end_the_rest(self, task: Task) -> None:
        """End the runs that no one needs any more."""
        if (reason := consensus_reason(task)) is not None:
            self._end({run.id: reason for run in task.runs})

    def pause(self, task_id: str) -> Task:
        """Keep the runs of a task that are queued from beginning; those at work go on."""
        return self._judged(task_id, "paused", paused=True)

    def resume(self, task_id: str) -> Task:
        """Let the runs of a task begin again when their turn comes."""
        return self._judged(task_id, "resumed", paused=False)

    def prioritize(self, task_id: str, priority: int) -> Task:
        """Have the queued runs of a task begin before those of tasks with a lower priority."""
        return self._judged(task_id, "prioritized", priority=priority)

    def _judged(self, task_id: str, kind: str, **changes: object) -> Task:
        task = self._book.change_task(self.task(task_id).id, kind, **changes)
        self._queue.set_priority(task)
        return task

    async def retry(self, run_id: str) -> Run:
        """Another attempt by the same agent at the same task, as a new run."""
        backends = Backends(await self.configured())
        old = self.run(run_id)
        refuse_discarded(old)
        backends.of(old.agent)
        self.limits.check_retry(self.task(old.task))
        self.setups.of(self.room(Path(self.task(old.task).repository))).try_again()
        run = self._book.retried(old)
        self._queue.enqueue(self.task(run.task), [run])
        self._begin(run.id)
        return run

    async def carry_on(self, run_id: str, message: str, clients: tuple[Client, ...] | None = None) -> Run:
        """Have the agent of a run that has ended go on from its own result, with a further message as its prompt.

        With `clients`, what the person has by now, the unsaved buffers of these clients included, is merged into its
        result first. A run that waits for leave takes the message as a no to what it asked for; to be brought up to
        date it ends what it does, since its files are to change.
        """
        backends = Backends(await self.configured())
        await self._settled(run_id)
        run = self.run(run_id)
        refuse_discarded(run)
        if run.state is RunState.WAITING:
            if clients is None:
                if not self._asks.refuse(run_id, message):
                    raise UsageError(f"{run_id} has its answer and goes on; send the message when it has ended.")
                return self.run(run_id)
            sync_base.unsaved_of(clients, self._rooms.of(Path(self.task(run.task).repository)))
            await self.cancel(run_id)
            await self._settled(run_id)
            run = self.run(run_id)
        if not run.state.ended:
            raise UsageError(f"{run_id} is still {run.state}; it takes a message when it has ended.")
        backends.of(run.agent)
        self.limits.check_continue(run)
        self.setups.of(self.room(Path(self.task(run.task).repository))).try_again()
        renewed: dict[str, Any] = {}
        if clients is not None:
            room = self._rooms.of(Path(self.task(run.task).repository))
            new = await asyncio.to_thread(sync_base.merge_onto_snapshot, room, run, sync_base.unsaved_of(clients, room))
            files, hunks = await asyncio.to_thread(_read_result, *self._results_of(room.root), new.base, new.result)
            # From here on nothing is awaited.
            if self.run(run_id) != run:
                raise UsageError(f"{run_id} went on meanwhile; send the message again when it has ended.")
            renewed = {
                "base": new.base,
                "result": new.result,
                "files": files,
                "hunks": hunks,
                "merge_conflicts": new.conflicts,
            }
            message = sync_base.prompt_after_sync(message, new.conflicts)
        run = self._book.advance(
            run_id,
            RunState.QUEUED,
            message=message,
            turn=run.turn + 1,
            **renewed,
            result_complete=False,
            # Its time is that of its work on this message.
            started=None,
            finished=None,
            exit_status=None,
            pid=None,
            pid_created=None,
            checks=(),
            tampered=(),
            restored_checks=(),
            cancel_requested=False,
            cancel_reason=None,
        )
        self._queue.enqueue(self.task(run.task), [run])
        self._emit(TaskChanged(self.task(run.task)))
        self._begin(run_id)
        return run

    async def delete(self, id_: str) -> tuple[str, ...]:
        """Forget a task with its runs, or one run: journal, logs and results. Returns the ids of the runs.

        Raises UsageError where one of them has not ended.
        """
        await self._settled(*(run.id for run in self._book.resolve_runs(id_)[1]))
        # From here to the end of the journal's part nothing is awaited: nobody can begin a run of it meanwhile.
        task, doomed = self._book.resolve_runs(id_)
        for run in doomed:
            if not run.state.ended:
                raise UsageError(f"{run.id} is still {run.state}; cancel it first: `mux-lsp cancel {run.id}`.")
        return await self._forget(task, doomed)

    async def _forget(self, task: Task, doomed: Sequence[Run]) -> tuple[str, ...]:
        ids = tuple(run.id for run in doomed)
        whole = len(doomed) == len(task.runs)
        renewals = [sync_base.snapshot_name(run.id, turn) for run in doomed for turn in range(1, run.turn + 1)]
        names = (*ids, *renewals, *([task.id] if whole else []))
        going = ids[0] if ids else task.id
        with contextlib.suppress(StorageError):  # what is deleted makes room
            self._leftovers.expect(going, Unfinished(task.repository, names))
        self._book.remove(task, doomed)
        if whole:
            self._queue.forget(task.id)
        self._rejections.forget(ids)
        room = self._rooms.of(Path(task.repository))
        if whole:
            await self.judgements.forget(task.id)
        # Folders first: on a full disk they make the room that the rest takes.
        for run_id in ids:
            await asyncio.to_thread(shutil.rmtree, self.run_folder(run_id), ignore_errors=True)
            fault("delete.folder_gone")
        self._doomed_refs.setdefault(room.root, set()).update(names)
        await self._delete_refs(room)
        if self._doomed_refs.get(room.root, set()).isdisjoint(names):
            self._leftovers.done(going)
        return ids

    async def _delete_refs(self, room: RepositoryStore) -> None:
        """Let go of what deleted tasks and runs have in the store. Where the disk refuses, it waits."""
        doomed = self._doomed_refs.pop(room.root, set())
        for name in sorted(doomed):
            try:
                await asyncio.to_thread(room.shadow.delete_refs, name)
            except StorageError as error:
                log.warning("what is left of %s in the store could not be removed yet: %s", name, error)
                self._doomed_refs.setdefault(room.root, set()).add(name)

    async def _free(self, run_id: str) -> None:
        """End a run and have its worktree given back, also where that could not be done at its end."""
        with contextlib.suppress(UsageError):  # one that was deleted meanwhile
            await self.cancel(run_id)
            if self.run(run_id).worktree is not None and run_id not in self._lives:
                self._begin(run_id)
            await self._settled(run_id)

    async def _settled(self, *run_ids: str) -> None:
        """Wait until those of these runs that have ended have given their worktrees back."""
        # Another one of them may end meanwhile.
        while lives := {life.task for one in run_ids if self.run(one).state.ended and (life := self._lives.get(one))}:
            await asyncio.wait(lives)

    async def until(self, run_id: str, met: Callable[[Run], bool]) -> Run:
        """Wait until a run is as asked for."""
        reached = asyncio.Event()

        def listen(event: Event) -> None:
            if isinstance(event, RunChanged) and event.run.id == run_id and met(event.run):
                reached.set()

        stop = self.subscribe(listen)
        try:
            if not met(self.run(run_id)):
                await reached.wait()
        finally:
            stop()
        return self.run(run_id)

    # Permissions

    @property
    def asked(self) -> tuple[PendingPermission, ...]:
        """What agents ask leave for and nobody has answered yet, oldest first."""
        return self._asks.open()

    def reply(self, ask_id: str, answer: Answer, reason: str | None = None) -> PendingPermission:
        """Answer what an agent asked. Raises UsageError where nobody waits for it any more."""
        return self._asks.reply(ask_id, answer, reason)

    # Output

    @property
    def client_files(self) -> Path:
        """Where files go that are for a client while it is connected. What a killed daemon left is removed at start."""
        return self._state / "clients"

    @property
    def backups_dir(self) -> Path:
        """Where copies go of what a person has had written over."""
        return self._state / "kept"

    def run_folder(self, run_id: str) -> Path:
        """Where a run's prompt, output and exit status are."""
        return self._state / "runs" / run_id

    # Review

    def room(self, root: Path) -> RepositoryStore:
        """What the daemon keeps of a repository."""
        return self._rooms.of(root)

    def reviews(self, root: Path) -> HunkCache:
        """The hunks of a repository's results."""
        return self._results_of(root)[1]

    def _results_of(self, root: Path) -> tuple[DiffStats, HunkCache]:
        found = self._reviews.get(root)
        if found is None:
            shadow = self._rooms.of(root).shadow
            results = DiffStats(shadow)
            found = self._reviews[root] = results, HunkCache(shadow.read, results.pop_body)
        return found

    def rejections(self, run_id: str, path: str) -> frozenset[str]:
        """What the person rejected of a file, in the words of `Item.rejected_as`."""
        return self._rejections.of(run_id, path)

    def reject(self, run_id: str, path: str, hunks: frozenset[str]) -> None:
        """Remember that the person does not want these; in the words of `Item.rejected_as`."""
        self.reject_all({(run_id, path): hunks})

    def reject_all(self, named: Mapping[tuple[str, str], frozenset[str]]) -> None:
        """The same for several files by run and path: all of it is on record, or nothing."""
        self._rejections.add(named)
        paths: dict[str, set[str]] = {}
        for run_id, path in named:
            paths.setdefault(run_id, set()).add(path)
        for run_id, of_run in paths.items():
            run = self.run(run_id)
            self._emit(ReviewChanged(self.task(run.task).repository, affected_paths(run, of_run)))

    def _accepted(self, accepted: Accepted) -> None:
        """What a person has accepted is on record."""
        self._rejections.forget_hunks(accepted.run, accepted.unrejected)
        if (run := self.find_run(accepted.run)) is not None:
            self._emit(ReviewChanged(self.task(run.task).repository, affected_paths(run, accepted.chosen)))
        self.discards.noted(accepted.discard, accepted.discarded)

    def runs_at(self, file: Path) -> list[tuple[Run, FileChange]]:
        """The runs that change a file, those of the newest task first and of each task the best first; of those
        thrown away none."""
        return self._rankings.best_first(self._book.runs_at(file))

    # Inside

    def _patch(self, task: Task, run: Run) -> bytes:
        assert run.base is not None and run.result is not None, "it was ranked by its result"  # noqa: S101
        return self._rooms.of(Path(task.repository)).shadow.patch(run.base, run.result)

    def _charge(self, task: Task, spent: Spent) -> None:
        """Count what a judge has taken: for its task, by a run that there is none of."""
        spending = Spending(f"{task.id}-0", task.id, task.repository, self._book.ancestors(task.id), spent)
        self._journal.spend(spending)
        self.limits.spent(spending)

    def _weights(self) -> Weights:
        return Weights(**self._configuration.ranking.model_dump())

    def _begin(self, run_id: str) -> None:
        task = self.task(self.run(run_id).task)
        job = Job(
            run_id=run_id,
            task=task,
            room=self._rooms.of(Path(task.repository)),
            setups=self.setups.of(self._rooms.of(Path(task.repository))),
            backends=Backends(self._configuration),
            settings=self._configuration.runs,
            run_folder=self.run_folder(run_id),
            ports=self._ports,
            place=self._queue.place_of(run_id),
            cancelled=Cancellation(),
            current=lambda: self.run(run_id),
            advance=functools.partial(self._book.advance, run_id),
            end=functools.partial(self._book.end, run_id),
            clock=self._clock,
            outputs=self._outputs,
            asks=self._asks,
            terms=self.judgements.plan_of(task),
            places=self.judgements.places,
            tell_apart=lambda: self.judgements.annotate_run(run_id),
            trusted=self._configuration.trusts(Path(task.repository)),
            prompt=lambda run: prompt_of(self.task(run.task)) if run.message is None else run.message,
            read_result=functools.partial(_read_result, *self._results_of(Path(task.repository))),
        )
        self._lives[run_id] = ActiveRun(self._own(self._live(job)), job.cancelled)
        self.judgements.begin(task, self.run(run_id))

    async def _live(self, job: Job) -> None:
        try:
            await run_to_end(job)
            await self._tidy(job.room)
        except MuxError as error:
            self._book.fail(job.run_id, str(error))
        except Exception as error:
            if is_of_the_system(error):
                words = in_plain_words(error, self._state)
                log.warning("run %s: %s", job.run_id, words, exc_info=not is_of_the_disk(error))
                self._book.fail(job.run_id, words)
            else:
                log.exception("run %s ended by a bug in mux-lsp", job.run_id)
                self._book.fail(job.run_id, "a bug in mux-lsp; its log has the details")
        finally:
            if (life := self._lives.get(job.run_id)) and life.cancelled is job.cancelled:
                del self._lives[job.run_id]
            if self._book.find_run(job.run_id) is not None:
                self.judgements.ended(self.task(job.task.id))

    async def _tidy(self, room: RepositoryStore) -> None:
        """Pack what runs have left in the shadow store, once none is at work and it is worth it."""
        at_work = any(not run.state.ended for task in self.tasks(room.root) for run in task.runs)
        if not at_work:
            await self._delete_refs(room)
            if await asyncio.to_thread(lambda: room.shadow.needs_gc):
                await asyncio.to_thread(room.shadow.gc)

    def _notify(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self.notices = (*self.notices, sentence)
        self._untold.append(sentence)
        self._emit(Noticed())

    def _emit(self, event: Event) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on %s", type(event).__name__)

    def _own(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._owned.add(task)
        task.add_done_callback(self._disown)
        return task

    def _disown(self, task: asyncio.Task[None]) -> None:
        """Forget work that nobody waits for. What it could not do is in the log."""
        self._owned.discard(task)
        self._emit(WorkEnded())
        error = None if task.cancelled() else task.exception()
        if isinstance(error, MuxError):
            log.warning("%s", error)
        elif error is not None:
            log.error("a bug in mux-lsp", exc_info=error)

    def _default_choices(self, settings: Settings) -> tuple[AgentChoice, ...]:
        chosen = settings.agents or backends.default_agents(self._configuration, os.environ)
        if not chosen:
            raise UsageError(" ".join((*settings.notices, backends.no_agent(self._configuration))))
        return tuple(AgentChoice(agent, count, model) for agent, count, model in map(config.parse_choice, chosen))


def _is_to_end(run: Run) -> bool:
    return run.cancel_requested and not run.state.ended


def _drop(room: RepositoryStore, snapshot: Snapshot, name: str) -> None:
    """Forget a snapshot that was just taken."""
    room.shadow.complete(snapshot)
    room.shadow.delete_refs(name)


def _read_result(results: DiffStats, reviews: HunkCache, base: str, result: str) -> tuple[tuple[FileChange, ...], int]:
    files, hunks = results.read(base, result, reviews.count)
    encode_files(files)
    return files, hunks


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """What carries a run out, and what ends it early."""

    task: asyncio.Task[None]
    cancelled: Cancellation
