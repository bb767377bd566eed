"""What commands have made in a worktree beside the snapshot's files: taken out, kept, and copied into others.

Links are never followed. Where a text or a link names the worktree that it was made in, its copy names the one that it
is in: so a virtual environment works there.
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

    from mux_lsp.git.view import View

FILES: Final = "files"
"""The folder in the store that has what was made, by its paths in the worktree."""

RECORD: Final = "made.json"
"""Written last: without it what is kept is not whole."""

LARGEST_REWRITTEN: Final = 4_000_000
"""Bytes. Larger files are copied as they are."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What was made, as it is recorded."""

    origin: tuple[str, ...]
    """How the worktree that it was made in is written: see `_spellings`."""
    files: tuple[str, ...]
    """Those that git does not ignore."""
    ignored: tuple[str, ...]
    """Those that it does, and repositories within; a whole folder ends in `/`."""
    rewritten: tuple[str, ...]
    """Texts and links that name the worktree."""


def collect(view: View, named: Path, imported: ImportedPaths, store: Path) -> tuple[Artifacts, tuple[str, ...]]:
    """Move what was made in a worktree to `store`, but for what was `imported` there. For trees that nobody works in.
    `named` is the worktree's path as commands there have seen it.

    Gives what it was, and which of the snapshot's files are no more as the snapshot has them: they stay where they are.
    Raises GitError and OSError.
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
    """What is kept in `store`, or None where nothing whole is."""
    try:
        saved = json.loads((store / RECORD).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Artifacts(**{name: tuple(saved[name]) for name in Artifacts.__slots__})


def restore(store: Path, artifacts: Artifacts, work_tree: Path, named: Path) -> ImportedPaths:
    """Copy what is kept into a worktree, never over something that is there. Gives what the worktree has of it. `named`
    is the worktree's path as an agent there sees it.

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
    """What git lists as one path, without what was brought: a folder that holds some of it is taken apart."""
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
        # A folder that moves must let its entry for the one above be changed.
        mode = stat.S_IMODE(source.lstat().st_mode)
        source.chmod(mode | stat.S_IRWXU)
        source.rename(target)
        target.chmod(mode)
    fault("setup.moved")


def _spellings(folder: Path) -> tuple[str, ...]:
    """How programs write a folder down: as it was named, without links, and both as in a URL."""
    named, real = os.fspath(folder), os.path.realpath(folder)
    return named, real, quote(named), quote(real)


def _naming(folder: Path, origin: tuple[bytes, ...]) -> Iterator[str]:
    """The texts and links below `folder` that name `origin`, as paths from there."""
    for place, folders, names in walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                found = _is_within(os.fsencode(path.readlink()), origin)
            elif stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_REWRITTEN:
                content = path.read_bytes()
                found = any(one in content for one in origin) and b"\0" not in content
            else:
                continue
            if found:
                yield path.relative_to(folder).as_posix()


def _is_within(target: bytes, origin: tuple[bytes, ...]) -> bool:
    return any(target == one or target.startswith(one + b"/") for one in origin)


class _Copies:
    """Copies one tree into another."""

    def __init__(self, source: Path, target: Path, rewritten: frozenset[str], names: Mapping[str, str]) -> None:
        """`names`: what is written in those to rewrite, and what is to be written in its place."""
        self._source = os.fspath(source)
        self._target = os.fspath(target)
        self._rewritten = rewritten
        self._names = {os.fsencode(old): os.fsencode(new) for old, new in names.items()}
        # The longest first: one may be a part of another.
        self._pattern = re.compile(b"|".join(map(re.escape, sorted(self._names, key=len, reverse=True))))

    def make(self) -> None:
        """Copy everything. Raises OSError."""
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
        # At last, and those within before those around: some may not be written to, and each writing changes the time.
        for folder, status in reversed(folders):
            Path(folder).chmod(status.st_mode & 0o777)
            os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _has_folder(self, path: str) -> bool:
        # A link of the snapshot's may lead anywhere.
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
            # It keeps the time of its writing: what was compiled of the old text must not pass for this one's.
            Path(target).chmod(entry.stat(follow_symlinks=False).st_mode & 0o777)
        elif entry.is_file(follow_symlinks=False):
            copy_file(entry.path, target)

    def _renamed(self, content: bytes) -> bytes:
        return self._pattern.sub(lambda found: self._names[found[0]], content)
