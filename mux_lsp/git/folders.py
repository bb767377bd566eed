"""Removing folders that an agent has had its hands on."""

from __future__ import annotations

import contextlib
import os
import stat
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
    open_up(path)
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


def open_up(path: Path) -> None:
    """Give ourselves back the permissions on every folder at and below `path`."""
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError):
            mode = folder.lstat().st_mode
            if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
                folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)
            with os.scandir(folder) as entries:
                waiting += [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
