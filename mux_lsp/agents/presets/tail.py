"""Being told when files of a folder change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = logging.getLogger(__name__)

_DEBOUNCE_MS: Final = 100
_QUIET_MS: Final = 50


@contextlib.asynccontextmanager
async def changing(folder: Path) -> AsyncIterator[asyncio.Event]:
    """An event that is set whenever a file directly in the folder may have changed, and once the watch is in place.

    The folder must exist. A thread for each: watchfiles' own asynchronous watches share forty between all of them.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    stop = threading.Event()

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed under a thread that is about to end
            loop.call_soon_threadsafe(changed.set)

    def watch() -> None:
        from watchfiles._rust_notify import RustNotify

        try:
            notify = RustNotify([str(folder)], False, False, 0, False, True)
        except OSError as error:
            # It is read to its end all the same when the agent has ended.
            log.warning("changes in %s cannot be watched: %s", folder, error)
            return
        try:
            tell()
            while not isinstance(notify.watch(_DEBOUNCE_MS, _QUIET_MS, 0, stop), str):
                tell()
        finally:
            notify.close()

    threading.Thread(target=watch, name=f"tail {folder.name}", daemon=True).start()
    try:
        yield changed
    finally:
        stop.set()
