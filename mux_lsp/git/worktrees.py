"""Manage hidden worktrees: prepare one from a snapshot for a run, harvest it into a result, reset and reuse it.

Each worktree is in a slot (see `slots`). **The daemon reads a worktree with its own git directory only**: what an agent
writes into its `.git`, its attributes or its hooks executes nothing here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mux_lsp import storage
from mux_lsp.errors import GitError
from mux_lsp.git import artifacts
from mux_lsp.git.checkout import forget_states, reset
from mux_lsp.git.damage import is_damage, is_index_damage
from mux_lsp.git.harvest import take
from mux_lsp.git.imported import load, save
from mux_lsp.git.include import exclude_lines
from mux_lsp.git.index_file import is_intact
from mux_lsp.git.pinned_folder import LostError, pin
from mux_lsp.git.preparation import Preparation
from mux_lsp.git.slot_folders import SlotFolders
from mux_lsp.git.slots import Claim, Slot, SlotState, SlotTable, Worktree
from mux_lsp.git.view import NULL, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from mux_lsp.core.model import LeftOut, Snapshot
    from mux_lsp.git.repository import Repository
    from mux_lsp.git.shadow import ShadowStore

__all__ = ["Claim", "Harvest", "Slot", "SlotState", "Worktree", "Worktrees"]

log = logging.getLogger(__name__)

MAX_IGNORED_FILES = 1000
"""Maximum number of files for which an exclude list is written: git compares every path with each of its lines."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """A run's result so far, as a commit in the shadow store."""

    commit: str
    tree: str
    left_out: tuple[LeftOut, ...] = ()
    hidden: tuple[str, ...] = ()
    """Wanted files that are missing because of ignore rules of the run's own."""


