"""Read an editor's menus and diagnostics as a person does, and choose from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

if TYPE_CHECKING:
    from tests.e2e.lsp.client import Editor

FIVE = "sed -i -e 's/^line 5$/five/' -e 's/^line 15$/fifteen/' numbers.txt"
CINQ = "sed -i 's/^line 5$/cinq/' numbers.txt"
"""Agents that disagree on a line."""

ONE = "+1 −1"  # noqa: RUF001  a minus sign
"""The counts in the title of a change of one line."""


def span(start: int, end: int, end_character: int = 0) -> types.Range:
    return types.Range(types.Position(start, 0), types.Position(end, end_character))


async def offered(editor: Editor, path: str, at: types.Range, *complaints: types.Diagnostic) -> list[types.CodeAction]:
    """Return the code actions at a range for a client with these diagnostics of other servers."""
    params = types.CodeActionParams(
        types.TextDocumentIdentifier(editor.uri(path)), at, types.CodeActionContext(list(complaints))
    )
    found: Any = await editor.text_document_code_action_async(params) or []
    return [editor.protocol._converter.structure(one, types.CodeAction) for one in found]


def titles(found: list[types.CodeAction]) -> list[str]:
    """Return the titles of a menu; disabled actions are in brackets with their reason."""
    return [f"[{one.title}: {one.disabled.reason}]" if one.disabled else one.title for one in found]


async def choose(editor: Editor, path: str, line: int, title: str) -> types.WorkspaceEdit | None:
    """Choose a code action by the beginning of its title. Return its applied edit, or None if it has a command."""
    (action,) = [one for one in await editor.actions(path, line) if one.title.startswith(title)]
    assert action.disabled is None, action.disabled
    if action.command is not None:
        await editor.carry_out(action.command)
        return None
    edit = (await editor.resolve(action)).edit
    assert edit is not None
    assert editor.apply(edit) is None
    return edit


async def hinted(editor: Editor, path: str, *messages: str) -> list[types.Diagnostic]:
    """Wait until a document's diagnostics have these messages, and return them."""
    return await editor.shown(editor.uri(path), lambda found: [one.message for one in found] == list(messages))
