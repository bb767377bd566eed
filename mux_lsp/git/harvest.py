"""What an agent has left in a worktree, brought into our index of it."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.errors import GitError
from mux_lsp.git import parse
from mux_lsp.git.folders import is_plain_folder
from mux_lsp.git.view import (
    ATTEMPTS,
    Intake,
    Reading,
    View,
    apply,
    predate,
    read,
    sort_out,
    unprocessable,
)

if TYPE_CHECKING:
    from mux_lsp.core.model import LeftOut

LARGEST_RESULT = 50_000_000
"""Bytes. Larger files are left out of results, and named."""


def take(view: View, paths: tuple[str, ...], snapshot: str) -> tuple[LeftOut, ...]:
    """Bring our index up to the worktree as it is now, or only `paths` and what is below them.

    What is left out stays as it is in `snapshot`, the commit that the worktree was prepared from. Raises GitError when
    files change faster than they can be read.
    """
    refused: set[str] = set()
    unblock(view.work_tree, paths)
    for attempt in range(ATTEMPTS):
        intake = Intake()
        reading = read(view, paths)
        _sort_out(view, intake, reading)
        for path in refused & intake.add:
            intake.add.discard(path)
            intake.leave_out(path, "could not be read")
        try:
            apply(view, intake)
        except GitError as error:
            if attempt == ATTEMPTS - 1:
                raise
            refused |= {path for path in [unprocessable(error, intake)] if path}
            continue
        # git does not name a repository that stands where the index has a file, so look again once that is out of it.
        hidden = Intake()
        became_folders = tuple(path for path in intake.remove if is_plain_folder(view.work_tree / path))
        if became_folders:
            _sort_out(view, hidden, read(view, became_folders))
            apply(view, hidden)
        left_out = (*intake.reasons(), *hidden.reasons())
        _put_back(view, [left.path for left in left_out], snapshot)
        predate(view.index, reading.begun)
        return left_out
    raise AssertionError


def unblock(folder: Path, paths: tuple[str, ...] = ()) -> None:
    """Remove what is no file and stands where git reads its rules: it would wait for ever for a pipe's other end."""
    for start in [folder / path for path in paths] or [folder]:
        if start.name in _RULES:
            _remove_pipe(start)
        if is_plain_folder(start):
            for place, _, names in os.walk(start):
                for name in _RULES.intersection(names):
                    _remove_pipe(Path(place, name))


_RULES: Final = frozenset({".gitignore", ".gitattributes", ".gitmodules"})


def _remove_pipe(place: Path) -> None:
    with contextlib.suppress(OSError):
        mode = place.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            place.unlink()


def _put_back(view: View, paths: list[str], snapshot: str) -> None:
    """Have these paths in our index as the snapshot has them: an earlier look may have taken half of a file."""
    if not paths:
        return
    there = {
        field.split("\t", 1)[1]: field
        for field in parse.fields(view.git(["ls-tree", "-r", "-z", "--format=%(objectmode) %(objectname)%x09%(path)",
                                            snapshot, "--", *paths]))
    }  # fmt: skip
    lines = [there.get(path, f"0 {'0' * len(snapshot)}\t{path}") for path in paths]
    view.git(["update-index", "-z", "--index-info"], input=parse.joined(lines))


def _sort_out(view: View, intake: Intake, reading: Reading) -> None:
    nested = [path for path in reading.others if path.endswith("/")]
    reading.others = [path for path in reading.others if not path.endswith("/")]
    for path in nested:
        reading.others += nested_files(view, path)
    sort_out(view, intake, reading, LARGEST_RESULT)


def nested_files(view: View, path: str) -> list[str]:
    """The files of a repository that an agent made inside its worktree. Its `.git` is not looked into."""
    folder = view.work_tree / path
    inside = replace(view, work_tree=folder)
    nowhere = view.git_dir / "no-index"
    found = []
    for other in parse.fields(inside.git(["ls-files", "--others", "--exclude-standard", "-z"], index=nowhere)):
        found += nested_files(view, path + other) if other.endswith("/") else [path + other]
    return found
