"""Read the person's disk, and check and order what an accept is to write there.

Nothing is written here. `engine.working_tree.staging` does that.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.engine.working_tree.tree import (
    EXECUTABLE_MODE,
    FILE_MODE,
    LARGEST_FILE,
    SYMLINK_MODE,
    Entry,
    folders_of,
    opened,
    read_file,
)
from mux_lsp.errors import ConflictError
from mux_lsp.git import path_rules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from mux_lsp.engine.working_tree.tree import Tree

__all__ = [
    "EXECUTABLE_MODE",
    "FILE_MODE",
    "LARGEST_FILE",
    "SYMLINK_MODE",
    "Entry",
    "Write",
    "check",
    "check_all",
    "content_of",
    "digest",
    "folders_of",
    "in_order",
    "obstacle",
    "permissions_of",
    "read",
    "refuse_unsafe",
]


@dataclass(frozen=True, slots=True)
class Write:
    """Change of one path: `expected` is its current content, `entry` its future content. None means no file."""

    path: str
    expected: Entry | None
    entry: Entry | None
    moved_from: str | None = None
    """Path of a file that another write removes, and whose permissions this one gets."""


def read(root: Path, path: str) -> Entry | None:
    """Return the content of a path, or None without a file or root. Raises ConflictError as `Tree.read` does."""
    if not os.path.lexists(root):
        return None
    with opened(root) as tree:
        return tree.read(path)


def content_of(place: Path) -> bytes:
    """Return the bytes of a file, also through a symbolic link. Raises OSError without one, or beyond LARGEST_FILE."""
    mode, content = read_file(place)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a file", os.fspath(place))
    return content


def digest(entry: Entry | None) -> str | None:
    """Return the digest of a path's content, in the form of `core.transaction.Step`."""
    return None if entry is None else f"{entry.mode:o}:{hashlib.sha256(entry.content).hexdigest()}"


def refuse_unsafe(root: Path, path: str) -> None:
    """Raise ConflictError if a path of a result leads outside the repository, into `.git`, or through a link."""
    if path_rules.refusal(path) is not None:
        raise ConflictError(f"{path!r} is not a path inside the repository; nothing was written.")
    if os.path.lexists(root):
        try:
            with opened(root) as tree, tree.parent(path):
                pass
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise ConflictError(f"{path} cannot be reached ({error.strerror}); nothing was written.") from error


def obstacle(root: Path, path: str) -> str | None:
    """Return the path in the way of a file at `path`: a folder of its name, or a file in place of one of its folders.

    Return None also for a path outside the repository, which `refuse_unsafe` refuses.
    """
    if path_rules.refusal(path) is not None:
        return None
    place = root
    for part in path.split("/"):
        place = place / part
        try:
            mode = place.lstat().st_mode
        except OSError:
            return None
        if not stat.S_ISDIR(mode):
            at_end = place == root / path
            return None if at_end or stat.S_ISLNK(mode) else place.relative_to(root).as_posix()
    return path


def check_all(tree: Tree, writes: Sequence[Write]) -> None:
    """Raise ConflictError if the disk is not as any of these writes expects it, or one is not allowed.

    A folder may be replaced by a file, and a file by a folder, if the same writes remove all that is in the way.
    """
    going = {write.path for write in writes if write.entry is None}
    for write in writes:
        if not _makes_way(tree, write, going):
            check(tree, write)
        if write.entry is not None and write.entry.mode == SYMLINK_MODE:
            _check_link(tree, write.path, os.fsdecode(write.entry.content))


def in_order(writes: Iterable[Write]) -> list[Write]:
    """Order writes: first removals that make room for another write, then new content, then other removals.

    A file that moves must not be removed from its old path before it is at the new one.
    """
    coming = {write.path for write in writes if write.entry is not None}
    folders = {folder for path in coming for folder in folders_of(path)}

    def turn(write: Write) -> tuple[int, str]:
        if write.entry is not None:
            return 1, write.path
        makes_way = write.path in folders or not coming.isdisjoint(folders_of(write.path))
        return 0 if makes_way else 2, write.path

    return sorted(writes, key=turn)


def check(tree: Tree, write: Write) -> None:
    """Raise ConflictError if the disk is not as a write expects it."""
    if tree.read(write.path) != write.expected:
        raise ConflictError(f"{write.path} changed on disk a moment ago; nothing was written. Try again.")


def _makes_way(tree: Tree, write: Write, going: Collection[str]) -> bool:
    """Return whether something is in the way of a new file that the writes of `going` remove.

    Raises ConflictError if any of it would stay.
    """
    found = obstacle(tree.root, write.path) if write.entry is not None and write.expected is None else None
    if found is None or found in going:
        return found is not None
    if found != write.path:
        raise ConflictError(f"{found} is a file, where {write.path} needs a folder, and stays; nothing was written.")
    for stays in _all_in(tree.root / found):
        name = stays.relative_to(tree.root).as_posix()
        if name not in going:
            more = "" if name == found else f", and {name} in it stays"
            raise ConflictError(f"{found} is a folder here{more}; nothing was written.")
    return True


def _all_in(folder: Path) -> Iterator[Path]:
    """Yield every file and link below a folder, and every empty folder, the folder itself included."""
    empty = True
    for entry in folder.iterdir():
        empty = False
        if entry.is_dir() and not entry.is_symlink():
            yield from _all_in(entry)
        else:
            yield entry
    if empty:
        yield folder


def _check_link(tree: Tree, path: str, target: str) -> None:
    root = tree.root
    folder = root.joinpath(*path.split("/")[:-1])
    # A `..` behind a name is not safe: the name may be another link, and then it climbs from that link's target.
    parts = itertools.dropwhile(lambda part: part in {".", ".."}, target.split("/"))
    below = "/".join(part for part in parts if part not in {"", "."})
    plain = not target.startswith("/") and (not below or path_rules.refusal(below) is None)
    reads = Path(os.path.normpath(folder / target))
    leads = Path(os.path.realpath(folder / target))
    inside = reads.is_relative_to(root) and leads.is_relative_to(os.path.realpath(root))
    if not (plain and inside) or tree.is_gits(leads):
        raise ConflictError(
            f"{path} would be a symbolic link to {target!r}, outside the repository or into .git; nothing was written."
        )


def permissions_of(permissions: int, mode: int) -> int:
    """Return the permission bits for a file that had these, with git's mode."""
    if mode == EXECUTABLE_MODE:
        # Executable for everybody who may read it, as in git.
        return permissions | ((permissions & 0o444) >> 2)
    return permissions & ~0o111
