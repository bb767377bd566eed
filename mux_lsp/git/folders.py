"""Folders that an agent has had its hands on: removed, made usable again, measured."""

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
    """Whether a real folder stands at `path`: not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def walk(path: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder, before those in it, with its folders and all else by name; what cannot be read has nothing in it.

    As `os.walk`, but that links are never folders, and however deep it goes: Python 3.11's own breaks off there.
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
    """Remove whatever stands at `path`, following no link, whatever its permissions. Raises OSError if it stays."""
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
        # `rm` goes from folder to folder, and so to where no path is short enough to name.
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
    """Give every folder at and below `path` these permissions, and remove pipes, sockets and devices. `path` itself may
    lead to its folder through a descriptor.

    `git clean` stops at a folder it may not read, leaves odd permissions as they are, and does not see pipes at all.
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
