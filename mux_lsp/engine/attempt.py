"""One run from the queue to its end: worktree, agent, result, checks.

What is done here needs git, an agent and someone to tell (`Job.advance`), and neither the journal nor a client. It can
be begun again at any point: the run's state says how far an earlier daemon came.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mux_lsp.agents import process
from mux_lsp.agents.backend import Attempt
from mux_lsp.agents.command import mark
from mux_lsp.agents.environment import KEYS, scrubbed
from mux_lsp.core.model import Check, CheckState, Run, RunState, Snapshot, Task
from mux_lsp.engine import renewal
from mux_lsp.engine.host import RunHost
from mux_lsp.engine.watching import Batch, merge, watching
from mux_lsp.errors import MuxError
from mux_lsp.git.repository import discover

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mux_lsp.agents.backend import Backend, Outcome
    from mux_lsp.agents.ports import PortBlocks
    from mux_lsp.config import Runs
    from mux_lsp.core.model import FileChange
    from mux_lsp.engine.backends import Backends
    from mux_lsp.engine.output import Outputs
    from mux_lsp.engine.permissions import Asks
    from mux_lsp.engine.repositories import Room
    from mux_lsp.git.worktrees import Worktree

log = logging.getLogger(__name__)


class Advance(Protocol):
    """Changes the run: its state, the reason for it, or other fields. Journals and tells it. Returns the run then."""

    def __call__(self, state: RunState | None = None, *, reason: str | None = None, **changes: object) -> Run: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A run to carry out, and all that it takes."""

    run_id: str
    task: Task
    room: Room
    backends: Backends
    settings: Runs
    run_folder: Path
    ports: PortBlocks
    slots: asyncio.Semaphore
    """Limits how many agents work at once."""
    cancelled: asyncio.Event
    """Set when a person ends the run."""
    current: Callable[[], Run]
    advance: Advance
    outputs: Outputs
    asks: Asks
    trusted: bool
    """Whether the person trusts what the repository itself would have agents run."""
    prompt: Callable[[Run], str]
    read_result: Callable[[str, str], tuple[tuple[FileChange, ...], int]]
    """What a result changes from its snapshot, and how many hunks that is. For use in a thread."""


async def carry_out(job: Job) -> None:
    """Do what is left to do of a run. Raises MuxError where it cannot be done.

    When it is cancelled as an asyncio task (the daemon ends), the agent goes on and the run keeps its state.
    """
    run = job.current()
    if not run.state.ended:
        # An agent that an earlier daemon started is at work already, whatever the limit says now.
        waits = run.worktree is None
        if waits and not await _turn(job):
            job.advance(RunState.CANCELLED, finished=time.time())
            return
        try:
            await _with_worktree(job)
        except MuxError as error:
            job.advance(RunState.FAILED, reason=str(error), finished=time.time())
        finally:
            if waits:
                job.slots.release()
    await _give_back(job)


async def _turn(job: Job) -> bool:
    """Wait for a free place; False when cancelled meanwhile."""
    taking = asyncio.ensure_future(job.slots.acquire())
    try:
        await _first_of(taking, job.cancelled)
    except BaseException:
        if taking.done() and not taking.cancelled():
            job.slots.release()
        taking.cancel()
        raise
    if job.cancelled.is_set():
        if not taking.cancel():
            job.slots.release()
        return False
    return True


async def _first_of(work: asyncio.Future[Any], cancelled: asyncio.Event) -> None:
    """Wait until a piece of work is done or the run is cancelled, whichever is first."""
    watch: asyncio.Future[Any] = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()


