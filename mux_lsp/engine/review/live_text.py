"""Read the current text at a path for one client: a buffer, or the file on disk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mux_lsp.core import diff, text
from mux_lsp.engine.working_tree import disk
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mux_lsp.core.placement import Placement

    LiveOf = Callable[[str], "LiveText"]
    """Function that returns the live text of a path, for the client that asks."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Snapshot's text with the line ends of a live text, and the difference between the two."""

    base: list[str]
    ends: text.LineEndChange | None
    edits: list[diff.Edit]
    placed: dict[tuple[str, str], list[Placement]] = field(default_factory=dict)
    """Placements of results' hunks, by the path and blob name of the changed file."""


@dataclass(frozen=True, slots=True)
class LiveText:
    """Current text at a path, for one client. `lines` is None if there is no text: no file, or not a text file."""

    path: str
    lines: tuple[str, ...] | None
    entry: disk.Entry | None
    """Content on disk; None if there is no file."""
    unsaved: bool = False
    """True if `lines` is a buffer that differs from the disk."""
    open: bool = False
    bom: bool = False
    blocked: str | None = None
    """Reason, in words, why nothing can be placed here, such as a path that leads through a link."""
    obstacle: str | None = None
    """Path that is in the way of a file here and must be removed first: a folder of its name, or a file as a folder."""
    compared: dict[str, Compared] = field(default_factory=dict, compare=False, repr=False)
    """Differences from snapshots' texts, by object name: computed once for all runs of a task."""

    @property
    def missing(self) -> bool:
        """True if there is neither a file nor a buffer."""
        return self.entry is None and self.lines is None


def _live_on_disk(root: Path, path: str) -> LiveText:
    """Return the live text of a path that no buffer holds."""
    try:
        entry = disk.read(root, path)
    except ConflictError as error:
        if (found := disk.obstacle(root, path)) is not None:
            return LiveText(path, None, None, obstacle=found)
        return LiveText(path, None, None, blocked=str(error).removesuffix("; nothing was written."))
    if entry is None:
        return LiveText(path, None, None, obstacle=disk.obstacle(root, path))
    return text_of(path, entry)


def text_of(path: str, entry: disk.Entry | None) -> LiveText:
    """Return the live text of a path with this file on disk, or without a file (None)."""
    if entry is None or entry.mode == disk.SYMLINK_MODE:
        return LiveText(path, None, entry)
    decoded = text.decode(entry.content)
    if decoded is None:
        return LiveText(path, None, entry)
    return LiveText(path, tuple(text.split_lines(decoded.text)), entry, bom=decoded.bom)


def read_live_text(root: Path, path: str, buffer: str | None) -> LiveText:
    """Return the live text of a path. `buffer` is the text in an editor that has it open."""
    on_disk = _live_on_disk(root, path)
    if buffer is None:
        return on_disk
    if on_disk.entry is not None and on_disk.entry.mode == disk.SYMLINK_MODE:
        # The editor shows the text of another file.
        return replace(on_disk, unsaved=True, open=True)
    if not buffer and on_disk.missing:
        # An editor was opened for a file that does not exist yet.
        return replace(on_disk, open=True)
    lines = tuple(text.split_lines(buffer))
    return replace(on_disk, lines=lines, unsaved=on_disk.lines != lines, open=True, compared={})