class Worktrees:
    """The worktrees of one repository. Thread-safe; one object for each `ShadowStore`."""

    def __init__(self, shadow: ShadowStore) -> None:
        self.shadow = shadow
        self._slots = SlotTable(shadow.folder)
        self._folders = SlotFolders(shadow.folder, shadow.git_dir / "objects")
        self._results: dict[str, tuple[str, str]] = {}
        self.freed: Callable[[], object] = lambda: None
        """Called, in any thread, when a worktree was released."""
        self.folder = shadow.folder
        self._looked_at: set[str] = set()
        self._pinned: dict[str, str] = {}
        """Slot to the commit that its ref names."""

    # --- a run's way through a worktree ---

    @storage.telling
    def claim(self, snapshot: Snapshot, run_id: str, folder_name: str, *, may_make: bool = True) -> Claim | None:
        """Claim a released worktree for a run, or a new one if `may_make` is true. The caller prepares it.

        `folder_name` is the name of the repository's root folder. Of released worktrees, it prefers the run's own,
        since the conversation with its agent refers to that folder; then one with the same files.
        """
        for lost in self._lost():
            self.remove(self._worktree(lost))
        return self._slots.claim(snapshot, run_id, folder_name, may_make=may_make)

    @storage.telling
    def prepare(
        self, snapshot: Snapshot, run_id: str, *, repository: Repository, claim: Claim | None = None
    ) -> Worktree:
        """Return a worktree with the snapshot's files and a git directory of its own on the branch `mux/<run_id>`.

        Returns when the snapshot is complete in the store. Any number of worktrees may be prepared in parallel. Raises
        GitError, and then the slot is gone.
        """
        claim = claim or self._claim_any(snapshot, run_id, repository)
        repairs_before = self.shadow.repair_count
        try:
            return self._prepare(snapshot, repository, claim)
        except GitError as error:
            # The worktree's old content may be what is damaged. It was removed: the second attempt starts with an empty
            # folder.
            if not is_damage(error):
                raise
            self.shadow.repair(error, repairs_before)
        return self._prepare(
            snapshot, repository, Claim(None, self._slots.reserve(snapshot, run_id, repository.root.name))
        )

    def _claim_any(self, snapshot: Snapshot, run_id: str, repository: Repository) -> Claim:
        claim = self.claim(snapshot, run_id, repository.root.name)
        assert claim is not None, "one may be made"  # noqa: S101
        return claim

    def _prepare(self, snapshot: Snapshot, repository: Repository, claim: Claim) -> Worktree:
        old, slot = claim.old, claim.slot
        try:
            if old is not None and not self._is_whole(self._worktree(slot), repository.object_format):
                # The state of its files is unknown.
                old = None
                self._folders.remove_folder(self._worktree(slot), slot.inode)
                self._worktree(slot).index.unlink()
            if old is None:
                slot = replace(slot, inode=self._folders.make(slot))
                self._slots.record(slot)
            with self._folders.held(slot) as view:
                git_inode = Preparation(self.shadow, self._worktree(slot), snapshot, repository).fill(view, slot, old)
            self.shadow.complete(snapshot)
            self._slots.record(replace(slot, state=SlotState.IN_USE, git_inode=git_inode))
        except BaseException:
            self.remove(self._worktree(slot))
            raise
        return self._worktree(slot)

    def open_folder(self, worktree: Worktree, folder: str) -> None:
        """Create a folder in the worktree: the folder that the person opened may contain no file that git knows.

        Raises GitError if the worktree is lost, or if something else is at that path.
        """
        with self._folders.held(self._slot(worktree)) as view:
            try:
                (view.work_tree / folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise GitError(f"{worktree.folder / folder} cannot be a folder: {error.strerror}.") from error

    def collect_artifacts(self, worktree: Worktree, store: Path) -> tuple[artifacts.Artifacts, tuple[str, ...]]:
        """See `artifacts.collect`. No process may work in the worktree."""
        with self._folders.held(self._slot(worktree)) as view:
            return artifacts.collect(view, worktree.folder, load(self._own_dir(worktree.slot)), store)

    def restore_artifacts(self, worktree: Worktree, store: Path, saved: artifacts.Artifacts) -> None:
        """Copy artifacts of another worktree into a new one. They are part of no result.

        Raises OSError, and GitError if the worktree is lost.
        """
        with self._folders.held(self._slot(worktree)) as view:
            new = artifacts.restore(store, saved, view.work_tree, worktree.folder)
        own = self._own_dir(worktree.slot)
        save(own, load(own) | new)
        if len(new.files) <= MAX_IGNORED_FILES:
            # So that an agent does not take them for its own work.
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
        """Commit the worktree's current content as the result of `run_id`; the same commit if nothing has changed.

        With `paths`, only those and what is below them are read (and only their `left_out` reported): the rest is as in
        the previous harvest. Without, it also reports the `wanted` files that are hidden. May be called while the agent
        works. Raises GitError if files change faster than they can be read, and LostError if the worktree or a folder
        above it was removed or replaced.
        """
        with self._slots.lock_of(worktree.slot):
            slot = self._slot(worktree)
            repairs_before = self.shadow.repair_count
            if not self.shadow.git_dir.is_dir():
                raise GitError(
                    f"The store of results {self.shadow.git_dir} was removed, and the result of {run_id} cannot be "
                    f"kept in it. What its agent has made stands in {worktree.folder}."
                )
            named = tuple(sorted(paths)) if paths is not None else ()
            with self._folders.held(slot) as view:
                self._folders.check_git_dir(slot)
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
                        self.shadow.repair(error, repairs_before)
                    forget_states(view, worktree.snapshot)
                    taken = take(view, (), worktree.snapshot, wanted)
                    tree = write_tree(view)
            # Only now is it a result: all that was read belonged to the worktree.
            return Harvest(self._result(worktree, run_id, tree), tree, taken.left_out, taken.hidden)

    @storage.telling
    def release(self, worktree: Worktree) -> None:
        """Reset the worktree to its snapshot for the next run. **Only after the last harvest**: later changes are lost.

        No process may still work in it. A worktree that cannot be reset is removed.
        """
        with self._slots.lock_of(worktree.slot):
            slot = replace(self._slot(worktree), state=SlotState.RELEASING)
            if (
                self._begin_release(slot)
                and self._folders.remove_inside("gitdirs", slot.name, slot.git_inode)
                and (self._reset(slot))
            ):
                # A deleted run must not take along the commit from which the next checkout starts.
                if self._pinned.get(slot.name) != slot.commit:
                    self.shadow.set_refs({f"refs/mux/slots/{slot.name}": slot.commit})
                    self._pinned[slot.name] = slot.commit
                self._slots.record(replace(slot, state=SlotState.RELEASED, git_inode=None))
                self.freed()
                return
        self.remove(worktree)

    @storage.telling
    def remove(self, worktree: Worktree) -> None:
        """Remove the worktree, its git directory and its slot from the disk.

        A replacement of one of its folders is not ours: it stays, and no other worktree gets the slot's number.
        """
        with self._slots.lock_of(worktree.slot):
            slot = self._slots.find(worktree.slot)
            # The record is removed last, so that an interrupted removal is known and can be repeated.
            self._folders.remove_inside("gitdirs", worktree.slot, slot.git_inode if slot else None)
            self._folders.remove_folder(worktree, slot.inode if slot else None)
            self._folders.remove_inside("slots", worktree.slot)
            self._pinned.pop(worktree.slot, None)
            self.shadow.set_refs({f"refs/mux/slots/{worktree.slot}": None})
            self._slots.forget(worktree.slot)

    def trim(self, keep: int) -> None:
        """Remove released worktrees, the oldest first, until at most `keep` are left."""
        for slot in self._slots.retire(keep):
            self.remove(self._worktree(slot))

    def sweep(self, used: Collection[str]) -> None:
        """Remove every slot that is neither released nor in `used`, after a restart and before the first prepare."""
        for slot in self._slots.abandoned(used):
            self.remove(self._worktree(slot))
        # A daemon that was killed just before it recorded a slot, or while it removed one, has left folders without a
        # record.
        self._folders.remove_unrecorded()

    # --- what there is ---

    def reopen(self, slot: str) -> Worktree:
        """Return the worktree of a slot that an earlier daemon prepared. Raises LostError if it does not exist."""
        found = self._slots.find(slot)
        if found is None:
            raise LostError(
                f"There is no worktree in slot {slot} of {self.shadow.folder} any more: its record was removed. "
                "`mux-lsp retry` has the agent begin anew."
            )
        return self._worktree(found)

    def place_of(self, slot: str, folder_name: str) -> Path:
        """Return the folder of a slot's worktree, which may not exist."""
        return self.shadow.folder / "worktrees" / slot / folder_name

    def check(self, worktree: Worktree) -> None:
        """Raise LostError if the worktree was removed or replaced."""
        with self._folders.held(self._slot(worktree)):
            pass

    def slots(self) -> tuple[Slot, ...]:
        """Return all slots, by name."""
        return self._slots.all()

    def disk_use(self, slot: str) -> int:
        """Return the bytes on disk of one slot."""
        return self._folders.disk_use(slot)

    # --- within ---

    def _own_dir(self, slot: str) -> Path:
        return self.shadow.folder / "slots" / slot

    def _slot(self, worktree: Worktree) -> Slot:
        return self._slots.get(worktree.slot)

    def _lost(self) -> list[Slot]:
        """Return the released slots whose worktrees were removed or replaced."""
        found = []
        for slot in self.slots():
            if slot.state is SlotState.RELEASED:
                try:
                    with self._folders.held(slot):
                        pass
                except LostError as error:
                    log.warning("%s", error)
                    found.append(slot)
        return found

    def _begin_release(self, slot: Slot) -> bool:
        try:
            with pin(self.shadow.folder, ("slots", slot.name)):
                self._slots.record(slot)
        except LostError as error:
            log.warning("%s", error)
            return False
        return True

    def _reset(self, slot: Slot) -> bool:
        try:
            with self._folders.held(slot) as view:
                return reset(view, slot.commit)
        except (GitError, OSError) as error:
            log.warning("the worktree in %s cannot be used again: %s", slot.name, error)
            return False

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
        """Return whether our index of a worktree is intact. Checked once: this daemon writes intact ones."""
        if worktree.slot in self._looked_at:
            return True
        self._looked_at.add(worktree.slot)
        return is_intact(worktree.index, object_format)

    def _result(self, worktree: Worktree, run_id: str, tree: str) -> str:
        """Return the commit of `tree` as the result of a run, under its ref."""
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
