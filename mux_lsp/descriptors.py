"""How much may be done at once with as many files open as the system lets the daemon have (RLIMIT_NOFILE)."""

from __future__ import annotations

import sys
from typing import Final

RESERVED: Final = 40
"""For what is always open, or opened by clients: the journal, sockets, stores, watches."""

AGENT: Final = (0.5, 6)
CHECK: Final = (0.25, 6)
GIT: Final = (0.25, 10)
"""The share of the rest that is for work of a kind, and how many files one piece of it has open: its process, its
watch, its pipes, the folders that are held for it."""


def at_once(kind: tuple[float, int], most: int) -> int:
    """How many pieces of work of a kind may be done at once, one at least: fewer than `most` where there are too few
    files for these. A process that comes to the limit can neither read a result nor end an agent.
    """
    if sys.platform == "win32":
        return most
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    share, each = kind
    return max(1, min(most, int((soft - RESERVED) * share) // each))
