"""What an agent has left in a worktree, brought into our index of it."""

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
    ATTEMPTS,
    IndexUpdate,
    Reading,
    View,
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

LARGEST_RESULT = 50_000_000
"""Bytes. Larger files are left out of results, and named."""

FEW = 64
"""So many paths are named to git at the most."""


@dataclass(frozen=True, slots=True)
class HarvestInfo:
    """What a harvest is told beside the index."""

    left_out: tuple[LeftOut, ...]
    hidden: tuple[str, ...]
    """Files that were asked for, and that only rules of the attempt's own keep out of the index."""


def take(view: View, paths: tuple[str, ...], snapshot: str, wanted: Callable[[str], bool]) -> HarvestInfo:
    """Bring our index up to the worktree as it is now, or only `paths` and what is below them.

    What is left out stays as it is in `snapshot`, the commit that the worktree was prepared from. Of all of the
    worktree it is told which files that are `wanted` are hidden. Raises GitError when files change faster than they
    can be read.
    """
    with _unblock_fifos(view.work_tree):
        left_out, ignored = _take(view, paths, snapshot)
        found = [path for path in ignored if not path.endswith("/") and wanted(path)]
        return HarvestInfo(left_out, tuple(_hidden(view, found, snapshot)) if found else ())


def _take(view: View, paths: tuple[str, ...], snapshot: str) -> tuple[tuple[LeftOut, ...], list[str]]:
    refused: set[str] = set()
    large: dict[str, str] = {}
    for attempt in range(ATTEMPTS):
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
            if attempt == ATTEMPTS - 1:
                raise
            refused |= {path for path in [unprocessable(error, update)] if path}
            large.update(_take_large_rules_away(view.work_tree))
            continue
        # git does not name a repository that stands where the index has a file, so look again once that is out of it.
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


def _hidden(view: View, paths: list[str], snapshot: str) -> Iterator[str]:
    """Those of these ignored files that no rule ignores but in a file that the snapshot has not, or has otherwise."""
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


PATIENCE: Final = 2.0
"""Seconds after which somebody looks what git may be waiting for. Hardly anything takes it so long."""

_RULES: Final = frozenset({".gitignore", ".gitattributes", ".gitmodules"})


@contextlib.contextmanager
def _unblock_fifos(folder: Path) -> Iterator[None]:
    """Where git reads its rules it would wait for ever for the other end of a pipe: it gets one.

    To look for pipes before every reading would take as long as the reading.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PATIENCE):
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
        # The folder is held for no longer than this: after that its path may lead to another one.
        thread.join()


def _end_pipe(place: Path) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(place.lstat().st_mode):
            # Whoever waits for a writer has had one then; whoever comes later finds nothing.
            with contextlib.suppress(OSError):
                os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
            place.unlink()


def _take_large_rules_away(folder: Path) -> Iterator[tuple[str, str]]:
    """Remove rules that are too large for git, which does not read a tree without them. Gives their paths, and why."""
    for place, _, names in walk(folder):
        for name in _RULES.intersection(names):
            path = Path(place, name)
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_size > LARGEST_RESULT:
                    path.unlink()
                    yield path.relative_to(folder).as_posix(), too_large(status.st_size, LARGEST_RESULT)


def _put_back(view: View, paths: list[str], snapshot: str) -> None:
    """Have these paths in our index as the snapshot has them: an earlier look may have taken half of a file."""
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
    """These paths for git to tell of; none, with which it tells of all, where a command line may not hold them."""
    return paths if len(paths) <= FEW else []


def _classify(view: View, update: IndexUpdate, reading: Reading) -> None:
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
    classify(view, update, reading, LARGEST_RESULT)


def nested_files(view: View, path: str) -> list[str]:
    """The files of a repository that an agent made inside its worktree. Its `.git` is not looked into."""
    nowhere = view.git_dir / "no-index"
    found: list[str] = []
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        inside = replace(view, work_tree=view.work_tree / folder)
        for other in parse.fields(inside.git(["ls-files", "--others", "--exclude-standard", "-z"], index=nowhere)):
            (waiting if other.endswith("/") else found).append(folder + other)
    return found
