"""Distinguish damage of a store or an index from git's other errors."""

from __future__ import annotations

import re
from typing import Final

from mux_lsp.errors import GitError, GitStorageError

_SIGNS: Final = re.compile(
    "|".join(
        (
            # Objects.
            r"object file .* is empty",
            r"loose object",
            r"packed object",
            r"unable to unpack",
            r"inflate: ",
            r"bad (tree |blob |commit )?object",
            r"invalid object",
            r"not a (tree|valid) object",
            r"Could not read ",
            r"unable to read ",
            r"unable to stream ",
            r"failed to (unpack tree|read) object",
            r"(Tree|Commit|Blob) not found",
            r"does not point to a valid object",
            r"missing (blob|tree|commit)",
            r"unknown object type",
            r"hash mismatch",
            r"hash-object.*corrupt",
            # Packs.
            r"packfile .*(cannot be|is truncated|claims|does not match|has|is far too short|too small|invalid)",
            r"pack has bad object",
            r"index file .*(is corrupt|is too small|is of version)",
            r"wrong index v2 file size",
            r"non-monotonic index",
            r"pack checksum mismatch",
            # An index of ours.
            r"index file (corrupt|smaller than expected|open failed)",
            r"bad signature 0x",
            r"bad index (file|version)",
            r"unordered stage entries",
            r"malformed (name field|extension)",
            r"unknown index entry format",
            r"null sha1",
            # The store itself.
            r"not a git repository",
            r"bad (numeric )?config",
            r"packed-refs",
            r"reference broken",
            r"unable to resolve reference",
            r"shallow",
            r"cat-file ended while",
            r"has no commit",
        )
    )
)
"""Error texts of git 2.36 and later, in the C locale in which it runs."""

_OF_INDEX: Final = re.compile(
    r"index file (corrupt|smaller than expected|open failed)|bad signature 0x|bad index (file|version)"
    r"|unordered stage entries|malformed (name field|extension)|unknown index entry format|null sha1"
)


class DamageError(GitError):
    """An object or file of the store that is damaged or missing."""


def is_damage(error: BaseException) -> bool:
    """Return whether git has reported damage. A full disk is not damage, whatever git reports about it."""
    if isinstance(error, DamageError):
        return True
    return isinstance(error, GitError) and not isinstance(error, GitStorageError) and bool(_SIGNS.search(str(error)))


def is_index_damage(error: BaseException) -> bool:
    """Return whether the index is damaged, which can be rebuilt from a commit."""
    return is_damage(error) and bool(_OF_INDEX.search(str(error)))
