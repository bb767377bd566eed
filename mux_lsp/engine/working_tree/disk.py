"""What stands on the person's disk, and what accepting is to write there: looked at, checked, put in order.

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
    """One path: what is there now, and what shall be there. None is nothing."""

    path: str
    expected: Entry | None
    entry: Entry | None
    moved_from: str | None = None
    """The path of a file that another write takes away, and whose permissions this one gets."""


def read(root: Path, path: str) -> Entry | None:
    """What is at a path, or None where there is nothing, or no such root. Raises ConflictError as `Tree.read` does."""
    if not os.path.lexists(root):
        return None
    with opened(root) as tree:
        return tree.read(path)


def content_of(place: Path) -> bytes:
    """The bytes of a file, also through a symbolic link. Raises OSError where there is none, or one of LARGEST_FILE."""
    mode, content = read_file(place)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a file", os.fspath(place))
    return content


def digest(entry: Entry | None) -> str | None:
    """Names what is at a path, as `core.transaction.Step` has it."""
    return None if entry is None else f"{entry.mode:o}:{hashlib.sha256(entry.content).hexdigest()}"


def refuse_unsafe(root: Path, path: str) -> None:
    """Raise ConflictError where a path of a result leads outside the repository, into `.git`, or through a link."""
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
    """What stands in the way of a file at a path: a folder of its name, or a file where one of its folders would be.

    None too where the path is none of the repository's, which `refuse_unsafe` refuses.
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
    """Raise ConflictError where the disk is not as any of these writes expects it, or one may not be carried out.

    A folder makes way for a file, and a file for a folder, where the same writes take away all that is in the way.
    """
    going = {write.path for write in writes if write.entry is None}
    for write in writes:
        if not _makes_way(tree, write, going):
            check(tree, write)
        if write.entry is not None and write.entry.mode == SYMLINK_MODE:
            _check_link(tree, write.path, os.fsdecode(write.entry.content))


def in_order(writes: Iterable[Write]) -> list[Write]:
    """Put first what makes way for something, then what comes, then what goes.

    Until a file that moves is at its new place it must not be gone from the old one.
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
    """Raise ConflictError where the disk is not as a write expects it."""
    if tree.read(write.path) != write.expected:
        raise ConflictError(f"{write.path} changed on disk a moment ago; nothing was written. Try again.")


def _makes_way(tree: Tree, write: Write, going: Collection[str]) -> bool:
    """Whether something is in the way of a new file that the writes of `going` take away.

    Raises ConflictError where any of it would stay.
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
    """Every file and link below a folder, and every empty folder, itself too."""
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
    # Behind a name no `..` is plain: that name may be another link, and then it climbs from where that one leads.
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
    """The permission bits of a file that had these, with git's mode."""
    if mode == EXECUTABLE_MODE:
        # Executable for whoever may read, as git does it.
        return permissions | ((permissions & 0o444) >> 2)
    return permissions & ~0o111
