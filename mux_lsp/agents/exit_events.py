"""Wait for processes to end, with the kernel's exit events: pidfd on Linux, kqueue on macOS."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, Protocol

from mux_lsp.agents.process_table import is_there

if TYPE_CHECKING:
    from collections.abc import Collection

    from mux_lsp.agents.process_table import Process

_MAX_PARALLEL: Final = 100
"""Maximum number of processes to wait for at a time: each takes a file descriptor."""


class _Event(Protocol):
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def _exit_event(process: Process) -> _Event | None:
    """Return an object that becomes readable when the process ends, or None if it has ended already."""
    event: _Event
    try:
        if sys.platform == "linux":
            event = io.FileIO(os.pidfd_open(process.pid))
        else:
            queue = event = select.kqueue()
            note = select.kevent(
                process.pid,
                filter=select.KQ_FILTER_PROC,
                flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
                fflags=select.KQ_NOTE_EXIT,
            )
            try:
                queue.control([note], 0)
            except OSError:
                event.close()
                raise
    except ProcessLookupError:
        return None
    if not is_there(process):  # the process number had been reused before it was opened
        event.close()
        return None
    return event


async def wait_until_gone(processes: Collection[Process], seconds: float | None) -> None:
    """Wait until all of the processes have ended, but at most `seconds` (None for no limit)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            waiting = list(processes)
            for first in range(0, len(waiting), _MAX_PARALLEL):
                await _batch_gone(waiting[first : first + _MAX_PARALLEL])


async def _batch_gone(processes: Collection[Process]) -> None:
    loop = asyncio.get_running_loop()
    events = {}
    for process in processes:
        if (event := _exit_event(process)) is not None:
            events[event.fileno()] = event
    pending = set(events)
    done = asyncio.Event()

    def ended(descriptor: int) -> None:
        loop.remove_reader(descriptor)
        pending.discard(descriptor)
        if not pending:
            done.set()

    try:
        for descriptor in events:
            loop.add_reader(descriptor, ended, descriptor)
        if pending:
            await done.wait()
    finally:
        for descriptor, event in events.items():
            loop.remove_reader(descriptor)
            event.close()
