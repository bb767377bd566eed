"""Carry out one run from the queue to its end: worktree, agent, result, checks.

The code here uses git, an agent and callbacks such as `Job.advance`, but neither the journal nor a client. It can be
restarted at any point: the run's state tells how far an earlier daemon got.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Final

from mux_lsp.agents import process
from mux_lsp.agents.backend import Attempt, Outcome
from mux_lsp.agents.command import mark
from mux_lsp.core.model import Run, RunState, Snapshot
from mux_lsp.engine.repository.cancellation import wait_or_cancelled
from mux_lsp.engine.repository.setup import set_up
from mux_lsp.engine.runs import sync_base
from mux_lsp.engine.runs.check_result import base_commit, check_result, is_check_config
from mux_lsp.engine.runs.host import RunHost
from mux_lsp.engine.runs.watcher import Batch, merge, watching
from mux_lsp.engine.state.system_errors import in_plain_words, is_of_the_disk, is_of_the_system
from mux_lsp.errors import MuxError
from mux_lsp.git.pinned_folder import LostError
from mux_lsp.git.repository import discover

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mux_lsp.engine.runs.job import Job
    from mux_lsp.git.repository import Repository
    from mux_lsp.git.worktrees import Harvest, Worktree

log = logging.getLogger(__name__)

FOLLOWED_AFTER: Final = 0.5
"""Seconds. Starting to watch a worktree takes as long as reading it, so a shorter run is read once, at its end."""


async def run_to_end(job: Job) -> None:
    """Complete a run from its current state. Raises MuxError if that is impossible.

    When it is cancelled as an asyncio task (the daemon ends), the agent keeps working and the run keeps its state.
    """
    run = job.current()
    if not run.state.ended:
        try:
            if not await _wait_for_slot(job):
                job.end(RunState.CANCELLED, job.cancelled.reason)
                return
            await _with_worktree(job)
        except MuxError as error:
            job.end(RunState.FAILED, str(error))
        except Exception as error:
            if not is_of_the_system(error):
                raise
            words = in_plain_words(error, job.run_folder)
            log.warning("run %s: %s", job.run_id, words, exc_info=not is_of_the_disk(error))
            job.end(RunState.FAILED, words)
        finally:
            job.place.release()
    await _give_back(job)


async def _wait_for_slot(job: Job) -> bool:
    """Wait for a slot. Returns False if cancelled first."""
    taking = asyncio.ensure_future(job.place.taken())
    try:
        await wait_or_cancelled(taking, job.cancelled)
    finally:
        taking.cancel()
    return job.current().worktree is not None or not job.cancelled.is_set()


async def _with_worktree(job: Job) -> None:
    run = job.current()
    if run.worktree is None:
        run = job.advance(RunState.PREPARING, started=run.started or job.clock.begin(run.id))
        prepared = await _prepared(job, run)
        if prepared is None:
            job.end(RunState.CANCELLED, job.cancelled.reason)
            return
        worktree = prepared
        run = job.advance(worktree=worktree.slot)
    else:
        worktree = await _found_again(job, run.worktree)
    if run.state is not RunState.CHECKING and not (job.cancelled.is_set() and run.state is RunState.PREPARING):
        outcome = await _agent(job, worktree)
        if not _ended_well(job, outcome):
            return
    if job.current().state is RunState.CHECKING:
        # Checks do not need an agent's slot.
        job.place.release()
    if run.state is RunState.CHECKING:
        # An earlier daemon was killed while a check ran.
        await process.end(None, mark(job.run_id, worktree.folder), 0)
    await check_result(job, worktree)
    state = RunState.CANCELLED if job.cancelled.is_set() else RunState.FINISHED
    unresolved = await asyncio.to_thread(sync_base.unresolved, job.room, job.current())
    job.end(state, job.cancelled.reason or unresolved)


async def _found_again(job: Job, slot: str) -> Worktree:
    """Reopen the worktree that an earlier daemon gave the run. If it is gone, ends the run's processes and raises
    LostError.
    """
    try:
        worktree = job.room.worktrees.reopen(slot)
        await asyncio.to_thread(job.room.worktrees.check, worktree)
    except LostError:
        folder = job.room.worktrees.place_of(slot, job.room.root.name)
        known = _known_process(job.current())
        await process.end(known, mark(job.run_id, folder), job.settings.grace_seconds, run_folder=job.run_folder)
        raise
    return worktree


async def _prepared(job: Job, run: Run) -> Worktree | None:
    """Prepare and set up a worktree for a run. Returns None if the run was cancelled while it waited for one.

    Until the worktree is recorded as the run's, it belongs to nobody: the next daemon would remove it.
    """
    snapshot, repository = await asyncio.to_thread(_start_of, job, run)
    async with job.room.claims.claim(snapshot, run.id, job.cancelled) as claim:
        if claim is None:
            return None
        prepare = job.room.worktrees.prepare
        worktree = await asyncio.to_thread(prepare, snapshot, run.id, repository=repository, claim=claim)

    def begins(digest: str) -> None:
        job.advance(RunState.PREPARING, reason="waits for the set-up", setup=digest)

    try:
        digest = await set_up(
            job.setups,
            worktree,
            job.task.setup,
            snapshot,
            base_commit(job),
            settings=job.settings,
            cancelled=job.cancelled,
            begins=begins,
        )
    except MuxError as error:
        await asyncio.to_thread(job.room.worktrees.release, worktree)
        hint = f" `mux-lsp log {run.id} --setup` has its output." if job.current().setup else ""
        raise MuxError(f"{str(error).rstrip('.')}.{hint}") from error
    if digest is not None:
        job.advance(setup=digest)
    return worktree


def _start_of(job: Job, run: Run) -> tuple[Snapshot, Repository]:
    """Return the snapshot from which a run's worktree is prepared, and its repository. For use in a thread."""
    repository = discover(job.room.root)
    snapshot = job.task.snapshot
    assert snapshot is not None, "a task has its snapshot before its runs begin"  # noqa: S101
    job.room.shadow.secure(snapshot, job.task.id, repository)
    if run.result is not None:
        # The run continues from its own result, with the HEAD of the snapshot that it is based on.
        head = snapshot.head if run.base in {None, snapshot.commit} else job.room.shadow.parent_of(base_commit(job))
        snapshot = Snapshot(run.result, job.room.shadow.tree_of(run.result), head)
    return snapshot, repository


