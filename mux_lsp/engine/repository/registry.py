"""Keep the open repositories, each with its shadow store and hidden worktrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.engine.repository.worktree_pool import WorktreePool
from mux_lsp.git.repository import discover
from mux_lsp.git.shadow import ShadowStore, key_of
from mux_lsp.git.worktrees import SlotState, Worktrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mux_lsp.git.repository import Repository


@dataclass(frozen=True, slots=True)
class RepositoryStore:
    """The daemon's data for one repository."""

    root: Path
    shadow: ShadowStore
    worktrees: Worktrees
    claims: WorktreePool
    keys: Callable[[], frozenset[str]]
    """Returns the environment variables that are hidden from set-ups and checks."""


class RepositoryStores:
    """The repositories' stores below `folder`, each opened once. For `keys` see `RepositoryStore`."""

    def __init__(self, folder: Path, keys: Callable[[], frozenset[str]]) -> None:
        self._folder = folder
        self._keys = keys
        self._rooms: dict[Path, RepositoryStore] = {}

    def get(self, root: Path) -> RepositoryStore:
        """Return the store of a repository by its root, which may have been deleted since: results outlive it."""
        room = self._rooms.get(root)
        if room is None:
            shadow = ShadowStore(self._folder / key_of(root), root)
            worktrees = Worktrees(shadow)
            room = self._rooms[root] = RepositoryStore(
                root, shadow, worktrees, WorktreePool(worktrees, root.name), self._keys
            )
        return room

    def is_trial(self, name: str) -> bool:
        """Return whether a worktree is in use under this name."""
        slots = (slot for room in self._rooms.values() for slot in room.worktrees.slots())
        return any(slot.run_id == name and slot.state is SlotState.IN_USE for slot in slots)

    def close(self) -> None:
        """End the helper processes of every store."""
        for room in self._rooms.values():
            room.shadow.close()


def locate(folder: Path) -> Repository:
    """Return the repository that holds a folder (or a file's folder). Raises NotARepositoryError."""
    return discover(folder if folder.is_dir() else folder.parent)
