"""Support `.worktreeinclude`: ignored files (`.env`, `node_modules`) that a repository wants in every worktree."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.git import parse, path_rules
from mux_lsp.git.copying import copy_file

if TYPE_CHECKING:
    from mux_lsp.git.view import GitView

FILE = ".worktreeinclude"


def included(view: GitView) -> list[str]:
    """List the person's untracked files that `.worktreeinclude` names. A whole folder ends in `/`."""
    if not (view.work_tree / FILE).is_file():
        return []
    output = view.git(["ls-files", "--others", "--ignored", "--directory", "-z", f"--exclude-from={FILE}"])
    return [path for path in parse.fields(output) if path_rules.refusal(path.rstrip("/")) is None]


def copy_included(source: Path, target: Path, paths: list[str]) -> list[str]:
    """Copy `paths` of one tree into another, never over an existing file. Return the copied paths."""
    copied = []
    for path in paths:
        place = target / path.rstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.parent.resolve().is_relative_to(target.resolve()):
            continue
        if _copy(source / path.rstrip("/"), place):
            copied.append(path)
    return copied


def exclude_lines(paths: list[str]) -> bytes:
    """Return lines for `info/exclude` that ignore exactly `paths`, so that copies never become part of a result."""
    return b"".join(b"/" + _escaped(os.fsencode(path)) + b"\n" for path in paths if "\n" not in path)


def _escaped(path: bytes) -> bytes:
    for character in (b"\\", b"*", b"?", b"[", b" "):
        path = path.replace(character, b"\\" + character)
    return path


def _copy(source: Path, target: Path) -> bool:
    """Copy a file, a link or a folder. Special files and unreadable files are skipped."""
    try:
        mode = source.lstat().st_mode
        if stat.S_ISDIR(mode):
            target.mkdir(exist_ok=True)
            with os.scandir(source) as entries:
                for entry in entries:
                    _copy(Path(entry.path), target / entry.name)
            shutil.copystat(source, target)
        elif os.path.lexists(target):
            return False
        elif stat.S_ISLNK(mode):
            target.symlink_to(source.readlink())
        elif stat.S_ISREG(mode):
            copy_file(source, target)
        else:
            return False
    except OSError:
        return False
    return True
