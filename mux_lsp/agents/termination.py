"""End the processes of a run: freeze them so that none is missed, send SIGTERM, then SIGKILL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from mux_lsp.agents import children
from mux_lsp.agents.exit_events import wait_until_gone
from mux_lsp.agents.process_records import STDERR, STDOUT
from mux_lsp.agents.process_table import ancestors, is_there, members, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mux_lsp.agents.process_table import Process

_MAX_FREEZE_ROUNDS: Final = 100
"""Maximum number of searches for more processes while stopping them. The second finds those forked during the first."""

_KILL_SECONDS: Final = 5.0
"""Seconds that killed processes may take to be gone. Only one stuck in the kernel takes longer."""

_RECORD_SECONDS: Final = 1.0
"""Seconds that a supervisor may take to record the status of its command."""


async def end(
    process: Process | None,
    mark: Mapping[str, str],
    grace: float,
    *,
    run_folder: Path | None = None,
    output: str = STDOUT,
) -> tuple[int, ...]:
    """End every process of a run: SIGTERM, up to `grace` seconds, SIGKILL, and again for those that appeared meanwhile.

    Call it to cancel a run, and after every `wait` to end processes that the agent left. `process` may be of an earlier
    daemon, already gone, or None if it was never recorded; `mark`, `run_folder` and `output` are those of `start`. The
    module `process_table` defines which processes belong to a run. A process between fork and exec may miss SIGTERM,
    since its parent's program may handle the signal; SIGKILL ends it.

    Returns the numbers of the processes it could not end, usually none: another user's, or stuck in the kernel. Raises
    OSError if the table of processes cannot be read.
    """
    family = _Family(process, mark, None if run_folder is None else run_folder / output)
    try:
        if process is not None:
            _signal(process, signal.SIGCONT)
        await _ask(family, grace)
        left = await _kill(family)
        await _end_supervisor(family)
        return tuple(sorted(one.pid for one in left))
    except OSError:
        # The table of processes cannot be read. The session of an own child can be killed without it: an unreaped child
        # keeps its number.
        if process is not None and children.is_child(process):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        if process is not None:
            children.reap(process)


class _Family:
    """The processes of one run, searched anew at each call.

    Processes found once stay known: when SIGTERM has ended a parent, nothing else may connect its child to the run.
    """

    def __init__(self, process: Process | None, mark: Mapping[str, str], output: Path | None) -> None:
        self.supervisor = process
        self._mark = mark
        self._logs = () if output is None else tuple(output.parent.resolve() / name for name in (output.name, STDERR))
        self._protected = ancestors()
        # A process that has long gone is no evidence: its number, and a session with that number, may be a stranger's.
        self._found = {process} if process is not None and (children.is_known(process) or is_there(process)) else set()

    def has_been_at_work(self) -> bool:
        """Return whether any process but the supervisor has been found."""
        return not self._found <= {self.supervisor}

    def members(self) -> set[Process]:
        """Return all processes but the supervisor."""
        table = read_table(self._mark, self._logs)
        there = members(table, self._found, self._protected)
        self._found |= there
        return there if self.supervisor is None else there - {self.supervisor}


async def _ask(family: _Family, grace: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace
    # Processes that appear in response to SIGTERM may be cleaning up. They get SIGTERM only after the earlier ones have
    # gone.
    while there := await asyncio.to_thread(_terminate, family):
        await wait_until_gone(there, deadline - loop.time())
        if loop.time() >= deadline:
            return


async def _kill(family: _Family) -> set[Process]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _KILL_SECONDS
    while there := await asyncio.to_thread(_destroy, family):
        await wait_until_gone(there, deadline - loop.time())
        if loop.time() >= deadline:
            return there
    return set()


async def _end_supervisor(family: _Family) -> None:
    supervisor = family.supervisor
    if supervisor is None:
        return
    if family.has_been_at_work():
        await wait_until_gone(
            [supervisor], _RECORD_SECONDS
        )  # without its command it records the status and ends by itself
    for _ in range(_MAX_FREEZE_ROUNDS):
        if not is_there(supervisor):
            return
        there = await asyncio.to_thread(_destroy_with_supervisor, family, supervisor)
        await wait_until_gone({*there, supervisor}, _RECORD_SECONDS)
        if not there:
            return


# These run to completion in a thread, even if the waiting coroutine is cancelled: no process stays frozen.


def _terminate(family: _Family) -> set[Process]:
    """Send SIGTERM to all processes, and return them."""
    there = _freeze(family)
    for number in (signal.SIGTERM, signal.SIGCONT):
        for one in there:
            _signal(one, number)
    return there


def _destroy(family: _Family) -> set[Process]:
    """Kill all processes, and return them."""
    there = _freeze(family)
    for one in there:
        _signal(one, signal.SIGKILL)
    return there


def _destroy_with_supervisor(family: _Family, supervisor: Process) -> set[Process]:
    """Kill the supervisor, unless it has started its command only now: then kill the command.

    Return the other processes.
    """
    _signal(supervisor, signal.SIGSTOP)
    there = _destroy(family)
    _signal(supervisor, signal.SIGCONT if there else signal.SIGKILL)
    return there


def _freeze(family: _Family) -> set[Process]:
    """Stop all processes and return them, so that a process that another one is just starting is not missed."""
    frozen: set[Process] = set()
    for _ in range(_MAX_FREEZE_ROUNDS):
        there = family.members()
        if there <= frozen:
            return there
        for one in there - frozen:
            _signal(one, signal.SIGSTOP)
        frozen |= there
    return frozen


def _signal(process: Process, number: signal.Signals) -> None:
    """Send a signal to exactly this process. Does nothing if it has gone or belongs to another user."""
    try:
        if sys.platform == "linux":
            descriptor = os.pidfd_open(process.pid)
            try:
                if is_there(process):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
        elif is_there(process):
            os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
