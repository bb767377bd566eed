"""Describe operating system errors to a person: the failure, and what to do about it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from mux_lsp import storage

if TYPE_CHECKING:
    from pathlib import Path

_WHAT_TO_DO: Final = {
    errno.EAGAIN: "the system starts no more processes or threads; end others, raise the limit (`ulimit -u`), or lower "
    "`concurrent` under [runs]",
    errno.ENOMEM: "the machine has no memory left; end other programs, or lower `concurrent` under [runs]",
    errno.ENAMETOOLONG: "the agent has made names or folders that are too long to be named; have it make shorter ones",
    errno.ENOENT: "it was removed meanwhile, by the agent or by another program",
    errno.ENOTDIR: "something else was put in the place of a folder, by the agent or by another program",
    errno.EISDIR: "something else was put in the place of a file, by the agent or by another program",
    errno.EEXIST: "something else was put in its place, by the agent or by another program",
}
"""Advice by errno, except for errors of the disk, which `storage` describes."""


def is_of_the_system(error: BaseException) -> bool:
    """Return whether an error comes from the operating system and not from a bug in mux-lsp."""
    return isinstance(error, OSError | MemoryError | RecursionError) or _no_thread(error)


def is_of_the_disk(error: BaseException) -> bool:
    """Return whether the disk refused an operation. A traceback of such an error helps nobody."""
    return isinstance(error, OSError) and storage.explained(error, os.sep) is not None


def in_plain_words(error: BaseException, place: Path) -> str:
    """Describe an error for which `is_of_the_system` is true. `place` is its folder unless the error names one."""
    kept = "What was taken of its result before is kept; `mux-lsp retry` has the agent begin anew."
    refused = storage.explained(error, str(place)) if isinstance(error, OSError) else None
    if refused is not None:
        return f"{refused} {kept}"
    number, what = _number_of(error), str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        where = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        what = f"{os.strerror(error.errno)}{where}"
    advice = _WHAT_TO_DO.get(number or 0) or "the daemon's log has the details"
    return f"The system could not do what the run needed ({what}): {advice}. {kept}"


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
