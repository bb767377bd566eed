"""Read an agent's changes in a worktree into our index of it."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.errors import GitError
from mux_lsp.git import parse
from mux_lsp.git.folders import is_plain_folder, walk
from mux_lsp.git.imported import load
from mux_lsp.git.view import (
    MAX_ATTEMPTS,
    GitView,
    IndexUpdate,
    Reading,
    apply,
    backdate_index,
    classify,
    read,
    read_with_ignored,
    too_large,
    unprocessable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mux_lsp.core.model import LeftOut

MAX_FILE_BYTES = 50_000_000
"""Maximum size in bytes of a file in a result. Larger files are left out and reported."""

MAX_NAMED_PATHS = 64
"""Maximum number of paths that are passed to git."""


@dataclass(frozen=True, slots=True)
class HarvestInfo:
    """Report of a harvest, in addition to the index."""

    left_out: tuple[LeftOut, ...]
    hidden: tuple[str, ...]
    """Wanted files that only ignore rules of the run's own keep out of the index."""


def take(view: GitView, paths: tuple[str, ...], snapshot: str, wanted: Callable[[str], bool]) -> HarvestInfo:
    """Update our index to the worktree as it is now, or only `paths` and what is below them.

    Files that are left out stay as in `snapshot`, the commit that the worktree was prepared from. A harvest of the
    whole worktree also reports the files that are `wanted` and hidden. Raises GitError if files change faster than they
    can be read.
    """
    with _unblock_fifos(view.work_tree):
        left_out, ignored = _take(view, paths, snapshot)
        found = [path for path in ignored if not path.endswith("/") and wanted(path)]
        return HarvestInfo(left_out, tuple(_hidden(view, found, snapshot)) if found else ())


def _take(view: GitView, paths: tuple[str, ...], snapshot: str) -> tuple[tuple[LeftOut, ...], list[str]]:
    refused: set[str] = set()
    large: dict[str, str] = {}
    for attempt in range(MAX_ATTEMPTS):
        update = IndexUpdate()
        try:
            reading = read(view, paths) if paths else read_with_ignored(view)
            _classify(view, update, reading)
            for path in refused & update.add:
                update.add.discard(path)
                update.leave_out(path, "could not be read")
            update.left_out.update(large)
            apply(view, update)
        except GitError as error:
            if attempt == MAX_ATTEMPTS - 1:
                raise
            refused |= {path for path in [unprocessable(error, update)] if path}
            large.update(_take_large_rules_away(view.work_tree))
            continue
        # git does not list a repository in place of a file of the index, so read again once the file is removed from
        # it.
        hidden = IndexUpdate()
        became_folders = tuple(path for path in update.remove if is_plain_folder(view.work_tree / path))
        if became_folders:
            _classify(view, hidden, read(view, became_folders))
            apply(view, hidden)
        left_out = (*update.reasons(), *hidden.reasons())
        _put_back(view, [left.path for left in left_out], snapshot)
        backdate_index(view.index, reading.begun)
        return left_out, reading.ignored
    raise AssertionError


def _hidden(view: GitView, paths: list[str], snapshot: str) -> Iterator[str]:
    """Yield the files that are ignored only because of rules that differ from those of the snapshot.

    These are in a file that the snapshot lacks or has with other content.
    """
    imported = load(view.git_dir)
    asked = parse.joined([f"./{path}" for path in paths])
    words = parse.fields(view.git(["check-ignore", "-v", "-z", "--stdin"], input=asked, ok=(0, 1)))
    sources = {path.removeprefix("./"): source for source, path in zip(words[::4], words[3::4], strict=True)}
    files = sorted({source for source in sources.values() if source and not Path(source).is_absolute()})
    in_index = set(parse.fields(view.git(["ls-files", "-z", "--", *_named(files)]))) if files else set()
    changed = parse.fields(view.git(["diff-index", "--cached", "--name-only", "-z", snapshot, "--", *_named(files)]))
    own = set(files) - (in_index - set(changed))
    for path, source in sources.items():
        if source in own and not imported.holds(path):
            yield path


FIFO_CHECK_SECONDS: Final = 2.0
"""Seconds after which a thread checks whether git waits for a pipe. Few readings take that long."""

_RULES: Final = frozenset({".gitignore", ".gitattributes", ".gitmodules"})


@contextlib.contextmanager
def _unblock_fifos(folder: Path) -> Iterator[None]:
    """Unblock git when a file of rules is a pipe that nobody writes to, on which git would wait forever.

    Searching for pipes before every reading would take as long as the reading.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(FIFO_CHECK_SECONDS):
            for place, _, names in walk(folder):
                if done.is_set():
                    return
                for name in _RULES.intersection(names):
                    _end_pipe(Path(place, name))

    thread = threading.Thread(target=watch, name="pipes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        # The folder is held only until here: after that, its path may lead to another one.
        thread.join()


def _end_pipe(place: Path) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(place.lstat().st_mode):
            # A reader that waits gets an end of file; later readers find no file.
            with contextlib.suppress(OSError):
                os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
            place.unlink()


def _take_large_rules_away(folder: Path) -> Iterator[tuple[str, str]]:
    """Remove rules that are too large for git, which cannot read a tree with them. Yield each path and the reason."""
    for place, _, names in walk(folder):
        for name in _RULES.intersection(names):
            path = Path(place, name)
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_size > MAX_FILE_BYTES:
                    path.unlink()
                    yield path.relative_to(folder).as_posix(), too_large(status.st_size, MAX_FILE_BYTES)


def _put_back(view: GitView, paths: list[str], snapshot: str) -> None:
    """Reset these paths in our index to the snapshot's state: an earlier reading may have added part of a file."""
    if not paths:
        return
    there = {
        field.split("\t", 1)[1]: field
        for field in parse.fields(view.git(["ls-tree", "-r", "-z", "--format=%(objectmode) %(objectname)%x09%(path)",
                                            snapshot, "--", *_named(paths)]))
    }  # fmt: skip
    lines = [there.get(path, f"0 {'0' * len(snapshot)}\t{path}") for path in paths]
    view.git(["update-index", "-z", "--index-info"], input=parse.joined(lines))


def _named(paths: list[str]) -> list[str]:
    """Return the paths to pass to git, or none if they are too many for a command line: git then lists all paths."""
    return paths if len(paths) <= MAX_NAMED_PATHS else []


def _classify(view: GitView, update: IndexUpdate, reading: Reading) -> None:
    nested = [path for path in reading.others if path.endswith("/")]
    reading.others = [path for path in reading.others if not path.endswith("/")]
    imported = load(view.git_dir)
    for path in nested:
        if not imported.holds(path):
            reading.others += nested_files(view, path)
    for path, why in reading.unread:
        if not imported.holds(path):
            update.leave_out(path.rstrip("/"), f"could not be read ({why})")
    if imported:
        reading.others = [path for path in reading.others if not imported.holds(path)]
    classify(view, update, reading, MAX_FILE_BYTES)


def nested_files(view: GitView, path: str) -> list[str]:
    """List the files of a repository that an agent created inside its worktree, without its `.git`."""
    nowhere = view.git_dir / "no-index"
    found: list[str] = []
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        inside = replace(view, work_tree=view.work_tree / folder)
        for other in parse.fields(inside.git(["ls-files", "--others", "--exclude-standard", "-z"], index=nowhere)):
            (waiting if other.endswith("/") else found).append(folder + other)
    return found