async def _with_worktree(job: Job) -> None:
    run = job.current()
    if run.worktree is None:
        run = job.advance(RunState.PREPARING, started=run.started or time.time())
        worktree = await asyncio.to_thread(_prepare, job, run)
        run = job.advance(worktree=worktree.slot)
    else:
        worktree = await asyncio.to_thread(job.room.worktrees.reopen, run.worktree)
    if run.state is not RunState.CHECKING and not (job.cancelled.is_set() and run.state is RunState.PREPARING):
        outcome = await _agent(job, worktree)
        if not _ended_well(job, outcome):
            return
    await _checks(job, worktree)
    state = RunState.CANCELLED if job.cancelled.is_set() else RunState.FINISHED
    reason = await asyncio.to_thread(renewal.unresolved, job.room, job.current())
    job.advance(state, reason=reason, finished=time.time())


def _prepare(job: Job, run: Run) -> Worktree:
    repository = discover(job.room.root)
    snapshot = job.task.snapshot
    assert snapshot is not None, "a task has its snapshot before its runs begin"  # noqa: S101
    job.room.shadow.secure(snapshot, job.task.id, repository)
    if run.result is not None:
        # It goes on from what it has made, above the HEAD that its snapshot was taken of.
        head = snapshot.head if run.base in {None, snapshot.commit} else job.room.shadow.parent_of(_base(job))
        snapshot = Snapshot(run.result, job.room.shadow.tree_of(run.result), head)
    return job.room.worktrees.prepare(snapshot, run.id, repository=repository)


async def _agent(job: Job, worktree: Worktree) -> Outcome:
    """Have the agent work, with its result followed while it does, and taken whole at the end."""
    run = job.current()
    if run.port is not None:
        job.ports.keep(run.id, run.port)
    port = job.ports.reserve(run.id)
    try:
        backend = job.backends.of(run.agent)
        folder = worktree.folder / job.task.folder
        # What was opened may hold nothing that git knows.
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        attempt = Attempt(
            run=run.id,
            task=run.task,
            prompt=job.prompt(run),
            worktree=worktree.folder,
            folder=folder,
            repository=job.room.root,
            run_folder=job.run_folder,
            model=run.model,
            port=port,
            turn=run.turn,
            session=run.session,
            checks=job.task.checks,
            trusted=job.trusted,
        )
        taken_up = run.state in {RunState.RUNNING, RunState.WAITING}
        known = _known_process(run)
        if taken_up and known is None:
            # The daemon was killed between starting the agent and noting it, or the agent has no process of its own: it
            # goes on from what was kept, with nobody else at work.
            await backend.cancel(attempt, None)
        job.outputs.follow(run.id)
        job.advance(RunState.RUNNING, port=port)
        host = RunHost(job)
        if not taken_up:
            host.prompted(attempt.prompt, attempt.turn)
        working = backend.attempt(attempt, host) if known is None else backend.resume(attempt, known, host)
        outcome = await _until_ended(job, worktree, asyncio.ensure_future(working), backend, attempt)
        await job.outputs.finish(run.id)
    finally:
        job.ports.release(run.id)
    await _take_result(job, worktree)
    return outcome


async def _until_ended(
    job: Job, worktree: Worktree, work: asyncio.Future[Outcome], backend: Backend, attempt: Attempt
) -> Outcome:
    follow = asyncio.create_task(_follow(job, worktree))
    try:
        await _first_of(work, job.cancelled)
        if not work.done():
            await backend.cancel(attempt, _known_process(job.current()))
        return await work
    finally:
        # Where the daemon ends, this leaves the agent at work.
        for one in (work, follow):
            one.cancel()
        await asyncio.gather(work, follow, return_exceptions=True)


def _known_process(run: Run) -> process.Process | None:
    return None if run.pid is None or run.pid_created is None else process.Process(run.pid, run.pid_created)


async def _follow(job: Job, worktree: Worktree) -> None:
    """Take the result anew whenever the worktree changes: one at a time, whatever came meanwhile taken together."""
    async with watching(worktree.folder) as batches:
        while True:
            waiting: list[Batch] = [await batches.get()]
            while not batches.empty():
                waiting.append(batches.get_nowait())
            try:
                await _harvest(job, worktree, merge(waiting))
            except asyncio.CancelledError:
                raise
            except Exception:
                # A result in the making may be in any state; the one at the end must succeed.
                log.exception("the result of %s could not be taken while it works", job.run_id)


