"""Write trees of the person's files with unsaved buffers in place of the files on disk."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mux_lsp.core.model import LeftOut
from mux_lsp.git import parse, path_rules
from mux_lsp.git.view import GitView, copy_index, ignored, write_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.git.repository import GitSettings


def blob_name(content: bytes, object_format: str) -> str:
    """Return the name that git gives to a blob with this content."""
    digest = hashlib.new(object_format, b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def overlay(
    view: GitView, settings: GitSettings, buffers: Mapping[str, bytes], object_format: str
) -> tuple[str | None, tuple[LeftOut, ...]]:
    """Return the tree of our index with `buffers` in place of files (None if unchanged), and what was left out.

    A buffer is used if its file is in the index, or is new and not ignored.
    """
    left_out: dict[str, str] = {}
    possible: dict[str, bytes] = {}
    for path, content in buffers.items():
        reason = path_rules.refusal(path) or _obstacle(view.work_tree, path)
        if reason:
            left_out[path] = reason
        else:
            possible[path] = content
    entries = _entries(view, possible)
    new = [path for path in possible if path not in entries]
    hidden = ignored(view, new)
    lines, contents = [], []
    for path, content in possible.items():
        entry = entries.get(path)
        if entry is None and path in hidden:
            left_out[path] = "is ignored by git"
        elif entry is None and os.path.lexists(view.work_tree / path):
            left_out[path] = "is not part of the snapshot (too large, or in a repository of its own)"
        else:
            name = blob_name(content, object_format)
            if entry is None or entry[1] != name:
                mode = _mode(view.work_tree / path, settings, entry[0] if entry else None)
                lines.append(os.fsencode(f"{mode} {name} 0\t{path}\0"))
                contents.append(content)
    tree = _tree_with(view, lines, contents) if lines else None
    return tree, tuple(
        LeftOut(path, f"{reason}; its buffer was not taken") for path, reason in sorted(left_out.items())
    )


def _obstacle(root: Path, path: str) -> str | None:
    place = root
    for component in path.split("/"):
        place /= component
        try:
            mode = place.lstat().st_mode
        except OSError:
            return None
        if stat.S_ISLNK(mode):
            return "is a symbolic link" if place == root / path else "lies behind a symbolic link"
    return None if stat.S_ISREG(mode) else "is not a file"


def _entries(view: GitView, paths: Mapping[str, bytes]) -> dict[str, tuple[str, str]]:
    """Return (mode in octal, object) of each of the paths that is in the index."""
    if not paths:
        return {}
    found = {}
    for field in parse.fields(view.git(["ls-files", "-s", "-z", "--", *paths])):
        head, _, path = field.partition("\t")
        mode, name, _stage = head.split(" ")
        found[path] = (mode, name)
    return found


def _mode(path: Path, settings: GitSettings, known: str | None) -> str:
    if settings.file_mode:
        try:
            return "100755" if path.lstat().st_mode & stat.S_IXUSR else "100644"
        except OSError:
            pass
    return known or "100644"


def _tree_with(view: GitView, lines: list[bytes], contents: list[bytes]) -> str:
    """Write the buffers' blobs, and the tree of a copy of the index. The index itself keeps describing the disk."""
    with TemporaryDirectory(dir=view.git_dir) as folder:
        files = []
        for number, content in enumerate(contents):
            file = Path(folder) / str(number)
            file.write_bytes(content)
            files.append(os.fspath(file))
        named = "".join(f"{file}\n" for file in files)
        view.git(["hash-object", "-w", "--no-filters", "--stdin-paths"], input=os.fsencode(named))
        index = Path(folder) / "index"
        if view.index.exists():
            copy_index(view.index, index)
        view.git(["update-index", "--replace", "-z", "--index-info"], input=b"".join(lines), index=index)
        return write_tree(view, index, ["--missing-ok"])
