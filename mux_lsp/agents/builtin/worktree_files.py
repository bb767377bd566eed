"""Read and write files of a worktree for an agent's tools, by paths that a model chose. No path leads out of it.

A path is resolved first, links included, and must then be in the worktree and outside its `.git`. It is opened folder
by folder without following links, so that a link swapped in meanwhile causes an error and does not lead out.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp import openat
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 10_000_000
"""Maximum number of bytes of a file that a tool reads or writes."""

MAX_PATH_CHARACTERS: Final = 4096
"""Maximum number of characters of a path. No system supports longer ones, and resolving one of a megabyte takes 30 s.
"""


class WorktreeFiles:
    """The files below `root`. Every error is a UsageError with a message that a model can act on."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))

    def resolve(self, path: str, *, start: Path | None = None) -> Path:
        """Return the target of a path, relative to the root. Absolute paths below the root are accepted too.

        Relative paths start from `start`, by default the root.
        """
        if "\0" in path:
            raise UsageError("A path cannot hold a NUL character.")
        if len(path) > MAX_PATH_CHARACTERS:
            raise UsageError(f"A path of {len(path):,} characters is longer than any can be.")
        real = Path(os.path.realpath((start or self.root) / path))
        if real != self.root and not real.is_relative_to(self.root):
            raise UsageError(f"{path} is outside the worktree. Only files below {self.root} can be reached.")
        relative = real.relative_to(self.root)
        if any(part.lower() == ".git" for part in relative.parts):
            raise UsageError(f"{path} is inside .git, which is not yours to read or change by this tool.")
        return relative

    def read(self, relative: Path) -> bytes:
        """Return the bytes of a file."""
        if not relative.name:
            raise UsageError("This is the folder of the worktree, not a file.")
        with self._folder_of(relative) as folder, _told(relative):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(relative.name, flags, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise UsageError(f"{relative} is not a file.")
                if status.st_size > MAX_BYTES:
                    raise UsageError(f"{relative} has {status.st_size:,} bytes; at most {MAX_BYTES:,} can be read.")
                return file.read(MAX_BYTES)

    def exists(self, relative: Path) -> bool:
        """Return whether there is a file, a folder or anything else."""
        with contextlib.suppress(UsageError, OSError), self._folder_of(relative) as folder:
            os.stat(relative.name or ".", dir_fd=folder, follow_symlinks=False)
            return True
        return False

    def write(self, relative: Path, data: bytes) -> None:
        """Replace a file's content atomically. Missing folders are created; the file's mode is kept."""
        if not relative.name:
            raise UsageError("Name a file below the worktree.")
        if len(data) > MAX_BYTES:
            raise UsageError(f"{relative} would have {len(data):,} bytes; at most {MAX_BYTES:,} can be written.")
        # Written beside the worktree, so that a daemon killed in between leaves no partial file in the result.
        temporary = self.root.parent / f".mux-{secrets.token_hex(8)}"
        with self._folder_of(relative, make=True) as folder, _told(relative):
            mode = _mode_of(relative, folder)
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    if mode is not None:
                        os.fchmod(descriptor, mode)
                os.rename(temporary, relative.name, dst_dir_fd=folder)
            finally:
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _folder_of(self, relative: Path, *, make: bool = False) -> Iterator[int]:
        with self._open(relative.parent, make=make) as folder:
            yield folder

    @contextlib.contextmanager
    def _open(self, relative: Path, *, make: bool = False) -> Iterator[int]:
        with _told(relative):
            enter = _make_and_open if make else _open_inside
            folder = openat.descend(openat.open_folder(self.root, openat.READ), relative.parts, enter)
            try:
                yield folder
            finally:
                os.close(folder)


def _open_inside(folder: int, name: str) -> int:
    return openat.open_inside(folder, name, openat.READ)


def _make_and_open(folder: int, name: str) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return _open_inside(folder, name)


def _mode_of(relative: Path, folder: int) -> int | None:
    try:
        status = os.stat(relative.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{relative} is not a file.")
    return stat.S_IMODE(status.st_mode)


@contextlib.contextmanager
def _told(relative: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{relative}: {(error.strerror or str(error)).lower()}.") from error
