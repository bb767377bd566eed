"""Remove what failed writes have left in a store: half an object, half a pack, half an index.

git writes objects and packs beside their places, and where the disk is full it ends without removing them. They must
not keep a disk full that somebody tries to make room on.
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
    """Where a git within fails for want of room, remove what it has begun in a folder of objects.

    What another git is writing looks the same. So it is removed when the last of those at work has ended, and the next
    one waits for that.
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
    """Remove half objects and packs. Only where nobody writes."""
    for pattern in (_OBJECTS, *_OTHERS):
        for left in objects.glob(pattern):
            with contextlib.suppress(OSError):
                left.unlink()


def remove_unfinished_files(folder: Path) -> None:
    """Remove what is left in a folder of files that are written beside their places, as a killed daemon leaves it."""
    for left in (*folder.glob("*.new"), *folder.glob("*.lock")):
        with contextlib.suppress(OSError):
            left.unlink()
