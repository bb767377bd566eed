"""Remember beside a database how far its commits had come, so that a log that was cut is noticed.

SQLite takes a write-ahead log that ends early for one whose writer was killed, and says nothing: the commits behind the
cut are gone without a word. Nothing here is synced, as SQLite's own commits are not either: the death of the process
costs neither of the two anything, and a power cut may cost both their newest part.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_SHAPE: Final = struct.Struct(">QQ")
"""The inode of the database, and the number of its last commit. One write of 16 bytes, whole or not at all."""


class Mark:
    """The mark beside the database at `path`: 16 bytes, which need no room on a full disk once they are there."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where it can be neither opened nor made."""
        self._inode = path.stat().st_ino
        place = path.with_name(f"{path.name}-mark")
        self._descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = os.pread(self._descriptor, _SHAPE.size, 0)
        inode, number = _SHAPE.unpack(found) if len(found) == _SHAPE.size else (0, 0)
        self.number: int = number if inode == self._inode else 0
        """The last commit that was noted of this very file; 0 for one that was put in its place."""

    def note(self, number: int) -> None:
        """Note that this commit was made. Where that fails the next one says more."""
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, _SHAPE.pack(self._inode, number), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
