"""Stage what an accept writes: in `.mux-lsp/ID/` at the root of the working tree, one file for each of its steps.

This folder is on the same file system as the files themselves, so that each step is one rename; git ignores it; and
the next daemon finds it again. If another file system is mounted below the root, it has a staging folder of its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp import storage
from mux_lsp.core.transaction import FolderMode, Step
from mux_lsp.engine.working_tree.disk import check_all, digest, in_order, permissions_of
from mux_lsp.engine.working_tree.mounts import mounts_below
from mux_lsp.engine.working_tree.renames import At
from mux_lsp.engine.working_tree.tree import SYMLINK_MODE, folders_of
from mux_lsp.errors import ConflictError, MuxError, StorageError
from mux_lsp.faults import fault
from mux_lsp.git.path_rules import STAGING
from mux_lsp.openat import READ, open_inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mux_lsp.engine.working_tree.disk import Write
    from mux_lsp.engine.working_tree.tree import Tree

log = logging.getLogger(__name__)

NOTHING_WRITTEN: Final = "nothing was written"

_WHOLE: Final = "whole"


@dataclass(frozen=True, slots=True)
class StagingPlan:
    """Result of `stage`: the fields of an `Intent` that are about files."""

    steps: tuple[Step, ...]
    stages: tuple[str, ...]
    modes: tuple[FolderMode, ...]


def stage(tree: Tree, name: str, writes: Sequence[Write]) -> StagingPlan:
    """Check every write against the disk, and write the new content into staging folders called `name`.

    Raises ConflictError if the disk is not as expected, MuxError if staging fails. Nothing is staged then.
    """
    check_all(tree, writes)
    ordered = in_order(writes)
    where = tree.root
    try:
        plan = _plan(tree, ordered)
    except OSError as error:
        raise unwritten(tree.root, error, NOTHING_WRITTEN) from error
    try:
        for folder in plan.stages:
            where = tree.root / folder / STAGING
            _make(tree, folder, name)
        with staged(tree, name, plan.stages) as folders:
            for number, write in enumerate(ordered):
                where = tree.root / write.path
                fault("accept.stage", number)
                if write.entry is not None:
                    place = folders[plan.steps[number].stage]
                    assert place is not None, "it was made a moment ago"  # noqa: S101
                    _write_new(tree, At(place, str(number)), write)
                fault("accept.staged", number)
    except BaseException as error:
        remove(tree, name, plan.stages)
        if isinstance(error, OSError):
            raise unwritten(where, error, NOTHING_WRITTEN) from error
        raise
    return plan


def _plan(tree: Tree, ordered: Sequence[Write]) -> StagingPlan:
    mounts = mounts_below(tree.root)
    stages = tuple(dict.fromkeys(_mount_of(write.path, mounts) for write in ordered))
    steps = tuple(
        Step(
            write.path,
            digest(write.expected),
            digest(write.entry),
            stages.index(_mount_of(write.path, mounts)),
            tree.missing_folders(write.path) if write.expected is None else (),
        )
        for write in ordered
    )
    leaving = {folder for write in ordered if write.entry is None for folder in folders_of(write.path)}
    modes = ((folder, tree.permissions(folder)) for folder in sorted(leaving))
    return StagingPlan(steps, stages, tuple(FolderMode(folder, mode) for folder, mode in modes if mode is not None))


def unwritten(place: Path, error: OSError, then: str) -> MuxError:
    """Return the error for a file of an accept that cannot be written. `then` is what became of the rest."""
    refused = storage.explained(error, str(place))
    if refused is None:
        return MuxError(f"{place} could not be written ({error.strerror or error}); {then}.")
    return StorageError(f"{place} could not be written; {then}. {refused}")


@contextlib.contextmanager
def staged(tree: Tree, name: str, stages: Sequence[str]) -> Iterator[list[int | None]]:
    """Open staging folders. Yields their descriptors, None for a folder that does not exist."""
    with contextlib.ExitStack() as stack:
        folders: list[int | None] = []
        for folder in stages:
            try:
                with tree.parent(_inside(folder, "x")) as at:
                    outer = open_inside(at.folder, STAGING, READ)
                stack.callback(os.close, outer)
                inner = open_inside(outer, name, READ)
                stack.callback(os.close, inner)
            except (FileNotFoundError, NotADirectoryError, ConflictError):
                folders.append(None)
            else:
                folders.append(inner)
        yield folders


def mark_whole(tree: Tree, name: str, stages: Sequence[str]) -> None:
    """Mark an accept in its staging folder as completely written, if the journal cannot record it. Raises OSError."""
    with staged(tree, name, stages) as folders:
        if folders and folders[0] is not None:
            write_file(At(folders[0], _WHOLE), b"")


def is_whole(folders: Sequence[int | None]) -> bool:
    """Return whether open staging folders have that mark."""
    return bool(folders) and folders[0] is not None and _WHOLE in os.listdir(folders[0])  # noqa: PTH208


def remove(tree: Tree, name: str, stages: Sequence[str]) -> None:
    """Remove staging folders with their content. Failures are logged."""
    with _logged(STAGING), staged(tree, name, stages) as folders:
        for place in folders:
            for file in () if place is None else os.listdir(place):  # noqa: PTH208  (a descriptor is not a path)
                with _logged(f"{STAGING}/{name}/{file}"):
                    os.unlink(file, dir_fd=place)
    for folder in stages:
        with _logged(STAGING), contextlib.suppress(FileNotFoundError), tree.parent(_inside(folder, "x")) as at:
            outer = open_inside(at.folder, STAGING, READ)
            try:
                os.rmdir(name, dir_fd=outer)
                fault("accept.cleared")
            finally:
                os.close(outer)
    remove_empty(tree, stages)


def remove_empty(tree: Tree, stages: Sequence[str] | None = None) -> None:
    """Remove the parents of staging folders, except those in use by another accept."""
    for folder in ("", *mounts_below(tree.root)) if stages is None else stages:
        with contextlib.suppress(OSError, ConflictError), tree.parent(_inside(folder, "x")) as at:
            os.rmdir(STAGING, dir_fd=at.folder)


def found_in(tree: Tree, prefix: str) -> list[tuple[str, str]]:
    """Return the staging folders whose names begin with `prefix`, as (folder below the root, name)."""
    found: list[tuple[str, str]] = []
    for folder in ("", *mounts_below(tree.root)):
        with contextlib.suppress(OSError, ConflictError), tree.parent(_inside(folder, "x")) as at:
            outer = open_inside(at.folder, STAGING, READ)
            try:
                there = os.listdir(outer)  # noqa: PTH208  (a descriptor is not a path)
                found += [(folder, name) for name in there if name.startswith(prefix)]
            finally:
                os.close(outer)
    return found


def _make(tree: Tree, folder: str, name: str) -> None:
    with tree.parent(_inside(folder, "x")) as at:
        while True:
            with contextlib.suppress(FileExistsError):
                os.mkdir(STAGING, 0o700, dir_fd=at.folder)
            try:
                outer = open_inside(at.folder, STAGING, READ)
            except FileNotFoundError:
                continue  # another accept has just removed it
            except NotADirectoryError:
                raise MuxError(
                    f"{tree.root / folder / STAGING} is no folder, and mux-lsp stages there what is accepted; nothing "
                    "was written. Move it away and try again."
                ) from None
            try:
                os.mkdir(name, 0o700, dir_fd=outer)
            except FileNotFoundError:
                continue
            else:
                inner = open_inside(outer, name, READ)
                break
            finally:
                os.close(outer)
        try:
            write_file(At(inner, ".gitignore"), b"*\n")
        finally:
            os.close(inner)


def _write_new(tree: Tree, slot: At, write: Write) -> None:
    entry = write.entry
    assert entry is not None, "what goes needs nothing staged"  # noqa: S101
    if entry.mode == SYMLINK_MODE:
        os.symlink(os.fsdecode(entry.content), slot.name, dir_fd=slot.folder)
        return
    # A power failure must not lose existing or moved content, so these files are synced. A new file is not: the result
    # still has it, and syncing ten thousand files would take minutes. The permissions of a folder that a file replaces
    # are not those of the file.
    source = write.moved_from or (write.path if write.expected else None)
    write_file(slot, entry.content, entry.mode, None if source is None else tree.permissions(source))


def write_file(place: At, content: bytes, mode: int | None = None, permissions: int | None = None) -> None:
    """Write a new file, with git's mode and the permission bits of the file that it will replace. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(place.name, flags, 0o666, dir_fd=place.folder)
    with open(descriptor, "wb") as file:  # noqa: PTH123  (a descriptor is not a path)
        # A new file gets permissions by the umask, which cannot be read without setting it for all threads.
        created = stat.S_IMODE(os.fstat(descriptor).st_mode)
        fault("stage.write")
        file.write(content)
        file.flush()
        if permissions is not None:
            os.fsync(descriptor)
        if mode is not None:
            os.fchmod(descriptor, permissions_of(created if permissions is None else permissions, mode))


def _inside(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _mount_of(path: str, mounts: Sequence[str]) -> str:
    return max((one for one in mounts if path.startswith(f"{one}/")), key=len, default="")


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("%s could not be removed: %s", what, error)