async def _harvest(job: Job, worktree: Worktree, paths: Batch) -> None:
    run = job.current()
    harvest = await asyncio.to_thread(job.room.worktrees.harvest, worktree, run.id, paths)
    left_out = harvest.left_out
    if paths is not None:
        # Of the rest nothing was said this time.
        left_out = tuple({left.path: left for left in (*run.left_out, *left_out)}.values())
    if harvest.commit == run.result:
        job.advance(left_out=left_out)
        return
    files, hunks = await asyncio.to_thread(job.read_result, _base(job), harvest.commit)
    job.advance(result=harvest.commit, files=files, hunks=hunks, left_out=left_out)


async def _take_result(job: Job, worktree: Worktree) -> None:
    await _harvest(job, worktree, None)
    job.advance(taken=True)


def _ended_well(job: Job, outcome: Outcome) -> bool:
    """Whether the agent ended well; otherwise the run is brought to its end."""
    run = job.current()
    if job.cancelled.is_set():
        state, reason = RunState.CANCELLED, None
    elif outcome.exit_status is None:
        state, reason = RunState.INTERRUPTED, outcome.reason
    elif outcome.exit_status != 0:
        state, reason = RunState.FAILED, outcome.reason
    else:
        job.advance(RunState.CHECKING if job.task.checks else run.state, exit_status=0)
        return True
    job.advance(state, reason=reason, exit_status=outcome.exit_status, finished=time.time())
    return False


async def _checks(job: Job, worktree: Worktree) -> None:
    done: list[Check] = []
    # An earlier daemon may have been killed while one ran.
    await process.end(None, mark(job.run_id, worktree.folder), 0)
    for number, command in enumerate(job.task.checks):
        if job.cancelled.is_set():
            return
        job.advance(checks=(*done, Check(command, CheckState.RUNNING)))
        done.append(await _check(job, worktree, number, command))
        job.advance(checks=tuple(done))


async def _check(job: Job, worktree: Worktree, number: int, command: str) -> Check:
    run_folder = check_folder(job.run_folder, number)
    run_folder.mkdir(exist_ok=True)
    folder = worktree.folder / job.task.folder
    marked = mark(job.run_id, worktree.folder)
    begun = time.monotonic()
    child = process.start(
        ["/bin/sh", "-c", command],
        folder=folder,
        environment=scrubbed(os.environ, folder, KEYS),
        run_folder=run_folder,
        mark=marked,
    )
    waiting = asyncio.ensure_future(process.wait(child, run_folder))
    in_time = False
    try:
        async with asyncio.timeout(job.settings.check_timeout_seconds):
            await _first_of(waiting, job.cancelled)
        in_time = waiting.done()
    except TimeoutError:
        log.info("check %d of %s took too long and was ended", number, job.run_id)
    finally:
        waiting.cancel()
        await process.end(child, marked, job.settings.grace_seconds, run_folder=run_folder)
    status = process.read_exit(run_folder)
    state = CheckState.PASSED if in_time and status == 0 else CheckState.FAILED
    return Check(command, state, status, round(time.monotonic() - begun, 3))


def check_folder(run_folder: Path, number: int) -> Path:
    """Where the output of a run's check is."""
    return run_folder / f"check-{number}"


def _base(job: Job) -> str:
    base = job.current().base
    assert base is not None, "a run has its base from the start"  # noqa: S101
    return base


async def _give_back(job: Job) -> None:
    """Hand the worktree on to the next run, once its result is safe."""
    run = job.current()
    if run.worktree is None:
        return
    worktree = await asyncio.to_thread(job.room.worktrees.reopen, run.worktree)
    if not run.taken:
        await _take_result(job, worktree)
    await asyncio.to_thread(job.room.worktrees.release, worktree)
    await asyncio.to_thread(job.room.worktrees.trim, job.settings.keep_worktrees)
    job.advance(worktree=None, port=None)
