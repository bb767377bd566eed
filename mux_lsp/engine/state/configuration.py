"""Hold the person's settings and reload them on request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp import config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class LiveConfiguration:
    """The settings as last read. If the file becomes invalid, the last valid settings stay in force."""

    def __init__(self, file: Path, current: config.Configuration) -> None:
        self.file = file
        self.current = current
        self._listeners: list[Callable[[config.Configuration], None]] = []

    def apply(self, listener: Callable[[config.Configuration], None]) -> None:
        """Call `listener` with the settings now and after every reload."""
        self._listeners.append(listener)
        listener(self.current)

    async def reload(self) -> config.Configuration:
        """Reload the settings. Raises UsageError if the file is invalid."""
        self.current = await asyncio.to_thread(config.load, self.file)
        for listener in self._listeners:
            listener(self.current)
        return self.current
