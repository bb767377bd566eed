"""Reserve ten ports for each run, so that the servers of two runs never use the same port."""

from __future__ import annotations

import secrets
import socket
from typing import Final

from mux_lsp.errors import AgentError

FIRST: Final = 20_000
LAST: Final = 29_990
SIZE: Final = 10
"""Ports in a block. Blocks begin at 20000, 20010, … 29990, below the range of outgoing ports."""


class PortBlocks:
    """The assignment of port blocks to runs. One per daemon."""

    def __init__(self, start: int | None = None) -> None:
        """Begin with the block at `start`; by default with a random one, since other daemons reserve ports too."""
        self._next = FIRST + SIZE * secrets.randbelow((LAST - FIRST) // SIZE + 1) if start is None else start
        self._held: dict[str, int] = {}

    def reserve(self, run: str) -> int:
        """Return the first of ten ports that belong to the run until `release`; the same again if it has some.

        All ten could be bound on 127.0.0.1 a moment ago. Raises AgentError if no block is free.
        """
        if run in self._held:
            return self._held[run]
        taken = set(self._held.values())
        for _ in range(FIRST, LAST + 1, SIZE):
            block = self._next
            # A block just released is used last: its sockets may linger.
            self._next = block + SIZE if block < LAST else FIRST
            if block not in taken and _is_free(block):
                self._held[run] = block
                return block
        raise AgentError(
            f"No ten ports in a row are free between {FIRST} and {LAST + SIZE - 1}. End some runs or other servers."
        )

    def keep(self, run: str, port: int) -> None:
        """Record the block of a run that an earlier daemon started. The ports are not tested: its agent may listen."""
        self._held[run] = port

    def release(self, run: str) -> None:
        """Release the run's block. Does nothing if it has none."""
        self._held.pop(run, None)


def _is_free(block: int) -> bool:
    for port in range(block, block + SIZE):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