async def _agent(job: Job, worktree: Worktree) -> Outcome:
    """Have the agent work. Its result is followed meanwhile, and taken in full at the end."""
    run = job.current()
    if run.port is not None:
        job.ports.keep(run.id, run.port)
    port = job.ports.reserve(run.id)
    try:
        backend = job.backends.get(run.agent)
        await asyncio.to_thread(job.room.worktrees.open_folder, worktree, job.task.folder)
        attempt = Attempt(
            run=run.id,
            task=run.task,
            prompt=job.prompt(run),
            worktree=worktree.folder,
            folder=worktree.folder / job.task.folder,
            repository=job.room.root,
            run_folder=job.run_folder,
            model=run.model,
            port=port,
            turn=run.turn,
            session=run.session,
            checks=job.task.checks,
            largest_file=job.settings.largest_file,
            trusted=job.trusted,
        )
        taken_up = run.state in {RunState.RUNNING, RunState.WAITING}
        known = _known_process(run)
        if taken_up and known is None:
            known = await asyncio.to_thread(process.find_orphan, job.run_folder, mark(run.id, worktree.folder))
            if known is None:
                # The agent was not started yet, or has no process of its own. It continues from what was stored, after
                # anything left of the earlier attempt has ended.
                await backend.cancel(attempt, None)
            else:
                # The daemon was killed between starting the agent and recording its process.
                job.advance(pid=known.pid, pid_created=known.created)
        elif not taken_up:
            await asyncio.to_thread(process.clear_records, job.run_folder)
        job.outputs.follow(run.id)
        job.advance(RunState.RUNNING, port=port)
        host = RunHost(job, worktree.folder)
        if not taken_up:
            host.prompted(attempt.prompt, attempt.turn)
        # An agent that is adopted in its first turn has worked since the start of its run.
        worked = run.work_seconds or 0.0
        if taken_up and run.work_seconds is None and run.started is not None:
            worked = max(0.0, job.clock.now() - run.started)
        begun = job.clock.steady()
        if known is None and job.cancelled.is_set():
            # An earlier daemon was about to end the agent, so it is not started again.
            outcome = Outcome(None)
        else:
            working = backend.attempt(attempt, host) if known is None else backend.resume(attempt, known, host)
            end = functools.partial(backend.cancel, attempt)
            outcome = await _supervise(job, worktree, asyncio.ensure_future(working), end, host.started)
        job.advance(work_seconds=worked + max(0.0, job.clock.steady() - begun))
        await job.outputs.finish(run.id)
    finally:
        job.ports.release(run.id)
    await _take_result(job, worktree)
    return outcome


