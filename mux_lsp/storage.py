"""Name what a disk refuses: one sentence for each error, with the place and what to do.

A leaf of the standard library alone. SQLite and git say the same in words of their own, which `store.database` and
`git.command` bring here.
"""
# The bridge may need it, which does without pathlib.
# ruff: noqa: PTH100, PTH117, PTH120

from __future__ import annotations

import contextlib
import errno
import functools
import os
from enum import Enum

from mux_lsp.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Concatenate, ParamSpec, Protocol, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

    class _Kept(Protocol):
        @property
        def folder(self) -> os.PathLike[str]: ...

    Keeper = TypeVar("Keeper", bound=_Kept)


class Refusal(Enum):
    """Why the system does not carry out a read or a write."""

    FULL = "full"
    QUOTA = "quota"
    INODES = "inodes"
    """There is room for bytes, and none for another file."""
    READ_ONLY = "read-only"
    DEVICE = "device"
    DESCRIPTORS = "descriptors"
    """This process has as many files open as it may."""
    SYSTEM_DESCRIPTORS = "system descriptors"
    FORBIDDEN = "forbidden"


_BY_NUMBER = {
    errno.ENOSPC: Refusal.FULL,
    errno.EDQUOT: Refusal.QUOTA,
    errno.EIO: Refusal.DEVICE,
    errno.EROFS: Refusal.READ_ONLY,
    errno.EMFILE: Refusal.DESCRIPTORS,
    errno.ENFILE: Refusal.SYSTEM_DESCRIPTORS,
    errno.EACCES: Refusal.FORBIDDEN,
    errno.EPERM: Refusal.FORBIDDEN,
}

FEW_INODES = 32
"""Files for which there is still room where the disk counts as out of inodes: a failed write gives some back."""

SOME_BYTES = 1 << 20
"""Free bytes from which a disk that refuses another file is out of inodes and not full."""

_PROBED = bytes(1 << 16)


def refusal_of(number: int | None, place: str) -> Refusal | None:
    """The refusal that an error number stands for at `place`; None for an error of another kind."""
    refusal = _BY_NUMBER.get(number or 0)
    if refusal is Refusal.FULL:
        with contextlib.suppress(OSError):
            disk = os.statvfs(nearest(place))
            if disk.f_files and disk.f_favail < FEW_INODES and disk.f_bavail * disk.f_frsize >= SOME_BYTES:
                return Refusal.INODES
    return refusal


def in_words_of(text: str, place: str) -> Refusal | None:
    """The refusal that another program tells of in the system's words, as git does on standard error."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE):
        if os.strerror(number) in text:
            return refusal_of(number, place)
    return None


def sentence(refusal: Refusal, place: str) -> str:
    """Say which disk or folder it is, what is wrong with it, and what to do."""
    return _SENTENCES[refusal](place)


def explained(error: OSError, place: str | None = None) -> StorageError | None:
    """The sentence for an error of the system, at its own file or else at `place`. None where it is none of the disk's.

    A write that names no file fails in the folder that `place` is.
    """
    named = error.filename if isinstance(error.filename, str | bytes | os.PathLike) else None
    where = os.fsdecode(named) if named is not None and not _is_bare(named) else place
    if where is None:
        return None
    refusal = refusal_of(error.errno, where)
    return None if refusal is None else StorageError(sentence(refusal, where))


@contextlib.contextmanager
def told(place: object) -> Iterator[None]:
    """Turn errors of the disk that come up within into sentences about `place`. All others are passed on."""
    try:
        yield
    except OSError as error:
        refused = explained(error, os.fspath(place) if isinstance(place, os.PathLike) else str(place))
        if refused is None:
            raise
        raise refused from error


def telling(method: Callable[Concatenate[Keeper, P], R]) -> Callable[Concatenate[Keeper, P], R]:
    """A method in which errors of the disk become sentences about the folder of its object."""

    @functools.wraps(method)
    def within(self: Keeper, /, *arguments: P.args, **named: P.kwargs) -> R:
        with told(self.folder):
            return method(self, *arguments, **named)

    return within


def probe(folder: str) -> Refusal | None:
    """Look what the disk of a folder of ours says to a small new file, which is gone at once. For use after errors."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PROBED)
            file.flush()
    except OSError as error:
        return refusal_of(error.errno, folder)
    return None


def nearest(place: str) -> str:
    """The path itself where it is there, else the nearest folder above it that is."""
    place = os.path.abspath(place)
    while not os.path.lexists(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    return place


def _is_bare(name: str | bytes | os.PathLike[str]) -> bool:
    """Whether a name is relative to a folder that only its descriptor tells."""
    return not os.path.isabs(os.fsdecode(name))


def _mount_of(place: str) -> str:
    found = nearest(place)
    while not os.path.ismount(found):
        found = os.path.dirname(found)
    return found


def _disk(place: str) -> str:
    mount = _mount_of(place)
    return f"The disk of {place}" if mount == place else f"The disk of {place} (mounted at {mount})"


def _full(place: str) -> str:
    free = ""
    with contextlib.suppress(OSError):
        disk = os.statvfs(nearest(place))
        free = f" ({disk.f_bavail * disk.f_frsize / 1_000_000:.1f} MB free)"
    return f"{_disk(place)} is full{free}: make room on it and try again. Nothing was lost."


def _descriptors(_: str) -> str:
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        f"mux-lsp has as many files open as it may ({soft}): let runs end, lower `concurrent` under [runs], or raise "
        "the limit (`ulimit -n`) and start the daemon anew (`mux-lsp stop`). Nothing was lost."
    )


_SENTENCES: dict[Refusal, Callable[[str], str]] = {
    Refusal.FULL: _full,
    Refusal.QUOTA: lambda place: (
        f"{_disk(place)} takes no more from you, since your quota is used up: remove files of yours there and try "
        "again. Nothing was lost."
    ),
    Refusal.INODES: lambda place: (
        f"{_disk(place)} has no room for another file (its inodes are used up), though it has free bytes: remove files "
        "there, best many small ones, and try again. Nothing was lost."
    ),
    Refusal.READ_ONLY: lambda place: (
        f"{_disk(place)} is read-only: mount it so that it can be written (a system does this by itself after errors "
        "of the disk, so look into its log first) and try again. Nothing was lost."
    ),
    Refusal.DEVICE: lambda place: (
        f"{_disk(place)} reports an input/output error: save what is on it, look into the system's log (`dmesg`) and "
        "check the disk before you go on."
    ),
    Refusal.DESCRIPTORS: _descriptors,
    Refusal.SYSTEM_DESCRIPTORS: lambda _: (
        "This machine has as many files open as it may: end programs, or raise the limit (`sysctl fs.file-max`, on "
        "macOS `kern.maxfiles`), and try again. Nothing was lost."
    ),
    Refusal.FORBIDDEN: lambda place: (
        f"The permissions of {place} forbid it: make it readable and writable for you and try again. Nothing was lost."
    ),
}
