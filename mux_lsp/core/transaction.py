"""The plan of an accept, as the journal keeps it from before the first byte until the accept is whole or undone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mux_lsp.core.model import RootIdentity  # noqa: TC001  (the journal's codec reads the types of fields)


class Phase(StrEnum):
    """How far an accept has come."""

    WRITING = "writing"
    """Files are being written. No editor was asked yet."""
    ASKING = "asking"
    """All files are written, and an editor was asked to apply the rest. Its answer is not known."""
    OFFERED = "offered"
    """An editor has the edit and may apply it without a word. Nothing is written by the daemon."""
    UNDOING = "undoing"
    """The accept was given up, and not all of it could be put back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One path of the working tree. `before` and `after` are digests of what is there; None is nothing.

    A digest is git's mode in octal, a colon, and the SHA-256 of the content (of a link: its target).
    """

    path: str
    before: str | None
    after: str | None
    stage: int = 0
    """The index of its staging folder in `Intent.stages`."""
    made: tuple[str, ...] = ()
    """Folders that are made for it, the outermost first."""


@dataclass(frozen=True, slots=True)
class FolderMode:
    """The permission bits of a folder that a deletion may empty, and that is made again where it is undone."""

    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class Intent:
    """An accept that is under way. It takes no task to be carried out, undone or put on record."""

    id: str
    """Names the staging folders too."""
    root: str
    """The working tree."""
    identity: RootIdentity
    """Another folder of this name is not written."""
    run: str
    client: str
    steps: tuple[Step, ...] = ()
    stages: tuple[str, ...] = ()
    """The folders below the root that have a staging folder, one for each file system. The root is ""."""
    modes: tuple[FolderMode, ...] = ()
    carried: tuple[tuple[str, ...], ...] = ()
    """The keys (see `core.history.Key`) of the changes that an editor was asked to apply."""
    paths: tuple[str, ...] = ()
    """The files of these changes."""
    rows: tuple[tuple[str, ...], ...] = ()
    """The record of acceptance (see `store.acceptances.Row`), one row for each change."""
    keys: tuple[tuple[str, ...], ...] = ()
    """The keys of `rows`, in their order."""
    displaced: tuple[tuple[str, ...], ...] = ()
    """The keys of the changes that are taken out of the text."""
    chosen: tuple[tuple[str, ...], ...] = ()
    """The hunks that were accepted: a path, then ids."""
    discard: tuple[str, ...] = ()
    """The runs that are discarded with it."""
