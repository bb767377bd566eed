"""Test the last check before an edit goes to a client that does not check versions itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from lsprotocol import types

from mux_lsp.core.model import Run, RunState, Task
from mux_lsp.core.placement import LineEdit
from mux_lsp.engine.review.items import PathPlan
from mux_lsp.engine.review.live_text import read_live_text
from mux_lsp.engine.review.selection import Selection
from mux_lsp.engine.review.transactions import Transactions
from mux_lsp.engine.working_tree import disk
from mux_lsp.engine.working_tree.disk import FILE_MODE, Entry
from mux_lsp.errors import ConflictError
from mux_lsp.lsp.commands.accept import Accepting
from mux_lsp.lsp.wire.capabilities import ClientCapabilities, EditCapabilities
from mux_lsp.lsp.wire.documents import Documents
from mux_lsp.store.journal import Journal
from tests.unit.lsp.opening import change_in, open_in

if TYPE_CHECKING:
    from mux_lsp.lsp.client import ClientSession


async def test_an_edit_is_not_sent_once_a_text_has_changed() -> None:
    documents = Documents()
    open_in(documents, "file:///nowhere/a", "a")
    sent: list[types.ApplyWorkspaceEditParams] = []

    async def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        sent.append(params)
        return types.ApplyWorkspaceEditResult(applied=True)

    server = SimpleNamespace(workspace_apply_edit_async=apply)
    session = SimpleNamespace(documents=documents, name="an editor", server=server, engine=None)
    decisions = Accepting(cast("ClientSession", session))
    files = frozenset({Path("/nowhere/a")})
    versions = documents.versions(files)
    # Opening and changing another document does not matter.
    open_in(documents, "file:///nowhere/b", "b")
    await decisions._have_applied(types.WorkspaceEdit(), files, versions, "k3f-1")
    assert [params.label for params in sent] == ["mux: accept k3f-1"]
    change_in(documents, "file:///nowhere/a", 2, [])
    with pytest.raises(ConflictError, match=r"an editor refused the edit .the text changed a moment ago.; nothing"):
        await decisions._have_applied(types.WorkspaceEdit(), files, versions, "k3f-1")
    assert len(sent) == 1


async def test_an_edit_is_not_sent_once_a_file_that_is_not_open_has_changed(tmp_path: Path) -> None:
    """The daemon's own writes go first and may take long; meanwhile somebody saves the other file."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("edited.txt", "tool.sh"):
        (root / name).write_text("a\n")
    sent: list[types.ApplyWorkspaceEditParams] = []

    async def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        sent.append(params)
        return types.ApplyWorkspaceEditResult(applied=True)

    def unsaved(_: Path) -> tuple[dict[str, bytes], tuple[()]]:
        # Called right before the daemon writes.
        (root / "edited.txt").write_text("mine\n")
        return {}, ()

    session = SimpleNamespace(
        documents=Documents(),
        name="an editor",
        capabilities=ClientCapabilities(edits=EditCapabilities(edits=True, versions=True)),
        server=SimpleNamespace(workspace_apply_edit_async=apply),
        keep=lambda work: work,
        unsaved=unsaved,
    )
    journal = Journal(tmp_path / "mux.db")
    review = SimpleNamespace(
        clients=SimpleNamespace(connected=(session,)),
        history=SimpleNamespace(prepare=lambda *_: {}),
        registry=SimpleNamespace(task=lambda _: Task("k3f", "do it", str(root), "", 1.0)),
        hunks=lambda _: None,
        transactions=Transactions(journal, tmp_path, lambda _: None, asyncio.ensure_future),
    )
    session.engine = SimpleNamespace(review=review)
    edited, tool = (
        PathPlan(name, read_live_text(root, name, None), (LineEdit(0, 1, "b\n"),), Entry(mode, b"b\n"), ("b\n",), 1)
        for name, mode in (("edited.txt", FILE_MODE), ("tool.sh", disk.EXECUTABLE_MODE))
    )
    selection = Selection(Run("k3f-1", "k3f", "sh:true", None, RunState.FINISHED), root, (edited, tool), (), 0)
    with pytest.raises(ConflictError, match=r"edited\.txt changed on disk a moment ago; nothing was written"):
        await Accepting(cast("ClientSession", session))._place(selection, ())
    assert sent == []
    assert journal.pending_accepts() == ()
    journal.close()
    assert sorted(path.name for path in root.iterdir()) == ["edited.txt", "tool.sh"]
    assert (root / "edited.txt").read_text() == "mine\n"
    assert (root / "tool.sh").read_text() == "a\n"
