"""Define the position of a hunk in a live text, and the edit that places it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mux_lsp.core.model import Hunk, HunkStatus


class Placement(NamedTuple):
    """Position and status of one hunk in one live text.

    `[start, end)` are live lines: those that it replaces (pending), that it consists of (applied), or that it
    collides with (conflict). They correspond to the base lines `[base_start, base_end)`: the hunk's own, and in a
    conflict also those of the edits that it collides with. `reason` explains a conflict in words.
    """

    hunk: Hunk
    status: HunkStatus
    start: int
    end: int
    base_start: int
    base_end: int
    reason: str | None = None


class LineEdit(NamedTuple):
    """Replacement of the live lines `[start, end)` by `text`."""

    start: int
    end: int
    text: str
