"""Limit concurrent work by the number of files that the daemon may have open (RLIMIT_NOFILE)."""

from __future__ import annotations

import sys
from typing import Final

RESERVED: Final = 40
"""Files for other purposes: the journal, sockets, clients, stores, watches."""

AGENT: Final = (0.5, 6)
CHECK: Final = (0.25, 6)
GIT: Final = (0.25, 10)
"""The share of the remaining files for a kind of work, and the number of files that one piece of it has open.

These are its process, its watch, its pipes, and the folders that are held for it.
"""


def at_once(kind: tuple[float, int], most: int) -> int:
    """Return how many pieces of work of a kind may run at once: `most`, or fewer if files are scarce, but at least one.

    A process that reaches the limit can neither read a result nor end an agent.
    """
    if sys.platform == "win32":
        return most
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    share, each = kind
    return max(1, min(most, int((soft - RESERVED) * share) // each))
