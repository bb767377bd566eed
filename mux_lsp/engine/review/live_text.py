"""Read what is at a path now, for one client: a buffer, or the file on disk."""

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
    """Gives the live text of a path, for the client that asks."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A snapshot's text with the line ends of a live text, and how the live text differs from it."""

    base: list[str]
    ends: text.LineEndChange | None
    edits: list[diff.Edit]
    placed: dict[tuple[str, str], list[Placement]] = field(default_factory=dict)
    """Where hunks of results stand, by the file they change and what they make of it."""


@dataclass(frozen=True, slots=True)
class LiveText:
    """What is at a path now, for one client. `lines` is None where there is no text: no file, or not a text file."""

    path: str
    lines: tuple[str, ...] | None
    entry: disk.Entry | None
    """What is on disk."""
    unsaved: bool = False
    """Whether `lines` is a buffer that differs from the disk."""
    open: bool = False
    bom: bool = False
    blocked: str | None = None
    """Why nothing can be placed here at all, in words: the path leads through a link, say."""
    obstacle: str | None = None
    """What stands in the way of a file here and must go first: a folder of its name, or a file where its folder is."""
    compared: dict[str, Compared] = field(default_factory=dict, compare=False, repr=False)
    """How it differs from snapshots' texts, by their object names: found once for all runs of a task."""

    @property
    def missing(self) -> bool:
        """Whether there is neither a file nor a buffer."""
        return self.entry is None and self.lines is None


def _live_on_disk(root: Path, path: str) -> LiveText:
    """The live text of a path that no buffer holds."""
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
    """The live text of a path at which this file stands, or none."""
    if entry is None or entry.mode == disk.SYMLINK_MODE:
        return LiveText(path, None, entry)
    decoded = text.decode(entry.content)
    if decoded is None:
        return LiveText(path, None, entry)
    return LiveText(path, tuple(text.split_lines(decoded.text)), entry, bom=decoded.bom)


def read_live_text(root: Path, path: str, buffer: str | None) -> LiveText:
    """The live text of a path, given the buffer of an editor that has it open."""
    on_disk = _live_on_disk(root, path)
    if buffer is None:
        return on_disk
    if on_disk.entry is not None and on_disk.entry.mode == disk.SYMLINK_MODE:
        # What is open is the text of another file.
        return replace(on_disk, unsaved=True, open=True)
    if not buffer and on_disk.missing:
        # An editor was opened for a file that is still to be: nothing stands there.
        return replace(on_disk, open=True)
    lines = tuple(text.split_lines(buffer))
    return replace(on_disk, lines=lines, unsaved=on_disk.lines != lines, open=True, compared={})
