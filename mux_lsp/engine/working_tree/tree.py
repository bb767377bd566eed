"""Access the files of a person's working tree from its root, folder by folder, without following links.

Paths are data that an agent chose. The objects that are checked are the ones that are used: a folder that another
program replaces by a link in between is an error, not a way out of the repository.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp import openat, storage
from mux_lsp.core.model import RootIdentity
from mux_lsp.engine.working_tree.renames import At
from mux_lsp.errors import ConflictError, StorageError
from mux_lsp.faults import fault
from mux_lsp.git import path_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MODE: Final = 0o100644
EXECUTABLE_MODE: Final = 0o100755
SYMLINK_MODE: Final = 0o120000

LARGEST_FILE: Final = 256 * 1024 * 1024
"""Maximum size in bytes of a file that is read into memory: no text in an editor and no result of a run comes near."""

_STAYS: Final = frozenset(
    {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EINVAL}
)
"""Errors of rmdir(2) for a folder that is not empty, or that we may not remove."""


@dataclass(frozen=True, slots=True)
class Entry:
    """File or symbolic link: git's mode and its bytes (for a link, its target)."""

    mode: int
    content: bytes


class Tree:
    """Working tree with an open root. Created by `opened`."""

    def __init__(self, root: Path, folder: int) -> None:
        self.root = root
        self.folder = folder
        """Descriptor of the root."""
        self.identity = RootIdentity(os.fstat(folder).st_ino, _inode_of_git(folder))
        self._git_place = _git_place(root, folder)
        self._git_dir = None if self._git_place is None else _identity(str(self._git_place))

    @contextlib.contextmanager
    def parent(self, path: str, *, make: bool = False) -> Iterator[At]:
        """Open the folder of a path. Yields the folder and the path's last name. `make` creates missing folders.

        Raises ConflictError if the path leads outside the repository, into `.git`, or through a symbolic link, and
        FileNotFoundError or NotADirectoryError if a folder of it does not exist.
        """
        if path_rules.refusal(path) is not None:
            raise ConflictError(f"{path!r} is not a path inside the repository; nothing was written.")
        name = path.rpartition("/")[2]
        folder = openat.descend(
            os.dup(self.folder),
            folders_of(path),
            lambda above, so_far: self._enter(above, so_far, path, make=make),
        )
        try:
            if self._git_dir is not None and _identity(name, folder) == self._git_dir:
                raise ConflictError(f"{path} is in the git directory of the repository; nothing was written.")
            yield At(folder, name)
        finally:
            os.close(folder)

    def read(self, path: str) -> Entry | None:
        """Return the content of a path, or None if there is no file.

        Raises ConflictError as `parent` does, and if the path is neither file nor link or cannot be read,
        StorageError if the disk or the system fails.
        """
        try:
            with self.parent(path) as at:
                return read_at(at)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.EISDIR:
                raise ConflictError(f"{path} is not a file any more; nothing was written.") from error
            refused = storage.explained(error, str(self.root / path))
            if refused is not None and error.errno not in {errno.EACCES, errno.EPERM}:
                raise StorageError(f"{path} cannot be read; nothing was written. {refused}") from error
            raise ConflictError(f"{path} cannot be read ({error.strerror}); nothing was written.") from error

    def permissions(self, path: str) -> int | None:
        """Return the permission bits of a path; None if it does not exist or is a symbolic link."""
        try:
            with self.parent(path) as at:
                mode = os.lstat(at.name, dir_fd=at.folder).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if stat.S_ISLNK(mode) else stat.S_IMODE(mode)

    def missing_folders(self, path: str) -> tuple[str, ...]:
        """Return the folders of a path that do not exist, the outermost first."""
        folders = tuple(folders_of(path))
        for depth, folder in enumerate(folders):
            try:
                with self.parent(folder) as at:
                    mode = os.lstat(at.name, dir_fd=at.folder).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return folders[depth:]
            if not stat.S_ISDIR(mode):
                # Something else has the folder's name, and this accept removes it.
                return folders[depth:]
        return ()

    def remove_folder(self, path: str) -> bool:
        """Remove a folder if it is empty. Return whether it is gone. Raises OSError if the disk fails."""
        try:
            with self.parent(path) as at:
                fault("tree.rmdir")
                os.rmdir(at.name, dir_fd=at.folder)
        except FileNotFoundError:
            return True
        except ConflictError:
            return False
        except OSError as error:
            if error.errno not in _STAYS:
                raise
            return False
        return True

    def is_gits(self, place: Path) -> bool:
        """Return whether a place is in the git directory, if that is in the working tree but not called `.git`."""
        return self._git_place is not None and place.is_relative_to(self._git_place)

    def _enter(self, above: int, so_far: str, path: str, *, make: bool) -> int:
        """Open the last folder of `so_far`, which is in the open folder `above`, on the way to `path`."""
        part = so_far.rpartition("/")[2]
        if make:
            with contextlib.suppress(FileExistsError):
                fault("tree.mkdir")
                os.mkdir(part, dir_fd=above)
        fault("tree.open")
        try:
            folder = openat.open_inside(above, part)
        except OSError as error:
            if error.errno in openat.LINK_ERRORS and openat.is_link(above, part):
                raise ConflictError(f"{path} leads through the symbolic link {so_far}; nothing was written.") from None
            raise
        if self._git_dir is not None and _identity(".", folder) == self._git_dir:
            os.close(folder)
            raise ConflictError(f"{path} is in the git directory of the repository; nothing was written.")
        return folder


