"""Open files in a run's folder. An agent can put anything there: a link, a FIFO, a device.

Opening one of those as a file would overwrite a link's target, or block the daemon until another process opens the
FIFO.
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

# No effect on a plain file. Opening a FIFO or device does not block.
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_to_read(path: Path) -> BinaryIO:
    """Open a plain file to read. Raises OSError for anything else."""
    return os.fdopen(_plain(os.open(path, os.O_RDONLY | _CAREFUL), path), "rb")


def open_to_rewrite(path: Path) -> BinaryIO:
    """Open an existing plain file to change. Raises OSError for anything else."""
    return os.fdopen(_plain(os.open(path, os.O_RDWR | _CAREFUL), path), "r+b", buffering=0)


def open_to_append(path: Path) -> BinaryIO:
    """Open a plain file to append to. It is created if missing; anything else with that name is removed first."""
    return os.fdopen(_to_append(path), "ab", buffering=0)


class Appended:
    """A plain file that is appended to repeatedly, with few system calls.

    It is opened or created as by `open_to_append`, and kept open. It is opened again if another file has its name by
    now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def append(self, data: bytes) -> int:
        """Append in one write. Return the offset of the data. Raises OSError."""
        if self._descriptor is not None and not (status := os.fstat(self._descriptor)).st_nlink:
            self.close()
        if self._descriptor is None:
            self._descriptor = _to_append(self._path)
            status = os.fstat(self._descriptor)
        os.write(self._descriptor, data)
        return status.st_size

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


def append(path: Path, data: bytes) -> None:
    """Append to a plain file in one write. The file is opened or created as by `open_to_append`."""
    file = Appended(path)
    file.append(data)
    file.close()


def write_anew(path: Path, data: bytes) -> None:
    """Replace whatever has that name with a new plain file. Not safe for concurrent writers."""
    # The name is always the same, so the next write replaces what a killed daemon has left.
    new = path.with_name(f".new-{path.name}")
    remove(new)
    with replacing(path, new, point="run_file"):
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFUL, 0o600), "wb") as file:
            file.write(data)
        if path.is_dir() and not path.is_symlink():
            remove(path)


def remove(path: Path) -> None:
    """Remove whatever has that name, if anything."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        if not path.is_dir():
            raise
        # One rename moves even a deep folder out of the way. It is deleted with the run's folder.
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
