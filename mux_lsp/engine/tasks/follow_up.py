"""Follow up on runs: a new attempt, or a further message to the same agent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mux_lsp.core.model import RunState
from mux_lsp.engine.backends import Backends
from mux_lsp.engine.runs import sync_base
from mux_lsp.engine.state.events import TaskChanged
from mux_lsp.engine.state.guards import refuse_discarded
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.core.model import Run
    from mux_lsp.engine.state.clients import Client
    from mux_lsp.engine.tasks.parts import TaskParts


async def retry(parts: TaskParts, run_id: str) -> Run:
    """Begin a new run of the same task with the same agent. Raises MuxError if it is not allowed."""
    backends = Backends(await parts.ground.configuration.reload())
    old = parts.registry.run(run_id)
    refuse_discarded(old)
    backends.get(old.agent)
    parts.budget.check_retry(parts.registry.task(old.task))
    parts.setups.get(parts.store_of(old)).try_again()
    run = parts.registry.retried(old)
    parts.queue.enqueue(parts.registry.task(run.task), [run])
    parts.runs.begin(run.id)
    return run


async def carry_on(parts: TaskParts, run_id: str, message: str, clients: tuple[Client, ...] | None = None) -> Run:
    """Have the agent of an ended run continue from its own result, with a further message as its prompt.

    With `clients`, the person's current state, including the unsaved buffers of these clients, is first merged into the
    result. For a run that waits for permission, the message refuses the request; with `clients` the run is cancelled
    first, because its files are about to change. Raises MuxError.
    """
    backends = Backends(await parts.ground.configuration.reload())
    await parts.runs.settled(run_id)
    run = parts.registry.run(run_id)
    refuse_discarded(run)
    if run.state is RunState.WAITING:
        if clients is None:
            if not parts.permissions.refuse(run_id, message):
                raise UsageError(f"{run_id} has its answer and goes on; send the message when it has ended.")
            return parts.registry.run(run_id)
        sync_base.unsaved_of(clients, parts.store_of(run))
        await parts.runs.cancel(run_id)
        await parts.runs.settled(run_id)
        run = parts.registry.run(run_id)
    if not run.state.ended:
        raise UsageError(f"{run_id} is still {run.state}; it takes a message when it has ended.")
    backends.get(run.agent)
    parts.budget.check_continue(run)
    parts.setups.get(parts.store_of(run)).try_again()
    renewed: dict[str, Any] = {}
    if clients is not None:
        room = parts.store_of(run)
        new = await asyncio.to_thread(sync_base.merge_onto_snapshot, room, run, sync_base.unsaved_of(clients, room))
        files, hunks = await asyncio.to_thread(parts.results.reader(room.root), new.base, new.result)
        # From here on nothing is awaited.
        if parts.registry.run(run_id) != run:
            raise UsageError(f"{run_id} went on meanwhile; send the message again when it has ended.")
        renewed = {
            "base": new.base,
            "result": new.result,
            "files": files,
            "hunks": hunks,
            "merge_conflicts": new.conflicts,
        }
        message = sync_base.prompt_after_sync(message, new.conflicts)
    run = parts.registry.advance(
        run_id,
        RunState.QUEUED,
        message=message,
        turn=run.turn + 1,
        **renewed,
        result_complete=False,
        # The run's duration is that of its work on this message.
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
    parts.queue.enqueue(parts.registry.task(run.task), [run])
    parts.ground.events.emit(TaskChanged(parts.registry.task(run.task)))
    parts.runs.begin(run_id)
    return run
