"""Describe storage errors: one sentence for each, with the place and what to do.

It imports only the standard library. SQLite and git report the same errors in their own words, which `store.database`
and `git.command` translate with this module.
"""
# The bridge may import it, which does not import pathlib.
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
    """The reason why the system refuses a read or a write."""

    FULL = "full"
    QUOTA = "quota"
    INODES = "inodes"
    """There is space for bytes, but not for another file."""
    READ_ONLY = "read-only"
    DEVICE = "device"
    DESCRIPTORS = "descriptors"
    """This process has the maximum number of files open."""
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

MIN_INODES = 32
"""Number of free inodes below which the disk counts as out of inodes: a failed write frees some."""

MIN_FREE_BYTES = 1 << 20
"""Free bytes from which a disk that refuses another file is out of inodes rather than full."""

_PROBED = bytes(1 << 16)


def refusal_of(number: int | None, place: str) -> Refusal | None:
    """Return the refusal for an error number at `place`, or None for another kind of error."""
    refusal = _BY_NUMBER.get(number or 0)
    if refusal is Refusal.FULL:
        with contextlib.suppress(OSError):
            disk = os.statvfs(nearest(place))
            if disk.f_files and disk.f_favail < MIN_INODES and disk.f_bavail * disk.f_frsize >= MIN_FREE_BYTES:
                return Refusal.INODES
    return refusal


def in_words_of(text: str, place: str) -> Refusal | None:
    """Return the refusal that another program's output, such as git's, contains in the system's words, or None."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE):
        if os.strerror(number) in text:
            return refusal_of(number, place)
    return None


def sentence(refusal: Refusal, place: str) -> str:
    """Return a sentence that names the disk or folder, the problem, and what to do."""
    return _SENTENCES[refusal](place)


def explained(error: OSError, place: str | None = None) -> StorageError | None:
    """Return the error for a system error, at its own file or else at `place`. None if it is not a storage error.

    If the error names no file, `place` is the folder of the write.
    """
    named = error.filename if isinstance(error.filename, str | bytes | os.PathLike) else None
    where = os.fsdecode(named) if named is not None and not _is_bare(named) else place
    if where is None:
        return None
    refusal = refusal_of(error.errno, where)
    return None if refusal is None else StorageError(sentence(refusal, where))


@contextlib.contextmanager
def explain_words(place: object) -> Iterator[None]:
    """Turn storage errors in this context into sentences about `place`. Other errors are passed on."""
    try:
        yield
    except OSError as error:
        refused = explained(error, os.fspath(place) if isinstance(place, os.PathLike) else str(place))
        if refused is None:
            raise
        raise refused from error


def telling(method: Callable[Concatenate[Keeper, P], R]) -> Callable[Concatenate[Keeper, P], R]:
    """Decorate a method so that storage errors in it become sentences about the folder of its object."""

    @functools.wraps(method)
    def within(self: Keeper, /, *arguments: P.args, **named: P.kwargs) -> R:
        with explain_words(self.folder):
            return method(self, *arguments, **named)

    return within


def probe(folder: str) -> Refusal | None:
    """Write a small temporary file to one of our folders, and return the disk's refusal, if any.

    For use after errors.
    """
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PROBED)
            file.flush()
    except OSError as error:
        return refusal_of(error.errno, folder)
    return None


def nearest(place: str) -> str:
    """Return the path itself if it exists, else the nearest existing folder above it."""
    place = os.path.abspath(place)
    while not os.path.lexists(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    return place


def _is_bare(name: str | bytes | os.PathLike[str]) -> bool:
    """Return whether a name is relative to a folder that is known only by its descriptor."""
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
