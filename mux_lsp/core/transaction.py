"""Define the plan of an accept, which the journal keeps from before the first byte until it is complete or undone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mux_lsp.core.model import RootIdentity  # noqa: TC001  (the journal's codec reads the types of fields)


class Phase(StrEnum):
    """Progress of an accept."""

    WRITING = "writing"
    """Files are being written. No editor was asked yet."""
    ASKING = "asking"
    """All files are written, and an editor was asked to apply the rest. Its answer is not known."""
    OFFERED = "offered"
    """An editor has the edit and may apply it without confirmation. The daemon writes nothing."""
    UNDOING = "undoing"
    """The accept was given up, and part of it could not be put back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One path of the working tree. `before` and `after` are digests of its content; None if there is no file.

    A digest is git's mode in octal, a colon, and the SHA-256 of the content (of a link: its target).
    """

    path: str
    before: str | None
    after: str | None
    stage: int = 0
    """Index of its staging folder in `Intent.stages`."""
    made: tuple[str, ...] = ()
    """Folders that are created for it, the outermost first."""


@dataclass(frozen=True, slots=True)
class FolderMode:
    """Permission bits of a folder that a deletion may empty, for creating it again if the deletion is undone."""

    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class Intent:
    """Accept that is under way. It can be completed, undone or recorded without the task."""

    id: str
    """Also the name of its staging folders."""
    root: str
    """Root folder of the working tree."""
    identity: RootIdentity
    """Another folder of this name is not written to."""
    run: str
    client: str
    steps: tuple[Step, ...] = ()
    stages: tuple[str, ...] = ()
    """Folders below the root that have a staging folder, one per file system. The root is ""."""
    modes: tuple[FolderMode, ...] = ()
    carried: tuple[tuple[str, ...], ...] = ()
    """Keys (see `core.history.ChangeKey`) of the changes that an editor was asked to apply."""
    paths: tuple[str, ...] = ()
    """Files of these changes."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Record of acceptance (see `store.acceptances.Row`), one row per change."""
    keys: tuple[tuple[str, ...], ...] = ()
    """Keys of `rows`, in their order."""
    displaced: tuple[tuple[str, ...], ...] = ()
    """Keys of the changes that are removed from the text."""
    chosen: tuple[tuple[str, ...], ...] = ()
    """Hunks that were accepted: each a path, then ids."""
    discard: tuple[str, ...] = ()
    """Runs that are discarded with it."""
