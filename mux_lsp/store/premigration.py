"""Copy the database before its schema is migrated, and keep the newest copies beside it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MAX_COPIES: Final = 2
"""Maximum number of copies that are kept."""

_INFIX: Final = "-before-"

_USER_VERSION: Final = slice(60, 64)
"""Bytes of `PRAGMA user_version` in the file (https://www.sqlite.org/fileformat2.html, section 1.3)."""


def copy(path: Path, schema: int) -> Path:
    """Copy all committed data to `mux.db-before-SCHEMA`, completely or not at all. Return the path of the copy.

    Call it while another connection is in a transaction that has not written anything yet: that keeps every other
    writer out until the migration is committed. Raises sqlite3.Error and OSError.
    """
    final = path.with_name(f"{path.name}{_INFIX}{schema}")
    new = final.with_name(f"{final.name}.new")
    try:
        _remove(new)  # left by a daemon that was killed
        new.touch(mode=0o600)
        # Needs a separate connection: SQLite cannot VACUUM within a transaction, nor back up within one that may write.
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("VACUUM INTO ?", (os.fspath(new),))
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(final)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(new)
        raise
    return final


def prune(path: Path) -> None:
    """Remove all copies but those of the newest schemas."""
    for old in _copies(path)[:-MAX_COPIES]:
        with contextlib.suppress(OSError):  # the next migration tries again
            old.unlink()


def way_back(path: Path, schema: int) -> str:
    """Return a sentence about the newest copy that a program of this schema can read; "" without such a copy."""
    readable = [one for one in _copies(path) if 0 < _schema_of(one) <= schema]
    if not readable:
        return ""
    return (
        f" To go back to what it held before that, move {path.name}, {path.name}-wal and {path.name}-shm out of "
        f"{path.parent} and copy {readable[-1].name} there as {path.name}."
    )


def _remove(new: Path) -> None:
    """Remove an incomplete copy, and the journal that SQLite creates beside it."""
    for one in (new, new.with_name(f"{new.name}-journal")):
        one.unlink(missing_ok=True)


def _copies(path: Path) -> list[Path]:
    """Return all copies, sorted by the schema that their migration led to, oldest first."""
    found = [one for one in path.parent.glob(f"{path.name}{_INFIX}*") if _schema_after(path, one)]
    return sorted(found, key=lambda one: _schema_after(path, one))


def _schema_after(path: Path, one: Path) -> int:
    """Return the schema that a copy's migration led to; 0 for a file that is not a copy."""
    number = one.name.removeprefix(f"{path.name}{_INFIX}")
    return int(number) if number.isascii() and number.isdigit() else 0


def _schema_of(one: Path) -> int:
    """Return the schema of a copy, from the header of the SQLite file; 0 if it cannot be read."""
    try:
        with one.open("rb") as file:
            return int.from_bytes(file.read(_USER_VERSION.stop)[_USER_VERSION], "big")
    except OSError:
        return 0
