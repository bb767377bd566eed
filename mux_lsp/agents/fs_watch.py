"""Run watches of the file system in threads of their own.

The asynchronous watches of watchfiles share forty threads between all of them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)


@contextlib.contextmanager
def watch_kept_up(folder: Path, watch: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `watch` in a thread. It watches a folder until its event is set, which happens when the context is left.

    `watch` is restarted if a name that is not UTF-8 has ended it, so it must begin by reporting that anything may have
    changed. If the folder cannot be watched at all, a warning is logged, and changes are not reported live.
    """
    stop = threading.Event()
    threading.Thread(target=_keep_up, args=(folder, watch, stop), name=f"watch {folder.name}", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _keep_up(folder: Path, watch: Callable[[threading.Event], None], stop: threading.Event) -> None:
    from watchfiles._rust_notify import WatchfilesRustInternalError

    while not stop.is_set():
        try:
            watch(stop)
            return
        except WatchfilesRustInternalError as error:
            log.debug("the watch of %s begins anew: %s", folder, error)
        except OSError as error:
            log.warning("changes in %s cannot be watched: %s", folder, error)
            return


def tell(loop: asyncio.AbstractEventLoop, listener: Callable[..., object], *told: object) -> None:
    """Call a listener on its loop, from any thread. Does nothing if the loop is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(listener, *told)
