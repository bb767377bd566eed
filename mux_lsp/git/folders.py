"""Handle folders that an agent may have changed: walk, remove, normalize and measure them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_plain_folder(path: Path) -> bool:
    """Return whether `path` is a real folder, not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def walk(path: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each folder, before those in it, with the names of its folders and of all else.

    Unreadable folders are empty.

    Like `os.walk`, except that links are never folders and that the depth is unlimited: Python 3.11's `os.walk` fails
    on deep trees.
    """
    waiting = [os.fspath(path)]
    while waiting:
        folder = waiting.pop()
        folders: list[str] = []
        names: list[str] = []
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                    waiting.append(entry.path)
                else:
                    names.append(entry.name)
        yield folder, folders, names


def remove_tree(path: Path) -> None:
    """Remove whatever is at `path`, whatever its permissions, following no link. Raises OSError if it remains."""
    if not is_plain_folder(path):
        path.unlink(missing_ok=True)
        return
    fault("folder.begins")
    tame(path, stat.S_IRWXU)
    try:
        _remove(path)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        # `rm` changes into each folder, and so reaches paths that are too long for a system call.
        subprocess.run(["rm", "-rf", "--", os.fspath(path)], capture_output=True, check=False)
        if os.path.lexists(path):
            raise
    fault("folder.removed")


def _remove(path: Path) -> None:
    for folder, folders, files in reversed([*walk(path)]):
        for name in files:
            Path(folder, name).unlink(missing_ok=True)
        for name in folders:
            Path(folder, name).rmdir()
    fault("folder.emptied")
    path.rmdir()


def tame(path: Path, folder_mode: int) -> None:
    """Set the permissions of every folder at and below `path`, and remove pipes, sockets and devices.

    `path` itself may lead to its folder through a descriptor.

    `git clean` stops at a folder that it may not read, keeps odd permissions, and ignores pipes.
    """
    top = os.fspath(path)
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError):
            if stat.S_IMODE(Path(folder).stat(follow_symlinks=folder == top).st_mode) != folder_mode:
                Path(folder).chmod(folder_mode)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif not entry.is_symlink():
                        Path(entry.path).unlink()


def disk_use(folder: Path) -> int:
    """Return the bytes on disk below `folder`. Entries that cannot be read are not counted."""
    total = 0
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                    except OSError:
                        continue
        except OSError:
            continue
    return total