_alone: dict[Path, threading.Lock] = {}


@contextlib.contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Prevent other accepts of this daemon from writing to or undoing in a working tree meanwhile. Call it in a thread.

    Two accepts that exchange the names of one file at a time could mistake each other's text for one that the person
    saved.
    """
    with _alone.setdefault(root, threading.Lock()):
        yield


@contextlib.contextmanager
def opened(root: Path) -> Iterator[Tree]:
    """Open a working tree. Raises ConflictError if it does not exist: a removed folder is not created again."""
    folder = _open_root(root)
    try:
        yield Tree(root, folder)
    finally:
        os.close(folder)


def identity_of(root: Path) -> RootIdentity:
    """Return the identity that distinguishes a working tree from a later one of its name. Raises as `opened` does."""
    with opened(root) as tree:
        return tree.identity


def read_at(at: At) -> Entry | None:
    """Return the content of a name in an open folder, or None if it does not exist. Does not block on a pipe.

    Raises OSError (EISDIR for anything that is neither file nor link).
    """
    fault("tree.read")
    try:
        mode = os.lstat(at.name, dir_fd=at.folder).st_mode
        if stat.S_ISLNK(mode):
            return Entry(SYMLINK_MODE, os.fsencode(os.readlink(at.name, dir_fd=at.folder)))
        # The file may have been replaced by a link since.
        mode, content = read_file(at.name, os.O_NOFOLLOW, at.folder) if stat.S_ISREG(mode) else (mode, b"")
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), at.name)
    return Entry(EXECUTABLE_MODE if mode & stat.S_IXUSR else FILE_MODE, content)


def read_file(place: str | Path, flags: int = 0, folder: int | None = None) -> tuple[int, bytes]:
    """Return the mode of a place, and its bytes if it is a file. A pipe is neither waited for nor read.

    Raises OSError, also for a file of more than LARGEST_FILE.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder)
    with open(descriptor, "rb") as file:  # noqa: PTH123  (a descriptor is not a path)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return status.st_mode, b""
        if status.st_size > LARGEST_FILE:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(place))
        return status.st_mode, file.read()


def folders_of(path: str) -> Iterator[str]:
    """Yield the folders that a path leads through, the outermost first."""
    return (path[:at] for at, character in enumerate(path) if character == "/")


def _open_root(root: Path) -> int:
    try:
        return openat.open_plain_folder(root)
    except FileNotFoundError:
        raise ConflictError(
            f"{root} is not there any more; nothing was written. `mux-lsp diff RUN` still has what the run changed."
        ) from None
    except OSError as error:
        if root.is_symlink():
            raise ConflictError(f"{root} is a symbolic link now; nothing was written.") from None
        raise ConflictError(f"{root} cannot be opened ({error.strerror}); nothing was written.") from error


def _git_place(root: Path, folder: int) -> Path | None:
    """Return the git directory, links resolved, if `.git` is not the directory itself.

    `.git` is a link to it then, or a file that names it (`git init --separate-git-dir`).
    """
    try:
        mode = os.lstat(".git", dir_fd=folder).st_mode
        if stat.S_ISDIR(mode):
            return None
        place = root / ".git"
        if not stat.S_ISLNK(mode):
            _, content = read_file(".git", os.O_NOFOLLOW, folder)
            place = root / os.fsdecode(content.removeprefix(b"gitdir:").strip())
    except OSError:
        return None
    return Path(os.path.realpath(place))


def _identity(name: str, folder: int | None = None) -> tuple[int, int] | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _inode_of_git(folder: int) -> int | None:
    try:
        status = os.lstat(".git", dir_fd=folder)
    except OSError:
        return None
    return status.st_ino if stat.S_ISDIR(status.st_mode) else None
