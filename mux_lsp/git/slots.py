"""Keep the records of worktree slots, in memory and in one file each, so that they outlive the daemon.

Each worktree is in a *slot*: the folder that the agent sees, the agent's git directory, and our own git directory and
index for the same folder.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mux_lsp import atomic
from mux_lsp.git.view import clear_locks

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from mux_lsp.core.model import Snapshot


class SlotState(StrEnum):
    """The state of a slot's worktree."""

    PREPARING = "preparing"
    """Being checked out. After a restart: remove it."""
    IN_USE = "in use"
    """In use by a run."""
    RELEASING = "releasing"
    """Being reset. After a restart: remove it, or release it again."""
    RELEASED = "released"
    """Clean, and exactly its snapshot: the next prepare may use it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The record of a slot. It outlives the daemon."""

    name: str
    state: SlotState
    folder_name: str
    commit: str
    tree: str
    run_id: str | None = None
    """The run that uses it, or that used it last."""
    inode: int | None = None
    """Inode of the worktree's folder, by which it is recognized; None in a record of an older version."""
    git_inode: int | None = None
    """Inode of the agent's git directory, while there is one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A slot claimed by a run, to be prepared for it. `old` is its previous record, or None for a new slot."""

    old: Slot | None
    slot: Slot


@dataclass(frozen=True, slots=True)
class Worktree:
    """A run's worktree. The agent may change `folder` and `git_dir`; `index` and `snapshot` are ours."""

    slot: str
    folder: Path
    """The folder that the agent sees. Its name is that of the repository's own folder."""
    git_dir: Path
    """The agent's git directory."""
    index: Path
    """Our index, outside both."""
    snapshot: str
    """The commit from which it was prepared."""
    run_id: str | None = None


class SlotTable:
    """The slots of one repository, recorded below `base`. Thread-safe."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._slots: dict[str, Slot] = {}
        self._slot_locks: dict[str, threading.Lock] = {}
        for file in sorted((base / "slots").glob("*/slot.json")):
            slot = _load(file)
            if slot is not None:
                self._slots[slot.name] = slot
                clear_locks(file.parent)

    def all(self) -> tuple[Slot, ...]:
        """Return all slots, by name."""
        with self._lock:
            return tuple(sorted(self._slots.values(), key=lambda slot: (len(slot.name), slot.name)))

    def get(self, name: str) -> Slot:
        """Return a slot. Raises KeyError if it does not exist."""
        with self._lock:
            return self._slots[name]

    def find(self, name: str) -> Slot | None:
        """Return a slot, or None if it does not exist."""
        with self._lock:
            return self._slots.get(name)

    def lock_of(self, name: str) -> threading.Lock:
        """Return the lock for operations on one slot's worktree."""
        with self._lock:
            return self._slot_locks.setdefault(name, threading.Lock())

    def claim(self, snapshot: Snapshot, run_id: str, folder_name: str, *, may_make: bool) -> Claim | None:
        """Claim a released slot for a run, or a new one if `may_make` is true. Return None if there is no slot.

        Of released slots, it prefers the run's own, since the conversation with its agent refers to that folder; then
        one with the same files.
        """
        with self._lock:
            free = [
                slot
                for slot in self._slots.values()
                if slot.state is SlotState.RELEASED and slot.folder_name == folder_name
            ]
            old = max(
                free, key=lambda slot: (slot.run_id == run_id, slot.tree == snapshot.tree, slot.commit), default=None
            )
            if old is None and not may_make:
                return None
            name = old.name if old else self._free_name()
            inode = old.inode if old else None
            slot = Slot(name, SlotState.PREPARING, folder_name, snapshot.commit, snapshot.tree, run_id, inode)
            self._store(slot)
        return Claim(old, slot)

    def reserve(self, snapshot: Snapshot, run_id: str, folder_name: str) -> Slot:
        """Create the slot of a new worktree."""
        with self._lock:
            name = self._free_name()
            slot = Slot(name, SlotState.PREPARING, folder_name, snapshot.commit, snapshot.tree, run_id)
            self._store(slot)
        return slot

    def retire(self, keep: int) -> list[Slot]:
        """Mark released slots, the oldest first, for removal until at most `keep` are left. Return them."""
        with self._lock:
            released = [slot for slot in self._slots.values() if slot.state is SlotState.RELEASED]
            doomed = [replace(slot, state=SlotState.RELEASING) for slot in released[: max(0, len(released) - keep)]]
            for slot in doomed:
                self._store(slot)
        return doomed

    def abandoned(self, used: Collection[str]) -> list[Slot]:
        """Return the slots that are neither released nor named in `used`."""
        with self._lock:
            return [
                slot for slot in self._slots.values() if slot.state is not SlotState.RELEASED and slot.name not in used
            ]

    def record(self, slot: Slot) -> None:
        """Save the current state of a slot."""
        with self._lock:
            self._store(slot)

    def forget(self, name: str) -> None:
        """Drop a slot from memory. Its record on disk is removed with its folder."""
        with self._lock:
            self._slots.pop(name, None)

    def _free_name(self) -> str:
        number = 1
        while f"s{number}" in self._slots or self._is_taken(f"s{number}"):
            number += 1
        return f"s{number}"

    def _is_taken(self, name: str) -> bool:
        """Return whether one of the folders of a slot with that name exists."""
        return any(os.path.lexists(self._base / part / name) for part in ("slots", "worktrees", "gitdirs"))

    def _store(self, slot: Slot) -> None:
        file = self._base / "slots" / slot.name / "slot.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(file, json.dumps(asdict(slot)).encode())
        self._slots[slot.name] = slot


def _load(file: Path) -> Slot | None:
    try:
        saved = json.loads(file.read_text())
        return Slot(**{**saved, "state": SlotState(saved["state"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
