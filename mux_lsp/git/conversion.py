"""Find the files of the person's index whose blobs may differ from the bytes on disk, because git converts them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.git import parse
from mux_lsp.git.command import git

if TYPE_CHECKING:
    from mux_lsp.git.repository import GitSettings, Repository

_LINE_ENDS = frozenset({"text", "crlf", "eol"})
_CONTENT = frozenset({"filter", "ident", "working-tree-encoding"})
_OFF = frozenset({"unset", "unspecified"})


def converted(repository: Repository, settings: GitSettings, listing: parse.Listing) -> list[parse.IndexEntry]:
    """Return entries whose blob in the person's repository may not be the bytes on disk, possibly more than there are.

    A change of line ends always changes the size, so those files are found by their sizes, without being read.
    """
    if not (settings.converts_line_ends or _has_attributes(repository, settings, listing)):
        return []
    entries = {
        entry.path: entry
        for entry in listing.entries()
        if entry.stage == 0 and entry.mode & 0o170000 == 0o100000 and not entry.skip_worktree
    }
    paths = list(entries)
    output = git(["check-attr", "-z", "--all", "--stdin"], folder=repository.root, input=parse.joined(paths))
    attributes = parse.attributes(output)
    doubtful: set[str] = set()
    by_size: set[str] = set()
    for path in paths:
        on = {name for name, value in attributes.get(path, {}).items() if value not in _OFF}
        if on & _CONTENT:
            doubtful.add(path)
        elif on & _LINE_ENDS or (settings.converts_line_ends and attributes.get(path, {}).get("text") != "unset"):
            by_size.add(path)
    doubtful |= _of_other_size(repository, [entry for path, entry in entries.items() if path in by_size])
    return [entry for path, entry in entries.items() if path in doubtful]


def _has_attributes(repository: Repository, settings: GitSettings, listing: parse.Listing) -> bool:
    places = [
        repository.root / ".gitattributes",
        repository.common_dir / "info" / "attributes",
        settings.attributes_file,
    ]
    if any(place.exists() for place in (*places, Path("/etc/gitattributes"))):
        return True
    return b"/.gitattributes\0" in listing.output


def _of_other_size(repository: Repository, entries: list[parse.IndexEntry]) -> set[str]:
    names = "".join(f"{entry.object}\n" for entry in entries).encode()
    sizes = git(["cat-file", "--batch-check=%(objectsize)"], folder=repository.root, input=names).split(b"\n")
    found = set()
    for entry, size in zip(entries, sizes, strict=False):
        try:
            on_disk = os.lstat(repository.root / entry.path).st_size
        except OSError:
            continue
        if str(on_disk).encode() != size:
            found.add(entry.path)
    return found
