"""Seeing a worktree change: one thread per watched folder, batches of paths on the event loop, nothing polled.

watchfiles' Rust backend is used directly (its documented `RustNotify`), because `watch()` does not tell when its
watches are in place, and because `awatch()` shares forty threads between all watchers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Literal

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

QUIET_MILLISECONDS = 100
"""A batch ends when nothing changed for this long."""
LONGEST_MILLISECONDS = 400
"""A batch ends after this long even if changes go on."""

MANY_PATHS = 1000
"""Above so many paths it is quicker to look at everything than to name them."""

Batch = frozenset[str] | None
"""Paths relative to the watched folder, or None where anything may have changed."""


@contextlib.asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[asyncio.Queue[Batch]]:
    """A queue of batches of what changes below a folder. The first, None, says that the watches are in place."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Batch] = asyncio.Queue()
    stop = threading.Event()

    def deliver(batch: Batch) -> None:
        # The loop may have been closed under a thread that is about to end.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(queue.put_nowait, batch)

    thread = threading.Thread(target=_watch, args=(folder, stop, deliver), name=f"watch {folder.name}", daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        stop.set()


def _watch(folder: Path, stop: threading.Event, deliver: _Deliver) -> None:
    while not stop.is_set():
        try:
            notify = RustNotify([os.fspath(folder)], False, False, 0, True, True)
        except OSError as error:
            # Without live sight the result is still taken whole when the agent ends.
            log.warning("changes in %s cannot be watched: %s", folder, error)
            return
        try:
            _watch_with(notify, folder, stop, deliver)
            return
        except WatchfilesRustInternalError as error:
            # A name that is not UTF-8, which ends the watch. A new one begins with a look at everything.
            log.debug("the watch of %s begins anew: %s", folder, error)


def _watch_with(notify: RustNotify, folder: Path, stop: threading.Event, deliver: _Deliver) -> None:
    prefix = os.fspath(folder) + os.sep
    try:
        deliver(None)
        while not stop.is_set():
            changes: set[tuple[int, str]] | Literal["signal", "stop", "timeout"]
            changes = notify.watch(LONGEST_MILLISECONDS, QUIET_MILLISECONDS, 0, stop)
            if isinstance(changes, str):
                return
            paths = frozenset(path.removeprefix(prefix) for _, path in changes if path.startswith(prefix))
            if paths:
                deliver(paths)
    finally:
        notify.close()


def merge(batches: list[Batch]) -> Batch:
    """Several batches as one."""
    paths: set[str] = set()
    for batch in batches:
        if batch is None:
            return None
        paths |= batch
    return frozenset(paths) if len(paths) <= MANY_PATHS else None


if TYPE_CHECKING:
    from collections.abc import Callable

    _Deliver = Callable[[Batch], None]
