"""Store every snapshot and result of a repository in a bare repository that only the daemon uses: the shadow store.

**The store is self-contained.** It never borrows permanently: while a snapshot is built, git may read the person's
objects through the environment, and what was read that way is packed into the store before a ref names it. (Hidden
repositories that borrow through alternates have lost data elsewhere when the person's repository was collected.)

**There is one `ShadowStore` object per folder on a machine**, which the daemon's lock ensures. It is thread-safe.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp import storage
from mux_lsp.core.model import Snapshot
from mux_lsp.errors import GitError, MuxError
from mux_lsp.git import incremental, repair, store_setup, user_index
from mux_lsp.git.buffers import overlay
from mux_lsp.git.command import alternates_variable
from mux_lsp.git.damage import is_damage
from mux_lsp.git.folders import disk_use, remove_tree
from mux_lsp.git.index_file import is_intact
from mux_lsp.git.packing import PendingSnapshots, pack_snapshot
from mux_lsp.git.repository import discover, object_folders, read_head, read_settings
from mux_lsp.git.store_writer import StoreWriter
from mux_lsp.git.view import (
    GIT_POOL,
    GitView,
    clear_locks,
    view_files,
    write_git_dir,
    write_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from mux_lsp.core.model import LeftOut
    from mux_lsp.git.repository import GitSettings, Repository

log = logging.getLogger(__name__)

_MENDED = "mended"
"""The name of the snapshot taken for a repair, which is then dropped. No task has this name."""


def key_of(root: Path) -> str:
    """Return the name of a repository's folder in the state: readable, and different for different real paths."""
    real = os.path.realpath(root)
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(real).name).strip("-.")[:40] or "repository"
    return f"{readable}-{hashlib.sha256(os.fsencode(real)).hexdigest()[:10]}"


