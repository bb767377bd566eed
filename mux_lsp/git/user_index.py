"""Read the person's working tree into an index of our own, without changing any of the person's files.

Our index starts as a copy of the person's (its stat information makes the first reading cheap) and is then kept between
snapshots. It differs from theirs on purpose: it has the bytes on disk, untracked files, the files of submodules in
place of the submodules' commits, and no conflicts.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from mux_lsp import atomic
from mux_lsp.errors import GitError
from mux_lsp.git import parse
from mux_lsp.git.command import git
from mux_lsp.git.conversion import converted
from mux_lsp.git.view import (
    GIT_POOL,
    MAX_ATTEMPTS,
    GitView,
    IndexUpdate,
    apply,
    backdate_index,
    classify,
    classify_path,
    copy_index,
    ignored,
    start_reading,
    unprocessable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from mux_lsp.core.model import LeftOut
    from mux_lsp.git.repository import GitSettings, Repository

MAX_UNTRACKED_BYTES = 20_000_000
"""Maximum size in bytes of untracked files in a snapshot. Larger ones are left out."""

_VERSION = 1


@dataclass(slots=True)
class IndexState:
    """The state of our index of a user's working tree, between two snapshots."""

    signature: list[int] | None = None
    """Signature of the person's index when the paths of the two were last compared; None: compare again."""
    extras: list[str] = field(default_factory=list)
    """Paths in our index that are not in the person's: untracked files."""
    submodules: list[str] = field(default_factory=list)
    sparse: bool = False
    """True if the person's index has files that should not be on disk."""
    tree: str = ""
    """Our index as a tree; empty: not written yet."""
    head: str | None = None
    """The user's HEAD commit, complete in the store."""
    commit: str | None = None
    """The last snapshot without buffers, complete in the store and kept there by its own ref."""

    def save(self, path: Path) -> None:
        """Write the state to a file."""
        atomic.write(path, json.dumps({"version": _VERSION, **asdict(self)}).encode())

    @classmethod
    def load(cls, path: Path) -> IndexState | None:
        """Load a saved state. Return None if there is no state of this version."""
        try:
            saved = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        return cls(**saved) if saved.pop("version", None) == _VERSION else None


def signature_of(path: Path) -> list[int]:
    """Return values that identify one state of a file without reading it; empty for no file."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns]


def rebuild(
    view: GitView, repository: Repository, settings: GitSettings, bring: Callable[[list[str]], Future[None]]
) -> tuple[IndexState, Future[None]]:
    """Rebuild our index from the person's.

    `bring` starts to copy the trees of HEAD, and the given ones, into the store. The future that it returned is passed
    on: once it is done, our index can be written as a tree.
    """
    for _attempt in range(MAX_ATTEMPTS):
        signature = signature_of(repository.index)
        listing = listing_of(view, repository, view.index)
        folders = [entry.object for entry in listing.unusual() if entry.mode == parse.TREE]
        brought = bring(folders)
        if folders:
            brought.result()
            view.git(["update-index", "--force-write-index"])
            listing = parse.Listing(view.git(["ls-files", "-s", "-v", "-z"]))
        lines = _corrections(view, repository, settings, listing)
        if lines:
            view.git(["update-index", "-z", "--index-info"], input=b"".join(lines))
        if any(view.git_dir.glob("sharedindex.*")):
            view.git(["update-index", "--no-split-index", "--force-write-index"])
        if view.index.exists() and b"UNTR" in view.index.read_bytes():
            # The user's git cached these folders with the person's settings, and maybe through a file monitor.
            view.git(["update-index", "--no-untracked-cache"])
        if signature == signature_of(repository.index):
            break
    unusual = listing.unusual()
    state = IndexState(
        signature=signature,
        submodules=sorted({entry.path for entry in unusual if entry.mode == parse.GITLINK}),
        sparse=any(entry.skip_worktree for entry in unusual),
    )
    return state, brought


def listing_of(view: GitView, repository: Repository, copy: Path) -> parse.Listing:
    """Read the entries of the person's index from a copy at `copy`. A sparse index lists whole folders as trees.

    A copy, because git writes even when it only reads: it sets the time of a split index's shared part, and writes
    trees when it expands a sparse index.
    """
    for stale in view.git_dir.glob("sharedindex.*"):
        stale.unlink()
    copy.unlink(missing_ok=True)
    if not repository.index.exists():
        return parse.Listing(b"")
    for shared in repository.git_dir.glob("sharedindex.*"):
        copy_index(shared, view.git_dir / shared.name)
    copy_index(repository.index, copy)
    settings = ("index.sparse", "core.sparseCheckout", "core.sparseCheckoutCone", "sparse.expectFilesOutsideOfPatterns")
    as_it_is = [word for key in settings for word in ("-c", f"{key}=true")]
    return parse.Listing(view.git([*as_it_is, "ls-files", "--sparse", "-s", "-v", "-z"], index=copy))


def _corrections(view: GitView, repository: Repository, settings: GitSettings, listing: parse.Listing) -> list[bytes]:
    """Return the lines with which `update-index` corrects a copy of the person's index."""
    # These entries may differ from the files although their stat information matches: drop the stat information.
    lines = [_line(entry) for entry in converted(repository, settings, listing)]
    for entry in listing.unusual():
        if entry.mode == parse.GITLINK:
            lines.append(os.fsencode(f"0 {'0' * len(entry.object)}\t{entry.path}\0"))
        elif entry.stage == 0 and (entry.tag.islower() or (entry.skip_worktree and _exists(view, entry.path))):
            lines.append(_line(entry))
    return lines


