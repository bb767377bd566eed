"""Ending a daemon that does not answer."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from mux_lsp.daemon import handshake
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from mux_lsp import paths

KILLED_SECONDS = 10.0
"""How long a killed process may take to be gone: it may be in the middle of writing to a slow disk."""

_CLOCK_SECONDS = 2.0
"""How far two readings of one start may lie apart: the system's idea of when it was booted moves with its clock."""


def end_process(home: paths.Home, timeout: float) -> None:
    """Ends the process that holds the daemon's lock: TERM, so many seconds, KILL. Raises MuxError if it holds it still.

    The pid counts only together with the time at which the process started, since pids are used again.
    """
    process = _holder(home)
    if process is None:
        raise MuxError(
            f"a process holds {home.daemon_lock} but does not say which it is: find it with `fuser` and end it yourself"
        )
    try:
        process.terminate()
        if _released(home, timeout):
            return
        process.kill()
    except psutil.NoSuchProcess:
        return
    if not _released(home, KILLED_SECONDS):
        raise MuxError(f"the mux-lsp daemon (pid {process.pid}) cannot be ended: see {home.log}")


def _holder(home: paths.Home) -> psutil.Process | None:
    """Who wrote itself into the lock's file."""
    holder = handshake.parse(Path(home.daemon_lock).read_bytes()) or {}
    pid, created = holder.get("pid"), holder.get("created")
    if not isinstance(pid, int) or not isinstance(created, int | float):
        return None
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < _CLOCK_SECONDS else None
    except psutil.Error:
        return None


def _released(home: paths.Home, timeout: float) -> bool:
    """Whether the daemon's lock came free in time.

    A thread waits for it in the kernel, since a wait for a lock has no time limit of its own. It may stay behind.
    """
    descriptor = os.open(home.daemon_lock, os.O_RDWR)

    def wait() -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(timeout)
    return not waiting.is_alive()