class ShadowStore(StoreWriter):
    """The shadow store in `folder`, created when it is first needed."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        """`root` is the root of the person's repository, for repairs before the first snapshot."""
        super().__init__(folder / "shadow.git")
        self.folder = folder
        self.root = root
        self._lock = threading.RLock()
        self._pending = PendingSnapshots()
        self._index_state: user_index.IndexState | None = None
        self._settings: GitSettings | None = None
        self._opened = False
        self._index_update_lock = threading.Lock()
        self._pending_index_update: Callable[[], None] | None = None
        """The update of our index to the last snapshot, if it is still to be made."""
        self._catching_up: Future[None] | None = None
        self._repository: Repository | None = None
        self._gone: set[str] = set()
        self.repair_count = 0
        """Number of searches for damage."""
        # Not when a snapshot opens the store: runs of an earlier daemon may have continued by then.
        store_setup.clear_locks(self.git_dir)
        clear_locks(self._person_dir)

    # --- snapshots ---

    @storage.telling
    def snapshot(self, repository: Repository, buffers: Mapping[str, bytes], name: str) -> Snapshot:
        """Take a snapshot `name` of the repository as the person sees it, with unsaved `buffers` (path to bytes).

        Returns as soon as the commit is known. **Nothing may be built on it before `complete(snapshot)`**, except a
        checkout that borrows (see `borrowed`); `Worktrees.prepare` takes care of both. Raises GitError.
        """
        with self._lock:
            try:
                return self._take(repository, buffers, name)
            except GitError as error:
                if not is_damage(error):
                    raise
                self._repair(repository, error)
            return self._take(repository, buffers, name)

    def _take(self, repository: Repository, buffers: Mapping[str, bytes], name: str) -> Snapshot:
        self._settle()
        self._open(repository)
        self._repository = repository
        settings = self._settings = read_settings(repository)
        head_read = GIT_POOL.submit(read_head, repository)
        state, seen = self._index_state, None
        write_git_dir(self._person_dir, view_files(repository, settings), state.commit if state else None)
        view = GitView(self._person_dir, repository.root, self.git_dir / "objects")
        if state is not None and not (state.sparse and self._is_other_index(repository)):
            with contextlib.suppress(user_index.SparseChangedError):
                seen = user_index.scan(view, repository, state)
        if state is not None and seen is not None and not buffers:
            quickly = self._quickly(view, settings, state, seen, (repository, head_read.result(), name))
            if quickly is not None:
                return quickly
        state, left_out = self._update(view, repository, settings, head_read, seen)
        tree, more_left_out = overlay(view, settings, buffers, repository.object_format) if buffers else (None, ())
        return self._commit(repository, state, head_read.result(), tree, (name, (*left_out, *more_left_out)))

    @storage.telling
    def complete(self, snapshot: Snapshot) -> None:
        """Wait until the store contains all of the snapshot and its ref names it. Raises GitError if that failed."""
        self._pending.wait(snapshot.commit)
        # A run that waits for its snapshot is about to begin. An earlier update of our index would have slowed it down.
        self._start_catching_up()

    @storage.telling
    def secure(self, snapshot: Snapshot, name: str, repository: Repository) -> None:
        """Complete a snapshot during whose packing an earlier daemon was killed. Do nothing if it is complete.

        Raises GitError if the person's repository no longer has the missing objects.
        """
        ref = f"refs/mux/snapshots/{name}"
        if snapshot.commit in self._pending or self.has(ref):
            return
        with self._lock:
            if self.has(ref):
                return
            self._open(repository)
            environment = alternates_variable(object_folders(repository))
            try:
                store_setup.pack(self.git_dir, [snapshot.commit], environment)
            except GitError as error:
                raise GitError(
                    f"mux-lsp was killed before it had all of the snapshot, and the rest is gone ({error}): start the "
                    "task again."
                ) from error
            self.set_refs({ref: snapshot.commit})

    @storage.telling
    def repair(self, error: GitError, since: int) -> None:
        """Repair what made a git command fail, and snapshot the person's files as they are now. See `git.repair`.

        `since` is the value of `repair_count` before that command began: of several commands that failed for the same
        reason, only the first one repairs. Raises `error` if the store's repository is unknown, and GitError if the
        repair fails.
        """
        with self._lock:
            if self.repair_count != since:
                self._pending.pack_again(self.git_dir, self.set_refs)
                return
            repository = self._owner()
            if repository is None:
                raise error
            self._repair(repository, error)
            # The user's uncommitted files are nowhere else.
            self.complete(self._take(repository, {}, _MENDED))
            self.delete_refs(_MENDED)
            self._pending.pack_again(self.git_dir, self.set_refs)

    def try_repair(self, what: str) -> bool:
        """See `StoreReader.try_repair`."""
        if what in self._gone:
            return False
        self._gone.add(what)
        try:
            self.repair(GitError(f"{what} is damaged or gone"), self.repair_count)
        except MuxError as error:
            log.warning("the store %s could not be repaired: %s", self.git_dir, error)
            return False
        return True

    def _owner(self) -> Repository | None:
        """Return the repository of the store, or None if it is unknown or no longer exists."""
        if self._repository is None and self.root is not None:
            with contextlib.suppress(MuxError):
                self._repository = discover(self.root)
        return self._repository

    def _repair(self, repository: Repository, error: GitError) -> None:
        log.warning("the store %s is looked through, since git says: %s", self.git_dir, error)
        self.repair_count += 1
        self._objects.close()
        # All that we know about the person's tree can be read again.
        with self._index_update_lock:
            self._pending_index_update = None
            work = [] if self._catching_up is None else [self._catching_up]
        self._pending.wait_for_all(work)
        self._index_state, self._opened = None, False
        remove_tree(self._person_dir)
        wrong = repair.repair(self.git_dir, repository)
        log.warning("the store %s %s", self.git_dir, "was damaged and has been repaired" if wrong else "is intact")

    def borrowed(self, commit: str) -> tuple[Path, ...]:
        """Return the person's object folders that git must also read as long as the snapshot is not complete."""
        return self._pending.borrowed(commit)

    def settings(self, repository: Repository) -> GitSettings:
        """Return the person's settings as of the last snapshot."""
        return self._settings or read_settings(repository)

    # --- upkeep ---

    @storage.telling
    def gc(self) -> None:
        """Pack loose objects, combine packs, and delete objects unreferenced for a day. Slow: for idle times."""
        with self._lock:
            self._settle()
            if not self.git_dir.exists():
                return
            # Most of a large store is in the pack of its first snapshot, which takes minutes to rewrite. `git repack
            # --geometric` is no alternative: it also packs unreferenced objects, which then stay forever.
            kept = [] if self.many_loose else ["--keep-largest-pack"]
            collect = ["-c", "gc.auto=0", "gc", "--quiet", "--prune=1.day.ago"]
            try:
                self.git([*collect, *kept])
            except GitError as error:
                repository = self._owner()
                if not is_damage(error) or repository is None:
                    raise
                self._repair(repository, error)
                repair.quarantine_refs(self.git_dir)
                self.git(collect)

    def disk_use(self) -> int:
        """Return the bytes on disk of all files in the store's folder, including worktrees."""
        return disk_use(self.folder)

    def close(self) -> None:
        """Wait for pending writes, and end the helper processes."""
        with self._lock:
            self._settle()
        self._objects.close()

    # --- within ---

    @property
    def _person_dir(self) -> Path:
        return self.folder / "person"

    @property
    def _index_state_file(self) -> Path:
        return self._person_dir / "memory.json"

    def _open(self, repository: Repository) -> None:
        """Create the store if it does not exist, and load what an earlier daemon saved about it."""
        if self._opened:
            return
        store_setup.make(self.git_dir, repository)
        self._person_dir.mkdir(exist_ok=True)
        state = user_index.IndexState.load(self._index_state_file)
        # A daemon that was killed just after a snapshot has saved the one before, which may be gone by now.
        lost = state is not None and state.commit is not None and self._objects.read(state.commit) is None
        # After a power failure, our index may be old or incomplete.
        lost = lost or not is_intact(self._person_dir / "index", repository.object_format)
        self._index_state = None if lost else state
        self._opened = True

    def _quickly(
        self,
        view: GitView,
        settings: GitSettings,
        state: user_index.IndexState,
        seen: user_index.ScanResult,
        what: tuple[Repository, str | None, str],
    ) -> Snapshot | None:
        """Take the snapshot of `seen`, complete at once, and update our index later. None if that is not possible."""
        repository, head, name = what
        changed = incremental.fast_import_changes(view.work_tree, settings, seen.update)
        if changed is None or not state.tree or state.commit is None or state.head != head:
            return None
        refs = [f"refs/mux/snapshots/{name}", "refs/mux/person"]
        try:
            commit = incremental.commit(self.git_dir, state.tree, changed, head, store_setup.message(repository), refs)
        except GitError:
            return None
        state.commit = commit
        self._pending_index_update = lambda: self._catch_up(view, state, seen)
        return Snapshot(commit, self.tree_of(commit), head, seen.update.reasons())

    def _start_catching_up(self) -> None:
        with self._index_update_lock:
            work, self._pending_index_update = self._pending_index_update, None
            if work is not None:
                self._catching_up = GIT_POOL.submit(work)

    def _catch_up(self, view: GitView, state: user_index.IndexState, seen: user_index.ScanResult) -> None:
        """Update our index to a snapshot. If the person's tree has changed since, the next snapshot compares again."""
        # A full disk is reported to the next caller that needs space. The state in memory and on disk is then older
        # than our index and marked as such, or unchanged.
        with contextlib.suppress(OSError):
            with contextlib.suppress(GitError):
                user_index.apply_scan(view, state, self._index_state_file, seen)
                state.tree = write_tree(view)
            state.save(self._index_state_file)

    def _update(
        self,
        view: GitView,
        repository: Repository,
        settings: GitSettings,
        head: Future[str | None],
        seen: user_index.ScanResult | None,
    ) -> tuple[user_index.IndexState, tuple[LeftOut, ...]]:
        """Update our index of the person's tree to what was `seen`, or rebuild it if that is None."""
        if self._index_state is not None and seen is not None:
            left_out = user_index.refresh(view, repository, self._index_state, self._index_state_file, seen)
            self._index_state.tree = self._index_state.tree or write_tree(view)
            return self._index_state, left_out
        self._index_state = None
        self._index_state_file.unlink(missing_ok=True)
        first = head.result()
        commits = [first] if first is not None else []
        for commit in commits:
            store_setup.add_shallow(self.git_dir, commit)
        write_git_dir(self._person_dir, {}, first)

        def bring(trees: list[str]) -> Future[None]:
            return GIT_POOL.submit(store_setup.pack_trees, self.git_dir, [*commits, *trees], object_folders(repository))

        state, brought = user_index.rebuild(view, repository, settings, bring)
        left_out = user_index.refresh(view, repository, state, self._index_state_file)
        brought.result()
        # The blobs are still in the person's repository: they come when the whole snapshot is packed.
        state.tree = write_tree(view, options=["--missing-ok"])
        return state, left_out

    def _is_other_index(self, repository: Repository) -> bool:
        return self._index_state is None or self._index_state.signature != user_index.signature_of(repository.index)

    def _commit(
        self,
        repository: Repository,
        state: user_index.IndexState,
        head: str | None,
        overlaid: str | None,
        label: tuple[str, tuple[LeftOut, ...]],
    ) -> Snapshot:
        """Commit our index (and the tree with the buffers), and start to pack the objects that the commits borrow."""
        name, left_out = label
        fresh = self._index_state is None
        packs_head = head is not None and head != state.head
        borrowed = object_folders(repository) if fresh or packs_head else ()
        if head is not None and packs_head:
            store_setup.add_shallow(self.git_dir, head)
        known, own = state.commit, state.commit
        if fresh or own is None or state.head != head or self.tree_of(own) != state.tree:
            own = self.commit(state.tree, head, store_setup.message(repository), borrowed=borrowed)
        tree = overlaid or state.tree
        commit = self.commit(tree, head, store_setup.message(repository), borrowed=borrowed) if overlaid else own
        refs = {f"refs/mux/snapshots/{name}": commit, "refs/mux/person": own}
        state.commit, state.head = own, head
        wanted = [commit, own] if fresh else [head] if packs_head and head is not None else []
        self._index_state = None  # until the packing has succeeded
        done = GIT_POOL.submit(self._pack_and_keep, wanted, None if fresh else known, borrowed, state, refs)
        self._pending.add(commit, done, borrowed, refs)
        return Snapshot(commit, tree, head, left_out)

    def _pack_and_keep(
        self,
        wanted: list[str],
        known: str | None,
        borrowed: tuple[Path, ...],
        state: user_index.IndexState,
        refs: dict[str, str],
    ) -> None:
        if wanted:
            pack_snapshot(self.git_dir, wanted, known, borrowed)
        self._keep(state, refs)

    def _keep(self, state: user_index.IndexState, refs: Mapping[str, str]) -> None:
        self.set_refs(refs)
        state.save(self._index_state_file)
        self._index_state = state

    def _settle(self) -> None:
        """Wait for the packing of earlier snapshots. Failures are reported to callers that wait for those snapshots."""
        self._start_catching_up()
        if self._catching_up is not None:
            self._catching_up.result()
        self._pending.settle()
