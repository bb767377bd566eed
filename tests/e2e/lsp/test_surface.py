"""Test the review of several runs in plain LSP: lenses, code actions, diagnostics and hovers of one place."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types
from markdown_it import MarkdownIt

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS
from tests.e2e.lsp.menus import CINQ, FIVE, ONE, choose, hinted, offered, span, titles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]


# Several variants at a place


async def test_a_person_goes_through_the_variants_and_stays_where_they_are(editor: Editor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    uri = editor.open("numbers.txt")
    task = await editor.start("do it", FIVE, FIVE, f"{CINQ}; cat {gate}; sed -i 's/^cinq$/CINQ/' numbers.txt")
    one, two, three = (run.id for run in task.runs)
    first = f"{ONE} · {one} · 2 variants · 2/3 agree"
    other = f"{ONE} · {three} · 2 variants · 1/3 agree"
    below = f"{ONE} · {one} · 2/3 agree"
    try:
        await hinted(editor, "numbers.txt", first, below)
        assert await editor.lens_titles("numbers.txt") == {
            4: [first, "Accept", "Next", "Reject"],
            14: [below, "Accept", "Reject"],
        }
        hover = await editor.hover("numbers.txt", 4)
        assert hover.index("+five") < hover.index("+cinq")

        # The next variant, in lens, diagnostic, hover and menu.
        refreshes = editor.lens_refreshes
        answer = await editor.click("numbers.txt", 4, "Next")
        assert (answer["run"], answer["shown"], answer["total"]) == (three, 1, 2)
        await hinted(editor, "numbers.txt", other, below)
        await editor.until(lambda: editor.lens_refreshes > refreshes)
        assert (await editor.lens_titles("numbers.txt"))[4] == [other, "Accept", "Next", "Reject"]
        hover = await editor.hover("numbers.txt", 4)
        assert hover.index("+cinq") < hover.index("+five")
        actions = await editor.actions("numbers.txt", 4, "quickfix")
        assert titles(actions) == [
            f"Accept {ONE} from {three} (1/3 agree)",
            f"Accept {ONE} from {one} (2/3 agree)",
            f"Show the next of 2 variants: {ONE} from {one}",
            f"Reject {ONE} from {three} (1/3 agree)",
        ]
        assert [action.is_preferred for action in actions] == [True, False, None, None]

        # It stays shown while the person types above and beside it.
        editor.insert("numbers.txt", "line 1\n", "typed\n")
        editor.insert("numbers.txt", "line 10\n", "more ")
        found = await hinted(editor, "numbers.txt", other, below)
        assert [one.range.start.line for one in found] == [5, 15]
        assert (await editor.lens_titles("numbers.txt"))[5][0] == other
    finally:
        await asyncio.to_thread(gate.write_bytes, b"")

    # And while the agent goes on: the present change of that run is shown.
    await editor.ended(task.id)
    assert (await editor.lens_titles("numbers.txt"))[5][0] == other
    hover = await editor.hover("numbers.txt", 5)
    assert hover.index("+CINQ") < hover.index("+five")
    assert "+cinq" not in hover

    # After the last comes the first again. Closing a document resets it.
    await editor.click("numbers.txt", 5, "Next")
    assert (await editor.lens_titles("numbers.txt"))[5][0] == first
    await editor.click("numbers.txt", 5, "Next")
    editor.close("numbers.txt")
    assert editor.open("numbers.txt") == uri
    assert (await editor.lens_titles("numbers.txt"))[4][0] == first
    assert await editor.statuses("numbers.txt", two) == ["pending", "pending"]


async def test_what_one_client_looks_at_is_its_own(join: Join) -> None:
    one, other = await join("one"), await join("other")
    one.open("numbers.txt")
    other.open("numbers.txt")
    task = await one.done(FIVE, CINQ)
    await other.until(lambda: other.told_of(protocol.ReviewChangedParams))
    await one.click("numbers.txt", 4, "Next")
    assert f" {task.id}-2 " in (await one.lens_titles("numbers.txt"))[4][0]
    await other.shown(other.uri("numbers.txt"), lambda found: len(found) == 2)
    assert f" {task.id}-1 " in (await other.lens_titles("numbers.txt"))[4][0]


async def test_switching_is_one_action_there_and_back(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, CINQ)
    one, two = (run.id for run in task.runs)
    await editor.click("numbers.txt", 4, "Next")
    await editor.click("numbers.txt", 4, "Accept")
    with_cinq = NUMBERS.replace("line 5\n", "cinq\n")
    assert editor.text("numbers.txt") == with_cinq
    await hinted(editor, "numbers.txt", f"{ONE} · {one} · 1/2 agree")
    assert list(await editor.lens_titles("numbers.txt")) == [14], "nothing waits at the other place"
    assert f"instead of {two}'s" in (await editor.hover("numbers.txt", 4)).replace("\\", "")

    for here, there, text in (
        (one, two, NUMBERS.replace("line 5\n", "five\n")),
        (two, one, with_cinq),
    ):
        assert titles(await editor.actions("numbers.txt", 4, "quickfix")) == [f"Use {here}'s instead of {there}'s"]
        editor.edits.clear()
        edit = await choose(editor, "numbers.txt", 4, "Use ")
        assert editor.edits == [edit], "one edit"
        assert editor.text("numbers.txt") == text
    editor.undo()
    assert editor.text("numbers.txt") == NUMBERS.replace("line 5\n", "five\n")
    assert titles(await editor.actions("numbers.txt", 4, "quickfix")) == [f"Use {two}'s instead of {one}'s"]


async def test_places_for_a_client_that_draws_them_itself(editor: Editor) -> None:
    uri = editor.open("numbers.txt")
    task = await editor.done(FIVE, FIVE, CINQ)
    one, two, three = (run.id for run in task.runs)

    async def places() -> protocol.ReviewPlacesResult:
        return await editor.command("mux.review.places", protocol.ReviewPlacesResult, uri=uri)

    found = await places()
    assert (found.uri, found.version) == (uri, 1)
    assert [(place.task, place.open, place.shown, len(place.variants)) for place in found.places] == [
        (task.id, True, 0, 2),
        (task.id, True, 0, 1),
    ]
    five, cinq = found.places[0].variants
    assert (five.runs, five.agreed, five.total, five.added, five.resolutions) == ([one, two], 2, 3, "five\n", ["exact"])
    assert (cinq.runs, cinq.agreed, cinq.total, cinq.added, cinq.status) == ([three], 1, 3, "cinq\n", "pending")

    # Step backwards at the same place, and show a change that is not there.
    shown = await editor.command(
        "mux.variant.show", protocol.VariantShowResult, uri=uri, run=one, hunk=five.hunk, step=-1
    )
    assert (shown.run, shown.hunk, shown.shown, shown.total) == (three, cinq.hunk, 1, 2)
    assert [place.shown for place in (await places()).places] == [1, 0]
    with pytest.raises(Refused, match="no such change waiting"):
        await editor.command("mux.variant.show", protocol.VariantShowResult, uri=uri, run=three, hunk="nothing")
    with pytest.raises(Refused, match="is not open"):
        await editor.command("mux.review.places", protocol.ReviewPlacesResult, uri=editor.uri("other.txt"))

    # A conflict with the person's own words.
    editor.insert("numbers.txt", "line 5\n", "my own ")
    place, _ = (await places()).places
    assert [(one.status, one.resolutions, one.lost) for one in place.variants] == [
        ("conflict", ["take", "mark"], ["my own line 5\n"]),
        ("conflict", ["take", "mark"], ["my own line 5\n"]),
    ]
    await editor.reject("run", run=three)
    assert [len(place.variants) for place in (await places()).places] == [1, 1]


async def test_a_no_is_for_all_who_share_the_change_and_leaves_the_others(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(FIVE, FIVE, CINQ)
    one, two, three = (run.id for run in task.runs)
    await editor.click("numbers.txt", 4, "Reject")
    await hinted(editor, "numbers.txt", f"{ONE} · {three} · 1/3 agree", f"{ONE} · {one} · 2/3 agree")
    assert await editor.statuses("numbers.txt", two) == ["rejected", "pending"]
    await choose(editor, "numbers.txt", 4, f"Reject {ONE} from {three}")
    await hinted(editor, "numbers.txt", f"{ONE} · {one} · 2/3 agree")
    assert editor.text("numbers.txt") == NUMBERS


async def test_a_selection_is_accepted_whole_of_one_run(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done("sed -i 's/^line \\([3579]\\)$/odd \\1/' numbers.txt", CINQ, FIVE, FIVE)
    one, _, three, four = (run.id for run in task.runs)
    found = await offered(editor, "numbers.txt", span(2, 5))
    selection = [action for action in found if action.kind == "refactor.rewrite.mux.selection"]
    assert titles(selection) == [
        f"Accept {one}'s 2 changes in the selection",
        f"Reject {one}'s 2 changes in the selection",
    ]
    wide = await offered(editor, "numbers.txt", span(0, 20))
    assert f"Accept {one}'s 4 changes in the selection" in titles(wide)
    assert f"Accept {three}'s 2 changes in the selection (= {four})" in titles(wide), "equal runs are one"
    await editor.carry_out(selection[0].command)
    assert editor.text("numbers.txt") == NUMBERS.replace("line 3\n", "odd 3\n").replace("line 5\n", "odd 5\n")
    assert len(editor.edits) == 1


async def test_runs_with_equal_results_are_one(editor: Editor) -> None:
    editor.open("numbers.txt")
    task = await editor.done(CINQ, f"{CINQ}; echo more > other.txt", CINQ)
    one, two, three = (run.id for run in task.runs)
    assert titles(await editor.actions("numbers.txt", 4)) == [
        f"Accept {ONE} from {one} (3/3 agree)",
        f"Reject {ONE} from {one} (3/3 agree)",
        f"Accept all of {one} (= {two}, {three}) in this file",
        f"Accept all of {one} (= {three})",
        f"Accept all of {two}",
    ]


# Diagnostics


@pytest.mark.parametrize("fades", [True, False])
async def test_lines_that_only_go_are_faded_where_the_client_can(join: Join, fades: bool) -> None:
    editor = await join(fades=fades)
    editor.open("numbers.txt")
    task = await editor.done("sed -i -e '/^line 3$/d' -e 's/^line 12$/twelve/' numbers.txt")
    run = task.runs[0].id
    gone, changed = await hinted(editor, "numbers.txt", f"+0 −1 · {run}", f"{ONE} · {run}")  # noqa: RUF001
    assert list(gone.tags or ()) == ([types.DiagnosticTag.Unnecessary] if fades else [])
    assert changed.tags is None
    assert {one.severity for one in (gone, changed)} == {types.DiagnosticSeverity.Hint}
    assert {one.source for one in (gone, changed)} == {"mux"}
    assert [one.code for one in (gone, changed)] == [item.hunk for item in await editor.review("numbers.txt")]


# Text of agents


HOSTILE = "```</code> <img src=x onerror=alert(1)> [click](command:mux.run.accept) <command:x> \x1b[31mred \u202eevil\n"


async def test_nothing_an_agent_writes_is_more_than_text(editor: Editor, repository: Path) -> None:
    (repository / "hostile").write_text(HOSTILE * 2)
    editor.open("numbers.txt")
    name = "x](command:y) <b>`\x1b[31m\u202egpj.txt"
    (repository / "name").write_text(name)
    task = await editor.done(
        "sed -i '5r hostile' numbers.txt # <b> [click](command:y) `", 'git mv numbers.txt "$(cat name)"'
    )
    one, two = (run.id for run in task.runs)
    await editor.shown(editor.uri("numbers.txt"), lambda found: len(found) == 2)
    titles_ = [title for line in (await editor.lens_titles("numbers.txt")).values() for title in line]
    assert any("rename to" in title for title in titles_)
    for line in (0, 4, 5):
        titles_ += titles(await editor.actions("numbers.txt", line))
    titles_ += [hint.message for hint in editor.published[editor.uri("numbers.txt")][1]]
    hovers = [await editor.hover("numbers.txt", line) for line in (0, 5)]
    assert "command:mux.run.accept" in hovers[1]
    assert two in hovers[0].replace("\\", "")
    assert "rename to x](command:y) <b>`" in hovers[0]
    for shown in (*titles_, *hovers):
        assert not set(shown) & set("\x1b\u202e\x07"), shown
    assert not any("\n" in title for title in titles_)
    for hover in hovers:
        tokens = MarkdownIt("commonmark", {"html": True}).parse(hover)
        inner = [token for one in tokens for token in (one, *(one.children or ()))]
        assert {token.type for token in inner} <= {
            "paragraph_open", "inline", "text", "text_special", "paragraph_close", "fence"
        }, hover  # fmt: skip
    assert one in hovers[1].replace("\\", "")
