"""Refuse the paths that must never enter a tree of ours. Pure rules, as strict as git's on every file system.

A result's path is data written by an agent. git itself refuses these names when it checks them out (`verify_path`,
CVE-2014-9390, CVE-2019-1352 and related ones). We refuse them by name when they come in, so that one of them does not
affect the rest of a result.
"""

from __future__ import annotations

import re

_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_DOT_GIT_ON_NTFS = re.compile(r"(\.git|git~1)[ .]*(:.*)?", re.IGNORECASE | re.DOTALL)
STAGING = ".mux-lsp"
"""The folder in the person's working tree in which an accept is staged. It is never part of a snapshot or a result."""

_DOT_GITMODULES = re.compile(
    r"(\.gitmodules|gitmod~[1-4]|gi7eba~[1-9]|gi7eb[0-9a-f]*~[1-9])[ .]*(:.*)?", re.IGNORECASE | re.DOTALL
)


def refusal(path: str, *, symlink: bool = False) -> str | None:
    """Return the reason why `path` is refused, as a phrase, or None. `symlink` is true if it is a symbolic link."""
    if not path or path.startswith("/") or "\0" in path:
        return "is not a path inside the repository"
    for component in path.split("/"):
        if component in {"", ".", ".."}:
            return "leads out of the repository"
        for part in component.split("\\"):
            plain = _IGNORED_BY_HFS.sub("", part)
            if _DOT_GIT_ON_NTFS.fullmatch(part) or _DOT_GIT_ON_NTFS.fullmatch(plain):
                return "is named like git's own folder"
            if plain.casefold() == STAGING:
                return "is named like the folder in which mux-lsp stages what is accepted"
            if symlink and (_DOT_GITMODULES.fullmatch(part) or _DOT_GITMODULES.fullmatch(plain)):
                return "is a symbolic link in place of .gitmodules"
    return None
