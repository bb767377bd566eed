"""Files in a run's folder. The agent knows the folder, so what lies there may be anything: a link, a FIFO, a device.

Opening one of those as a file would write over what a link names, or hold the daemon until somebody writes to the FIFO.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

# Without effect on a plain file, and never waiting for the other end of anything else.
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_to_read(path: Path) -> BinaryIO:
    """A plain file to read. Raises OSError for anything else."""
    return os.fdopen(_plain(os.open(path, os.O_RDONLY | _CAREFUL), path), "rb")


def open_to_append(path: Path) -> BinaryIO:
    """A plain file to append to, made where there is none. Anything else of that name is removed first."""
    try:
        plain = stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        plain = True
    if not plain:
        path.unlink()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _CAREFUL
    return os.fdopen(_plain(os.open(path, flags, 0o600), path), "ab", buffering=0)


def write_anew(path: Path, data: bytes) -> None:
    """Put a new plain file in the place of whatever has that name."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)


def _plain(descriptor: int, path: Path) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} is not a plain file")
