"""Provide temporary folders for the benchmarks."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.home import IsolatedHome

if TYPE_CHECKING:
    from collections.abc import Iterator


def default() -> Path:
    """Return the ordinary folder for temporary files: likelier than memory to share a disk with a person's files."""
    return Path(tempfile.gettempdir())


def file_system(folder: Path) -> str:
    """Return the kind of file system that holds `folder`, by the system's name for it (`ext4`, `tmpfs`)."""
    real = folder.resolve()
    mounts = [part for part in psutil.disk_partitions(all=True) if real.is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"


@contextmanager
def temporary(base: Path) -> Iterator[Path]:
    """Yield a folder below `base` that is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="mux-bench-", dir=base))
    try:
        yield folder
    finally:
        remove(folder)


@contextmanager
def home(base: Path) -> Iterator[IsolatedHome]:
    """Yield an isolated home. At the end stop its daemon, assert that no process is left, and remove it."""
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
