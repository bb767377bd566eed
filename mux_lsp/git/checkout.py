"""Check out trees in worktrees, writing only the files that differ."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from mux_lsp.errors import GitError
from mux_lsp.git import parse
from mux_lsp.git.folders import remove_tree, tame
from mux_lsp.git.view import GIT_POOL, GitView

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SINGLE_PATHS = 64
"""Maximum number of paths that are restored one by one: git compares every path of the index with each of them."""

_PLAIN = frozenset({"000000", "100644", "100755", "120000"})


def check_out(view: GitView, old: str | None, new: str) -> None:
    """Change a worktree from exactly the tree `old` (None: an empty folder) to the tree `new`, and our index with it.

    Raises GitError: then the worktree may be a mixture of both.
    """
    if old is None:
        view.git(["read-tree", "-m", "-u", new])
    elif old != new:
        changes = parse.raw_changes(view.git(["diff-tree", "-r", "-z", "--raw", "--no-renames", old, new, "--"]))
        if not _restore(view, new, changes):
            view.git(["read-tree", "-m", "-u", old, new])


def reset(view: GitView, commit: str) -> bool:
    """Make the worktree exactly the snapshot `commit` again. Return False if that fails.

    No process may still work in it. Right after a harvest, our index differs least from the worktree, which makes this
    fast.
    """
    try:
        tame(view.work_tree, stat.S_IMODE(view.git_dir.stat().st_mode))  # as our own folder: by the umask
        remove_tree(view.work_tree / ".git")
        return _restore_known(view, commit) or _reset_all(view, commit)
    except (GitError, OSError):
        return False


def forget_states(view: GitView, commit: str) -> None:
    """Rebuild our index from a commit without the files' states: the next reading compares and writes each file.

    The old index may name objects that are gone.
    """
    remove_tree(view.index)
    entries = view.git(["ls-tree", "-r", "-z", "--full-tree", commit])
    view.git(["update-index", "-z", "--index-info"], input=entries)


def _restore_known(view: GitView, commit: str) -> bool:
    """Undo the changes that the last harvest saw. Return True if the worktree is clean then."""
    try:
        listing = ["diff-index", "--cached", "-z", "--raw", "--no-renames", commit, "--"]
        if not _restore(view, commit, parse.raw_changes(view.git(listing))):
            return False
        return _clean(view)
    except GitError:
        return False


def _reset_all(view: GitView, commit: str) -> bool:
    view.git(["read-tree", "--reset", "-u", commit])
    return _clean(view)


def _clean(view: GitView) -> bool:
    """Remove all files that are not in our index. Return True if the others are unchanged.

    Raises GitError if a file could not be removed.
    """
    cleaning = GIT_POOL.submit(view.git, ["clean", "-ffdxq"])
    try:
        changed = view.git(["diff-files", "--name-only", "--ignore-submodules=all", "-z", "--no-renames", "--"])
    finally:
        cleaning.result()
    return not changed


def _restore(view: GitView, tree: str, changes: Sequence[tuple[str, str, str]]) -> bool:
    """Change the changed paths, in our index and on disk, to `tree`.

    Return False, without any change, if they are too many or unusual: the caller then reads whole trees.
    """
    if (view.git_dir / "info" / "sparse-checkout").exists():  # it may exclude a path from the disk
        return False
    if len(changes) > MAX_SINGLE_PATHS or not all({old, new} <= _PLAIN for old, new, _ in changes):
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
