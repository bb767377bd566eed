"""The last look before an edit goes to a client that does not look at versions itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from lsprotocol import types

from mux_lsp.errors import ConflictError
from mux_lsp.lsp.commands import Commands
from mux_lsp.lsp.documents import Documents

if TYPE_CHECKING:
    from mux_lsp.lsp.session import Session


async def test_an_edit_is_not_sent_once_a_text_has_changed() -> None:
    documents = Documents()
    documents.opened(types.TextDocumentItem("file:///nowhere/a", "x", 1, "a"))
    sent: list[types.ApplyWorkspaceEditParams] = []

    async def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        sent.append(params)
        return types.ApplyWorkspaceEditResult(applied=True)

    server = SimpleNamespace(workspace_apply_edit_async=apply)
    session = SimpleNamespace(documents=documents, name="an editor", server=server, engine=None)
    commands = Commands(cast("Session", session))
    versions = documents.versions()
    await commands._have_applied(types.WorkspaceEdit(), versions, "k3f-1")
    assert [params.label for params in sent] == ["mux: accept k3f-1"]
    documents.changed("file:///nowhere/a", 2, [])
    with pytest.raises(ConflictError, match=r"an editor refused the edit .the text changed a moment ago.; nothing"):
        await commands._have_applied(types.WorkspaceEdit(), versions, "k3f-1")
    assert len(sent) == 1
