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
from mux_lsp.agents.log import printable
from mux_lsp.agents.ports import PortBlocks
from mux_lsp.core.model import AgentChoice, FileChange, Run, RunState, Task
from mux_lsp.core.permissions import Rule, Rules, rules
from mux_lsp.engine import backends, renewal
from mux_lsp.engine.attempt import Job, carry_out
from mux_lsp.engine.backends import Backends
from mux_lsp.engine.changed import Changed, paths_at, paths_of
from mux_lsp.engine.events import Event, ReviewChanged, RunChanged, TaskChanged
from mux_lsp.engine.history import History
from mux_lsp.engine.output import Outputs
from mux_lsp.engine.permissions import Answer, Asked, Asks
from mux_lsp.engine.rejections import Rejections
from mux_lsp.engine.repositories import Room, Rooms, locate
from mux_lsp.engine.request import Client, StartRequest, buffers_of, context_of, prompt_of
from mux_lsp.engine.results import Results
from mux_lsp.engine.reviews import Reviews
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.git.command import own
from mux_lsp.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping


log = logging.getLogger(__name__)

GIT_GRACE_SECONDS = 2.0
"""How long a git that a killed daemon has left behind may take to tidy up after itself."""

WORKERS = 32
"""Threads for git and the disk."""


class Engine:
    """All that the daemon does, without a word of LSP. Lives on one event loop."""

    def __init__(self, state: Path, config_file: Path) -> None:
        self._state = state
        self._config_file = config_file
        self._configuration = config.Configuration()
        self._tasks: dict[str, Task] = {}
        self._runs: dict[str, Run] = {}
        self._lives: dict[str, Life] = {}
        self._owned: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[Event], None]] = []
        self._outputs = Outputs(state / "runs", self._emit)
        self._new_ids: set[str] = set()
        self._changed = Changed()
        self._clients: list[Client] = []
        self._reviews: dict[Path, tuple[Results, Reviews]] = {}
        self._rooms = Rooms(state / "repos")
        self._ports = PortBlocks()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")
        self._journal: Journal
        self._rejections: Rejections
        self.history: History
        """What became part of a person's text."""
        self._asks = Asks(self._emit, self._rules_of, self._remember_rule, self._permission_seconds)

    # Life

    async def open(self) -> None:
        """Read the settings and the journal, and take up what an earlier daemon left. Raises MuxError."""
        asyncio.get_running_loop().set_default_executor(self._pool)
        self._configuration = config.load(self._config_file)
        self._slots = asyncio.Semaphore(self._configuration.runs.concurrent)
        # A git that a killed daemon has left at work would write among ours.
        await process.end(None, own(str(self._state)), GIT_GRACE_SECONDS)
        (self._state / "runs").mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(shutil.rmtree, self.client_files, ignore_errors=True)
        self._journal = Journal(self._state / "mux.db")
        for task in self._journal.tasks():
            self._tasks[task.id] = task
            self._runs |= {run.id: run for run in task.runs}
        self._rejections = Rejections(self._journal, self._runs)
        self.history = History(self._journal, self.task, self.run)
        self._own(self._outputs.pump())
        for root in {task.repository for task in self._tasks.values()}:
            used = {run.worktree for task in self.tasks(Path(root)) for run in task.runs if run.worktree}
            try:
                await asyncio.to_thread(self._rooms.of(Path(root)).worktrees.sweep, used)
            except Exception:
                # One folder that cannot be removed must not keep the daemon from starting.
                log.exception("worktrees of %s that nobody uses could not be removed", root)
        for run in self._runs.values():
            if not run.state.ended or run.worktree is not None:
                self._begin(run.id)

    async def close(self) -> None:
        """Stop watching. Agents of runs that have not ended go on, and the next daemon takes them up."""
        for task in self._owned:
            task.cancel()
        await asyncio.gather(*self._owned, return_exceptions=True)
        self._rooms.close()
        self._journal.close()

    def busy(self) -> bool:
        """Whether a run has not ended."""
        return any(not run.state.ended for run in self._runs.values())

    def can_hand_over(self) -> bool:
        """Whether another daemon can take up everything now: command agents go on by themselves."""
        return True

    def status(self) -> dict[str, object]:
        """A few numbers, at no cost."""
        unfinished = sum(not run.state.ended for run in self._runs.values())
        return {"tasks": len(self._tasks), "runs": len(self._runs), "unfinished_runs": unfinished}

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Have a function called with every event from now on. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

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
        self._configuration = await asyncio.to_thread(config.load, self._config_file)
        return self._configuration

    async def default_agents(self) -> tuple[str, ...]:
        """What a task takes that names no agent. Raises UsageError where the settings are wrong."""
        return backends.default_agents(await self.configured(), os.environ)

    # Tasks and runs

    async def start(self, request: StartRequest) -> Task:
        """Take a snapshot of what the person sees, and begin a run for each agent asked for.

        Raises NotARepositoryError, UsageError for a bad agent, MuxError where the snapshot fails.
        """
        backends = Backends(await self.configured())
        choices = request.choices or self._default_choices()
        for choice in choices:
            backends.of(choice.agent)
        repository = await asyncio.to_thread(locate, request.folder)
        room = self._rooms.of(repository.root)
        context = tuple(context_of(repository.root, *place) for place in request.context)
        buffers, left_out = buffers_of(request.clients, repository.root)
        with self._new_id() as task_id:
            snapshot = await asyncio.to_thread(room.shadow.snapshot, repository, buffers, task_id)
            snapshot = replace(snapshot, left_out=(*snapshot.left_out, *left_out))
            names = [(choice.agent, choice.model) for choice in choices for _ in range(choice.count)]
            task = Task(
                id=task_id,
                prompt=request.prompt,
                repository=str(repository.root),
                folder=repository.prefix,
                created=time.time(),
                snapshot=snapshot,
                checks=self._configuration.defaults.checks if request.checks is None else request.checks,
                context=context,
                runs=tuple(
                    Run(f"{task_id}-{number}", task_id, agent, model, RunState.QUEUED, base=snapshot.commit)
                    for number, (agent, model) in enumerate(names, 1)
                ),
                numbered=len(names),
            )
            self._journal.add_task(task)
        self._tasks[task.id] = task
        self._runs |= {run.id: run for run in task.runs}
        self._emit(TaskChanged(task))
        for run in task.runs:
            self._begin(run.id)
        return task

    @contextlib.contextmanager
    def _new_id(self) -> Iterator[str]:
        """An id that no task has, and none gets that begins meanwhile."""
        task_id = self._journal.new_task_id()
        while task_id in self._new_ids:
            task_id = self._journal.new_task_id()
        self._new_ids.add(task_id)
        try:
            yield task_id
        finally:
            self._new_ids.discard(task_id)

    def tasks(self, root: Path | None = None) -> tuple[Task, ...]:
        """All tasks, oldest first; those of one repository where its root is given."""
        wanted = (task for task in self._tasks.values() if root is None or task.repository == str(root))
        return tuple(map(self._whole, sorted(wanted, key=lambda task: task.created)))

    def task(self, task_id: str) -> Task:
        """A task by its id. Raises UsageError where there is none."""
        task = self._tasks.get(task_id)
        if task is None:
            raise UsageError(f"There is no task {printable(task_id)!r}; `mux-lsp list` shows those there are.")
        return self._whole(task)

    def run(self, run_id: str) -> Run:
        """A run by its id. Raises UsageError where there is none."""
        run = self._runs.get(run_id)
        if run is None:
            raise UsageError(f"There is no run {printable(run_id)!r}; `mux-lsp list` shows those there are.")
        return run

    async def cancel(self, run_id: str) -> Run:
        """End a run and its whole process tree; its result so far is kept. A run that has ended stays as it is."""
        run = self.run(run_id)
        life = self._lives.get(run_id)
        if run.state.ended or life is None:
            return run
        life.cancelled.set()
        await self.until(run_id, lambda run: run.state.ended)
        return self.run(run_id)

    async def retry(self, run_id: str) -> Run:
        """Another attempt by the same agent at the same task, as a new run."""
        backends = Backends(await self.configured())
        old = self.run(run_id)
        backends.of(old.agent)
        task = self.task(old.task)
        number = task.numbered + 1
        run = Run(f"{task.id}-{number}", task.id, old.agent, old.model, RunState.QUEUED, base=old.base)
        self._journal.save_run(run, "retried", {"of": run_id})
        self._runs[run.id] = run
        self._tasks[task.id] = replace(task, runs=(*task.runs, run), numbered=number)
        self._journal.save_task(self._tasks[task.id], "numbered")
        self._emit(TaskChanged(self.task(task.id)))
        self._begin(run.id)
        return run

    async def carry_on(self, run_id: str, message: str, clients: tuple[Client, ...] | None = None) -> Run:
        """Have the agent of a run that has ended go on from its own result, with a further message as its prompt.

        With `clients`, what the person has by now, the unsaved buffers of these clients included, is merged into its
        result first. A run that waits for leave takes the message as a no to what it asked for.
        """
        backends = Backends(await self.configured())
        await self._settled(run_id)
        run = self.run(run_id)
        if run.state is RunState.WAITING and clients is None:
            for asked in self.asked:
                if run_id in asked.runs:
                    self._asks.reply(asked.id, "refuse", message)
            return self.run(run_id)
        if not run.state.ended:
            raise UsageError(f"{run_id} is still {run.state}; it takes a message when it has ended.")
        backends.of(run.agent)
        renewed: dict[str, Any] = {}
        if clients is not None:
            room = self._rooms.of(Path(self.task(run.task).repository))
            new = await asyncio.to_thread(renewal.renew, room, run, renewal.unsaved_of(clients, room))
            if self.run(run_id) != run:
                raise UsageError(f"{run_id} went on meanwhile; send the message again when it has ended.")
            files, hunks = await asyncio.to_thread(_read_result, *self._results_of(room.root), new.base, new.result)
            renewed = {
                "base": new.base, "result": new.result, "files": files, "hunks": hunks, "collided": new.conflicts,
            }  # fmt: skip
            message = renewal.told(message, new.conflicts)
        run = self._advance(
            run_id,
            RunState.QUEUED,
            message=message,
            turn=run.turn + 1,
            **renewed,
            taken=False,
            # Its time is that of its work on this message.
            started=None,
            finished=None,
            exit_status=None,
            pid=None,
            pid_created=None,
            checks=(),
        )
        self._emit(TaskChanged(self.task(run.task)))
        self._begin(run_id)
        return run

    async def delete(self, id_: str) -> tuple[str, ...]:
        """Forget a task with its runs, or one run: journal, logs and results. Returns the ids of the runs.

        Raises UsageError where one of them has not ended.
        """
        await self._settled(*(run.id for run in self._named(id_)[1]))
        # From here to the end of the journal's part nothing is awaited: nobody can begin a run of it meanwhile.
        task, doomed = self._named(id_)
        for run in doomed:
            if not run.state.ended:
                raise UsageError(f"{run.id} is still {run.state}; cancel it first: `mux-lsp cancel {run.id}`.")
        whole = len(doomed) == len(task.runs)
        if whole:
            self._journal.delete_task(task.id)
            del self._tasks[task.id]
        else:
            for run in doomed:
                self._journal.delete_run(run.id)
            self._tasks[task.id] = replace(task, runs=tuple(run for run in task.runs if run not in doomed))
        ids = tuple(run.id for run in doomed)
        for run_id in ids:
            del self._runs[run_id]
        self._rejections.forget(ids)
        self._changed.forget(ids)
        self._asks.forget((*ids, *([task.id] if whole else [])))
        self._emit(TaskChanged(task if whole else self.task(task.id), deleted=whole))
        self._emit(ReviewChanged(task.repository, paths_of(change for run in doomed for change in run.files)))
        room = self._rooms.of(Path(task.repository))
        renewals = [renewal.snapshot_name(run.id, turn) for run in doomed for turn in range(1, run.turn + 1)]
        for name in (*ids, *renewals, *([task.id] if whole else [])):
            await asyncio.to_thread(room.shadow.delete_refs, name)
        for run_id in ids:
            await asyncio.to_thread(shutil.rmtree, self.run_folder(run_id), ignore_errors=True)
        return ids

    def _named(self, id_: str) -> tuple[Task, tuple[Run, ...]]:
        """The task of an id, and the runs that it names: all of a task's, or the one."""
        task = self.task(self.run(id_).task if "-" in id_ else id_)
        return task, tuple(run for run in task.runs if id_ in {run.id, task.id})

    async def _settled(self, *run_ids: str) -> None:
        """Wait until those of these runs that have ended have given their worktrees back."""
        lives = {life.task for one in run_ids if self.run(one).state.ended and (life := self._lives.get(one))}
        if lives:
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
    def asked(self) -> tuple[Asked, ...]:
        """What agents ask leave for and nobody has answered yet, oldest first."""
        return self._asks.open()

    def reply(self, ask_id: str, answer: Answer, reason: str | None = None) -> Asked:
        """Answer what an agent asked. Raises UsageError where nobody waits for it any more."""
        return self._asks.reply(ask_id, answer, reason)

    def _rules_of(self, repository: str) -> Rules:
        permissions = self._configuration.permissions
        given = tuple(Rule(tool, subject) for tool, subject in self._journal.allowed(repository))
        return rules(permissions.allow, permissions.deny).and_also(Rules(given))

    def _remember_rule(self, repository: str, rule: Rule) -> None:
        assert rule.subject is not None, "what was asked for had a subject"  # noqa: S101
        self._journal.allow(repository, rule.tool, rule.subject)

    def _permission_seconds(self) -> float:
        return self._configuration.permissions.timeout_seconds

    # Output

    @property
    def client_files(self) -> Path:
        """Where files go that are for a client while it is connected. What a killed daemon left is removed at start."""
        return self._state / "clients"

    @property
    def kept(self) -> Path:
        """Where copies go of what a person has had written over."""
        return self._state / "kept"

    def run_folder(self, run_id: str) -> Path:
        """Where a run's prompt, output and exit status are."""
        return self._state / "runs" / run_id

    # Review

    def room(self, root: Path) -> Room:
        """What the daemon keeps of a repository."""
        return self._rooms.of(root)

    def reviews(self, root: Path) -> Reviews:
        """The hunks of a repository's results."""
        return self._results_of(root)[1]

    def _results_of(self, root: Path) -> tuple[Results, Reviews]:
        found = self._reviews.get(root)
        if found is None:
            shadow = self._rooms.of(root).shadow
            results = Results(shadow)
            found = self._reviews[root] = results, Reviews(shadow.read, results.take)
        return found

    def rejections(self, run_id: str, path: str) -> frozenset[str]:
        """What the person rejected of a file, in the words of `Item.rejected_as`."""
        return self._rejections.of(run_id, path)

    def reject(self, run_id: str, path: str, hunks: frozenset[str]) -> None:
        """Remember that the person does not want these; in the words of `Item.rejected_as`."""
        self._rejections.add(run_id, path, hunks)
        run = self.run(run_id)
        self._emit(ReviewChanged(self._tasks[run.task].repository, paths_at(run, {path})))

    def accepted(self, run_id: str, chosen: Mapping[str, frozenset[str]]) -> None:
        """Note what a person has accepted, hunks by path; a rejection of it is forgotten."""
        run = self.run(run_id)
        for path, hunks in chosen.items():
            self._rejections.remove(run_id, path, hunks)
        self._journal.save_run(run, "accepted", {"hunks": {path: sorted(hunks) for path, hunks in chosen.items()}})
        self._emit(ReviewChanged(self._tasks[run.task].repository, paths_at(run, chosen)))

    def runs_at(self, file: Path) -> list[tuple[Run, FileChange]]:
        """The runs that change a file, those of the newest task first."""
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
                found += [(run, change) for change in self._changed.at(run, path)]
        return found

    # Inside

    def _begin(self, run_id: str) -> None:
        task = self.task(self.run(run_id).task)
        job = Job(
            run_id=run_id,
            task=task,
            room=self._rooms.of(Path(task.repository)),
            backends=Backends(self._configuration),
            settings=self._configuration.runs,
            run_folder=self.run_folder(run_id),
            ports=self._ports,
            slots=self._slots,
            cancelled=asyncio.Event(),
            current=lambda: self.run(run_id),
            advance=lambda *arguments, **changes: self._advance(run_id, *arguments, **changes),
            outputs=self._outputs,
            asks=self._asks,
            trusted=self._configuration.trusts(Path(task.repository)),
            prompt=lambda run: prompt_of(self._tasks[run.task]) if run.message is None else run.message,
            read_result=functools.partial(_read_result, *self._results_of(Path(task.repository))),
        )
        self._lives[run_id] = Life(self._own(self._live(job)), job.cancelled)

    async def _live(self, job: Job) -> None:
        try:
            await carry_out(job)
            await self._tidy(job.room)
        except MuxError as error:
            self._fail(job.run_id, str(error))
        except Exception:
            log.exception("run %s ended by a bug in mux-lsp", job.run_id)
            self._fail(job.run_id, "a bug in mux-lsp; its log has the details")
        finally:
            if (life := self._lives.get(job.run_id)) and life.cancelled is job.cancelled:
                del self._lives[job.run_id]

    async def _tidy(self, room: Room) -> None:
        """Pack what runs have left in the shadow store, once none is at work and it is worth it."""
        at_work = any(not run.state.ended for task in self.tasks(room.root) for run in task.runs)
        if not at_work and await asyncio.to_thread(lambda: room.shadow.grown):
            await asyncio.to_thread(room.shadow.tidy)

    def _fail(self, run_id: str, reason: str) -> None:
        """A run has ended by an error that nobody expected where it came up."""
        before = self._runs.get(run_id)
        if before is None or before.state.ended:
            log.warning("after the end of run %s: %s", run_id, reason)
            return
        try:
            self._advance(run_id, RunState.FAILED, reason=reason, finished=time.time())
        except MuxError as error:
            # The journal cannot be written. Nobody shall wait for a run that nothing carries out any more.
            log.error("run %s failed (%s), and that could not be journalled: %s", run_id, reason, error)
            self._become(before, replace(before, state=RunState.FAILED, reason=reason, finished=time.time()))

    def _advance(
        self, run_id: str, state: RunState | None = None, *, reason: str | None = None, **changes: object
    ) -> Run:
        """The one place where a run changes: into the journal first, then told to everyone."""
        before = self._runs[run_id]
        after = replace(before, state=state or before.state, **changes)  # type: ignore[arg-type]  # checked by replace
        if state is not None:
            after = replace(after, reason=reason)
        if after == before:
            return before
        if after.state is not before.state:
            log.info("run %s: %s -> %s%s", run_id, before.state, after.state, f" ({reason})" if reason else "")
        self._journal.save_run(after, after.state, {"previous": before.state, "reason": after.reason})
        return self._become(before, after)

    def _become(self, before: Run, after: Run) -> Run:
        self._runs[after.id] = after
        self._emit(RunChanged(after, before.state))
        if after.files != before.files:
            paths = paths_of(set(after.files) ^ set(before.files))
            self._emit(ReviewChanged(self._tasks[after.task].repository, paths))
        return after

    def _emit(self, event: Event) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed on %s", type(event).__name__)

    def _own(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)
        return task

    def _whole(self, task: Task) -> Task:
        return replace(task, runs=tuple(self._runs[run.id] for run in task.runs))

    def _default_choices(self) -> tuple[AgentChoice, ...]:
        chosen = backends.default_agents(self._configuration, os.environ)
        if not chosen:
            raise UsageError(backends.NO_AGENT)
        return tuple(AgentChoice(agent, count, model) for agent, count, model in map(config.parse_choice, chosen))


def _read_result(results: Results, reviews: Reviews, base: str, result: str) -> tuple[tuple[FileChange, ...], int]:
    return results.read(base, result, reviews.count)


@dataclass(frozen=True, slots=True)
class Life:
    """What carries a run out, and what ends it early."""

    task: asyncio.Task[None]
    cancelled: asyncio.Event
