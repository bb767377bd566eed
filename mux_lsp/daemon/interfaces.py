"""Declare what the daemon needs from the engine and the language server, which are passed to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from mux_lsp import paths
from mux_lsp.callers import Caller
from mux_lsp.daemon.connection import ClientReader, ClientWriter


class ServedEngine(Protocol):
    """The part of the engine that the daemon uses."""

    def busy(self) -> bool:
        """Return whether there is unfinished work: the daemon does not end as idle meanwhile."""

    def can_hand_over(self) -> bool:
        """Return whether a daemon of another version could take over all work without loss."""

    def status(self) -> dict[str, object]:
        """Return its status as JSON. `unfinished_runs` is their number."""

    def starter(self, names: Iterable[str], /) -> str | None:
        """Return the run or check that started a client which claims these names, or None if a user started it."""

    def sessions(self) -> Mapping[int, str]:
        """Return the process sessions of its runs, checks and set-ups, with the name of each."""

    def subscribe(self, listener: Callable[[Any], None], /) -> Callable[[], None]:
        """Call a function in the event loop on every event, after which `busy` may have changed.

        Return the unsubscriber.
        """


CreateEngine = Callable[[paths.Home], AbstractAsyncContextManager[ServedEngine]]
"""A function that returns a context manager, which opens an engine over the person's folders, and closes it at its end.

Independent processes continue after that. Entering it raises MuxError with the reason if the engine cannot be opened.
"""


ServeClient = Callable[[ClientReader, ClientWriter, Any, Caller], Awaitable[None]]
"""A function that speaks LSP with one client of the engine until the reader ends. It may be cancelled."""
