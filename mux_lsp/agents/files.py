"""Files in a run's folder. The agent knows the folder, so what lies there may be anything: a link, a FIFO, a device.

Opening one of those as a file would write over what a link names, or hold the daemon until somebody writes to the FIFO.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.atomic import replacing

if TYPE_CHECKING:
    from typing import BinaryIO

# Without effect on a plain file, and never waiting for the other end of anything else.
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_to_read(path: Path) -> BinaryIO:
    """A plain file to read. Raises OSError for anything else."""
    return os.fdopen(_plain(os.open(path, os.O_RDONLY | _CAREFUL), path), "rb")


def open_to_rewrite(path: Path) -> BinaryIO:
    """A plain file that is there, to change. Raises OSError for anything else."""
    return os.fdopen(_plain(os.open(path, os.O_RDWR | _CAREFUL), path), "r+b", buffering=0)


def open_to_append(path: Path) -> BinaryIO:
    """A plain file to append to, made where there is none. Anything else of that name is removed first."""
    return os.fdopen(_to_append(path), "ab", buffering=0)


class Appended:
    """A plain file that is appended to again and again, with as few calls of the system as can be.

    It is found or made as by `open_to_append`, and kept open; anew where something else has its name by now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def append(self, data: bytes) -> int:
        """Append in one write. Returns where the data begin. Raises OSError."""
        if self._descriptor is not None and not (status := os.fstat(self._descriptor)).st_nlink:
            self.close()
        if self._descriptor is None:
            self._descriptor = _to_append(self._path)
            status = os.fstat(self._descriptor)
        os.write(self._descriptor, data)
        return status.st_size

    def close(self) -> None:
        """Keep it open no longer."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


def append(path: Path, data: bytes) -> None:
    """Append to a plain file, in one write. The file is found or made as by `open_to_append`."""
    file = Appended(path)
    file.append(data)
    file.close()


def write_anew(path: Path, data: bytes) -> None:
    """Put a new plain file in the place of whatever has that name. One writer at a time."""
    # Always of the same name, so that what a killed daemon has left goes with the next writing.
    new = path.with_name(f".new-{path.name}")
    remove(new)
    with replacing(path, new, point="run_file"):
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFUL, 0o600), "wb") as file:
            file.write(data)
        if path.is_dir() and not path.is_symlink():
            remove(path)


def remove(path: Path) -> None:
    """Have nothing of that name, whatever it was."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        if not path.is_dir():
            raise
        # However deep it is, out of the way it is in one step. It goes with all that is in the run's folder.
        path.rename(Path(tempfile.mkdtemp(prefix=".old-", dir=path.parent), path.name))


def _to_append(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _CAREFUL
    try:
        return _plain(os.open(path, flags, 0o600), path)
    except OSError:
        if stat.S_ISREG(path.lstat().st_mode):
            raise
        remove(path)
        return _plain(os.open(path, flags, 0o600), path)


def _plain(descriptor: int, path: Path) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} is not a plain file")
