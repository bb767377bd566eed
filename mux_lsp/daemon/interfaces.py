"""Declare what the daemon needs of the engine and of the language server: both are handed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from mux_lsp import paths
from mux_lsp.callers import Caller
from mux_lsp.daemon.connection import ClientReader, ClientWriter


class Engine(Protocol):
    """What the daemon needs of the engine."""

    def busy(self) -> bool:
        """Whether there is work that must not be left: the daemon does not end idle meanwhile."""

    def can_hand_over(self) -> bool:
        """Whether a daemon of another version could take everything over without loss."""

    def status(self) -> dict[str, object]:
        """What it would tell the person of itself, as JSON. `unfinished_runs` is how many there are."""

    def starter(self, names: Iterable[str], /) -> str | None:
        """Which of its runs or checks has started a client that says it belongs to these; None where a person has."""

    def sessions(self) -> Mapping[int, str]:
        """The sessions that belong to its runs, checks and set-ups, with the name of each."""

    def subscribe(self, listener: Callable[[Any], None], /) -> Callable[[], None]:
        """Has a function called, in the event loop, whenever something happens: `busy` may say otherwise after it."""


CreateEngine = Callable[[paths.Home], AbstractAsyncContextManager[Engine]]
"""Returns the context manager that opens an engine over the person's folders, and closes it at its end.

What runs on its own goes on then. Entering it raises MuxError with the reason if the engine cannot be opened.
"""


ServeClient = Callable[[ClientReader, ClientWriter, Any, Caller], Awaitable[None]]
"""Speaks LSP with one client over the engine, until the reader ends. It may be cancelled."""
