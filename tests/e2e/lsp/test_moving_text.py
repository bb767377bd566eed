"""Test hunks against a text that keeps changing: applied exactly, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pygls.exceptions import JsonRpcException

from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from lsprotocol import types

    from tests.e2e.lsp.client import Editor

EDIT = "sed -i -e 's/^line 5$/five/' -e 's/^line 15$/fifteen/' numbers.txt"


def lines(found: list[types.Diagnostic]) -> list[int]:
    return [one.range.start.line for one in found]


async def test_what_is_typed_above_moves_a_place_and_what_is_typed_below_does_not(editor: Editor) -> None:
    uri = editor.open("numbers.txt")
    task = await editor.done(EDIT)
    assert lines(await editor.shown(uri, lambda found: len(found) == 2)) == [4, 14]
    editor.insert("numbers.txt", "line 1\n", "zero\n")
    editor.insert("numbers.txt", "line 10\n", "nine and a half\r\nand more\n")
    editor.insert("numbers.txt", "line 18\n", "below\n")
    editor.insert("numbers.txt", "line 4\n", "", replacing="line 3\n")
    assert lines(await editor.shown(uri, lambda found: len(found) == 2)) == [4, 16]
    typed = editor.text("numbers.txt")
    await editor.accept("run", run=task.runs[0].id)
    assert editor.text("numbers.txt") == typed.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")


async def test_typing_into_the_place_is_a_conflict_that_says_so_and_changes_nothing(editor: Editor) -> None:
    uri = editor.open("numbers.txt")
    task = await editor.done(EDIT)
    run = task.runs[0].id
    (first, _) = await editor.review("numbers.txt")
    await editor.shown(uri, lambda found: len(found) == 2)
    (stale, *_) = await editor.actions("numbers.txt", 4, "quickfix.mux.accept")
    editor.insert("numbers.txt", "line 5\n", "my own ")
    found = await editor.shown(uri, lambda found: "conflict" in found[0].message)
    assert found[0].message == f"⚠ conflict: line 5 was changed here too · +1 −1 · {run}"  # noqa: RUF001  a minus sign
    typed = editor.text("numbers.txt")

    lens = (await editor.lenses("numbers.txt"))[0].command
    assert lens is not None
    assert lens.title == found[0].message
    (action,) = await editor.actions("numbers.txt", 4, "quickfix.mux.accept")
    assert action.disabled is not None
    assert action.disabled.reason == "conflict: line 5 was changed here too"
    assert (action.edit, action.command) == (None, None)
    assert r"conflict\: line 5 was changed here too" in (await editor.hover("numbers.txt", 4))
    assert (await editor.review("numbers.txt"))[0].reason == "line 5 was changed here too"

    sentence = "Nothing was written, because of a conflict in numbers.txt:5: line 5 was changed here too."
    for what, argument in (
        ("hunk", {"run": run, "hunks": [first.hunk]}),
        ("file", {"run": run, "path": "numbers.txt"}),
        ("run", {"run": run}),
    ):
        with pytest.raises(Refused) as refused:
            await editor.accept(what, **argument)
        assert (refused.value.kind, refused.value.message) == ("conflict", sentence)
    with pytest.raises(Refused) as refused:
        await editor.resolve(stale)
    assert (refused.value.kind, refused.value.message) == ("conflict", sentence)
    assert (editor.edits, editor.text("numbers.txt")) == ([], typed)

    # The other hunk is unaffected, and removing the words resolves the conflict.
    await editor.click("numbers.txt", 14, "Accept")
    assert editor.text("numbers.txt") == typed.replace("line 15\n", "fifteen\n")
    editor.insert("numbers.txt", "line 5\n", "", replacing="my own ")
    assert await editor.statuses("numbers.txt") == ["pending", "applied"]


async def test_a_conflict_in_one_file_keeps_the_whole_run_out(editor: Editor, repository: Path) -> None:
    (repository / "other.txt").write_text(NUMBERS)
    editor.open("numbers.txt")
    task = await editor.done(f"{EDIT}; sed -i 's/^line 2$/two/' other.txt; echo new > new.txt")
    (repository / "other.txt").write_text(NUMBERS.replace("line 2\n", "zwei\n"))
    (repository / "new.txt").write_text("mine\n")
    with pytest.raises(Refused) as refused:
        await editor.accept("run", run=task.runs[0].id)
    assert (refused.value.kind, refused.value.message) == (
        "conflict",
        "Nothing was written, because of a conflict in new.txt: a different file of this name was created here; "
        "other.txt:2: line 2 was changed here too.",
    )
    assert (editor.edits, editor.text("numbers.txt")) == ([], NUMBERS)
    assert (repository / "new.txt").read_text() == "mine\n"


async def test_an_edit_for_an_older_version_is_refused_by_the_client_and_told_as_a_conflict(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(EDIT)
    editor.before_edit = lambda: editor.insert("numbers.txt", "line 1\n", "just now ")
    with pytest.raises(Refused) as refused:
        await editor.accept("run", run=task.runs[0].id)
    assert refused.value.kind == "conflict"
    assert refused.value.message == (
        "test editor refused the edit (version 2 is not 1); nothing was written. Try again."
    )
    assert editor.text("numbers.txt") == "just now " + NUMBERS
    assert await editor.statuses("numbers.txt") == ["pending", "pending"]
    await editor.accept("run", run=task.runs[0].id)
    assert editor.text("numbers.txt").startswith("just now line 1\nline 2\nline 3\nline 4\nfive\n")


async def test_a_resolved_edit_goes_stale_with_its_version(editor: Editor) -> None:
    editor.open("numbers.txt")
    await editor.done(EDIT)
    (action,) = await editor.actions("numbers.txt", 4, "quickfix.mux.accept")
    resolved = await editor.resolve(action)
    assert resolved.edit is not None
    editor.insert("numbers.txt", "line 1\n", "just now ")
    assert editor.apply(resolved.edit) == "version 2 is not 1"
    assert editor.text("numbers.txt") == "just now " + NUMBERS


async def test_a_client_that_fails_on_an_edit_is_a_conflict_too(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(EDIT)
    editor.refuse_edits = JsonRpcException("the buffer is \x1b[31mread-only", -32803)
    with pytest.raises(Refused) as refused:
        await editor.accept("run", run=task.runs[0].id)
    assert refused.value.kind == "conflict"
    assert refused.value.message == (
        "test editor refused the edit (the buffer is read-only); nothing was written. Try again."
    )
    assert await editor.statuses("numbers.txt") == ["pending", "pending"]


async def test_what_goes_to_the_disk_is_taken_back_when_the_client_refuses_the_rest(
    join: Callable[..., Awaitable[Editor]], repository: Path
) -> None:
    editor = await join(resources=False)
    (repository / "gone.txt").write_text("gone\n")
    (repository / "gone.txt").chmod(0o600)
    editor.open("numbers.txt")
    task = await editor.done(f"{EDIT}; echo new > new.txt; rm gone.txt")
    editor.before_edit = lambda: editor.insert("numbers.txt", "line 1\n", "just now ")
    with pytest.raises(Refused, match=r"nothing was written\. Try again\.$"):
        await editor.accept("run", run=task.runs[0].id)
    assert not (repository / "new.txt").exists()
    assert (repository / "gone.txt").read_text() == "gone\n"
    assert (repository / "gone.txt").stat().st_mode & 0o777 == 0o600
    assert editor.text("numbers.txt") == "just now " + NUMBERS
    await editor.accept("run", run=task.runs[0].id)
    assert (repository / "new.txt").read_text() == "new\n"
    assert not (repository / "gone.txt").exists()


async def test_a_closed_file_is_reviewed_against_the_disk_and_an_open_one_against_its_buffer(
    editor: Editor, repository: Path
) -> None:
    task = await editor.done(EDIT)
    run = task.runs[0].id
    (repository / "numbers.txt").write_text("above\n" + NUMBERS)
    assert [item.range.start.line for item in await editor.review(run=run)] == [5, 15]
    editor.open("numbers.txt", "more\nabove\n" + NUMBERS)
    assert [item.range.start.line for item in await editor.review(run=run)] == [6, 16]
    editor.close("numbers.txt")
    assert [item.range.start.line for item in await editor.review(run=run)] == [5, 15]
    # The closed document has no diagnostics left.
    await editor.until(lambda: editor.published[editor.uri("numbers.txt")][1] == [])


async def test_a_file_that_is_open_twice_gets_its_edit_where_it_was_placed_or_none(
    editor: Editor, repository: Path, tmp_path: Path
) -> None:
    """An editor that opens a folder and a link to it has two buffers of one file."""
    (tmp_path / "link").symlink_to(repository)
    first = editor.open("numbers.txt")
    run = (await editor.done(EDIT)).runs[0].id
    second = editor._open((tmp_path / "link" / "numbers.txt").as_uri(), NUMBERS).uri
    editor.insert("numbers.txt", "line 1\n", "three\nmore\nlines\n")
    with pytest.raises(Refused, match=r"open with different texts as \S+ and \S+: close one of them\. Nothing was wr"):
        await editor.accept("run", run=run)
    assert (editor.buffers[first].text, editor.buffers[second].text) == ("three\nmore\nlines\n" + NUMBERS, NUMBERS)
    editor.insert("numbers.txt", NUMBERS, "", replacing="three\nmore\nlines\n")
    await editor.accept("run", run=run)
    after = NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")
    assert (editor.buffers[first].text, editor.buffers[second].text) == (NUMBERS, after)