def _line(entry: parse.IndexEntry) -> bytes:
    return os.fsencode(f"{entry.mode:o} {entry.object} 0\t{entry.path}\0")


def _exists(view: GitView, path: str) -> bool:
    return os.path.lexists(view.work_tree / path)


@dataclass(slots=True)
class ScanResult:
    """The result of reading the person's tree, to be applied to our index."""

    update: IndexUpdate
    extras: set[str]
    """The untracked files that our index then has."""
    signature: list[int]
    begun: int


def scan(view: GitView, repository: Repository, state: IndexState) -> ScanResult:
    """Read the person's tree without any change. Raises SparseChangedError, and GitError."""
    signature = signature_of(repository.index)
    return _gather(view, repository, state, signature)


def apply_scan(view: GitView, state: IndexState, checkpoint: Path, seen: ScanResult) -> None:
    """Apply a scan to our index and to `state`. `checkpoint` is the state's file.

    `state.tree` is empty afterwards if the index no longer has that tree. Raises GitError if the person's tree has
    changed since: then the next scan compares everything again.
    """
    if state.tree and (seen.update.add or seen.update.remove):
        # From here on until the end, our index and its saved state may differ; a kill must not hide that.
        state.tree, state.signature = "", None
        if state.commit:
            state.save(checkpoint)
    apply(view, seen.update)
    backdate_index(view.index, seen.begun)
    state.extras = sorted(seen.extras)
    state.signature = seen.signature


def refresh(
    view: GitView, repository: Repository, state: IndexState, checkpoint: Path, seen: ScanResult | None = None
) -> tuple[LeftOut, ...]:
    """Scan and apply, starting with `seen` if given, until a scan was applied. Return what was left out.

    Raises GitError if the tree changes faster than it can be read.
    """
    refused: set[str] = set()
    for attempt in range(MAX_ATTEMPTS):
        seen = seen or scan(view, repository, state)
        update = seen.update
        for path in refused & update.add:
            update.add.discard(path)
            update.leave_out(path, "could not be read")
        try:
            apply_scan(view, state, checkpoint, seen)
        except GitError as error:
            if attempt == MAX_ATTEMPTS - 1:
                raise
            refused |= {path for path in [unprocessable(error, update)] if path}
            seen = None
            continue
        return update.reasons()
    raise AssertionError


class SparseChangedError(Exception):
    """The user's index has other entries without files than ours: rebuild it."""


