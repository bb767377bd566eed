"""Keep processes whose parent has ended below a process of ours, so that it can be told whose they are (Linux).

Elsewhere, and by default, the first process of the machine becomes their parent, and nothing leads back to who started
them. A leaf without imports of ours: the supervisors of agents and the daemon both use it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of <linux/prctl.h>. It stays through exec, and is not inherited by children."""

if sys.platform == "linux":
    import ctypes

    # PyDLL and not CDLL: the call is also made between fork and exec, where no lock should be given away.
    _prctl: Callable[..., int] = ctypes.PyDLL(None).prctl

    def adopt_orphans() -> None:
        """Make this process the parent of all orphans among its descendants, also after it has called exec."""
        _prctl(*map(ctypes.c_ulong, (_SET_CHILD_SUBREAPER, 1, 0, 0, 0)))

else:

    def adopt_orphans() -> None:
        """Do nothing: there is no such call on this system."""


def reap_adopted(own: Collection[int], seen: Collection[int]) -> frozenset[int]:
    """Take the exit statuses of adopted children that have ended, and of no others.

    A child that this process has started itself is in its session, or leads one of its own. So any other child is an
    adopted one. One that leads a session may be either: it is taken only where it is not in `own`, and had ended
    already at the call before (`seen` is the result of that): for its own children somebody waits in a thread.

    Does nothing where the kernel lists no children (CONFIG_PROC_CHILDREN): they then stay in the table of processes
    until this process ends.
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
