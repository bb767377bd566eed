"""Test the terminal beside an editor: one person, one daemon, and unsaved text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.cli.terminal import files
from tests.support.editor import Editor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.cli.terminal import Terminal


@pytest.fixture
def editor(terminal: Terminal) -> Iterator[Editor]:
    """Yield an editor that has typed in `notes.txt` and not saved."""
    with Editor(terminal.home) as editor:
        root = terminal.folder.as_uri()
        folders = [{"uri": root, "name": "project"}]
        editor.request(
            "initialize", {"processId": None, "rootUri": root, "workspaceFolders": folders, "capabilities": {}}
        )
        editor.notify("initialized", {})
        text = "typed, not saved\n" + (terminal.folder / "notes.txt").read_text()
        document = {"uri": f"{root}/notes.txt", "languageId": "text", "version": 1, "text": text}
        editor.notify("textDocument/didOpen", {"textDocument": document})
        # The answer to a later request shows that it has been processed.
        editor.request("workspace/executeCommand", {"command": "mux.status", "arguments": [{}]})
        yield editor


@pytest.mark.usefixtures("editor")
def test_agents_see_what_is_not_saved_unless_told_otherwise(terminal: Terminal) -> None:
    task = terminal.run("x", "-a", "sh:head -n 1 notes.txt")["id"]
    assert terminal.ok("log", task) == "typed, not saved\n"
    task = terminal.run("x", "-a", "sh:head -n 1 notes.txt", "--saved")["id"]
    assert terminal.ok("log", task) == "line 1 unstaged\n"


@pytest.mark.usefixtures("editor")
def test_an_editors_unsaved_text_is_not_written_over(terminal: Terminal) -> None:
    run = terminal.run("x", "-a", "sh:sed -i 's/^line 10$/LINE TEN/' notes.txt", "--saved")["id"]
    before = files(terminal.folder)
    done = terminal("accept", run)
    assert (done.status, done.raw) == (3, b"")
    assert "notes.txt" in done.err
    assert "unsaved" in done.err
    assert files(terminal.folder) == before


@pytest.mark.usefixtures("editor")
def test_status_counts_the_editor_and_not_itself(terminal: Terminal) -> None:
    assert "1 connected client" in terminal.ok("status")
