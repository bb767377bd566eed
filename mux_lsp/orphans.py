"""Keep orphaned processes below a process of ours, so that their owner can be determined (Linux).

Elsewhere, and by default, process 1 becomes their parent, and their origin is lost. It imports nothing of ours: the
supervisors of agents and the daemon both use it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of <linux/prctl.h>. It persists through exec, and children do not inherit it."""

if sys.platform == "linux":
    import ctypes

    # PyDLL rather than CDLL: the call is also made between fork and exec, where the interpreter lock must not be
    # released.
    _prctl: Callable[..., int] = ctypes.PyDLL(None).prctl

    def adopt_orphans() -> None:
        """Make this process the parent of all orphans among its descendants, also after exec."""
        _prctl(*map(ctypes.c_ulong, (_SET_CHILD_SUBREAPER, 1, 0, 0, 0)))

else:

    def adopt_orphans() -> None:
        """Do nothing: there is no such call on this system."""


def reap_adopted(own: Collection[int], seen: Collection[int]) -> frozenset[int]:
    """Reap adopted children that have ended, and no others.

    A child that this process has started is in its session, or leads a session. So any other child is an adopted one.
    One that leads a session may be either: it is reaped only if it is not in `own`, and had already ended at the
    previous call (`seen` is the result of that call), since a thread waits for this process's own children.

    Does nothing if the kernel lists no children (CONFIG_PROC_CHILDREN): they then stay in the process table until this
    process ends.
    """
    leaders = set()
    for pid in _children():
        state, session = _state_of(pid)
        if state != b"Z" or session == os.getsid(0):
            continue
        if session == pid:
            if pid in own:
                continue
            leaders.add(pid)
            if pid not in seen:
                continue
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
            leaders.discard(pid)
    return frozenset(leaders)


def _children() -> list[int]:
    # The kernel gives orphans to the first thread.
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children", "rb") as file:  # noqa: PTH123
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _state_of(pid: int) -> tuple[bytes, int]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return b"", 0
    return fields[0], int(fields[3])