def _gather(view: GitView, repository: Repository, state: IndexState, signature: list[int]) -> ScanResult:
    compare = signature != state.signature
    reading = start_reading(view)
    listing = GIT_POOL.submit(listing_of, view, repository, view.git_dir / "theirs") if compare else None
    ours = GIT_POOL.submit(lambda: parse.fields(view.git(["ls-files", "-z"]))) if compare or state.submodules else None
    update = IndexUpdate()
    extras = set(state.extras)
    tracked: set[str] = set()
    if listing is not None and ours is not None:
        unusual = listing.result().unusual()
        submodules = sorted({entry.path for entry in unusual if entry.mode == parse.GITLINK})
        if submodules != state.submodules or state.sparse != any(entry.skip_worktree for entry in unusual):
            with contextlib.suppress(GitError):
                reading()
            raise SparseChangedError
        tracked = listing.result().paths()
        known = set(ours.result())
        extras = {path for path in known - tracked if not _below(path, submodules)}
        for path in tracked - known:
            classify_path(view, update, path, None)
    hidden = GIT_POOL.submit(_ignored, view, sorted(extras)) if extras else None
    inside = [GIT_POOL.submit(submodule_files, view.work_tree, path) for path in state.submodules]
    found = reading()
    found.others = _without_submodules(found.others, state.submodules)
    classify(view, update, found, MAX_UNTRACKED_BYTES, extras)
    if compare:
        for path in extras - set(state.extras):
            classify_path(view, update, path, MAX_UNTRACKED_BYTES)
    for path in found.others:
        if path.endswith("/"):
            update.add.discard(path)
            update.remove.discard(path)
            update.leave_out(path, "is a repository of its own inside this one")
    if inside and ours is not None:
        _take_submodules(view, update, state.submodules, inside, ours.result())
    update.remove |= (extras & update.left_out.keys()) | (hidden.result() if hidden else set())
    update.add -= update.remove
    kept = (extras | (set(found.others) & update.add)) - update.remove
    return ScanResult(update, kept, signature, found.begun)


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _without_submodules(others: list[str], submodules: list[str]) -> list[str]:
    return [path for path in others if not _below(path, submodules)] if submodules else others


def _ignored(view: GitView, paths: list[str]) -> set[str]:
    """Return the paths, all in our index, that the rules now ignore."""
    try:
        return ignored(view, paths)
    except GitError:  # a path below a folder that has become a symbolic link
        wanted = set(paths)
        every = parse.fields(view.git(["ls-files", "--cached", "--ignored", "--exclude-standard", "-z"]))
        return {path for path in every if path in wanted}


@dataclass(slots=True)
class SubmoduleFiles:
    """The files of a checked-out submodule, as paths in the outermost repository."""

    tracked: set[str] = field(default_factory=set)
    untracked: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)


def submodule_files(root: Path, path: str) -> SubmoduleFiles:
    """List the files checked out in the submodule at `path`, with nested submodules. Its own ignore rules apply."""
    found = SubmoduleFiles()
    folder = root / path
    if not os.path.lexists(folder / ".git"):
        found.left_out[path] = "is a submodule that is not checked out"
        return found
    try:
        entries = parse.Listing(git(["ls-files", "-s", "-v", "-z"], folder=folder)).entries()
        others = parse.fields(git(["ls-files", "--others", "--exclude-standard", "-z"], folder=folder))
    except GitError:
        found.left_out[path] = "is a submodule that git cannot read"
        return found
    for entry in entries:
        if entry.mode == parse.GITLINK:
            nested = submodule_files(root, f"{path}/{entry.path}")
            found.tracked |= nested.tracked
            found.untracked |= nested.untracked
            found.left_out |= nested.left_out
        else:
            found.tracked.add(f"{path}/{entry.path}")
    for other in others:
        if other.endswith("/"):
            found.left_out[f"{path}/{other}"] = "is a repository of its own inside this one"
        else:
            found.untracked.add(f"{path}/{other}")
    return found


def _take_submodules(
    view: GitView, update: IndexUpdate, submodules: list[str], inside: list[Future[SubmoduleFiles]], ours: list[str]
) -> None:
    """Update the paths below the submodules' folders to exactly the submodules' files."""
    known = {path for path in ours if _below(path, submodules)}
    for path in [path for path in update.add if _below(path, submodules) and path not in known]:
        update.add.discard(path)
    wanted: set[str] = set()
    for future in inside:
        found = future.result()
        for path, reason in found.left_out.items():
            update.leave_out(path, reason)
        wanted |= found.tracked | found.untracked
        for path in (found.tracked | found.untracked) - known:
            classify_path(view, update, path, None if path in found.tracked else MAX_UNTRACKED_BYTES)
    update.remove |= known - wanted
    update.remove = {path for path in update.remove if path in known or not _below(path, submodules)}


def is_executable(path: Path) -> bool | None:
    """Return whether the owner may execute the file at `path`, or None if there is no file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return bool(status.st_mode & stat.S_IXUSR) if stat.S_ISREG(status.st_mode) else None
