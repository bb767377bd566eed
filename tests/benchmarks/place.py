"""Where the benchmarks work: in memory where there is room, since a disk's mood would decide. All is removed again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.home import IsolatedHome

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = Path("/dev/shm")  # noqa: S108  (what is made in it is private)
_ROOM = 6_000_000_000
"""Bytes that a dozen worktrees of the largest input take, with as much again to spare."""


def default() -> Path:
    """The memory file system where it has room, else the folder for temporary files."""
    if _MEMORY.is_dir() and min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available) > _ROOM:
        return _MEMORY
    return Path(tempfile.gettempdir())


@contextmanager
def temporary(base: Path) -> Iterator[Path]:
    """A folder below `base` that is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mux-bench-", dir=base))
    try:
        yield folder
    finally:
        remove(folder)


@contextmanager
def home(base: Path) -> Iterator[IsolatedHome]:
    """A home of its own. At the end its daemon is stopped, no process may be left, and it is removed."""
    with temporary(base) as folder:
        made = IsolatedHome(folder)
        try:
            yield made
        finally:
            made.stop()


def remove(*folders: Path) -> None:
    """Remove folders that may hold very many files, several at a time."""
    names = b"\0".join(os.fsencode(folder) for folder in folders)
    command = ["xargs", "-0", "-r", "-n", "1", "-P", str(os.cpu_count() or 1), "rm", "-rf"]
    subprocess.run(command, input=names, check=True)
