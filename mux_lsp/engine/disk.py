"""Accepted changes onto the person's disk, for clients that cannot apply edits themselves. All of it, or nothing.

Every file is checked against what the decision was made on, right before it is replaced; whatever goes wrong on the
way, what was already replaced is put back.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.errors import ConflictError, MuxError
from mux_lsp.git import names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

FILE_MODE = 0o100644
EXECUTABLE_MODE = 0o100755
SYMLINK_MODE = 0o120000

LARGEST_FILE = 256 * 1024 * 1024
"""Bytes. A larger file is not read into memory: no text in an editor and no result of a run comes near."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or symbolic link: git's mode and its bytes (a link's are its target)."""

    mode: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """One path: what is there now, and what shall be there. None is nothing."""

    path: str
    expected: Entry | None
    entry: Entry | None
    moved_from: str | None = None
    """The path of a file that another write takes away, and whose permissions this one gets."""


def read(root: Path, path: str) -> Entry | None:
    """What is at a path, or None where there is nothing.

    Raises ConflictError where the path leads through a symbolic link or is neither file nor link.
    """
    place = safe_place(root, path)
    try:
        mode = place.lstat().st_mode
        if stat.S_ISLNK(mode):
            # Not by pathlib, which would tidy the target up.
            return Entry(SYMLINK_MODE, os.fsencode(os.readlink(place)))  # noqa: PTH115
        if stat.S_ISREG(mode):
            # What was a file a moment ago may be a link by now.
            mode, content = _read_file(place, os.O_NOFOLLOW)
        if not stat.S_ISREG(mode):
            raise ConflictError(f"{path} is not a file any more; nothing was written.")
        return Entry(EXECUTABLE_MODE if mode & stat.S_IXUSR else FILE_MODE, content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConflictError(f"{path} cannot be read ({error.strerror}); nothing was written.") from error


def content_of(place: Path) -> bytes:
    """The bytes of a file, also through a symbolic link. Raises OSError where there is none, or one of LARGEST_FILE."""
    mode, content = _read_file(place)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a file", os.fspath(place))
    return content


def _read_file(place: Path, flags: int = 0) -> tuple[int, bytes]:
    """The mode of what is at a place, and its bytes if it is a file. A pipe is neither waited for nor read."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    with open(descriptor, "rb") as file:  # noqa: PTH123  (a descriptor is no path)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return status.st_mode, b""
        if status.st_size > LARGEST_FILE:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(place))
        return status.st_mode, file.read()


def safe_place(root: Path, path: str) -> Path:
    """Where a path of a result stands in the person's working tree.

    Raises ConflictError where it would lead outside the repository, into `.git`, or through a symbolic link: a result's
    paths are data that an agent chose.
    """
    parts = path.split("/")
    if names.refusal(path) is not None:
        raise ConflictError(f"{path!r} is not a path inside the repository; nothing was written.")
    place = root
    for part in parts[:-1]:
        place = place / part
        if place.is_symlink():
            link = "/".join(place.relative_to(root).parts)
            raise ConflictError(f"{path} leads through the symbolic link {link}; nothing was written.")
    place /= parts[-1]
    if _is_gits(root, place):
        raise ConflictError(f"{path} is in the git directory of the repository; nothing was written.")
    return place


def _is_gits(root: Path, place: Path) -> bool:
    """Whether a place is in the git directory of a repository that has it among its files by another name.

    `.git` is a link to it then, or a file that names it (`git init --separate-git-dir`).
    """
    git_dir = root / ".git"
    if git_dir.is_file():
        git_dir = root / os.fsdecode(content_of(git_dir).removeprefix(b"gitdir:").strip())
    elif not git_dir.is_symlink():
        return False
    real = Path(os.path.realpath(place.parent), place.name)
    return real.is_relative_to(os.path.realpath(git_dir))


def obstacle(root: Path, path: str) -> str | None:
    """What stands in the way of a file at a path: a folder of its name, or a file where one of its folders would be.

    None too where the path is none of the repository's, which `safe_place` refuses.
    """
    if names.refusal(path) is not None:
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


def folders_of(path: str) -> Iterator[str]:
    """The folders that a path leads through."""
    return (path[:at] for at, character in enumerate(path) if character == "/")


def write_all(root: Path, writes: Sequence[Write]) -> Callable[[], None]:
    """Carry out every write, or none. Raises ConflictError where the disk is not as expected.

    A folder makes way for a file, and a file for a folder, where the same writes take away all that is in the way.
    Returns what takes all of it back, but for what somebody has changed since.
    """
    going = {write.path for write in writes if write.entry is None}
    for write in writes:
        if not _makes_way(root, write, going):
            check(root, write)
        if write.entry is not None and write.entry.mode == SYMLINK_MODE:
            _check_link(root, write.path, os.fsdecode(write.entry.content))
    permissions: dict[str | None, int | None] = {
        write.moved_from: _permissions(root, write.moved_from) for write in writes if write.moved_from is not None
    }
    done: list[tuple[Write, int | None]] = []
    where = root
    try:
        for write in _in_order(writes):
            where = root / write.path
            check(root, write)
            done.append((write, _permissions(root, write.path)))
            _put(root, write, permissions.get(write.moved_from))
    except BaseException as error:
        _put_all_back(root, done)
        if isinstance(error, OSError):
            why = error.strerror or error
            raise MuxError(f"{where} could not be written ({why}); everything was put back as it was.") from error
        raise
    return lambda: _put_all_back(root, done)


def _in_order(writes: Iterable[Write]) -> list[Write]:
    """What makes way for something first, then what comes, and what goes at the end.

    Until a file that moves is at its new place it must not be gone from the old one: when the daemon is killed in
    between, or the power fails, what the person has changed in it is nowhere else.
    """
    coming = {write.path for write in writes if write.entry is not None}
    folders = {folder for path in coming for folder in folders_of(path)}

    def turn(write: Write) -> tuple[int, str]:
        if write.entry is not None:
            return 1, write.path
        makes_way = write.path in folders or not coming.isdisjoint(folders_of(write.path))
        return 0 if makes_way else 2, write.path

    return sorted(writes, key=turn)


def check(root: Path, write: Write) -> None:
    """Raise ConflictError where the disk is not as a write expects it."""
    if read(root, write.path) != write.expected:
        raise ConflictError(f"{write.path} changed on disk a moment ago; nothing was written. Try again.")


def _makes_way(root: Path, write: Write, going: Collection[str]) -> bool:
    """Whether something is in the way of a new file that the writes of `going` take away.

    Raises ConflictError where any of it would stay.
    """
    found = obstacle(root, write.path) if write.entry is not None and write.expected is None else None
    if found is None or found in going:
        return found is not None
    if found != write.path:
        raise ConflictError(f"{found} is a file, where {write.path} needs a folder, and stays; nothing was written.")
    for stays in _all_in(root / found):
        name = stays.relative_to(root).as_posix()
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


def _check_link(root: Path, path: str, target: str) -> None:
    folder = root.joinpath(*path.split("/")[:-1])
    # Behind a name no `..` is plain: that name may be another link, and then it climbs from where that one leads.
    parts = itertools.dropwhile(lambda part: part in {".", ".."}, target.split("/"))
    below = "/".join(part for part in parts if part not in {"", "."})
    plain = not target.startswith("/") and (not below or names.refusal(below) is None)
    reads = Path(os.path.normpath(folder / target))
    leads = Path(os.path.realpath(folder / target))
    inside = reads.is_relative_to(root) and leads.is_relative_to(os.path.realpath(root))
    if not (plain and inside) or _is_gits(root, leads):
        raise ConflictError(
            f"{path} would be a symbolic link to {target!r}, outside the repository or into .git; nothing was written."
        )


def _permissions(root: Path, path: str) -> int | None:
    """The permission bits of what is at a path; a symbolic link's mean nothing and count as none."""
    try:
        mode = safe_place(root, path).lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None if stat.S_ISLNK(mode) else stat.S_IMODE(mode)


def _put(root: Path, write: Write, permissions: int | None = None) -> None:
    """Carry a write out. A new file gets these permissions, where they are known from where it was."""
    place = safe_place(root, write.path)
    if write.entry is None:
        place.unlink()
        _remove_empty_parents(root, place)
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        before = _permissions(root, write.path)
        _replace(place, write.entry, permissions if before is None else before, functools.partial(check, root, write))
    except BaseException:
        # What was taken away to make room for these folders could not be put back otherwise.
        _remove_empty_parents(root, place)
        raise


def _replace(place: Path, entry: Entry, permissions: int | None, last_look: Callable[[], None]) -> None:
    # Written beside its place and moved there, so that no reader ever sees half a file.
    with tempfile.TemporaryDirectory(prefix=".mux-", dir=place.parent) as folder:
        temporary = Path(folder) / "new"
        if entry.mode == SYMLINK_MODE:
            temporary.symlink_to(os.fsdecode(entry.content))
        else:
            with temporary.open("xb") as file:
                # A new file gets the permissions that the umask gives it; the umask itself cannot be asked for in a
                # thread without setting it for all.
                created = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                file.write(entry.content)
                file.flush()
                if permissions is not None:
                    # A power cut must not cost what was there, or moves here. A new file costs nothing: the result
                    # still has it, and waiting for the disk ten thousand times would take minutes.
                    os.fsync(file.fileno())
            temporary.chmod(_permissions_of(created if permissions is None else permissions, entry.mode))
        # Waiting for the disk takes long enough for somebody to save the file.
        last_look()
        temporary.replace(place)


def _permissions_of(permissions: int, mode: int) -> int:
    if mode == EXECUTABLE_MODE:
        # Executable for whoever may read, as git does it.
        return permissions | ((permissions & 0o444) >> 2)
    return permissions & ~0o111


def _remove_empty_parents(root: Path, place: Path) -> None:
    # git keeps no empty folders; the person's view after accepting a deletion is git's.
    for parent in place.parents:
        if parent == root:
            return
        try:
            parent.rmdir()
        except OSError:
            return


def _put_all_back(root: Path, done: Sequence[tuple[Write, int | None]]) -> None:
    for write, permissions in reversed(done):
        _put_back(root, write, permissions)


def _put_back(root: Path, write: Write, permissions: int | None) -> None:
    with contextlib.suppress(OSError, ConflictError):
        if read(root, write.path) != write.entry:
            return
        _put(root, Write(write.path, write.entry, write.expected), permissions)
        if write.expected is not None and write.expected.mode != SYMLINK_MODE and permissions is not None:
            safe_place(root, write.path).chmod(permissions)
