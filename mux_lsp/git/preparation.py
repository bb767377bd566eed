"""Prepare a worktree: its snapshot's files, the person's included files, and git directories for the agent and us."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mux_lsp.faults import fault
from mux_lsp.git.agent_git_dir import write_agent_dir
from mux_lsp.git.checkout import check_out
from mux_lsp.git.imported import ImportedPaths, imported_paths, save
from mux_lsp.git.include import copy_included, exclude_lines, included
from mux_lsp.git.pinned_folder import inode_of
from mux_lsp.git.view import GIT_POOL, GitView, copy_own_index, view_files, write_git_dir

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.core.model import Snapshot
    from mux_lsp.git.repository import GitSettings, Repository
    from mux_lsp.git.shadow import ShadowStore
    from mux_lsp.git.slots import Slot, Worktree


@dataclass(frozen=True, slots=True)
class Preparation:
    """The preparation of a worktree for a snapshot of a repository."""

    shadow: ShadowStore
    worktree: Worktree
    snapshot: Snapshot
    repository: Repository

    @property
    def own_dir(self) -> Path:
        """Our own git directory of the worktree."""
        return self.worktree.index.parent

    def fill(self, view: GitView, slot: Slot, old: Slot | None) -> int:
        """Check out the snapshot in the worktree, and create the agent's git directory. Return the inode of the latter.

        `old` is the slot's previous content, or None if its folder is empty.
        """
        settings = self.shadow.settings(self.repository)
        self._write_own_dir(slot, settings)
        save(self.own_dir, ImportedPaths())
        reading = replace(view, alternates=self.shadow.borrowed(slot.commit))
        checkout = GIT_POOL.submit(check_out, reading, old.tree if old else None, slot.tree)
        try:
            person = GitView(self.shadow.folder / "person", self.repository.root, self.shadow.git_dir / "objects")
            wanted = included(person)
            if not wanted:
                self._write_agent_dir(settings)
        finally:
            checkout.result()
        if wanted:
            copied = copy_included(self.repository.root, view.work_tree, wanted)
            exclude = exclude_lines(copied)
            self._write_own_dir(slot, settings, exclude)
            self._write_agent_dir(settings, exclude)
            save(self.own_dir, imported_paths(copied))
        self._hand_over(view.work_tree)
        return inode_of(self.shadow.folder, ("gitdirs", slot.name))

    def _write_own_dir(self, slot: Slot, settings: GitSettings, exclude: bytes = b"") -> None:
        write_git_dir(self.own_dir, view_files(self.repository, settings, exclude), slot.commit)

    def _write_agent_dir(self, settings: GitSettings, exclude: bytes = b"") -> None:
        write_agent_dir(
            self.worktree.git_dir,
            store=self.shadow.git_dir,
            commit=self.snapshot.commit,
            head=self.snapshot.head,
            branch=f"mux/{self.worktree.run_id}",
            repository=self.repository,
            settings=settings,
            exclude=exclude,
        )

    def _hand_over(self, folder: Path) -> None:
        """Give the agent's git directory its index, and the worktree its `.git` file."""
        worktree = self.worktree
        if worktree.index.exists():
            copy_own_index(worktree.index, worktree.git_dir / "index", self.repository.object_format)
        (folder / ".git").write_bytes(os.fsencode(f"gitdir: {worktree.git_dir}\n"))
        fault("worktree.handed_over")
