"""Watch a folder for changes of its files."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.fs_watch import tell, watch_kept_up

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

_DEBOUNCE_MS: Final = 100
_QUIET_MS: Final = 50


@contextlib.asynccontextmanager
async def changing(folder: Path) -> AsyncIterator[asyncio.Event]:
    """Yield an event that is set when a file directly in the folder may have changed, and once the watch is in place.

    The folder must exist. The caller clears the event.
    """
    changed = asyncio.Event()
    told = functools.partial(tell, asyncio.get_running_loop(), changed.set)
    # If it cannot be watched, the output is still read to its end when the agent has ended.
    with watch_kept_up(folder, functools.partial(_watch, folder, told)):
        yield changed


def _watch(folder: Path, told: Callable[[], None], stop: threading.Event) -> None:
    from watchfiles._rust_notify import RustNotify

    notify = RustNotify([str(folder)], False, False, 0, False, True)
    try:
        told()
        while not isinstance(notify.watch(_DEBOUNCE_MS, _QUIET_MS, 0, stop), str):
            told()
    finally:
        notify.close()
