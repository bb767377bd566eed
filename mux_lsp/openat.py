"""Open folders by descriptor, one in the other, without following links (`openat(2)`).

A path may lead elsewhere a moment later, since anyone with write access to one of its folders can put a link there. A
descriptor stays with its folder, and what is opened inside of that is what was checked.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HOLD: Final = getattr(os, "O_PATH", os.O_RDONLY)
"""Access to a folder for opening others in it. On Linux this does not require read permission."""

READ: Final = os.O_RDONLY
"""Access to a folder to read the names in it."""

LINK_ERRORS: Final = frozenset({errno.ENOTDIR, errno.ELOOP})
"""The errors of `open_inside` for a link: the first on Linux, the second elsewhere. A file also gives the first."""

_FOLDER: Final = os.O_DIRECTORY | os.O_CLOEXEC


def open_folder(place: Path, access: int = HOLD) -> int:
    """Open a folder by its path, following links: for paths that only we can change. Raises OSError."""
    return os.open(place, access | _FOLDER)


def open_plain_folder(place: Path, access: int = HOLD) -> int:
    """Open a folder by its path, whose last component must not be a link. Raises OSError."""
    return os.open(place, access | _FOLDER | os.O_NOFOLLOW)


def open_inside(folder: int, name: str, access: int = HOLD) -> int:
    """Open a folder in an open one, which stays open. Raises OSError, with one of `LINK_ERRORS` for a link."""
    return os.open(name, access | _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def descend(start: int, names: Iterable[str], enter: Callable[[int, str], int] = open_inside) -> int:
    """Open the folders that `names` lead to, one in the other from the open folder `start` on. Return the last one.

    `enter` opens a folder in an open one. It must not follow links, and must not close the latter. Only one folder is
    open at a time, since whoever chooses the path can name more folders than a process may have files open. `start` is
    always closed, also if `enter` raises.
    """
    folder = start
    try:
        for name in names:
            above, folder = folder, enter(folder, name)
            os.close(above)
    except BaseException:
        os.close(folder)
        raise
    return folder


def is_link(folder: int, name: str) -> bool:
    """Return whether a name in an open folder is currently a symbolic link."""
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode)
    except OSError:
        return False
