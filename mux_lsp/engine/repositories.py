"""The repositories the daemon knows, each with its shadow store and hidden worktrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.git.repository import discover
from mux_lsp.git.shadow import Shadow, key_of
from mux_lsp.git.worktrees import Worktrees

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.git.repository import Repository


@dataclass(frozen=True, slots=True)
class Room:
    """What the daemon keeps of one person's repository."""

    root: Path
    shadow: Shadow
    worktrees: Worktrees


class Rooms:
    """Opens each repository's shadow store once. `folder` is where all of them live."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rooms: dict[Path, Room] = {}

    def of(self, root: Path) -> Room:
        """The room of a repository by its root, which need not exist any more: results outlive it."""
        room = self._rooms.get(root)
        if room is None:
            shadow = Shadow(self._folder / key_of(root))
            room = self._rooms[root] = Room(root, shadow, Worktrees(shadow))
        return room

    def close(self) -> None:
        """End the helper processes of every room."""
        for room in self._rooms.values():
            room.shadow.close()


def locate(folder: Path) -> Repository:
    """The repository that holds a folder (or a file's folder). Raises NotARepositoryError."""
    return discover(folder if folder.is_dir() else folder.parent)
