"""Convert accepted hunks to a WorkspaceEdit for the client that asked, with the versions of the changed texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core import text
from mux_lsp.engine.working_tree import disk
from mux_lsp.lsp.review import overwrite
from mux_lsp.lsp.wire import convert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mux_lsp.engine.review.items import Item, PathPlan
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.lsp.wire.capabilities import EditCapabilities
    from mux_lsp.lsp.wire.documents import Documents


MAX_CARRIED_FILES = 200
"""Maximum number of files that are not open that one edit of a client may change."""


def split(selection: Selection, abilities: EditCapabilities) -> tuple[list[PathPlan], list[PathPlan]]:
    """Split plans into edits for the client, and those that the client cannot apply and that are written to disk.

    If there are very many files, only the open ones go to the client: it would open all of them to change them.
    """
    # A file replaced by a folder, or a folder replaced by a file, must change in one step with its replacement.
    obstacles = [plan.obstacle for plan in selection.plans if plan.obstacle is not None]
    many = len(selection.plans) > MAX_CARRIED_FILES
    carried: list[PathPlan] = []
    written: list[PathPlan] = []
    for plan in selection.plans:
        goes = _carries(plan, abilities) and (plan.live.open or not many)
        (carried if goes and not any(_is_in(path, obstacles) for path in plan.paths) else written).append(plan)
    return carried, written


def _is_in(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _carries(plan: PathPlan, abilities: EditCapabilities) -> bool:
    # Few editors handle a file correctly whose name is not UTF-8.
    if not abilities.edits or any(text.shown_path(path) != path for path in plan.paths):
        return False
    if plan.old_path is not None and not (abilities.rename and _moves_text(plan)):
        return False
    if plan.edits or plan.old_path is not None:
        return plan.entry is not None and plan.live.entry is not None and plan.entry.mode == plan.live.entry.mode
    if plan.entry is None:
        return abilities.delete and plan.live.lines is not None
    # LSP cannot express a byte order mark or an executable bit.
    plain = (
        plan.entry.mode == disk.FILE_MODE
        and plan.lines is not None
        and not plan.entry.content.startswith(b"\xef\xbb\xbf")
    )
    return abilities.create and plan.live.missing and plain


def _moves_text(plan: PathPlan) -> bool:
    """Return whether a moved file is a text that only edits change. A content replaced as a whole has no edits."""
    return plan.live.lines is not None and (bool(plan.edits) or plan.entry == plan.live.entry)


def workspace_edit(
    selection: Selection, plans: list[PathPlan], documents: Documents, abilities: EditCapabilities
) -> types.WorkspaceEdit:
    """Return the edit that carries these plans out."""
    if not abilities.versions:
        return types.WorkspaceEdit(
            changes={documents.uri(selection.root / plan.path): list(_text_edits(plan, documents)) for plan in plans}
        )
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile] = []
    note = selection.run.id if abilities.annotations else None
    taken = overwrite.taken(selection) if abilities.annotations else []
    for plan in plans:
        uri = documents.uri(selection.root / plan.path)
        if plan.old_path is not None:
            # The edits go to the old path, where text and version are known; then the file moves.
            old = documents.uri(selection.root / plan.old_path)
            if plan.edits:
                changes.append(_document_edit(old, plan, documents, taken))
            options = types.RenameFileOptions(overwrite=False, ignore_if_exists=False)
            changes.append(types.RenameFile(old, uri, options=options, annotation_id=note))
            continue
        if plan.entry is None:
            changes.append(
                types.DeleteFile(
                    uri,
                    options=types.DeleteFileOptions(ignore_if_not_exists=False),
                    annotation_id=overwrite.ANNOTATION if overwrite.is_over(plan, taken) else note,
                )
            )
            continue
        if plan.live.missing:
            changes.append(types.CreateFile(uri, options=types.CreateFileOptions(overwrite=False), annotation_id=note))
        changes.append(_document_edit(uri, plan, documents, taken))
    annotations = None
    if note is not None:
        annotations = {note: types.ChangeAnnotation(f"mux: {note}", description=selection.run.agent)}
        if taken:
            annotations[overwrite.ANNOTATION] = overwrite.annotation(selection.run.id, plans, taken)
    return types.WorkspaceEdit(document_changes=changes, change_annotations=annotations)


def _document_edit(uri: str, plan: PathPlan, documents: Documents, taken: Sequence[Item]) -> types.TextDocumentEdit:
    document = documents.get(uri)
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri, document.version if document else None)
    return types.TextDocumentEdit(identifier, overwrite.to_confirm(plan, _text_edits(plan, documents), taken))


def _text_edits(plan: PathPlan, documents: Documents) -> list[types.TextEdit]:
    if plan.live.missing:
        start = types.Position(0, 0)
        return [types.TextEdit(types.Range(start, start), "".join(plan.lines or ()))]
    lines = plan.live.lines or ()
    return [
        types.TextEdit(convert.lines_range(lines, edit.start, edit.end, documents.encoding), edit.text)
        for edit in plan.edits
    ]
