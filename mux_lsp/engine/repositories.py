"""The repositories the daemon knows, each with its shadow store and hidden worktrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.engine.claims import Claims
from mux_lsp.engine.setup import Setups
from mux_lsp.git.repository import discover
from mux_lsp.git.shadow import Shadow, key_of
from mux_lsp.git.worktrees import SlotState, Worktrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mux_lsp.git.repository import Repository


@dataclass(frozen=True, slots=True)
class Room:
    """What the daemon keeps of one person's repository."""

    root: Path
    shadow: Shadow
    worktrees: Worktrees
    claims: Claims
    setups: Setups
    keys: Callable[[], frozenset[str]]
    """The variables that neither set-ups nor checks find in their environment."""


class Rooms:
    """Opens each repository's shadow store once. `folder` is where all of them live; for `keys` see `Room`."""

    def __init__(self, folder: Path, keys: Callable[[], frozenset[str]]) -> None:
        self._folder = folder
        self._keys = keys
        self._rooms: dict[Path, Room] = {}

    def of(self, root: Path) -> Room:
        """The room of a repository by its root, which need not exist any more: results outlive it."""
        room = self._rooms.get(root)
        if room is None:
            shadow = Shadow(self._folder / key_of(root), root)
            worktrees = Worktrees(shadow)
            setups = Setups(shadow.folder / "setups")
            room = self._rooms[root] = Room(root, shadow, worktrees, Claims(worktrees, root.name), setups, self._keys)
        return room

    def tries_out(self, name: str) -> bool:
        """Whether commands are at work in a worktree under this name."""
        slots = (slot for room in self._rooms.values() for slot in room.worktrees.slots())
        return any(slot.run_id == name and slot.state is SlotState.IN_USE for slot in slots)

    def close(self) -> None:
        """End the helper processes of every room."""
        for room in self._rooms.values():
            room.shadow.close()


def locate(folder: Path) -> Repository:
    """The repository that holds a folder (or a file's folder). Raises NotARepositoryError."""
    return discover(folder if folder.is_dir() else folder.parent)
