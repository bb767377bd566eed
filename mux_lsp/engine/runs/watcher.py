"""Watch worktrees: one thread for each watched folder, batches of paths on the event loop, no polling.

watchfiles' Rust backend is used directly (its documented `RustNotify`), because `watch()` does not report when its
watches are in place.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import sys
from typing import TYPE_CHECKING

from watchfiles._rust_notify import RustNotify

from mux_lsp.agents.fs_watch import tell, watch_kept_up
from mux_lsp.git.folders import walk

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

QUIET_MILLISECONDS = 100
"""Milliseconds without a change after which a batch ends."""
LONGEST_MILLISECONDS = 400
"""Milliseconds after which a batch ends even if changes continue."""

EACH_FOLDER = sys.platform == "linux"
"""True if each folder is watched by itself. Linux has no other way, and watchfiles' own recursive mode stats every file
and blocks all other Python threads meanwhile: for 50,000 files the daemon would stop for 150 ms.
"""

_UNSPEAKABLE = re.compile("[\ud800-\udfff]")

MANY_PATHS = 1000
"""Maximum number of paths in a merged batch. Beyond it, reading the whole worktree is faster than naming paths."""

Batch = frozenset[str] | None
"""Paths relative to the watched folder, or None if anything may have changed."""


@contextlib.asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[asyncio.Queue[Batch]]:
    """Yield a queue of batches of changes below a folder. The first one, None, means that the watches are in place."""
    queue: asyncio.Queue[Batch] = asyncio.Queue()
    deliver = functools.partial(tell, asyncio.get_running_loop(), queue.put_nowait)
    # If watching fails, the result is still taken in full when the agent ends.
    with watch_kept_up(folder, functools.partial(_watch, folder, deliver)):
        yield queue


def _watch(folder: Path, deliver: Callable[[Batch], None], stop: threading.Event) -> None:
    prefix = os.fspath(folder) + os.sep
    watched, notify = _watch_all(_folders(os.fspath(folder)))
    try:
        deliver(None)
        while not stop.is_set():
            changes = notify.watch(LONGEST_MILLISECONDS, QUIET_MILLISECONDS, 0, stop)
            if isinstance(changes, str):
                return
            seen = {path for _, path in changes}
            while EACH_FOLDER and (new := _new_folders(seen, watched)):
                # Changes in these folders before they were watched are covered by reporting the folders themselves.
                before = notify
                watched, notify = _watch_all(watched | new)
                left = before.watch(1, 1, 1, stop)
                before.close()
                seen |= new | (set() if isinstance(left, str) else {path for _, path in left})
            paths = frozenset(path.removeprefix(prefix) for path in seen if path.startswith(prefix))
            if paths:
                deliver(paths)
    finally:
        notify.close()


def _watch_all(folders: set[str]) -> tuple[set[str], RustNotify]:
    """Watch these folders, or those of them that still exist."""
    while True:
        try:
            return folders, RustNotify(sorted(folders), False, False, 0, not EACH_FOLDER, True)
        except FileNotFoundError:
            left = {folder for folder in folders if os.path.isdir(folder)}  # noqa: PTH112  many of them
            if len(left) == len(folders) or not left:
                raise
            folders = left


def _new_folders(paths: set[str], watched: set[str]) -> set[str]:
    new: set[str] = set()
    for path in paths - watched:
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114  many of them
            new |= _folders(path)
    return new - watched


def _folders(folder: str) -> set[str]:
    """Return a folder and all folders below it, if each is watched by itself. Folders whose names are not UTF-8 are
    left out, because they cannot be watched.
    """
    if not EACH_FOLDER:
        return {folder}
    found = {path for path, _, _ in walk(folder)}
    return {path for path in found if path.isascii() or not _UNSPEAKABLE.search(path)}


def merge(batches: list[Batch]) -> Batch:
    """Merge several batches into one."""
    paths: set[str] = set()
    for batch in batches:
        if batch is None:
            return None
        paths |= batch
    return frozenset(paths) if len(paths) <= MANY_PATHS else None
