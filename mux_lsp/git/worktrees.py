"""Hidden worktrees: prepared from a snapshot for one run, harvested into a result, reset and used again.

A worktree stands in a *slot*: the folder the agent sees, the agent's git directory, and our own git directory and index
for the same folder. **The daemon reads a worktree with its own git directory only**: what an agent writes into its
`.git`, its attributes or its hooks executes nothing here.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mux_lsp import atomic, storage
from mux_lsp.errors import GitError
from mux_lsp.faults import fault
from mux_lsp.git import artifacts
from mux_lsp.git.agent_git_dir import write_agent_dir
from mux_lsp.git.checkout import check_out, forget_states, reset
from mux_lsp.git.damage import is_damage, is_index_damage
from mux_lsp.git.folders import disk_use, is_plain_folder, remove_tree
from mux_lsp.git.harvest import take
from mux_lsp.git.imported import ImportedPaths, brought, load, save
from mux_lsp.git.include import copy_included, exclude_lines, included
from mux_lsp.git.index_file import is_whole
from mux_lsp.git.pinned_folder import LostError, inode_of, pin
from mux_lsp.git.view import GIT_POOL, NULL, View, clear_locks, copy_own_index, view_files, write_git_dir, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from mux_lsp.core.model import LeftOut, Snapshot
    from mux_lsp.git.repository import Repository, Settings
    from mux_lsp.git.shadow import ShadowStore

log = logging.getLogger(__name__)

MANY_FILES = 1000
"""git compares every path that it looks at with each line of a list of what to ignore: of more files none is made."""


class SlotState(StrEnum):
    """What a slot's worktree is good for."""

    PREPARING = "preparing"
    """Being checked out. Found after a restart: remove it."""
    IN_USE = "in use"
    """A run's own."""
    RELEASING = "releasing"
    """Being reset. Found after a restart: remove it, or release it again."""
    RELEASED = "released"
    """Clean, and exactly its snapshot: the next prepare may take it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What is recorded about a slot. It outlives the daemon."""

    name: str
    state: SlotState
    folder_name: str
    commit: str
    tree: str
    run_id: str | None = None
    """The run it is for, or was for last."""
    inode: int | None = None
    """That of the worktree's folder, by which it is known again; None where an older version gave it out."""
    git_inode: int | None = None
    """Likewise of the agent's git directory, while there is one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A slot that is a run's, to be prepared for it. `old` is what it held before; None for a new one."""

    old: Slot | None
    slot: Slot


