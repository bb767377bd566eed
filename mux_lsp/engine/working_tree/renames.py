"""Renames that never write over anything: two names exchanged, or a name given to what has none there yet.

Linux has them as renameat2(2), macOS as renameatx_np(2) (written by its manual page, not run here). Names are relative
to open folders.
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
    """A name in an open folder."""

    folder: int
    name: str


class UnsupportedError(Exception):
    """The file system or the kernel cannot do it."""


def exchange(one: At, other: At) -> None:
    """Exchange what two names stand for, in one step. Raises UnsupportedError, or OSError as rename(2) does."""
    fault("rename.exchange")
    _rename(one, other, _EXCHANGE)
    fault("rename.exchanged")


def move(source: At, target: At) -> None:
    """Give a name that stands for nothing to what another one stands for. Raises FileExistsError, or OSError.

    Where the file system has no such rename it is a hard link, then an unlink: what comes in between is kept too. Where
    it has neither, a file that is created in between two calls of the system is lost.
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
