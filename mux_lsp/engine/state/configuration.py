"""Hold the person's settings, and read them again on request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp import config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class LiveConfiguration:
    """The settings as they were read last. With a file that is wrong, the last good ones stay."""

    def __init__(self, file: Path, current: config.Configuration) -> None:
        self.file = file
        self.current = current
        self._listeners: list[Callable[[config.Configuration], None]] = []

    def apply(self, listener: Callable[[config.Configuration], None]) -> None:
        """Call a function with the settings now, and each time that they were read again."""
        self._listeners.append(listener)
        listener(self.current)

    async def reload(self) -> config.Configuration:
        """Read the settings again. Raises UsageError where the file is wrong."""
        self.current = await asyncio.to_thread(config.load, self.file)
        for listener in self._listeners:
            listener(self.current)
        return self.current
