"""Test that every acceptance is on record, whoever made it, and whatever happens to the text and the task."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

import pytest
from pygls.exceptions import JsonRpcException

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS, git

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]

FIVE = "sed -i 's/^line 5$/five/' numbers.txt"
FIFTEEN = "sed -i 's/^line 15$/fifteen/' numbers.txt"
ACCEPT = "quickfix.mux.accept"


async def history(editor: Editor, path: str | None = "numbers.txt", **lines: int) -> list[protocol.AcceptanceShape]:
    """Return the acceptances of a file, or of the repository."""
    where = {"repository": editor.folder.as_uri()} if path is None else {"uri": editor.uri(path)}
    return (await editor.command("mux.history.list", protocol.HistoryListResult, **where, **lines)).acceptances


def brief(found: list[protocol.AcceptanceShape]) -> list[tuple[str, str, bool]]:
    return [(one.run, one.cause, one.withdrawn is not None) for one in found]


async def resolve_and_apply(editor: Editor, line: int) -> None:
    """Choose the code action that accepts the hunk at a line: the server only gets the request for the edit."""
    [action] = [one for one in await editor.actions("numbers.txt", line, ACCEPT) if one.command is None]
    resolved = await editor.resolve(action)
    assert resolved.edit is not None
    assert editor.apply(resolved.edit) is None


async def test_a_code_action_is_on_record_with_undo_and_redo(editor: Editor) -> None:
    editor.open("numbers.txt")
    begun = time.time()
    task = await editor.done(f"{FIVE}; {FIFTEEN}", f"{FIVE}; sed -i 1d numbers.txt", "true")
    run = task.runs[0].id
    assert await history(editor) == []
    await resolve_and_apply(editor, 4)
    [one] = await history(editor)
    assert one.model_dump() == {
        "id": one.id,
        "at": pytest.approx((begun + time.time()) / 2, abs=time.time() - begun),
        "withdrawn": None,
        "client": "test editor",
        "person": getpass.getuser(),
        "cause": "accept",
        "repository": editor.folder.as_uri(),
        "task": task.id,
        "run": run,
        "agent": f"sh:{FIVE}; {FIFTEEN}",
        "model": None,
        "prompt": "do it",
        "message": None,
        "agreed": [task.runs[1].id],
        "total": 2,
        "path": "numbers.txt",
        "uri": editor.uri("numbers.txt"),
        "hunk": one.hunk,
        "line": 4,
        "removed": "line 5\n",
        "removed_lines": 1,
        "added": "five\n",
        "added_lines": 1,
        "range": {"start": {"line": 4, "character": 0}, "end": {"line": 5, "character": 0}},
        "partial": False,
    }
    accepted = editor.text("numbers.txt")

    editor.retype("numbers.txt", NUMBERS)
    [undone] = await history(editor)
    assert undone.withdrawn is not None
    assert undone.range is None

    editor.retype("numbers.txt", accepted)
    assert brief(await history(editor)) == [(run, "accept", False), (run, "accept", True)]


async def test_what_a_command_does_is_on_record_once(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, f"{FIVE}; {FIFTEEN}")
    second = task.runs[1].id
    await editor.accept("run", run=second)
    assert brief(await history(editor)) == [(second, "accept", False)] * 2
    # A change that the text already has is not accepted again.
    assert (await editor.accept("run", run=task.runs[0].id)).already == 1
    found = await history(editor)
    assert brief(found) == [(second, "accept", False)] * 2
    assert {one.added: one.agreed for one in found} == {"five\n": [task.runs[0].id], "fifteen\n": []}


async def test_a_command_that_the_editor_refuses_is_not_on_record(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE)
    editor.refuse_edits = JsonRpcException("the buffer is read-only", -32803)
    with pytest.raises(Refused):
        await editor.accept("run", run=task.runs[0].id)
    assert await history(editor) == []
    # Typing the same text later counts as the person's own.
    editor.insert("numbers.txt", "line 6\n", "five\n", replacing="line 5\n")
    assert brief(await history(editor)) == [(task.runs[0].id, "text", False)]


async def test_a_text_that_had_it_from_the_beginning_says_nothing(editor: Editor, repository: Path) -> None:
    task = await editor.done(FIVE)
    (repository / "numbers.txt").write_text(NUMBERS.replace("line 5\n", "five\n"))
    editor.open("numbers.txt")
    assert await editor.statuses("numbers.txt") == ["applied"]
    await editor.lenses("numbers.txt")
    editor.insert("numbers.txt", "line 1\n", "above\n")
    assert await history(editor) == []
    # It can still be lost and regained.
    editor.retype("numbers.txt", NUMBERS)
    await editor.lenses("numbers.txt")
    editor.retype("numbers.txt", NUMBERS.replace("line 5\n", "five\n"))
    assert brief(await history(editor)) == [(task.runs[0].id, "text", False)]


async def test_a_result_that_becomes_what_is_typed_says_nothing(editor: Editor, tmp_path: Path) -> None:
    """An agent at work replaces its hunk with text that the person has typed long before."""
    go = tmp_path / "go"
    editor.open("numbers.txt", NUMBERS.replace("line 5\n", "typed\n"))
    wait = f"until test -e {go}; do sleep 0.05; done"
    task = await editor.start("x", f"{FIVE}; {wait}; sed -i 's/^five$/typed/' numbers.txt", unsaved="none")
    await editor.shown(editor.uri("numbers.txt"), lambda found: len(found) == 1)
    go.touch()
    await editor.ended(task.id)
    await editor.shown(editor.uri("numbers.txt"), lambda found: not found)
    assert await editor.statuses("numbers.txt") == ["applied"]
    assert await history(editor) == []


async def test_what_a_terminal_writes_is_its_doing_and_adds_nothing_elsewhere(join: Join) -> None:
    terminal, editor = await join("terminal", apply=False), await join("other editor")
    editor.open("numbers.txt")
    task = await terminal.done(f"{FIVE}; echo new > new.txt; chmod +x numbers.txt; printf '\\0' > bin")
    run = task.runs[0].id
    await editor.lenses("numbers.txt")
    await terminal.accept("run", run=run)
    expected = {("numbers.txt", "five\n", True), ("numbers.txt", "", False), ("new.txt", "new\n", True)}
    expected.add(("bin", "", False))
    found = await history(terminal, None)
    assert {(one.path, one.added, one.hunk is not None) for one in found} == expected
    assert {(one.client, one.cause, one.run) for one in found} == {("terminal", "accept", run)}

    # The editor reloads the file.
    editor.retype("numbers.txt", NUMBERS.replace("line 5\n", "five\n"))
    await editor.lenses("numbers.txt")
    assert await history(terminal, None) == found

    # Undoing and saving in the editor withdraws it; restoring it in the terminal is another acceptance.
    editor.retype("numbers.txt", NUMBERS)
    editor.save("numbers.txt")
    await editor.lenses("numbers.txt")
    editor.close("numbers.txt")
    await terminal.accept("hunk", run=run, hunks=[one.hunk for one in found if one.added == "five\n"])
    texts = [one for one in await history(terminal) if one.hunk is not None]
    assert [(one.client, one.withdrawn is None) for one in texts] == [("terminal", True), ("terminal", False)]


async def test_one_of_two_clients_that_undoes_does_not_undo_it_for_the_other(join: Join) -> None:
    one, two = await join("one"), await join("two")
    one.open("numbers.txt")
    task = await one.done(FIVE)
    await one.accept("run", run=task.runs[0].id)
    await one.lenses("numbers.txt")
    one.save("numbers.txt")
    two.open("numbers.txt")
    assert brief(await history(two)) == [(task.runs[0].id, "accept", False)]
    one.retype("numbers.txt", NUMBERS)
    assert brief(await history(one)) == [(task.runs[0].id, "accept", False)]
    assert (await history(one))[0].range is None
    assert (await history(two))[0].range is not None
    two.retype("numbers.txt", NUMBERS)
    assert brief(await history(two)) == [(task.runs[0].id, "accept", True)]


async def test_another_variant_takes_the_place_of_the_first(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, "sed -i 's/^line 5$/cinq/' numbers.txt")
    first, second = (run.id for run in task.runs)
    await editor.accept("run", run=first)
    await editor.lenses("numbers.txt")
    editor.retype("numbers.txt", NUMBERS.replace("line 5\n", "cinq\n"))
    assert brief(await history(editor)) == [(second, "text", False), (first, "accept", True)]


async def test_an_edit_that_was_saved_and_closed_at_once_is_on_record(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE)
    await editor.lenses("numbers.txt")
    await resolve_and_apply(editor, 4)
    editor.save("numbers.txt")
    editor.close("numbers.txt")
    assert brief(await history(editor)) == [(task.runs[0].id, "accept", False)]


async def test_lines_are_found_below_what_was_typed_and_in_part(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(
        "sed -i '5a one of three\\ntwo of three\\nthree of three' numbers.txt; sed -i 18d numbers.txt"
    )
    await editor.accept("run", run=task.runs[0].id)
    editor.insert("numbers.txt", "line 1\n", "above\nabove\n")

    async def where(**lines: int) -> list[tuple[int, int, bool]]:
        found = await history(editor, "numbers.txt", **lines)
        return [(one.range.start.line, one.range.end.line, one.partial) for one in found if one.range]

    assert await where(start=7, end=7) == [(7, 10, False)]
    assert await where(start=9, end=12) == [(7, 10, False)]
    assert await where(start=6, end=6) == []
    assert await where(start=10, end=17) == []
    # Both lines around a deletion.
    assert await where(start=18, end=18) == await where(start=19, end=19) == [(19, 19, False)]
    editor.insert("numbers.txt", "two of three\n", "mine\n", replacing="one of three\n")
    assert await where(start=7, end=9) == [(8, 10, True)]
    editor.insert("numbers.txt", "line 16\n", "another line\n")
    assert await where() == [(8, 10, True)]


async def test_history_outlives_its_task(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE)
    await editor.accept("run", run=task.runs[0].id)
    before = await history(editor)
    await editor.command("mux.task.delete", protocol.DeleteResult, id=task.id)
    assert await history(editor) == before
    assert len(before) == 1


async def test_what_cannot_be_asked(editor: Editor, repository: Path) -> None:
    async def refused(**argument: object) -> str:
        with pytest.raises(Refused) as found:
            await editor.command("mux.history.list", protocol.HistoryListResult, **argument)
        assert found.value.kind == "usage"
        return found.value.message

    assert "name its uri" in await refused(start=1)
    assert "untitled:1 is not a file" in await refused(uri="untitled:1")
    assert "start" in await refused(uri=editor.uri("numbers.txt"), start=-1)
    # A missing file has no history, and that is no error.
    assert await history(editor, "nowhere/at/all.txt") == []
    assert git(repository, "status", "--porcelain") == ""
