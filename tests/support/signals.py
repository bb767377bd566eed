"""Synchronise a test and the programs it starts with named pipes: no clock, no polling.

A test holds both ends, so that neither side blocks in opening a pipe, and a signal waits until it is received.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_SECONDS = 30.0


class Signal:
    """An event that happens once or several times, on either side."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    @property
    def give(self) -> str:
        """A shell command that sends the signal."""
        return f"echo > {shlex.quote(str(self.path))}"

    @property
    def take(self) -> str:
        """A shell command that waits for the signal."""
        return f"read _ < {shlex.quote(str(self.path))}"

    def happens(self, times: int = 1) -> None:
        """Send the signal from the test."""
        os.write(self._descriptor, b"\n" * times)

    async def happened(self, times: int = 1) -> None:
        """Wait for the signal in the test."""
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()
        left = times

        def hear() -> None:
            nonlocal left
            left -= len(os.read(self._descriptor, left))
            if not left:
                loop.remove_reader(self._descriptor)
                heard.set()

        loop.add_reader(self._descriptor, hear)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await heard.wait()
        finally:
            loop.remove_reader(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def signals(folder: Path, *names: str) -> Iterator[list[Signal]]:
    """Yield signals of these names, with their pipes in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [Signal(folder / name) for name in names]
    try:
        yield made
    finally:
        for one in made:
            one.close()
