"""List and search a folder with the standard library alone. As a program, search the folder it is started in.

`python search_worker.py LARGEST LONGEST PATTERN FOLDER GLOB` prints `path:line:text` for lines that match.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_EXPRESSION: Final = 3
"""The exit status for an invalid pattern."""

_PASSED_OVER: Final = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache"})
"""Folders that are skipped, since their files are not part of anyone's work."""


def walk(root: Path, folder: Path) -> Iterator[Path]:
    """Yield the files below a folder of `root`, relative to `root`, in order. Links are not followed."""
    waiting = [folder]
    # `os.walk` calls itself for each folder, and fails if folders are nested deeply.
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(root / place) as entries:
            found = sorted((entry.name, _is_folder(entry), entry.is_symlink()) for entry in entries)
            yield from (place / name for name, is_folder, _ in found if not is_folder and name != ".git")
            waiting += (
                place / name
                for name, is_folder, is_link in reversed(found)
                if is_folder and not is_link and name not in _PASSED_OVER
            )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a folder, or a link to one. False for a circular link, and for one that cannot be read."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def main(largest: int, longest: int, pattern: str, folder: str, glob: str) -> int:
    """Print the lines that match. Return the exit status."""
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # a real stream
    try:
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        sys.stdout.write(f"{error}\n")
        return NO_EXPRESSION
    for path in walk(Path.cwd(), Path(folder)):
        if glob and not (fnmatch(path.name, glob) or fnmatch(path.as_posix(), glob)):
            continue
        for number, line in enumerate(_lines(path, largest), 1):
            if expression.search(line):
                sys.stdout.write(f"{path.as_posix()}:{number}:{line[:longest]}\n")
                sys.stdout.flush()
    return 0


def _lines(path: Path, largest: int) -> list[str]:
    """Return the lines of a plain text file; no lines for anything else."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size <= largest and b"\0" not in (data := file.read()):
                return data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    return []


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]))