@dataclass(frozen=True, slots=True)
class Worktree:
    """A run's worktree. `folder` and `git_dir` are the agent's to change; `index` and `snapshot` are ours."""

    slot: str
    folder: Path
    """What the agent sees; its name is the repository's own folder name."""
    git_dir: Path
    """The agent's git directory."""
    index: Path
    """Our index, outside both."""
    snapshot: str
    """The commit it was prepared from."""
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a run has produced until now, as a commit in the shadow store."""

    commit: str
    tree: str
    left_out: tuple[LeftOut, ...] = ()
    hidden: tuple[str, ...] = ()
    """Files that are not in it since the run has rules of its own ignore them, as far as they were asked for."""


class Worktrees:
    """The worktrees of one repository. Thread-safe; one object for each `Shadow`."""

    def __init__(self, shadow: ShadowStore) -> None:
        self.shadow = shadow
        self._lock = threading.Lock()
        self._slots: dict[str, Slot] = {}
        self._slot_locks: dict[str, threading.Lock] = {}
        self._results: dict[str, tuple[str, str]] = {}
        self.freed: Callable[[], object] = lambda: None
        """Called, in whatever thread, when a worktree was released."""
        self.folder = shadow.folder
        self._looked_at: set[str] = set()
        self._pinned: dict[str, str] = {}
        """By slot, the commit that its ref names."""
        for file in sorted((shadow.folder / "slots").glob("*/slot.json")):
            slot = _load(file)
            if slot is not None:
                self._slots[slot.name] = slot
                clear_locks(file.parent)

    # --- a run's way through a worktree ---

    @storage.telling
    def claim(self, snapshot: Snapshot, run_id: str, folder_name: str, *, may_make: bool = True) -> Claim | None:
        """A released worktree for a run, or the place of a new one where it `may_make` one. It is to be prepared.

        `folder_name` is that of the repository's root. Of released ones it is the run's own, whose conversation with
        its agent is about that folder; else one that holds the same files.
        """
        for lost in self._lost():
            self.remove(self._worktree(lost))
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

    def _reserve(self, snapshot: Snapshot, run_id: str, folder_name: str) -> Slot:
        """The place of a new worktree."""
        with self._lock:
            name = self._free_name()
            slot = Slot(name, SlotState.PREPARING, folder_name, snapshot.commit, snapshot.tree, run_id)
            self._store(slot)
        return slot

    def _free_name(self) -> str:
        number = 1
        while f"s{number}" in self._slots or self._is_taken(f"s{number}"):
            number += 1
        return f"s{number}"

    @storage.telling
    def prepare(
        self, snapshot: Snapshot, run_id: str, *, repository: Repository, claim: Claim | None = None
    ) -> Worktree:
        """A worktree that holds the snapshot, with a git directory of its own on the branch `mux/<run_id>`.

        Returns when the snapshot is complete in the store. Any number may be prepared side by side. Raises GitError,
        and then the slot is gone.
        """
        claim = claim or self._claim_any(snapshot, run_id, repository)
        mendings = self.shadow.mendings
        try:
            return self._prepare(snapshot, repository, claim)
        except GitError as error:
            # What a worktree held before may be what is damaged. It is gone: the next try is on an empty folder.
            if not is_damage(error):
                raise
            self.shadow.repair(error, mendings)
        return self._prepare(snapshot, repository, Claim(None, self._reserve(snapshot, run_id, repository.root.name)))

    def _claim_any(self, snapshot: Snapshot, run_id: str, repository: Repository) -> Claim:
        claim = self.claim(snapshot, run_id, repository.root.name)
        assert claim is not None, "one may be made"  # noqa: S101
        return claim

    def _prepare(self, snapshot: Snapshot, repository: Repository, claim: Claim) -> Worktree:
        old, slot = claim.old, claim.slot
        try:
            if old is not None and not self._is_whole(self._worktree(slot), repository.object_format):
                # Nobody can tell what its files are.
                old = None
                self._remove_folder(self._worktree(slot), slot.inode)
                self._worktree(slot).index.unlink()
            if old is None:
                slot = replace(slot, inode=self._make_folder(slot))
                self._record(slot)
            with self._held(slot) as view:
                git_inode = self._fill(view, slot, old, snapshot, repository)
            self.shadow.complete(snapshot)
            self._record(replace(slot, state=SlotState.IN_USE, git_inode=git_inode))
        except BaseException:
            self.remove(self._worktree(slot))
            raise
        return self._worktree(slot)

    def open_folder(self, worktree: Worktree, folder: str) -> None:
        """Have a folder in the worktree, by its path there: what was opened may hold nothing that git knows.

        Raises GitError where the worktree is lost, or something else stands there.
        """
        with self._held(self._slot(worktree)) as view:
            try:
                (view.work_tree / folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise GitError(f"{worktree.folder / folder} cannot be a folder: {error.strerror}.") from error

    def take_out(self, worktree: Worktree, store: Path) -> tuple[artifacts.Artifacts, tuple[str, ...]]:
        """See `made.take_out`. No process may work in the worktree."""
        with self._held(self._slot(worktree)) as view:
            return artifacts.collect(view, worktree.folder, load(self._own_dir(worktree.slot)), store)

    def bring(self, worktree: Worktree, store: Path, kept: artifacts.Artifacts) -> None:
        """Copy into a fresh worktree what was made in another one: it will be in no result.

        Raises OSError, and GitError where the worktree is lost.
        """
        with self._held(self._slot(worktree)) as view:
            new = artifacts.restore(store, kept, view.work_tree, worktree.folder)
        own = self._own_dir(worktree.slot)
        save(own, load(own) | new)
        if len(new.files) <= MANY_FILES:
            # So that an agent does not take it for its own work.
            with (worktree.git_dir / "info" / "exclude").open("ab") as file:
                file.write(exclude_lines(sorted(new.files)))

    @storage.telling
    def harvest(
        self,
        worktree: Worktree,
        run_id: str,
        paths: Collection[str] | None = None,
        wanted: Callable[[str], bool] = lambda _: False,
    ) -> Harvest:
        """Commit what the worktree holds now as the result of `run_id`; the same commit if nothing changed since.

        With `paths`, only those and what is below them are read (and only their `left_out` reported): the rest is as
        the harvest before saw it. Without, it says which files that are `wanted` are hidden. May be called while the
        agent works. Raises GitError when files change faster than they can be read, and LostError when the worktree or
        a folder above it was removed or replaced.
        """
        with self._lock_of(worktree.slot):
            slot = self._slot(worktree)
            mendings = self.shadow.mendings
            if not self.shadow.git_dir.is_dir():
                raise GitError(
                    f"The store of results {self.shadow.git_dir} was removed, and the result of {run_id} cannot be "
                    f"kept in it. What its agent has made stands in {worktree.folder}."
                )
            named = tuple(sorted(paths)) if paths is not None else ()
            with self._held(slot) as view:
                self._check_git_dir(slot)
                try:
                    if not self._is_whole(worktree, "sha1" if len(worktree.snapshot) == len(NULL) else "sha256"):
                        forget_states(view, worktree.snapshot)
                        named = ()
                    taken = take(view, named, worktree.snapshot, wanted)
                    tree = write_tree(view)
                except GitError as error:
                    if not is_damage(error):
                        raise
                    if not is_index_damage(error):
                        self.shadow.repair(error, mendings)
                    forget_states(view, worktree.snapshot)
                    taken = take(view, (), worktree.snapshot, wanted)
                    tree = write_tree(view)
            # It is a result only now: what was read was the worktree to the end.
            return Harvest(self._result(worktree, run_id, tree), tree, taken.left_out, taken.hidden)

    @storage.telling
    def release(self, worktree: Worktree) -> None:
        """Bring the worktree back to its snapshot for the next run. **Only after the last harvest**: the rest is lost.

        No process may still work in it. What cannot be brought back is removed instead.
        """
        with self._lock_of(worktree.slot):
            slot = replace(self._slot(worktree), state=SlotState.RELEASING)
            if (
                self._begin_release(slot)
                and self._remove_inside("gitdirs", slot.name, slot.git_inode)
                and (self._reset(slot))
            ):
                # What the next checkout starts from must not be tidied away with the run.
                if self._pinned.get(slot.name) != slot.commit:
                    self.shadow.set_refs({f"refs/mux/slots/{slot.name}": slot.commit})
                    self._pinned[slot.name] = slot.commit
                self._record(replace(slot, state=SlotState.RELEASED, git_inode=None))
                self.freed()
                return
        self.remove(worktree)

    @storage.telling
    def remove(self, worktree: Worktree) -> None:
        """Remove the worktree, its git directory and its slot from the disk.

        What was put in the place of one of them is not ours: it stays, and its number is given to no other worktree.
        """
        with self._lock_of(worktree.slot):
            slot = self._slots.get(worktree.slot)
            # The record goes last: a removal that was cut short is then known, and can be done again.
            self._remove_inside("gitdirs", worktree.slot, slot.git_inode if slot else None)
            self._remove_folder(worktree, slot.inode if slot else None)
            self._remove_inside("slots", worktree.slot)
            self._pinned.pop(worktree.slot, None)
            self.shadow.set_refs({f"refs/mux/slots/{worktree.slot}": None})
            with self._lock:
                self._slots.pop(worktree.slot, None)

    def trim(self, keep: int) -> None:
        """Remove released worktrees, those longest in the list first, until at most `keep` are left."""
        with self._lock:
            released = [slot for slot in self._slots.values() if slot.state is SlotState.RELEASED]
            doomed = [replace(slot, state=SlotState.RELEASING) for slot in released[: max(0, len(released) - keep)]]
            for slot in doomed:
                self._store(slot)
        for slot in doomed:
            self.remove(self._worktree(slot))

    def sweep(self, used: Collection[str]) -> None:
        """After a restart: remove every slot that is neither released nor named in `used`. Before the first prepare."""
        with self._lock:
            doomed = [
                slot for slot in self._slots.values() if slot.state is not SlotState.RELEASED and slot.name not in used
            ]
        for slot in doomed:
            self.remove(self._worktree(slot))
        # Whoever was killed right before a slot was recorded, or while it was removed, has left what no record names.
        for own in sorted((self.shadow.folder / "slots").glob("*")):
            if not (own / "slot.json").exists():
                for part in ("gitdirs", "worktrees", "slots"):
                    remove_tree(self.shadow.folder / part / own.name)

    # --- what there is ---

    def reopen(self, slot: str) -> Worktree:
        """The worktree of a slot that an earlier daemon prepared. Raises LostError if there is none."""
        with self._lock:
            found = self._slots.get(slot)
        if found is None:
            raise LostError(
                f"There is no worktree in slot {slot} of {self.shadow.folder} any more: its record was removed. "
                "`mux-lsp retry` has the agent begin anew."
            )
        return self._worktree(found)

    def place_of(self, slot: str, folder_name: str) -> Path:
        """Where the worktree of a slot has its folder, there or not."""
        return self.shadow.folder / "worktrees" / slot / folder_name

    def check(self, worktree: Worktree) -> None:
        """Raise LostError where the worktree was removed or replaced."""
        with self._held(self._slot(worktree)):
            pass

    def slots(self) -> tuple[Slot, ...]:
        """Every slot, by name."""
        with self._lock:
            return tuple(sorted(self._slots.values(), key=lambda slot: (len(slot.name), slot.name)))

    def disk_use(self, slot: str) -> int:
        """Bytes on disk of one slot."""
        return sum(disk_use(self.shadow.folder / part / slot) for part in ("worktrees", "gitdirs", "slots"))

    # --- within ---

    def _own_dir(self, slot: str) -> Path:
        return self.shadow.folder / "slots" / slot

    def _slot(self, worktree: Worktree) -> Slot:
        with self._lock:
            return self._slots[worktree.slot]

    @contextlib.contextmanager
    def _held(self, slot: Slot) -> Iterator[View]:
        """The worktree of a slot for reading and writing, whatever stands at its path meanwhile. Raises LostError."""
        base, own = self.shadow.folder, ("slots", slot.name)
        with pin(base, own), pin(base, ("worktrees", slot.name, slot.folder_name), slot.inode) as folder:
            yield View(self._own_dir(slot.name), folder, self.shadow.git_dir / "objects")

    def _make_folder(self, slot: Slot) -> int:
        """Make the folder of a new worktree. Gives its inode."""
        worktrees = self.shadow.folder / "worktrees"
        worktrees.mkdir(parents=True, exist_ok=True)
        with pin(self.shadow.folder, ("worktrees",)) as within:
            (within / slot.name / slot.folder_name).mkdir(parents=True)
        return inode_of(self.shadow.folder, ("worktrees", slot.name, slot.folder_name))

    def _is_taken(self, name: str) -> bool:
        """Whether something stands where a slot of that name would have its folders."""
        return any(os.path.lexists(self.shadow.folder / part / name) for part in ("slots", "worktrees", "gitdirs"))

    def _lost(self) -> list[Slot]:
        """The released slots whose worktrees were removed or replaced meanwhile."""
        found = []
        for slot in self.slots():
            if slot.state is SlotState.RELEASED:
                try:
                    with self._held(slot):
                        pass
                except LostError as error:
                    log.warning("%s", error)
                    found.append(slot)
        return found

    def _check_git_dir(self, slot: Slot) -> None:
        """Raise LostError where the agent's git directory is another one. It may be gone: that is the agent's loss."""
        if os.path.lexists(self.shadow.folder / "gitdirs" / slot.name):
            with pin(self.shadow.folder, ("gitdirs", slot.name), slot.git_inode):
                pass

    def _begin_release(self, slot: Slot) -> bool:
        try:
            with pin(self.shadow.folder, ("slots", slot.name)):
                self._record(slot)
        except LostError as error:
            log.warning("%s", error)
            return False
        return True

    def _reset(self, slot: Slot) -> bool:
        try:
            with self._held(slot) as view:
                return reset(view, slot.commit)
        except (GitError, OSError) as error:
            log.warning("the worktree in %s cannot be used again: %s", slot.name, error)
            return False

    def _remove_folder(self, worktree: Worktree, inode: int | None) -> None:
        """Remove a worktree, unless what stands there is another folder than was given out."""
        names = ("worktrees", worktree.slot, worktree.folder.name)
        try:
            if inode is not None and is_plain_folder(worktree.folder):
                with pin(self.shadow.folder, names, inode):
                    pass
        except LostError as error:
            log.warning("%s", error)
            return
        self._remove_inside("worktrees", worktree.slot)

    def _remove_inside(self, part: str, name: str, inode: int | None = None) -> bool:
        """Remove what stands at a name in one of our folders. False where it stays: it is a folder with another inode,
        or the folder that had it is not ours.
        """
        try:
            with pin(self.shadow.folder, (part,)) as within:
                place = within / name
                if inode is not None and is_plain_folder(place) and place.lstat().st_ino != inode:
                    log.warning("%s is not what was put there; it stays", self.shadow.folder / part / name)
                    return False
                remove_tree(place)
        except LostError as error:
            # A folder that is not there has nothing in it.
            log.warning("%s", error)
            return False
        return True

    def _worktree(self, slot: Slot) -> Worktree:
        base = self.shadow.folder
        return Worktree(
            slot.name,
            self.place_of(slot.name, slot.folder_name),
            base / "gitdirs" / slot.name,
            self._own_dir(slot.name) / "index",
            slot.commit,
            slot.run_id,
        )

    def _is_whole(self, worktree: Worktree, object_format: str) -> bool:
        """Whether our index of a worktree can be believed. Looked at once: what this daemon writes is whole."""
        if worktree.slot in self._looked_at:
            return True
        self._looked_at.add(worktree.slot)
        return is_whole(worktree.index, object_format)

    def _lock_of(self, slot: str) -> threading.Lock:
        with self._lock:
            return self._slot_locks.setdefault(slot, threading.Lock())

    def _record(self, slot: Slot) -> None:
        with self._lock:
            self._store(slot)

    def _store(self, slot: Slot) -> None:
        file = self._own_dir(slot.name) / "slot.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(file, json.dumps(asdict(slot)).encode())
        self._slots[slot.name] = slot

    def _write_own_dir(self, slot: Slot, repository: Repository, settings: Settings, exclude: bytes = b"") -> None:
        write_git_dir(self._own_dir(slot.name), view_files(repository, settings, exclude), slot.commit)

    def _fill(self, view: View, slot: Slot, old: Slot | None, snapshot: Snapshot, repository: Repository) -> int:
        """Have a worktree hold the snapshot, and an agent's git directory for it. Gives the inode of the latter."""
        worktree = self._worktree(slot)
        settings = self.shadow.settings(repository)
        self._write_own_dir(slot, repository, settings)
        save(self._own_dir(slot.name), ImportedPaths())
        reading = replace(view, alternates=self.shadow.borrowed(slot.commit))
        checkout = GIT_POOL.submit(check_out, reading, old.tree if old else None, slot.tree)
        try:
            person = View(self.shadow.folder / "person", repository.root, self.shadow.git_dir / "objects")
            wanted = included(person)
            if not wanted:
                self._write_agent_dir(worktree, snapshot, repository, settings)
        finally:
            checkout.result()
        if wanted:
            copied = copy_included(repository.root, view.work_tree, wanted)
            exclude = exclude_lines(copied)
            self._write_own_dir(slot, repository, settings, exclude)
            self._write_agent_dir(worktree, snapshot, repository, settings, exclude)
            save(self._own_dir(slot.name), brought(copied))
        self._hand_over(worktree, view.work_tree, repository.object_format)
        return inode_of(self.shadow.folder, ("gitdirs", slot.name))

    def _write_agent_dir(
        self,
        worktree: Worktree,
        snapshot: Snapshot,
        repository: Repository,
        settings: Settings,
        exclude: bytes = b"",
    ) -> None:
        write_agent_dir(
            worktree.git_dir,
            store=self.shadow.git_dir,
            commit=snapshot.commit,
            head=snapshot.head,
            branch=f"mux/{worktree.run_id}",
            repository=repository,
            settings=settings,
            exclude=exclude,
        )

    def _hand_over(self, worktree: Worktree, folder: Path, object_format: str) -> None:
        """Give the agent's git directory its index, and the worktree its git directory."""
        if worktree.index.exists():
            copy_own_index(worktree.index, worktree.git_dir / "index", object_format)
        (folder / ".git").write_bytes(os.fsencode(f"gitdir: {worktree.git_dir}\n"))
        fault("worktree.handed_over")

    def _result(self, worktree: Worktree, run_id: str, tree: str) -> str:
        """The commit of `tree` as the result of a run, under its ref."""
        ref = f"refs/mux/results/{run_id}"
        if run_id not in self._results and self.shadow.has(ref):
            commit = self.shadow.git(["rev-parse", "--verify", ref]).decode().strip()
            self._results[run_id] = (self.shadow.tree_of(commit), commit)
        known = self._results.get(run_id)
        if known is not None and known[0] == tree:
            return known[1]
        commit = self.shadow.commit(tree, worktree.snapshot, f"Result of {run_id}")
        self.shadow.set_refs({ref: commit})
        self._results[run_id] = (tree, commit)
        return commit


def _load(file: Path) -> Slot | None:
    try:
        saved = json.loads(file.read_text())
        return Slot(**{**saved, "state": SlotState(saved["state"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
