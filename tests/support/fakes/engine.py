"""Fake an engine. The test sets its answers in config.toml, or changes them through the fake session."""

from __future__ import annotations

import contextlib
import tomllib
from typing import TYPE_CHECKING, Any

from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    Listener = Callable[[Any], None]


class Engine:
    """An engine that does nothing and gives preset answers."""

    def __init__(self, state: Path, config_file: Path) -> None:
        self.settings = tomllib.loads(config_file.read_text()) if config_file.exists() else {}
        self.unfinished = self.settings.get("unfinished_runs", 0)
        self.listeners: list[Listener] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, state: Path, config_file: Path) -> AsyncIterator[Engine]:
        engine = cls(state, config_file)
        if "bug_at_open" in engine.settings:
            raise ZeroDivisionError(engine.settings["bug_at_open"])
        if "error_at_open" in engine.settings:
            raise MuxError(engine.settings["error_at_open"])
        yield engine

    def busy(self) -> bool:
        return bool(self.unfinished)

    def can_hand_over(self) -> bool:
        return bool(self.settings.get("can_hand_over", True))

    def starter(self, names: Iterable[str]) -> str | None:
        return next((name for name in names if name in self.settings.get("runs", ())), None)

    def sessions(self) -> dict[int, str]:
        return {}

    def status(self) -> dict[str, object]:
        return {"unfinished_runs": self.unfinished}

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def set_unfinished(self, count: int) -> None:
        self.unfinished = count
        for listener in self.listeners:
            listener(None)
