"""Hold folders by descriptor: open them without following links, and recognize them by their inodes.

An agent can rename folders and replace them with links, also above its worktree. A path may lead elsewhere a moment
later; a descriptor stays with its folder.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp import openat
from mux_lsp.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class LostError(GitError):
    """A folder of a worktree was removed or replaced. Nothing was read or removed there."""


@contextlib.contextmanager
def pin(base: Path, names: Sequence[str], inode: int | None = None) -> Iterator[Path]:
    """Hold the folder reached from `base` through `names`, one in the other.

    Yield a path that leads to that very folder, for this process and its children, as long as it is held.

    With `inode`, it must be the folder of that inode, on the file system of the first of `names`: device numbers may
    change when the machine restarts. Raises LostError if it is missing, a link, or another folder, also if it has
    become so by the end.

    On Linux the path leads through the descriptor, in `/proc`. Elsewhere it is the plain path, so that a replacement is
    noticed only if it was made before or still exists afterwards.
    """
    place = base.joinpath(*names)
    descriptor = _open(base, names, inode)
    try:
        path = _path_through(descriptor, place)
        try:
            yield path
        except GitError as error:
            # git's own message is about the consequence if this is the cause.
            _check_still_there(descriptor, base, names, place)
            raise type(error)(str(error).replace(os.fspath(path), os.fspath(place))) from error
        _check_still_there(descriptor, base, names, place)
    finally:
        os.close(descriptor)


def inode_of(base: Path, names: Sequence[str]) -> int:
    """Return the inode of the folder that `names` lead to, for use with `pin`. Raises LostError like `pin`."""
    descriptor = _open(base, names, None)
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def _open(base: Path, names: Sequence[str], inode: int | None) -> int:
    place = base.joinpath(*names)
    devices: list[int] = []

    def enter(folder: int, name: str) -> int:
        inside = _open_inside(folder, name)
        devices.append(os.fstat(inside).st_dev)
        return inside

    try:
        descriptor = openat.descend(openat.open_folder(base), names, enter)
    except FileNotFoundError as error:
        raise LostError(_removed_message(place)) from error
    except OSError as error:
        if error.errno not in openat.LINK_ERRORS:
            raise
        raise LostError(_replaced_message(place)) from error
    status = os.fstat(descriptor)
    if inode is not None and (status.st_ino, status.st_dev) != (inode, *devices[:1]):
        os.close(descriptor)
        raise LostError(_replaced_message(place))
    return descriptor


def _open_inside(descriptor: int, name: str) -> int:
    """Open a folder in an open one, whose permissions an agent may have removed."""
    try:
        return openat.open_inside(descriptor, name)
    except PermissionError:
        if sys.platform != "linux":
            raise
        _path_through(descriptor, Path()).chmod(stat.S_IRWXU)
        return openat.open_inside(descriptor, name)


def _check_still_there(descriptor: int, base: Path, names: Sequence[str], place: Path) -> None:
    """Raise LostError if the path no longer leads to the folder that is held."""
    again = _open(base, names, None)
    try:
        if not os.path.samestat(os.fstat(descriptor), os.fstat(again)):
            raise LostError(_replaced_message(place))
    finally:
        os.close(again)


def _path_through(descriptor: int, place: Path) -> Path:
    # By process id rather than `self`, since child processes read it too.
    return Path(f"/proc/{os.getpid()}/fd/{descriptor}") if sys.platform == "linux" else place


def _removed_message(place: Path) -> str:
    return (
        f"The folder {place} was removed while its run needed it. What was taken of its result before is kept; "
        "`mux-lsp retry` has the agent begin anew."
    )


def _replaced_message(place: Path) -> str:
    return (
        f"The folder {place} has been replaced by something else: nothing was taken from what stands there, and it "
        "stays as it is. What was taken of the run's result before is kept; `mux-lsp retry` has the agent begin anew."
    )
