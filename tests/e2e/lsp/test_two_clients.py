"""Test two editors on one repository: each has its own live text, and each is notified of the other's decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]

EDIT = "sed -i -e 's/^line 5$/five/' -e 's/^line 15$/fifteen/' numbers.txt"


async def log_of(editor: Editor, run: str) -> str:
    return (await editor.command("mux.run.log", protocol.RunLogResult, run=run)).text


async def test_each_has_its_own_text_and_statuses(join: Join) -> None:
    one, two = await join("one"), await join("two")
    uri = one.open("numbers.txt")
    two.open("numbers.txt", "above\n" + NUMBERS.replace("line 15\n", "mine\n"))
    task = await one.done(EDIT)
    run = task.runs[0].id
    # The last notification about a run: its worktree is free again.
    await one.until(lambda: one.runs[run].finished and one.runs[run].worktree is None)
    await two.until(lambda: two.runs[run].finished and two.runs[run].worktree is None)
    assert two.runs[run] == one.runs[run]

    def places(items: list[protocol.ReviewItem]) -> list[tuple[int, str]]:
        return [(item.range.start.line, item.status) for item in items]

    assert places(await one.review("numbers.txt")) == [(4, "pending"), (14, "pending")]
    assert places(await two.review("numbers.txt")) == [(5, "pending"), (15, "conflict")]
    await one.accept("run", run=run)
    assert places(await one.review("numbers.txt")) == [(4, "applied"), (14, "applied")]
    assert places(await two.review("numbers.txt")) == [(5, "pending"), (15, "conflict")]
    assert two.text("numbers.txt") == "above\n" + NUMBERS.replace("line 15\n", "mine\n")

    # A rejection is the person's, not the editor's.
    told = len(two.told_of(protocol.ReviewChangedParams))
    answer = await one.reject("run", run=run)
    assert (answer.rejected, answer.applied) == (0, 2)
    await two.shown(uri, lambda found: not found)
    assert [one.uris for one in two.told_of(protocol.ReviewChangedParams)[told:]] == [[uri]]
    assert await two.lenses("numbers.txt") == []
    assert await two.statuses("numbers.txt") == ["rejected", "rejected"]
    assert await one.statuses("numbers.txt") == ["applied", "applied"]


async def test_whose_unsaved_buffers_agents_see(join: Join, repository: Path) -> None:
    one, two = await join("one"), await join("two")
    (repository / "other.txt").write_text("other\n")
    one.open("numbers.txt", "of one\n" + NUMBERS)
    two.open("other.txt", "of two\nother\n")
    await two.review("other.txt")  # the daemon has it by now: each client has a connection of its own
    for unsaved, seen in {
        "own": ["of one", "other"],
        "all": ["of one", "of two"],
        "none": ["line 1", "other"],
    }.items():
        task = await one.done("head -n 1 numbers.txt; head -n 1 other.txt", unsaved=unsaved)
        assert (await log_of(one, task.runs[0].id)).split("\n") == [*seen, ""]

    two.open("numbers.txt", "of two\n" + NUMBERS)
    await two.review("numbers.txt")
    with pytest.raises(Refused) as refused:
        await one.start("do it", "true", unsaved="all")
    assert refused.value.kind == "usage"
    assert refused.value.message == (
        "numbers.txt has different unsaved changes in one and in two: save it in one of them, or start the task from "
        "an editor, or with --saved from what is on disk."
    )
    two.retype("numbers.txt", "of one\n" + NUMBERS)
    await two.review("numbers.txt")
    await one.done("true", unsaved="all")


async def test_a_client_that_has_gone_takes_its_buffers_with_it(join: Join) -> None:
    one, two = await join("one"), await join("two")
    two.open("numbers.txt", "of two\n" + NUMBERS)
    await two.shutdown_session()
    task = await one.done("head -n 1 numbers.txt", unsaved="all")
    assert await log_of(one, task.runs[0].id) == "line 1\n"


async def test_the_disk_is_not_written_under_unsaved_changes(join: Join, repository: Path) -> None:
    terminal, editor = await join("terminal", apply=False), await join("other editor")
    task = await terminal.done(f"{EDIT}; echo new > new.txt")
    run = task.runs[0].id
    editor.open("numbers.txt", "unsaved\n" + NUMBERS)
    await editor.review("numbers.txt")  # the daemon has the change by now
    with pytest.raises(Refused) as refused:
        await terminal.accept("run", run=run)
    assert refused.value.kind == "conflict"
    assert refused.value.message == (
        "numbers.txt has unsaved changes in other editor: save it there, or accept from there. Nothing was written."
    )
    assert (repository / "numbers.txt").read_text() == NUMBERS
    assert not (repository / "new.txt").exists()

    editor.save("numbers.txt")
    await editor.review("numbers.txt")
    assert (await terminal.accept("run", run=run)).accepted == 3
    expected = "unsaved\n" + NUMBERS.replace("line 5\n", "five\n").replace("line 15\n", "fifteen\n")
    assert (repository / "numbers.txt").read_text() == expected
    assert (repository / "new.txt").read_text() == "new\n"


async def test_what_one_client_gets_is_not_half_of_a_run_when_another_holds_the_rest(
    join: Join, repository: Path
) -> None:
    """The text goes to the client as an edit, the deletion to the disk: neither happens if one is impossible."""
    one, two = await join("one", resources=False), await join("two")
    (repository / "gone.txt").write_text("gone\n")
    one.open("numbers.txt")
    task = await one.done(f"{EDIT}; rm gone.txt")
    two.open("gone.txt", "not gone\n")
    await two.review("gone.txt")
    with pytest.raises(Refused, match=r"gone\.txt has unsaved changes in two"):
        await one.accept("run", run=task.runs[0].id)
    assert (one.text("numbers.txt"), one.edits) == (NUMBERS, [])
    assert (repository / "gone.txt").exists()


async def test_what_a_client_without_a_plugin_is_told(join: Join) -> None:
    """It gets plain LSP only, and of other clients' tasks only the diagnostics in its documents."""
    plain = await join("plain", options={"somebody": "else"})
    one = await join("one")
    await one.done(EDIT)
    assert await plain.statuses("numbers.txt") == ["pending", "pending"]
    assert plain.told == []
