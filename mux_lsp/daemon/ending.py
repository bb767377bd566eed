"""End a daemon that does not answer."""

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
"""Seconds for a killed process to end: it may be writing to a slow disk."""

_CLOCK_SECONDS = 2.0
"""Maximum difference in seconds of two readings of one start time: the system's boot time changes with its clock."""


def end_process(home: paths.Home, timeout: float) -> None:
    """End the process that holds the daemon's lock: TERM, `timeout` seconds, KILL. Raises MuxError if it remains.

    The pid is compared together with the start time of the process, since pids are reused.
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
    """Return the process that is recorded in the lock file, or None if it has ended."""
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
    """Return whether the daemon's lock was released in time.

    A thread waits for it in the kernel, since waiting for a lock has no time limit of its own. The thread may remain.
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
