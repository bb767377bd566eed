"""Open, create and remove the folders of worktree slots, whatever an agent has put in their place.

A folder is held by its descriptor and recognized by its inode (see `pinned_folder`).
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from mux_lsp.git.folders import disk_use, is_plain_folder, remove_tree
from mux_lsp.git.pinned_folder import LostError, inode_of, pin
from mux_lsp.git.view import GitView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mux_lsp.git.slots import Slot, Worktree

log = logging.getLogger(__name__)

PARTS = ("gitdirs", "worktrees", "slots")
"""The folders that contain a folder of each slot."""


class SlotFolders:
    """The folders of slots below `base`, for worktrees whose objects are in the folder `objects`."""

    def __init__(self, base: Path, objects: Path) -> None:
        self._base = base
        self._objects = objects

    @contextlib.contextmanager
    def held(self, slot: Slot) -> Iterator[GitView]:
        """Hold the worktree of a slot for reading and writing, whatever is at its path meanwhile. Raises LostError."""
        base, own = self._base, ("slots", slot.name)
        with pin(base, own), pin(base, ("worktrees", slot.name, slot.folder_name), slot.inode) as folder:
            yield GitView(base / "slots" / slot.name, folder, self._objects)

    def make(self, slot: Slot) -> int:
        """Create the folder of a new worktree. Return its inode."""
        worktrees = self._base / "worktrees"
        worktrees.mkdir(parents=True, exist_ok=True)
        with pin(self._base, ("worktrees",)) as within:
            (within / slot.name / slot.folder_name).mkdir(parents=True)
        return inode_of(self._base, ("worktrees", slot.name, slot.folder_name))

    def check_git_dir(self, slot: Slot) -> None:
        """Raise LostError if the agent's git directory was replaced.

        If it was removed, only the agent's own data is lost.
        """
        if os.path.lexists(self._base / "gitdirs" / slot.name):
            with pin(self._base, ("gitdirs", slot.name), slot.git_inode):
                pass

    def remove_folder(self, worktree: Worktree, inode: int | None) -> None:
        """Remove a worktree, unless its folder was replaced."""
        names = ("worktrees", worktree.slot, worktree.folder.name)
        try:
            if inode is not None and is_plain_folder(worktree.folder):
                with pin(self._base, names, inode):
                    pass
        except LostError as error:
            log.warning("%s", error)
            return
        self.remove_inside("worktrees", worktree.slot)

    def remove_inside(self, part: str, name: str, inode: int | None = None) -> bool:
        """Remove the entry `name` of one of our folders.

        Return False if it stays: because its inode differs, or because the folder that contains it was replaced.
        """
        try:
            with pin(self._base, (part,)) as within:
                place = within / name
                if inode is not None and is_plain_folder(place) and place.lstat().st_ino != inode:
                    log.warning("%s is not what was put there; it stays", self._base / part / name)
                    return False
                remove_tree(place)
        except LostError as error:
            # A missing folder contains nothing to remove.
            log.warning("%s", error)
            return False
        return True

    def remove_unrecorded(self) -> None:
        """Remove slots without a record, which a killed daemon leaves. Call it before the first prepare."""
        for own in sorted((self._base / "slots").glob("*")):
            if not (own / "slot.json").exists():
                for part in PARTS:
                    remove_tree(self._base / part / own.name)

    def disk_use(self, name: str) -> int:
        """Return the bytes on disk of one slot."""
        return sum(disk_use(self._base / part / name) for part in PARTS)
