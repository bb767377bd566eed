"""Accepted hunks as a WorkspaceEdit for the client that asked, with the versions of the texts they were placed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core import text
from mux_lsp.engine import disk
from mux_lsp.lsp import convert
from mux_lsp.lsp.documents import uri_of

if TYPE_CHECKING:
    from mux_lsp.engine.accepting import Selection
    from mux_lsp.engine.review import PathPlan
    from mux_lsp.lsp.documents import Documents


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a client can apply."""

    edits: bool = False
    versions: bool = False
    """documentChanges: edits that name the version of the text they are for."""
    create: bool = False
    delete: bool = False
    annotations: bool = False

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities) -> Abilities:
        """Read them from what the client said at initialize."""
        workspace = capabilities.workspace
        if workspace is None:
            return cls()
        edit = workspace.workspace_edit
        operations = set((edit and edit.resource_operations) or ())
        versions = bool(edit and edit.document_changes)
        return cls(
            edits=bool(workspace.apply_edit),
            versions=versions,
            create=versions and types.ResourceOperationKind.Create in operations,
            delete=versions and types.ResourceOperationKind.Delete in operations,
            annotations=versions and bool(edit and edit.change_annotation_support),
        )


def split(selection: Selection, abilities: Abilities) -> tuple[list[PathPlan], list[PathPlan]]:
    """The plans that go as edits to the client, and those that it cannot carry and that are written to disk."""
    carried = [plan for plan in selection.plans if _carries(plan, abilities)]
    return carried, [plan for plan in selection.plans if plan not in carried]


def _carries(plan: PathPlan, abilities: Abilities) -> bool:
    # Few editors get a file right whose name is not UTF-8.
    if not abilities.edits or text.shown_path(plan.path) != plan.path:
        return False
    if plan.edits:
        return plan.entry is not None and plan.live.entry is not None and plan.entry.mode == plan.live.entry.mode
    if plan.entry is None:
        return abilities.delete and plan.live.lines is not None
    # A byte order mark and an executable bit cannot be said in LSP.
    plain = (
        plan.entry.mode == disk.FILE_MODE
        and plan.lines is not None
        and not plan.entry.content.startswith(b"\xef\xbb\xbf")
    )
    return abilities.create and plan.live.missing and plain


def workspace_edit(
    selection: Selection, plans: list[PathPlan], documents: Documents, abilities: Abilities
) -> types.WorkspaceEdit:
    """The edit that carries these plans out."""
    if not abilities.versions:
        return types.WorkspaceEdit(
            changes={_uri(selection, plan, documents): list(_text_edits(plan, documents)) for plan in plans}
        )
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile] = []
    note = selection.run.id if abilities.annotations else None
    for plan in plans:
        uri = _uri(selection, plan, documents)
        document = documents.get(uri)
        if plan.entry is None:
            changes.append(
                types.DeleteFile(uri, options=types.DeleteFileOptions(ignore_if_not_exists=False), annotation_id=note)
            )
            continue
        if plan.live.missing:
            changes.append(types.CreateFile(uri, options=types.CreateFileOptions(overwrite=False), annotation_id=note))
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri, document.version if document else None)
        changes.append(types.TextDocumentEdit(identifier, list(_text_edits(plan, documents))))
    annotations = None
    if note is not None:
        annotations = {note: types.ChangeAnnotation(f"mux: {note}", description=selection.run.agent)}
    return types.WorkspaceEdit(document_changes=changes, change_annotations=annotations)


def _uri(selection: Selection, plan: PathPlan, documents: Documents) -> str:
    path = selection.root / plan.path
    document = documents.at(path)
    return document.uri if document else uri_of(path)


def _text_edits(plan: PathPlan, documents: Documents) -> list[types.TextEdit]:
    if plan.live.missing:
        start = types.Position(0, 0)
        return [types.TextEdit(types.Range(start, start), "".join(plan.lines or ()))]
    lines = plan.live.lines or ()
    return [
        types.TextEdit(convert.lines_range(lines, edit.start, edit.end, documents.encoding), edit.text)
        for edit in plan.edits
    ]
