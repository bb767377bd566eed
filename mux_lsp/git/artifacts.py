"""Collect what commands created in a worktree beside the snapshot's files, store it, and copy it into other worktrees.

Links are never followed. Where a text or a link contains the path of the worktree in which it was created, the copy
contains the path of its own worktree, so that a virtual environment works there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from mux_lsp import atomic
from mux_lsp.faults import fault
from mux_lsp.git import parse
from mux_lsp.git.copying import copy_file
from mux_lsp.git.folders import is_plain_folder, walk
from mux_lsp.git.imported import ImportedPaths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mux_lsp.git.view import GitView

FILES: Final = "files"
"""The folder in the store with the collected files, by their paths in the worktree."""

RECORD: Final = "made.json"
"""The record of the collected files. It is written last: without it, the collection is incomplete."""

MAX_REWRITTEN_BYTES: Final = 4_000_000
"""Maximum size in bytes of a file in which paths are rewritten. Larger files are copied unchanged."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The record of the collected files."""

    origin: tuple[str, ...]
    """The spellings of the path of the original worktree: see `_spellings`."""
    files: tuple[str, ...]
    """Files that git does not ignore."""
    ignored: tuple[str, ...]
    """Files that git ignores, and nested repositories. A whole folder ends in `/`."""
    rewritten: tuple[str, ...]
    """Texts and links that contain the path of the worktree."""


def collect(view: GitView, named: Path, imported: ImportedPaths, store: Path) -> tuple[Artifacts, tuple[str, ...]]:
    """Move what commands created in a worktree to `store`, except what was `imported`. No process may use the worktree.

    `named` is the worktree's path as its commands saw it.

    Return the record, and the snapshot's files that were changed: these stay where they are. Raises GitError and
    OSError.
    """
    view.git(["update-index", "-q", "--refresh"], ok=(0, 1), write_index=True)
    changed = parse.name_status(
        view.git(["diff-files", "--name-status", "--ignore-submodules=all", "-z", "--no-renames", "--"])
    )
    others = ["ls-files", "--others", "-z"]
    plain = [path for path in parse.fields(view.git([*others, "--exclude-standard"])) if not imported.holds(path)]
    ignored = parse.fields(view.git([*others, "--exclude-standard", "--ignored", "--directory"]))
    apart = [one for path in ignored for one in _without(view.work_tree, path, imported)]
    for path in parse.fields(view.git([*others, "--directory"])):
        for one in _without(view.work_tree, path, imported):
            _move(view.work_tree / one, store / FILES / one)
    origin = _spellings(named)
    artifacts = Artifacts(
        origin=origin,
        files=tuple(path for path in plain if not path.endswith("/")),
        ignored=(*apart, *(path for path in plain if path.endswith("/"))),
        rewritten=tuple(_naming(store / FILES, tuple(map(os.fsencode, origin)))),
    )
    atomic.write(store / RECORD, json.dumps(asdict(artifacts)).encode())
    return artifacts, tuple(path for _, path in changed)


