"""Rename without overwriting: exchange two names, or move to a name that does not exist.

Linux has renameat2(2) for this, macOS renameatx_np(2) (written from its manual page, not tested here). Names are
relative to open folders.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mux_lsp.faults import fault

if TYPE_CHECKING:
    from collections.abc import Callable

_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})

# <linux/fs.h> and <sys/stdio.h>
_EXCHANGE, _NO_REPLACE = (0x2, 0x4) if sys.platform == "darwin" else (0x2, 0x1)


class At(NamedTuple):
    """Name in an open folder."""

    folder: int
    name: str


class UnsupportedError(Exception):
    """The file system or the kernel does not support the operation."""


def exchange(one: At, other: At) -> None:
    """Exchange two names atomically. Raises UnsupportedError, or OSError as rename(2) does."""
    fault("rename.exchange")
    _rename(one, other, _EXCHANGE)
    fault("rename.exchanged")


def move(source: At, target: At) -> None:
    """Rename to a name that does not exist. Raises FileExistsError if it does, or OSError.

    If the file system has no such rename, a hard link and an unlink are used: a file that is created in between is
    kept too. If it has neither, a file that is created between two system calls is lost.
    """
    fault("rename.move")
    try:
        _rename(source, target, _NO_REPLACE)
    except UnsupportedError:
        _move_by_link(source, target)
    fault("rename.moved")


def _move_by_link(source: At, target: At) -> None:
    try:
        os.link(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _UNSUPPORTED | {errno.EPERM}:
            raise
        try:
            os.lstat(target.name, dir_fd=target.folder)
        except FileNotFoundError:
            os.rename(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.name) from None
    else:
        os.unlink(source.name, dir_fd=source.folder)


def _rename(source: At, target: At, flags: int) -> None:
    call = _call()
    if call is None:
        raise UnsupportedError
    if call(source.folder, os.fsencode(source.name), target.folder, os.fsencode(target.name), flags) != 0:
        number = ctypes.get_errno()
        if number in _UNSUPPORTED:
            raise UnsupportedError
        raise OSError(number, os.strerror(number), target.name)


@functools.cache
def _call() -> Callable[..., Any] | None:
    library = ctypes.CDLL(None, use_errno=True)
    found = getattr(library, "renameatx_np" if sys.platform == "darwin" else "renameat2", None)
    if found is not None:
        found.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
        found.restype = ctypes.c_int
    return found
