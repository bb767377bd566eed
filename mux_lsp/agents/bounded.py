"""Bound the size of an output file: keep its head and tail, and free the middle.

The child writes to the file directly, so it goes on writing when the daemon ends, and offsets do not change: the middle
becomes a hole, which takes no space on the disk. On Linux that is `fallocate` with FALLOC_FL_PUNCH_HOLE, which ext4,
XFS, Btrfs, tmpfs and gfs2 support (fallocate(2)), and network file systems if their server does; on macOS F_PUNCHHOLE,
which APFS supports (fcntl(2); implemented from its documentation). Elsewhere, and while no daemon runs, only
RLIMIT_FSIZE bounds the output: see `process.start`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import functools
import logging
import os
import re
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.files import open_to_rewrite
from mux_lsp.agents.fs_watch import watch_kept_up

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Iterator
    from typing import BinaryIO

log = logging.getLogger(__name__)

_OUTPUT: Final = re.compile(r"stdout|stderr|raw-[0-9]+|transcript\.jsonl")
"""The names of the files in a run's folder whose size the agent determines."""

_STEP: Final = 1 << 16
"""Alignment of a hole's start and end in bytes: a multiple of the block size of every common file system."""

_PUNCH_AND_KEEP_SIZE: Final = 0x02 | 0x01
"""FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE (linux/falloc.h)."""

_F_PUNCHHOLE: Final = 99
"""The command number in macOS' sys/fcntl.h."""

_PIECE: Final = 1 << 20

_DEBOUNCE_MS: Final = 100
_QUIET_MS: Final = 50


def is_output(name: str) -> bool:
    """Return whether a file with that name in a run's folder is an output whose size is bounded."""
    return _OUTPUT.fullmatch(name) is not None


def trim(file: Path, most: int) -> None:
    """Free the middle of a file that takes more than `most` bytes of the disk.

    The head keeps a quarter of `most`, the tail half of it. Blocks: call it in a thread.
    """
    with contextlib.suppress(OSError):
        if file.lstat().st_blocks * 512 <= most:
            return
    try:
        with open_to_rewrite(file) as opened:
            size = os.fstat(opened.fileno()).st_size
            start, end = -(most // 4 // -_STEP) * _STEP, (size - most // 2) // _STEP * _STEP
            if end > start:
                _free(opened.fileno(), start, end - start)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}:
            log.warning("%s is larger than it may be, and its middle could not be freed: %s", file, error)
        else:
            _say_once(file.parent.parent)


def trim_outputs(folder: Path, most: int) -> None:
    """Trim all outputs that are directly in a folder. Blocks: call it in a thread."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_output(entry.name):
                trim(Path(entry.path), most)


@contextlib.asynccontextmanager
async def kept_in_bounds(folder: Path, most: int) -> AsyncIterator[None]:
    """Trim the outputs that are directly in a folder, whenever they grow and at the end. The folder must exist."""
    try:
        with watch_kept_up(folder, functools.partial(_watch, folder, most)):
            yield
    finally:
        await asyncio.to_thread(trim_outputs, folder, most)


def read_around(file: BinaryIO, offset: int, limit: int) -> tuple[bytes, int]:
    """Return up to `limit` bytes of a file from `offset` on, and the offset of the first of them.

    If `offset` is in a hole, they start behind it. No byte comes from a hole, even if one is made during the call.
    Returns no bytes at the end of the file.
    """
    descriptor = file.fileno()
    while True:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
            data = os.pread(descriptor, min(limit, end - start), start)
            if os.lseek(descriptor, start, os.SEEK_DATA) == start and (
                os.lseek(descriptor, start, os.SEEK_HOLE) >= start + len(data)
            ):
                return data, start
        except OSError as error:
            if error.errno != errno.ENXIO:  # no data behind the offset
                raise
            return b"", offset


def lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file without their line ends, except lines that a hole has cut."""
    position, rest, cut = 0, b"", False
    while True:
        piece, start = read_around(file, position, _PIECE)
        if start > position:
            rest, cut = b"", True
        if not piece:
            break
        position = start + len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        if cut and whole:
            del whole[0]
            cut = False
        yield from whole
    if rest and not cut:
        yield rest


def left_out(size: int) -> str:
    """Return the line that replaces this number of omitted bytes."""
    return f"mux-lsp: {size:,} bytes of the output were left out here (output_mb under [runs])"


def _free(descriptor: int, offset: int, length: int) -> None:
    if sys.platform == "linux":
        if _libc().fallocate(descriptor, _PUNCH_AND_KEEP_SIZE, offset, length):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    elif sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, _F_PUNCHHOLE, struct.pack("=IIqq", 0, 0, offset, length))
    else:
        raise OSError(errno.EOPNOTSUPP, "there is no way to free a part of a file here")


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    off_t = ctypes.c_long
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, off_t, off_t)
    return libc


@functools.cache
def _say_once(folder: Path) -> None:
    log.warning("the file system of %s cannot free a part of a file: largest_file_mb alone bounds outputs", folder)


def _watch(folder: Path, most: int, stop: threading.Event) -> None:
    from watchfiles._rust_notify import RustNotify

    notify = RustNotify([str(folder)], False, False, 0, False, True)
    try:
        trim_outputs(folder, most)
        while not isinstance(notify.watch(_DEBOUNCE_MS, _QUIET_MS, 0, stop), str):
            trim_outputs(folder, most)
    finally:
        notify.close()
