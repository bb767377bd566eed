"""Record the number of the last commit beside a database, so that a truncated log is noticed.

SQLite takes a write-ahead log that ends early for one whose writer was killed, and reports nothing: the commits
behind the cut are lost silently. Nothing here is synced, as SQLite's own commits are not either: neither loses
anything when the process dies, and a power cut may cost both their newest part.
"""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_SHAPE: Final = struct.Struct(">QQ")
"""Inode of the database, and number of its last commit. One write of 16 bytes, complete or not at all."""


class Mark:
    """Mark beside the database at `path`: 16 bytes, which need no space on a full disk once they exist."""

    def __init__(self, path: Path) -> None:
        """Open or create the mark. Raises OSError if that fails."""
        self._inode = path.stat().st_ino
        place = path.with_name(f"{path.name}-mark")
        self._descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = os.pread(self._descriptor, _SHAPE.size, 0)
        inode, number = _SHAPE.unpack(found) if len(found) == _SHAPE.size else (0, 0)
        self.number: int = number if inode == self._inode else 0
        """Number of the last commit recorded for this very file; 0 if the file was replaced."""

    def note(self, number: int) -> None:
        """Record that this commit was made. A failure is ignored, because the next commit writes a higher number."""
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, _SHAPE.pack(self._inode, number), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