async def _supervise(
    job: Job,
    worktree: Worktree,
    work: asyncio.Future[Outcome],
    end: Callable[[process.Process | None], Awaitable[None]],
    started: asyncio.Event,
) -> Outcome:
    """Return the outcome of the agent's work, and end that work if the run is cancelled."""
    follow = asyncio.create_task(_follow(job, worktree))
    try:
        await wait_or_cancelled(work, job.cancelled)
        while not work.done():
            # The agent may be about to start its process. Then that process is ended as soon as it exists.
            started.clear()
            await end(_known_process(job.current()))
            await wait_or_cancelled(work, started)
        return await work
    except Exception:
        # Nobody supervises the agent any more.
        await end(_known_process(job.current()))
        raise
    finally:
        # If the daemon ends, this leaves the agent's process running.
        for one in (work, follow):
            one.cancel()
        await asyncio.gather(work, follow, return_exceptions=True)


def _known_process(run: Run) -> process.Process | None:
    return None if run.pid is None or run.pid_created is None else process.Process(run.pid, run.pid_created)


async def _follow(job: Job, worktree: Worktree) -> None:
    """Take the result whenever the worktree changes, one harvest at a time. Changes during a harvest are merged."""
    await asyncio.sleep(FOLLOWED_AFTER)
    async with watching(worktree.folder) as batches:
        while True:
            waiting: list[Batch] = [await batches.get()]
            while not batches.empty():
                waiting.append(batches.get_nowait())
            try:
                await _harvest(job, worktree, merge(waiting))
            except asyncio.CancelledError:
                raise
            except LostError as error:
                # The run gets the same error when its agent ends.
                log.warning("the result of %s is followed no more: %s", job.run_id, error)
                return
            except MuxError as error:
                # While the agent works, the result may be in any state. Only the harvest at the end must succeed.
                log.warning("the result of %s could not be taken while it works: %s", job.run_id, error)
            except Exception:
                log.exception("the result of %s could not be taken while it works", job.run_id)


async def _harvest(
    job: Job, worktree: Worktree, paths: Batch, wanted: Callable[[str], bool] = lambda _: False
) -> Harvest:
    run = job.current()
    harvest = await asyncio.to_thread(job.room.worktrees.harvest, worktree, run.id, paths, wanted)
    left_out = harvest.left_out
    if paths is not None:
        # A partial harvest says nothing about the other paths.
        left_out = tuple({left.path: left for left in (*run.left_out, *left_out)}.values())
    if harvest.commit == run.result:
        job.advance(left_out=left_out)
        return harvest
    files, hunks = await asyncio.to_thread(job.read_result, base_commit(job), harvest.commit)
    job.advance(result=harvest.commit, files=files, hunks=hunks, left_out=left_out)
    return harvest


async def _take_result(job: Job, worktree: Worktree) -> None:
    # Check configuration that the agent has hidden is only determined for the final result.
    harvest = await _harvest(job, worktree, None, is_check_config(job))
    job.advance(result_complete=True, hidden_config=harvest.hidden)


def _ended_well(job: Job, outcome: Outcome) -> bool:
    """Return whether the agent ended well. If it did not, the run is brought to its end."""
    run = job.current()
    if job.cancelled.is_set():
        state, reason = RunState.CANCELLED, job.cancelled.reason
    elif outcome.exit_status is None:
        state, reason = RunState.INTERRUPTED, outcome.reason
    elif outcome.exit_status != 0:
        state, reason = RunState.FAILED, outcome.reason
    else:
        job.advance(RunState.CHECKING if job.task.checks else run.state, exit_status=0)
        return True
    job.end(state, reason, exit_status=outcome.exit_status)
    return False


async def _give_back(job: Job) -> None:
    """Release the worktree for the next run, once its result is safe."""
    run = job.current()
    if run.worktree is None:
        return
    try:
        worktree = job.room.worktrees.reopen(run.worktree)
        if not run.result_complete:
            with contextlib.suppress(LostError):  # the worktree is gone: the result so far stays
                await _take_result(job, worktree)
        await asyncio.to_thread(job.room.worktrees.release, worktree)
    except LostError as error:
        log.warning("%s has no worktree to give back: %s", run.id, error)
    await asyncio.to_thread(job.room.worktrees.trim, job.settings.keep_worktrees)
    job.advance(worktree=None, port=None)
