"""Test deciding on variants of several runs, and on conflicts with the person's words: switch, take, mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

FIVE = "sed -i -e 's/^line 5$/five/' -e 's/^line 15$/fifteen/' numbers.txt"
CINQ = "sed -i 's/^line 5$/cinq/' numbers.txt"


async def test_switching_from_one_variant_to_another_and_back_is_one_edit_each(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, CINQ)
    one, other = (run.id for run in task.runs)
    editor.insert("numbers.txt", "line 1\n", "zero\n")
    typed = editor.text("numbers.txt")
    await editor.accept("run", run=one)
    with_one = editor.text("numbers.txt")
    (cinq,) = await editor.review("numbers.txt", other)
    assert (cinq.status, cinq.resolutions) == ("conflict", ["instead", "take", "mark"])
    assert [item.resolutions for item in await editor.review("numbers.txt", one)] == [[], []]

    editor.edits.clear()
    answer = await editor.accept("hunk", run=other, hunks=[cinq.hunk], mode="instead")
    assert (answer.accepted, answer.instead_of, answer.marked) == (1, [one], 0)
    assert len(editor.edits) == 1
    assert editor.text("numbers.txt") == typed.replace("line 5\n", "cinq\n").replace("line 15\n", "fifteen\n")
    assert await editor.statuses("numbers.txt", other) == ["applied"]
    assert await editor.statuses("numbers.txt", one) == ["conflict", "applied"]

    five = (await editor.review("numbers.txt", one))[0].hunk
    await editor.accept("hunk", run=one, hunks=[five], mode="instead")
    assert editor.text("numbers.txt") == with_one


async def test_a_whole_run_takes_the_place_of_another(editor: Editor, repository: Path) -> None:
    editor.open("numbers.txt")
    task = await editor.done(
        f"{CINQ}; echo one > made.txt; printf '\\000\\001' > made.bin",
        f"{FIVE}; echo two > made.txt; printf '\\000\\002' > made.bin",
    )
    one, other = (run.id for run in task.runs)
    await editor.accept("run", run=one)
    assert (repository / "made.bin").read_bytes() == b"\0\1"
    editor.save("numbers.txt")
    editor.save("made.txt")
    with pytest.raises(Refused) as refused:
        await editor.accept("run", run=other)
    assert refused.value.kind == "conflict"
    answer = await editor.accept("run", run=other, mode="instead")
    assert (answer.accepted, answer.instead_of) == (4, [one])
    assert editor.text("numbers.txt") == NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")
    assert editor.text("made.txt") == "two\n"
    assert (repository / "made.bin").read_bytes() == b"\0\2"


async def test_the_words_of_the_person_are_not_switched_away(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, CINQ)
    editor.insert("numbers.txt", "line 5\n", "my own ")
    typed = editor.text("numbers.txt")
    for run in task.runs:
        with pytest.raises(Refused) as refused:
            await editor.accept("run", run=run.id, mode="instead")
        assert refused.value.message == (
            "Nothing was written, because of a conflict in numbers.txt:5: line 5 was changed here too."
        )
    assert editor.text("numbers.txt") == typed


async def test_taking_has_the_lines_of_the_run_and_an_undo_has_them_back(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE)
    run = task.runs[0].id
    editor.insert("numbers.txt", "line 5\n", "my own ")
    typed = editor.text("numbers.txt")
    (five, _) = await editor.review("numbers.txt")
    assert (five.status, five.resolutions) == ("conflict", ["take", "mark"])
    answer = await editor.accept("file", run=run, path="numbers.txt", mode="take")
    assert answer.accepted == 2
    assert editor.text("numbers.txt") == NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")
    assert await editor.statuses("numbers.txt") == ["applied", "applied"]
    editor.retype("numbers.txt", typed)
    assert await editor.statuses("numbers.txt") == ["conflict", "pending"]


async def test_marking_shows_both_and_decides_nothing(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE)
    run = task.runs[0].id
    editor.insert("numbers.txt", "line 5\n", "my own ")
    typed = editor.text("numbers.txt")
    (five, _) = await editor.review("numbers.txt")
    answer = await editor.accept("hunk", run=run, hunks=[five.hunk], mode="mark")
    assert (answer.accepted, answer.marked, answer.files) == (0, 1, ["numbers.txt"])
    marked = f"<<<<<<< yours\nmy own line 5\n||||||| snapshot\nline 5\n=======\nfive\n>>>>>>> {run}\n"
    assert editor.text("numbers.txt") == typed.replace("my own line 5\n", marked)
    assert await editor.statuses("numbers.txt") == ["conflict", "pending"]
    (still, _) = await editor.review("numbers.txt")
    assert still.reason == "what stands between conflict markers here has to be decided first"
    # Decided by hand in favour of the run.
    editor.retype("numbers.txt", editor.text("numbers.txt").replace(marked, "five\n"))
    assert await editor.statuses("numbers.txt") == ["applied", "pending"]


async def test_what_was_created_here_too(editor: Editor, repository: Path) -> None:
    task = await editor.done("echo theirs > new.txt")
    run = task.runs[0].id
    (repository / "new.txt").write_text("mine\n")
    editor.open("new.txt", "mine, unsaved\n")
    (item,) = await editor.review("new.txt")
    assert item.resolutions == ["take", "mark"]
    await editor.accept("hunk", run=run, hunks=[item.hunk], mode="mark")
    assert editor.text("new.txt") == (
        f"<<<<<<< yours\nmine, unsaved\n||||||| snapshot\n=======\ntheirs\n>>>>>>> {run}\n"
    )
    await editor.accept("hunk", run=run, hunks=[item.hunk], mode="take")
    assert editor.text("new.txt") == "theirs\n"
    assert (repository / "new.txt").read_text() == "mine\n"


async def test_a_file_with_unsaved_text_is_not_deleted(editor: Editor, repository: Path) -> None:
    editor.open("numbers.txt")
    task = await editor.done("rm numbers.txt")
    editor.insert("numbers.txt", "line 1\n", "my own ")
    (item,) = await editor.review("numbers.txt")
    assert (item.status, item.resolutions) == ("conflict", [])
    with pytest.raises(Refused) as refused:
        await editor.accept("file", run=task.runs[0].id, path="numbers.txt", mode="take")
    assert refused.value.message == (
        "numbers.txt is open with unsaved changes that would be lost: save it first. Nothing was written."
    )
    editor.save("numbers.txt")
    assert (await editor.review("numbers.txt"))[0].resolutions == ["take"]
    await editor.accept("file", run=task.runs[0].id, path="numbers.txt", mode="take")
    assert not (repository / "numbers.txt").exists()


async def test_a_client_without_edits_has_it_on_disk(join: Callable[..., Awaitable[Editor]], repository: Path) -> None:
    plain = await join(apply=False)
    task = await plain.done(FIVE, CINQ)
    one, other = (run.id for run in task.runs)
    await plain.accept("run", run=one)
    answer = await plain.accept("file", run=other, path="numbers.txt", mode="instead")
    assert answer.instead_of == [one]
    expected = NUMBERS.replace("line 5\n", "cinq\n").replace("line 15\n", "fifteen\n")
    assert (repository / "numbers.txt").read_text() == expected
