"""Annotate edits that overwrite the person's lines, so that the client asks for confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lsprotocol import types

from mux_lsp.core import diff
from mux_lsp.core.conflict import result_lines
from mux_lsp.core.model import HunkStatus
from mux_lsp.core.sanitize import printable
from mux_lsp.core.text import split_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.conflict import Conflict
    from mux_lsp.core.placement import LineEdit
    from mux_lsp.engine.review.items import Item, PathPlan
    from mux_lsp.engine.review.selection import Selection

ANNOTATION: Final = "mux: over yours"
"""The id of the annotation of edits that overwrite something."""

MAX_LOST_LINES: Final = 20
"""Maximum number of overwritten lines in the annotation."""


def taken(selection: Selection) -> list[Item]:
    """Return the changes of a selection that overwrite the person's lines."""
    if selection.instead_of:
        return []
    return [item for item in selection.placed if item.text_status is HunkStatus.CONFLICT]


def is_over(plan: PathPlan, over: Iterable[Item]) -> bool:
    """Return whether a plan is for the file of one of these items."""
    return any(item.live.path == plan.live.path for item in over)


def to_confirm(
    plan: PathPlan, edits: Sequence[types.TextEdit], over: Sequence[Item]
) -> list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit]:
    """Return the text edits of a plan, annotated where they overwrite something."""
    lossy = [bool(_lost(plan, edit, over)) for edit in plan.edits] if len(plan.edits) == len(edits) else []
    return [
        types.AnnotatedTextEdit(ANNOTATION, edit.range, edit.new_text) if loses else edit
        for edit, loses in zip(edits, lossy or [False] * len(edits), strict=True)
    ]


def annotation(run_id: str, plans: Iterable[PathPlan], over: Sequence[Item]) -> types.ChangeAnnotation:
    """Return the annotation for a run, with the lines that would be lost."""
    lost: list[str] = []
    for plan in plans:
        if plan.entry is None and is_over(plan, over):
            lost += plan.live.lines or ()
        lost += [line for edit in plan.edits for line in _lost(plan, edit, over)]
    shown = "".join(line if line.endswith(("\n", "\r")) else f"{line}\n" for line in lost[:MAX_LOST_LINES])
    more = f"… and {len(lost) - MAX_LOST_LINES} more" if len(lost) > MAX_LOST_LINES else ""
    return types.ChangeAnnotation(
        f"mux: {run_id} over yours", needs_confirmation=True, description=printable(f"Loses:\n{shown}{more}").rstrip()
    )


def lost_lines(item: Item, stretch: Conflict) -> list[str]:
    """Return the live lines of a stretch that would be lost if the result's lines replaced it."""
    live = list((item.live.lines or ())[stretch.start : stretch.end])
    if item.placement is None:
        coming = [line for hunk in stretch.hunks for line in hunk.added]
    else:
        coming = list(result_lines(item.live.compared[item.review.change.old_object].base, stretch))
    return _gone(live, coming)


def _lost(plan: PathPlan, edit: LineEdit, over: Sequence[Item]) -> list[str]:
    """Return the person's lines that an edit removes."""
    if not any(item.live.path == plan.live.path and item.start <= edit.end and edit.start <= item.end for item in over):
        return []
    return _gone(list((plan.live.lines or ())[edit.start : edit.end]), split_lines(edit.text))


def _gone(before: list[str], after: list[str]) -> list[str]:
    """Return the lines of one text that are not in the other."""
    return [line for change in diff.diff_lines(before, after) for line in before[change.start : change.end]]
