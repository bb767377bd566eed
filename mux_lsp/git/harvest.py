"""What an agent has left in a worktree, brought into our index of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

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


def take(view: View, paths: tuple[str, ...]) -> tuple[LeftOut, ...]:
    """Bring our index up to the worktree as it is now, or only `paths` and what is below them.

    Raises GitError when files change faster than they can be read.
    """
    refused: set[str] = set()
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
        predate(view.index, reading.begun)
        return (*intake.reasons(), *hidden.reasons())
    raise AssertionError


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
