"""Define a connected client as the engine sees it, and collect the clients' unsaved buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mux_lsp.core.model import LeftOut


class Client(Protocol):
    """A connected client, as far as the engine needs to know it."""

    @property
    def name(self) -> str:
        """The editor's name, for messages."""

    def unsaved(self, root: Path) -> tuple[Mapping[str, bytes], tuple[LeftOut, ...]]:
        """Return its buffers below `root` that differ from the disk, encoded as they would be saved, and the paths of
        buffers that cannot be encoded.
        """


class Clients:
    """The connected clients."""

    def __init__(self) -> None:
        self._clients: list[Client] = []

    @property
    def connected(self) -> tuple[Client, ...]:
        """All connected clients."""
        return tuple(self._clients)

    def join(self, client: Client) -> Callable[[], None]:
        """Include a client's unsaved buffers from now on. Returns a function that ends this."""
        self._clients.append(client)
        return lambda: self._clients.remove(client)


def buffers_of(clients: tuple[Client, ...], root: Path) -> tuple[dict[str, bytes], tuple[LeftOut, ...]]:
    """Return the unsaved buffers of all these clients below `root`, by path, and those that could not be read.

    Raises UsageError if two clients hold different texts of one file.
    """
    buffers: dict[str, bytes] = {}
    holder: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for client in clients:
        texts, missing = client.unsaved(root)
        left_out += missing
        for path, content in texts.items():
            if buffers.setdefault(path, content) != content:
                raise UsageError(
                    f"{path} has different unsaved changes in {holder[path]} and in {client.name}: save it in one "
                    "of them, or start the task from an editor, or with --saved from what is on disk."
                )
            holder[path] = client.name
    return buffers, tuple(left_out)
