"""Define where a hunk stands in a live text, and the edit that puts it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mux_lsp.core.model import Hunk, HunkStatus


class Placement(NamedTuple):
    """Where one hunk stands to one live text.

    `[start, end)` are live lines: those it replaces (pending), those that are it (applied), those it collides with
    (conflict). They stand for the base lines `[base_start, base_end)`: the hunk's own, and in a conflict those of the
    edits that it collides with as well. `reason` says in words why it is a conflict.
    """

    hunk: Hunk
    status: HunkStatus
    start: int
    end: int
    base_start: int
    base_end: int
    reason: str | None = None


class LineEdit(NamedTuple):
    """The live lines `[start, end)` become `text`."""

    start: int
    end: int
    text: str
