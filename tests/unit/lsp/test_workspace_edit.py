"""Test which changes go to a client as an edit, in the form that it supports, and which go to the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lsprotocol import types

from mux_lsp.core.model import Run, RunState
from mux_lsp.core.placement import LineEdit
from mux_lsp.engine.review.items import PathPlan
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.review.selection import Selection
from mux_lsp.engine.working_tree.disk import EXECUTABLE_MODE, FILE_MODE, SYMLINK_MODE, Entry
from mux_lsp.lsp.review.workspace_edit import split, workspace_edit
from mux_lsp.lsp.wire.capabilities import EditCapabilities
from mux_lsp.lsp.wire.documents import Documents, uri_of
from tests.unit.lsp.opening import open_in

ROOT = Path("/nowhere/repository")
ALL = EditCapabilities(edits=True, versions=True, create=True, rename=True, delete=True, annotations=True)
FILE = Entry(FILE_MODE, b"a\nb\n")
LIVE = LiveText("a.txt", ("a\n", "b\n"), FILE)
NOTHING = LiveText("a.txt", None, None)

EDITED = PathPlan("edited.txt", LIVE, (LineEdit(1, 2, "B\n"),), Entry(FILE_MODE, b"a\nB\n"), ("a\n", "B\n"), 1)
CREATED = PathPlan("new.txt", NOTHING, (), Entry(FILE_MODE, b"x\ny"), ("x\n", "y"), 1)
DELETED = PathPlan("gone.txt", LIVE, accepted=1)
TOOL = replace(EDITED, path="tool.sh", entry=Entry(EXECUTABLE_MODE, b"a\nB\n"))
NEW_TOOL = replace(CREATED, path="new.sh", entry=Entry(EXECUTABLE_MODE, b"x\ny"))
NEW_MARKED = replace(CREATED, path="bom.txt", entry=Entry(FILE_MODE, b"\xef\xbb\xbfx\ny"))
BINARY = PathPlan(
    "data.bin", LiveText("a.txt", None, Entry(FILE_MODE, b"\0")), entry=Entry(FILE_MODE, b"\0\1"), accepted=1
)
NEW_BINARY = replace(BINARY, path="new.bin", live=NOTHING)
GONE_BINARY = replace(BINARY, path="gone.bin", entry=None)
LINK = PathPlan("link", NOTHING, entry=Entry(SYMLINK_MODE, b"x"), accepted=1)
EMPTY = PathPlan("empty.txt", NOTHING, entry=Entry(FILE_MODE, b""), accepted=1)
UNSAVED_ONLY = replace(EDITED, path="unborn.txt", live=LiveText("a.txt", LIVE.lines, None, unsaved=True, open=True))
ODD_NAME = replace(EDITED, path="caf\udce9.txt")
MOVED = PathPlan("moved.txt", LIVE, (), FILE, LIVE.lines, 1, old_path="a.txt")
MOVED_AND_EDITED = replace(EDITED, path="moved/too.txt", old_path="a.txt")
MOVED_TOOL = replace(TOOL, path="moved.sh", old_path="a.txt")
MOVED_BINARY = replace(BINARY, path="moved.bin", old_path="a.txt")
MOVED_AS_ANOTHER = replace(MOVED, path="moved.bom", entry=Entry(FILE_MODE, b"\xef\xbb\xbfa\nb\n"))
MOVED_UNSAVED_ONLY = replace(UNSAVED_ONLY, path="born.txt", old_path="a.txt")
MOVED_FROM_ODD_NAME = replace(MOVED, path="cafe.txt", old_path="caf\udce9.txt")
PLANS = (
    EDITED, CREATED, DELETED, TOOL, NEW_TOOL, NEW_MARKED, BINARY, NEW_BINARY, GONE_BINARY, LINK, EMPTY, UNSAVED_ONLY,
    ODD_NAME, MOVED, MOVED_AND_EDITED, MOVED_TOOL, MOVED_BINARY, MOVED_AS_ANOTHER, MOVED_UNSAVED_ONLY,
    MOVED_FROM_ODD_NAME,
)  # fmt: skip


def selection(*plans: PathPlan) -> Selection:
    return Selection(Run("k3f-1", "k3f", "sh:true", None, RunState.FINISHED), ROOT, plans, (), 0)


def documents(*paths: str, version: int = 5) -> Documents:
    found = Documents()
    for path in paths:
        open_in(found, uri_of(ROOT / path), "a\nb\n", version)
    return found


@pytest.mark.parametrize(
    ("able", "carried"),
    [
        (EditCapabilities(), set()),
        (EditCapabilities(edits=True), {"edited.txt"}),
        (EditCapabilities(edits=True, versions=True), {"edited.txt"}),
        (EditCapabilities(edits=True, versions=True, create=True), {"edited.txt", "new.txt"}),
        (EditCapabilities(edits=True, versions=True, delete=True), {"edited.txt", "gone.txt"}),
        (EditCapabilities(edits=True, versions=True, rename=True), {"edited.txt", "moved.txt", "moved/too.txt"}),
        (ALL, {"edited.txt", "new.txt", "gone.txt", "moved.txt", "moved/too.txt"}),
    ],
)
def test_a_client_gets_what_it_can_carry_and_the_disk_the_rest(able: EditCapabilities, carried: set[str]) -> None:
    mine, others = split(selection(*PLANS), able)
    assert {plan.path for plan in mine} == carried
    assert sorted(plan.path for plan in [*mine, *others]) == sorted(plan.path for plan in PLANS)


def test_edits_name_the_version_they_are_for() -> None:
    edit = workspace_edit(selection(EDITED), [EDITED], documents("edited.txt"), ALL)
    assert edit.changes is None
    assert edit.document_changes == [
        types.TextDocumentEdit(
            types.OptionalVersionedTextDocumentIdentifier(uri_of(ROOT / "edited.txt"), 5),
            [types.TextEdit(types.Range(types.Position(1, 0), types.Position(2, 0)), "B\n")],
        )
    ]
    closed = workspace_edit(selection(EDITED), [EDITED], documents(), ALL).document_changes
    assert closed is not None
    assert isinstance(closed[0], types.TextDocumentEdit)
    assert closed[0].text_document.version is None


def test_a_client_without_versions_gets_plain_changes() -> None:
    edit = workspace_edit(selection(EDITED), [EDITED], documents("edited.txt"), EditCapabilities(edits=True))
    assert (edit.document_changes, edit.change_annotations) == (None, None)
    assert edit.changes is not None
    assert list(edit.changes) == [uri_of(ROOT / "edited.txt")]


def test_an_open_document_is_named_as_its_client_names_it() -> None:
    found = Documents()
    uri = "file:///nowhere/repository/%65dited.txt"
    open_in(found, uri, "a\nb\n")
    edit = workspace_edit(selection(EDITED), [EDITED], found, EditCapabilities(edits=True))
    assert list(edit.changes or ()) == [uri]


def test_files_come_and_go_with_a_note_of_whose_they_are() -> None:
    edit = workspace_edit(selection(CREATED, DELETED), [CREATED, DELETED], documents(), ALL)
    create, fill, delete = edit.document_changes or ()
    assert isinstance(create, types.CreateFile)
    assert isinstance(fill, types.TextDocumentEdit)
    assert isinstance(delete, types.DeleteFile)
    assert (create.uri, create.options, create.annotation_id) == (
        uri_of(ROOT / "new.txt"),
        types.CreateFileOptions(overwrite=False),
        "k3f-1",
    )
    assert fill.edits[0] == types.TextEdit(types.Range(types.Position(0, 0), types.Position(0, 0)), "x\ny")
    assert (delete.uri, delete.annotation_id) == (uri_of(ROOT / "gone.txt"), "k3f-1")
    assert edit.change_annotations == {"k3f-1": types.ChangeAnnotation("mux: k3f-1", description="sh:true")}
    plain = workspace_edit(selection(CREATED), [CREATED], documents(), replace(ALL, annotations=False))
    assert plain.change_annotations is None


def test_a_file_that_moves_is_edited_at_its_old_place_first() -> None:
    opened = Documents()
    uri = "file:///nowhere/repository/%61.txt"
    open_in(opened, uri, "a\nb\n", 7)
    edit = workspace_edit(selection(MOVED_AND_EDITED), [MOVED_AND_EDITED], opened, ALL)
    assert edit.document_changes == [
        types.TextDocumentEdit(
            types.OptionalVersionedTextDocumentIdentifier(uri, 7),
            [types.TextEdit(types.Range(types.Position(1, 0), types.Position(2, 0)), "B\n")],
        ),
        types.RenameFile(
            uri,
            uri_of(ROOT / "moved" / "too.txt"),
            options=types.RenameFileOptions(overwrite=False, ignore_if_exists=False),
            annotation_id="k3f-1",
        ),
    ]
    (pure,) = workspace_edit(selection(MOVED), [MOVED], opened, ALL).document_changes or ()
    assert isinstance(pure, types.RenameFile)
    assert (pure.old_uri, pure.new_uri) == (uri, uri_of(ROOT / "moved.txt"))


@pytest.mark.parametrize(
    ("obstacle", "away", "coming"),
    [
        # A folder is replaced with a file, a file with a folder; a file moves into a folder of its own name.
        ("one", replace(DELETED, path="one/x"), replace(CREATED, path="one", obstacle="one")),
        ("one", replace(DELETED, path="one"), replace(CREATED, path="one/x", obstacle="one")),
        ("one", replace(DELETED, path="one/y"), replace(MOVED, path="one", old_path="one/x", obstacle="one")),
    ],
)
def test_what_makes_way_and_what_comes_there_goes_to_the_disk_in_one(
    obstacle: str, away: PathPlan, coming: PathPlan
) -> None:
    beside = replace(CREATED, path=f"{obstacle}.txt")
    carried, written = split(selection(away, beside, coming), ALL)
    assert (carried, written) == ([beside], [away, coming])


@pytest.mark.parametrize(
    ("workspace", "able"),
    [
        (None, EditCapabilities()),
        (types.WorkspaceClientCapabilities(), EditCapabilities()),
        (types.WorkspaceClientCapabilities(apply_edit=True), EditCapabilities(edits=True)),
        # Creating a file requires documentChanges.
        (
            types.WorkspaceClientCapabilities(
                apply_edit=True,
                workspace_edit=types.WorkspaceEditClientCapabilities(
                    resource_operations=[types.ResourceOperationKind.Create, types.ResourceOperationKind.Rename]
                ),
            ),
            EditCapabilities(edits=True),
        ),
        (
            types.WorkspaceClientCapabilities(
                apply_edit=True,
                workspace_edit=types.WorkspaceEditClientCapabilities(
                    document_changes=True,
                    resource_operations=list(types.ResourceOperationKind),
                    change_annotation_support=types.ChangeAnnotationsSupportOptions(),
                ),
            ),
            ALL,
        ),
    ],
)
def test_abilities_are_read_from_the_capabilities(
    workspace: types.WorkspaceClientCapabilities | None, able: EditCapabilities
) -> None:
    assert EditCapabilities.of(types.ClientCapabilities(workspace=workspace)) == able