def load(store: Path) -> Artifacts | None:
    """Read the record in `store`. Return None if there is no complete collection."""
    try:
        saved = json.loads((store / RECORD).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Artifacts(**{name: tuple(saved[name]) for name in Artifacts.__slots__})


def restore(store: Path, artifacts: Artifacts, work_tree: Path, named: Path) -> ImportedPaths:
    """Copy the collected files into a worktree, never over an existing file.

    Return the paths of them that the worktree then has. `named` is the worktree's path as an agent there sees it.

    Raises OSError.
    """
    files = [path for path in (*artifacts.files, *artifacts.ignored) if not path.endswith("/")]
    folders = [path.rstrip("/") for path in artifacts.ignored if path.endswith("/")]
    there = ImportedPaths(
        frozenset(path for path in files if not os.path.lexists(work_tree / path)),
        frozenset(
            path for path in folders if not os.path.lexists(work_tree / path) or is_plain_folder(work_tree / path)
        ),
    )
    if (store / FILES).is_dir():
        names = dict(zip(artifacts.origin, _spellings(named), strict=True))
        _Copies(store / FILES, work_tree, frozenset(artifacts.rewritten), names).make()
    return there


def _without(root: Path, path: str, imported: ImportedPaths) -> Iterator[str]:
    """Yield a path that git lists, without imported files: a folder that holds some is split into its entries."""
    if imported.holds(path):
        return
    if not path.endswith("/") or not any(one.startswith(path) for one in (*imported.files, *imported.folders)):
        yield path
        return
    with os.scandir(root / path) as entries:
        for entry in entries:
            yield from _without(root, path + entry.name + "/" * entry.is_dir(follow_symlinks=False), imported)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except PermissionError:
        # Renaming a folder changes its entry `..`, for which it must be writable.
        mode = stat.S_IMODE(source.lstat().st_mode)
        source.chmod(mode | stat.S_IRWXU)
        source.rename(target)
        target.chmod(mode)
    fault("setup.moved")


def _spellings(folder: Path) -> tuple[str, ...]:
    """Return the ways in which programs write a path: as named, without links, and both URL-quoted."""
    named, real = os.fspath(folder), os.path.realpath(folder)
    return named, real, quote(named), quote(real)


def _naming(folder: Path, origin: tuple[bytes, ...]) -> Iterator[str]:
    """Yield the texts and links below `folder` that contain one of the paths `origin`, relative to `folder`."""
    for place, folders, names in walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                found = _is_within(os.fsencode(path.readlink()), origin)
            elif stat.S_ISREG(status.st_mode) and status.st_size <= MAX_REWRITTEN_BYTES:
                content = path.read_bytes()
                found = any(one in content for one in origin) and b"\0" not in content
            else:
                continue
            if found:
                yield path.relative_to(folder).as_posix()


def _is_within(target: bytes, origin: tuple[bytes, ...]) -> bool:
    return any(target == one or target.startswith(one + b"/") for one in origin)


class _Copies:
    """A copy of one tree into another."""

    def __init__(self, source: Path, target: Path, rewritten: frozenset[str], names: Mapping[str, str]) -> None:
        """`names` maps each path to replace in the `rewritten` files to its replacement."""
        self._source = os.fspath(source)
        self._target = os.fspath(target)
        self._rewritten = rewritten
        self._names = {os.fsencode(old): os.fsencode(new) for old, new in names.items()}
        # Longest first, since one may be part of another.
        self._pattern = re.compile(b"|".join(map(re.escape, sorted(self._names, key=len, reverse=True))))

    def make(self) -> None:
        """Copy all entries. Raises OSError."""
        folders: list[tuple[str, os.stat_result]] = []
        waiting = [""]
        while waiting:
            path = waiting.pop()
            with os.scandir(self._source + path) as entries:
                for entry in entries:
                    one = f"{path}/{entry.name}"
                    if not entry.is_dir(follow_symlinks=False):
                        with contextlib.suppress(FileExistsError):
                            self._copy(entry, one)
                    elif self._has_folder(one):
                        waiting.append(one)
                    elif not os.path.lexists(self._target + one):
                        Path(self._target + one).mkdir(0o700)
                        folders.append((self._target + one, entry.stat(follow_symlinks=False)))
                        waiting.append(one)
        # Last, and inner folders before outer ones: a folder may be read-only, and each write changes its time.
        for folder, status in reversed(folders):
            Path(folder).chmod(status.st_mode & 0o777)
            os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _has_folder(self, path: str) -> bool:
        # A link of the snapshot may lead anywhere.
        return is_plain_folder(Path(self._target + path))

    def _copy(self, entry: os.DirEntry[str], path: str) -> None:
        target = self._target + path
        if entry.is_symlink():
            link = os.fsencode(Path(entry.path).readlink())
            Path(target).symlink_to(os.fsdecode(self._renamed(link) if path[1:] in self._rewritten else link))
        elif path[1:] in self._rewritten:
            content = self._renamed(Path(entry.path).read_bytes())
            with Path(target).open("xb") as file:
                file.write(content)
            # The copy keeps the time at which it is written: files compiled from the old text must not pass as up to
            # date.
            Path(target).chmod(entry.stat(follow_symlinks=False).st_mode & 0o777)
        elif entry.is_file(follow_symlinks=False):
            copy_file(entry.path, target)

    def _renamed(self, content: bytes) -> bytes:
        return self._pattern.sub(lambda found: self._names[found[0]], content)
