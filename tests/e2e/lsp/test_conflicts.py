"""Test the resolutions of a conflict with the person's own lines, and the client commands for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from lsprotocol import types

from mux_lsp.lsp import protocol
from tests.e2e.lsp.conftest import NUMBERS
from tests.e2e.lsp.menus import FIVE, ONE, choose, hinted, titles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]


def read(uri: str) -> str:
    """Return the text of a file that is shown to a client without read-only documents."""
    return Path(unquote(uri.removeprefix("file://"))).read_text()


async def test_a_conflict_says_why_and_offers_what_can_be_done(editor: Editor) -> None:
    uri = editor.open("numbers.txt")
    task = await editor.done(FIVE)
    run = task.runs[0].id
    editor.insert("numbers.txt", "line 5\n", "my own ")
    typed = editor.text("numbers.txt")
    why = "line 5 was changed here too"
    await hinted(editor, "numbers.txt", f"⚠ conflict: {why} · {ONE} · {run}", f"{ONE} · {run}")
    assert (await editor.lens_titles("numbers.txt"))[4] == [f"⚠ conflict: {why} · {ONE} · {run}", "Reject"]
    found = await editor.actions("numbers.txt", 4)
    assert titles(found) == [
        f"[Accept {ONE} from {run}: conflict: {why}]",
        f"Take {run}'s lines over yours (loses 1 line: “my own line 5”)",
        f"Insert conflict markers: yours and {run}'s",
        f"Reject {ONE} from {run}",
        f"[Accept all of {run} in this file: 1 change of it in this file is in conflict]",
        f"[Accept all of {run}: 1 change of it in this file is in conflict]",
    ]
    assert [action.is_preferred for action in found] == [None] * 6
    assert (found[0].edit, found[0].command, found[0].data) == (None, None, None)

    # Taking is an edit that must be confirmed, with the lines that it would lose.
    edit = await choose(editor, "numbers.txt", 4, "Take ")
    assert edit is not None
    assert edit.document_changes is not None
    (change,) = edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == 2
    (annotated,) = change.edits
    assert isinstance(annotated, types.AnnotatedTextEdit)
    assert edit.change_annotations is not None
    annotation = edit.change_annotations[annotated.annotation_id]
    assert (annotation.needs_confirmation, annotation.description) == (True, "Loses:\nmy own line 5")
    assert editor.text("numbers.txt") == NUMBERS.replace("line 5\n", "five\n")
    editor.undo()

    await hinted(editor, "numbers.txt", f"⚠ conflict: {why} · {ONE} · {run}", f"{ONE} · {run}")
    edit = await choose(editor, "numbers.txt", 4, "Insert conflict markers")
    assert edit is not None
    assert edit.document_changes is not None
    marked = f"<<<<<<< yours\nmy own line 5\n||||||| snapshot\nline 5\n=======\nfive\n>>>>>>> {run}\n"
    assert editor.text("numbers.txt") == typed.replace("my own line 5\n", marked)
    assert not any(one.needs_confirmation for one in (edit.change_annotations or {}).values()), "nothing is lost"
    editor.undo()
    assert editor.text("numbers.txt") == typed
    assert uri in editor.published


async def test_less_able_clients_get_no_disabled_actions_and_no_annotations(join: Join) -> None:
    plain = await join(disables=False, versions=False, resources=False)
    plain.open("numbers.txt")
    task = await plain.done(FIVE)
    run = task.runs[0].id
    plain.insert("numbers.txt", "line 5\n", "my own ")
    assert titles(await plain.actions("numbers.txt", 4)) == [
        f"Take {run}'s lines over yours (loses 1 line: “my own line 5”)",
        f"Insert conflict markers: yours and {run}'s",
        f"Reject {ONE} from {run}",
    ]
    await choose(plain, "numbers.txt", 4, "Take ")
    (edit,) = plain.edits
    assert (edit.document_changes, edit.change_annotations) == (None, None)
    assert plain.text("numbers.txt") == NUMBERS.replace("line 5\n", "five\n")


@pytest.mark.parametrize("content", [True, False])
async def test_the_three_versions_are_opened_by_a_client_that_can_show_documents(join: Join, content: bool) -> None:
    editor = await join(shows=True, content=content)
    editor.open("numbers.txt")
    task = await editor.done(FIVE)
    run = task.runs[0].id
    editor.insert("numbers.txt", "line 5\n", "my own ")
    await choose(editor, "numbers.txt", 4, "Open the three versions")
    shown = [str(one.uri) for one in editor.shown_documents]
    if content:
        assert shown == [f"mux:/snapshot/{task.id}/numbers.txt", f"mux:/run/{run}/numbers.txt"]
    texts = []
    for uri in shown:
        if content:
            texts.append((await editor.command("mux.document.get", protocol.DocumentResult, uri=uri)).text)
        else:
            texts.append(read(uri))
    result = NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")
    assert texts == [NUMBERS, result], "the third version is what the person has open"
    assert (await editor.lens_titles("numbers.txt"))[4][1:] == ["Merge", "Diff", "Reject"]
    await editor.click("numbers.txt", 4, "Diff")
    assert len(editor.shown_documents) == 3


async def test_commands_of_the_client_come_only_to_those_that_have_them(join: Join) -> None:
    options = {"mux": {"protocol": protocol.PROTOCOL_VERSION, "commands": ["mux.client.merge", "mux.client.other"]}}
    merges, diffs = (
        await join(options=options, shows=True),
        await join(options={"mux": {"commands": ["mux.client.diff"]}}),
    )
    neither = await join(options={"mux": {"protocol": protocol.PROTOCOL_VERSION, "commands": "mux.client.diff"}})
    for editor in (merges, diffs, neither):
        editor.open("numbers.txt")
    task = await merges.done(FIVE)
    run = task.runs[0].id
    for editor in (merges, diffs, neither):
        await editor.shown(editor.uri("numbers.txt"), lambda found: len(found) == 2)
        editor.insert("numbers.txt", "line 5\n", "my own ")

    async def commands(editor: Editor) -> dict[str, str]:
        found = [lens.command for lens in await editor.lenses("numbers.txt") if lens.range.start.line == 4]
        found += [action.command for action in await editor.actions("numbers.txt", 4, "quickfix")]
        return {one.title: one.command for one in found if one is not None}

    everybodys = {"Reject": "mux.hunk.reject", f"Reject {ONE} from {run}": "mux.hunk.reject"}
    plain = {title: name for title, name in (await commands(neither)).items() if not title.startswith("⚠")}
    assert plain == everybodys
    shown = await commands(merges)
    assert shown["Merge"] == shown["Open the three versions"] == "mux.client.merge"
    assert shown["Diff"] == shown[f"Show the diff of {run}"] == "mux.document.show"
    shown = await commands(diffs)
    assert "Open the three versions" not in shown
    assert shown["Diff"] == shown[f"Show the diff of {run}"] == "mux.client.diff"

    (merge,) = await merges.actions("numbers.txt", 4, "quickfix.mux.merge")
    assert merge.command is not None
    (argument,) = merge.command.arguments or ()
    wanted = protocol.ClientMergeParams.model_validate(argument)
    assert (wanted.uri, wanted.run) == (merges.uri("numbers.txt"), run)
    got = [
        (await merges.command("mux.document.get", protocol.DocumentResult, uri=uri)).text
        for uri in (wanted.base, wanted.theirs)
    ]
    assert got == [NUMBERS, NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")]
    (lens,) = [one for one in await diffs.lenses("numbers.txt") if one.command and one.command.title == "Diff"][:1]
    assert lens.command is not None
    (argument,) = lens.command.arguments or ()
    diff = protocol.ClientDiffParams.model_validate(argument)
    shown_diff = await diffs.command("mux.document.get", protocol.DocumentResult, uri=diff.diff)
    assert "-line 5\n+five\n" in shown_diff.text
