"""Seeing a worktree change: one thread per watched folder, batches of paths on the event loop, nothing polled.

watchfiles' Rust backend is used directly (its documented `RustNotify`), because `watch()` does not tell when its
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
"""A batch ends when nothing changed for this long."""
LONGEST_MILLISECONDS = 400
"""A batch ends after this long even if changes go on."""

EACH_FOLDER = sys.platform == "linux"
"""Whether each folder is watched by itself. Linux knows nothing else, and watchfiles' own way of doing it for a whole
tree stats every file and lets no other Python thread run meanwhile: for 50,000 files the daemon would stand still for
150 ms."""

_UNSPEAKABLE = re.compile("[\ud800-\udfff]")

MANY_PATHS = 1000
"""Above so many paths it is quicker to look at everything than to name them."""

Batch = frozenset[str] | None
"""Paths relative to the watched folder, or None where anything may have changed."""


@contextlib.asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[asyncio.Queue[Batch]]:
    """A queue of batches of what changes below a folder. The first, None, says that the watches are in place."""
    queue: asyncio.Queue[Batch] = asyncio.Queue()
    deliver = functools.partial(tell, asyncio.get_running_loop(), queue.put_nowait)
    # Without live sight the result is still taken whole when the agent ends.
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
                # What happened in them before they were watched is told by their own names.
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
    """Watch these folders, or those of them that are still there."""
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
    """A folder and all below it, where each is to be watched by itself. One whose name is not UTF-8 cannot be."""
    if not EACH_FOLDER:
        return {folder}
    found = {path for path, _, _ in walk(folder)}
    return {path for path in found if path.isascii() or not _UNSPEAKABLE.search(path)}


def merge(batches: list[Batch]) -> Batch:
    """Several batches as one."""
    paths: set[str] = set()
    for batch in batches:
        if batch is None:
            return None
        paths |= batch
    return frozenset(paths) if len(paths) <= MANY_PATHS else None
