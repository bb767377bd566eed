"""Folders that an agent has had its hands on: removed, made usable again, measured."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
from pathlib import Path


def is_plain_folder(path: Path) -> bool:
    """Whether a real folder stands at `path`: not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def remove_tree(path: Path) -> None:
    """Remove whatever stands at `path`, following no link, whatever its permissions. Raises OSError if it stays."""
    if not is_plain_folder(path):
        path.unlink(missing_ok=True)
        return
    tame(path, stat.S_IRWXU)
    try:
        _remove(path)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        # `rm` goes from folder to folder, and so to where no path is short enough to name.
        subprocess.run(["rm", "-rf", "--", os.fspath(path)], capture_output=True, check=False)
        if os.path.lexists(path):
            raise


def _remove(path: Path) -> None:
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            Path(folder, name).unlink(missing_ok=True)
        for name in folders:
            place = Path(folder, name)
            if place.is_symlink():
                place.unlink(missing_ok=True)
            else:
                place.rmdir()
    path.rmdir()


def tame(path: Path, folder_mode: int) -> None:
    """Give every folder at and below `path` these permissions, and remove pipes, sockets and devices.

    `git clean` stops at a folder it may not read, leaves odd permissions as they are, and does not see pipes at all.
    """
    waiting = [os.fspath(path)]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError):
            if stat.S_IMODE(os.lstat(folder).st_mode) != folder_mode:
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
    """Bytes on disk below `folder`; what cannot be read counts nothing."""
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
