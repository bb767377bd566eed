"""Errors of the system in words for a person: what it cannot do, and what to do about it."""

from __future__ import annotations

import errno
import os
from typing import Final

_WHAT_TO_DO: Final = {
    errno.EMFILE: "raise the limit of open files where the daemon is started (`ulimit -n`), or lower `concurrent` "
    "under [runs]",
    errno.ENFILE: "the machine has too many files open; end other programs",
    errno.EAGAIN: "the system starts no more processes or threads; end others, raise the limit (`ulimit -u`), or lower "
    "`concurrent` under [runs]",
    errno.ENOMEM: "the machine has no memory left; end other programs, or lower `concurrent` under [runs]",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room: your quota on the disk is used up",
    errno.EROFS: "have the file system mounted for writing",
    errno.EIO: "look after the disk: it cannot be read or written",
    errno.ENAMETOOLONG: "the agent has made names or folders that are too long to be named; have it make shorter ones",
    errno.EACCES: "see to it that you may read and write there",
    errno.EPERM: "see to it that you may read and write there",
    errno.ENOENT: "it was removed meanwhile, by the agent or by another program",
    errno.ENOTDIR: "something else was put in the place of a folder, by the agent or by another program",
    errno.EISDIR: "something else was put in the place of a file, by the agent or by another program",
    errno.EEXIST: "something else was put in its place, by the agent or by another program",
}


def is_of_the_system(error: BaseException) -> bool:
    """Whether an error is the system's, and no bug of ours."""
    return isinstance(error, OSError | MemoryError | RecursionError) or _no_thread(error)


def in_words(error: BaseException) -> str:
    """A sentence for an error that `is_of_the_system`."""
    number, what = _number_of(error), str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        what = f"{os.strerror(error.errno)}{where}"
    todo = _WHAT_TO_DO.get(number or 0)
    advice = "the daemon's log has the details" if todo is None else todo
    return (
        f"The system could not do what the run needed ({what}): {advice}. What was taken of its result before is kept; "
        "`mux-lsp retry` has the agent begin anew."
    )


def _number_of(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, RecursionError):
        return errno.ENAMETOOLONG
    return errno.EAGAIN


def _no_thread(error: BaseException) -> bool:
    # CPython has no type of its own for it.
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)
