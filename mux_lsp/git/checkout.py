"""Putting a tree's files into a worktree of ours, touching no more of them than differ."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from mux_lsp.errors import GitError
from mux_lsp.git import parse
from mux_lsp.git.folders import remove_tree, tame
from mux_lsp.git.view import GIT_POOL, View

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW = 64
"""Up to so many paths are restored one by one: git compares every path of the index with each of them."""

_PLAIN = frozenset({"000000", "100644", "100755", "120000"})


def check_out(view: View, old: str | None, new: str) -> None:
    """Bring a worktree that is exactly the tree `old` (None: an empty folder) to the tree `new`, and our index with it.

    Raises GitError, and then the worktree may hold a part of either.
    """
    if old is None:
        view.git(["read-tree", "-m", "-u", new])
    elif old != new:
        changes = parse.raw_changes(view.git(["diff-tree", "-r", "-z", "--raw", "--no-renames", old, new, "--"]))
        if not _restore(view, new, changes):
            view.git(["read-tree", "-m", "-u", old, new])


def reset(view: View, commit: str) -> bool:
    """Make the worktree exactly the snapshot `commit` again. False if that cannot be had.

    No process may still work in it. What our index remembers differs least right after a harvest.
    """
    try:
        tame(view.work_tree, stat.S_IMODE(view.git_dir.stat().st_mode))  # our own folder's: what the umask gives
        remove_tree(view.work_tree / ".git")
        return _restore_known(view, commit) or _reset_all(view, commit)
    except (GitError, OSError):
        return False


def forget_states(view: View, commit: str) -> None:
    """Make our index anew from a commit, with no file in it known: the next reading compares and writes each of them.

    It may name objects that are gone.
    """
    remove_tree(view.index)
    entries = view.git(["ls-tree", "-r", "-z", "--full-tree", commit])
    view.git(["update-index", "-z", "--index-info"], input=entries)


def _restore_known(view: View, commit: str) -> bool:
    """Undo what the last harvest saw, and nothing else. True if that made the worktree clean."""
    try:
        listing = ["diff-index", "--cached", "-z", "--raw", "--no-renames", commit, "--"]
        if not _restore(view, commit, parse.raw_changes(view.git(listing))):
            return False
        return _clean(view)
    except GitError:
        return False


def _reset_all(view: View, commit: str) -> bool:
    view.git(["read-tree", "--reset", "-u", commit])
    return _clean(view)


def _clean(view: View) -> bool:
    """Remove all that our index has not. Whether the rest is as the index has it. Raises GitError where some stays."""
    cleaning = GIT_POOL.submit(view.git, ["clean", "-ffdxq"])
    try:
        changed = view.git(["diff-files", "--name-only", "--ignore-submodules=all", "-z", "--no-renames", "--"])
    finally:
        cleaning.result()
    return not changed


def _restore(view: View, tree: str, changes: Sequence[tuple[str, str, str]]) -> bool:
    """Bring the changed paths, in our index and on disk, to `tree`. False, with nothing done, if they are many or
    unusual: whole trees are read then.
    """
    if (view.git_dir / "info" / "sparse-checkout").exists():  # it may say that a path must not be on disk
        return False
    if len(changes) > FEW or not all({old, new} <= _PLAIN for old, new, _ in changes):
        return False
    paths = {path for _, _, path in changes}
    if any(folder in paths for path in paths for folder in _folders(path)):
        return False
    if paths:
        view.git(
            ["restore", f"--source={tree}", "--staged", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul"],
            input=parse.joined(sorted(paths)),
        )
    return True


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
