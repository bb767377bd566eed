"""Ten ports for each run, so that two runs never start their servers on the same one."""

from __future__ import annotations

import secrets
import socket
from typing import Final

from mux_lsp.errors import AgentError

FIRST: Final = 20_000
LAST: Final = 29_990
SIZE: Final = 10
"""Blocks of ten begin at 20000, 20010, … 29990. That is below the range systems take outgoing ports from."""


class PortBlocks:
    """Which block belongs to which run. One per daemon."""

    def __init__(self, start: int | None = None) -> None:
        """`start` is the block to begin with; by default a random one, since another person's daemon hands out too."""
        self._next = FIRST + SIZE * secrets.randbelow((LAST - FIRST) // SIZE + 1) if start is None else start
        self._held: dict[str, int] = {}

    def reserve(self, run: str) -> int:
        """The first of ten ports that are the run's alone until `release`; the same again for a run that has some.

        All ten could be bound on 127.0.0.1 a moment ago. Raises AgentError where no block is free.
        """
        if run in self._held:
            return self._held[run]
        taken = set(self._held.values())
        for _ in range(FIRST, LAST + 1, SIZE):
            block = self._next
            # Go round, so that a block just released rests: its sockets may linger.
            self._next = block + SIZE if block < LAST else FIRST
            if block not in taken and _is_free(block):
                self._held[run] = block
                return block
        raise AgentError(
            f"No ten ports in a row are free between {FIRST} and {LAST + SIZE - 1}. End some runs or other servers."
        )

    def keep(self, run: str, port: int) -> None:
        """Note the block of a run that an earlier daemon started: its agent may listen there, so nothing is tried."""
        self._held[run] = port

    def release(self, run: str) -> None:
        """Give the run's block back. Nothing happens where it has none."""
        self._held.pop(run, None)


def _is_free(block: int) -> bool:
    for port in range(block, block + SIZE):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
