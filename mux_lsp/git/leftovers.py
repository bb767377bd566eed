"""Remove the remains of failed writes from a store: partial objects, packs and indexes.

git writes objects and packs under temporary names and, if the disk is full, exits without removing them. They must not
keep a disk full on which the person frees space.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from mux_lsp.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OBJECTS: Final = "[0-9a-f][0-9a-f]/tmp_obj_*"
_OTHERS: Final = ("tmp_*", "pack/tmp_*", "pack/.tmp-*", "info/*.lock", "../fast_import_crash_*")

_lock = threading.Lock()
_at_work: Counter[Path] = Counter()
_failed: set[Path] = set()


@contextlib.contextmanager
def cleanup_after_failure(objects: Path) -> Iterator[None]:
    """Remove what git has begun to write in a folder of objects, if git fails in this context for lack of space.

    The files that another git is writing look the same. So they are removed when the last git at work has ended, and
    the next one waits for that.
    """
    with _lock:
        _at_work[objects] += 1
    try:
        yield
    except StorageError:
        with _lock:
            _failed.add(objects)
        raise
    finally:
        with _lock:
            _at_work[objects] -= 1
            if not _at_work[objects]:
                del _at_work[objects]
                if objects in _failed:
                    _failed.discard(objects)
                    remove_temporary_files(objects)


def remove_temporary_files(objects: Path) -> None:
    """Remove temporary objects and packs. No git may be writing there."""
    for pattern in (_OBJECTS, *_OTHERS):
        for left in objects.glob(pattern):
            with contextlib.suppress(OSError):
                left.unlink()


def remove_unfinished_files(folder: Path) -> None:
    """Remove temporary files that a killed daemon left in a folder."""
    for left in (*folder.glob("*.new"), *folder.glob("*.lock")):
        with contextlib.suppress(OSError):
            left.unlink()
