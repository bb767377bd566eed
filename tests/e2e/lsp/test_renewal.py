"""Test continuing an agent from its own result, synced with the person's present changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

# The first prompt makes it change a line; any further one makes it record the prompt and the files that it sees.
AGENT = (
    'if grep -q "do it" "$MUX_PROMPT_FILE"; then sed -i "s/^line 5$/five/" numbers.txt; '
    'else cat "$MUX_PROMPT_FILE" numbers.txt > seen.txt; fi'
)


async def go_on(editor: Editor, run: str, up_to_date: str | None) -> protocol.RunShape:
    started = await editor.command(
        "mux.run.continue", protocol.RunResult, run=run, message="Look again.", up_to_date=up_to_date
    )
    task = await editor.ended(started.run.task)
    return next(one for one in task.runs if one.id == run)


async def test_the_agent_goes_on_in_what_the_person_has_by_now(editor: Editor, repository: Path) -> None:
    editor.open("numbers.txt")
    run = (await editor.done(AGENT)).runs[0].id
    (repository / "saved.txt").write_text("saved\n")
    editor.insert("numbers.txt", "line 1\n", "unsaved\n")
    seen = await go_on(editor, run, "own")
    assert seen.state == "finished"
    assert {file.path for file in seen.files} == {"numbers.txt", "seen.txt"}
    accepted = await editor.accept("run", run=run)
    assert accepted.files == ["numbers.txt", "seen.txt"]
    now = editor.text("numbers.txt")
    assert now == ("unsaved\n" + NUMBERS).replace("line 5\n", "five\n")
    assert editor.text("seen.txt").startswith("Look again.\n\nYour files have been brought up to")
    assert editor.text("seen.txt").endswith(now)
    assert (repository / "numbers.txt").read_text() == NUMBERS
    assert (repository / "saved.txt").read_text() == "saved\n"


async def test_what_collides_is_told_and_marked(editor: Editor) -> None:
    editor.open("numbers.txt")
    run = (await editor.done(AGENT)).runs[0].id
    editor.insert("numbers.txt", "line 5\n", "my ")
    ended = await go_on(editor, run, "own")
    assert (ended.state, ended.reason) == ("finished", "conflict markers are left in numbers.txt")
    (told,) = [item for item in await editor.review(run=run) if item.path == "seen.txt"]
    assert "Resolve the conflict markers in them:\n- numbers.txt\n" in told.added
    mine = f"my line 5\n>>>>>>> refs/mux/snapshots/{run}.1\n"
    assert f"<<<<<<< refs/mux/results/{run}\nfive\n=======\n{mine}" in told.added


async def test_without_it_nothing_of_the_persons_is_there(editor: Editor) -> None:
    editor.open("numbers.txt")
    run = (await editor.done(AGENT)).runs[0].id
    editor.insert("numbers.txt", "line 1\n", "unsaved\n")
    await go_on(editor, run, None)
    (told,) = [item for item in await editor.review(run=run) if item.path == "seen.txt"]
    assert told.added == "Look again." + NUMBERS.replace("line 5\n", "five\n")


async def test_a_run_at_work_cannot_be_brought_up_to_date(editor: Editor) -> None:
    run = (await editor.start("do it", "sleep 1000")).runs[0].id
    with pytest.raises(Refused) as refused:
        await go_on(editor, run, "saved")
    assert refused.value.kind == "usage"
    await editor.command("mux.run.cancel", protocol.RunResult, run=run)
