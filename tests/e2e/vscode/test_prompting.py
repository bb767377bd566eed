"""Handing work to agents: from the palette, from a place in a text, and on from what they did."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.person import make_repository
from tests.support.workbench import INPUT, PICKS, TITLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.vscode.conftest import Desk
    from tests.support.workbench import Workbench

pytestmark = pytest.mark.timeout(900)

ONE = "+1 −1"  # noqa: RUF001  a minus sign


def test_agents_and_their_counts_are_picked_and_remembered(window: Workbench) -> None:
    window.open("notes.txt")
    window.type("unsaved\n")
    window.command("Mux: Start a Task…")
    window.answer("Start a task", "Shout")
    window.sees(TITLE, "Agents for “Shout”")
    # Who has second thoughts need not write it again.
    window.keys("Escape")
    window.command("Mux: Start a Task…")
    window.sees(TITLE, "Start a task")
    expect(window.page.locator(INPUT)).to_have_value("Shout")
    window.keys("Enter")
    window.sees(TITLE, "Agents for “Shout”")
    # Typed and entered at once, before the list shows it; then one more of it, by its button.
    window.page.locator(INPUT).fill("sh:sed -i s/unsaved/UNSAVED/ notes.txt")
    window.keys("Enter")
    window.sees(PICKS, re.compile("Start sh:sed"))
    row = window.sees(window.page.locator(PICKS).nth(1), "sh:sed")
    row.hover()
    row.get_by_role("button", name="One more of it").click()
    window.pick(re.compile("Start 2 runs: 2 × sh:sed"))  # noqa: RUF001  a multiplication sign

    # Agents have seen what was not saved; where one types is where one was.
    window.lenses(f"{ONE} ·")
    window.comes("unsaved", "→ UNSAVED")
    window.row(re.compile("-2, finished, tied #1"))
    window.type("typed on, ")
    window.lines("unsaved", "typed on, line 1")

    # The next time one key starts as many of the same.
    window.chord("t")
    window.sees(TITLE, "Start a task")
    expect(window.page.locator(INPUT)).to_have_value("")
    window.answer("Start a task", "Again")
    window.sees(PICKS, re.compile("Start 2 runs: 2 × sh:sed"))  # noqa: RUF001
    window.keys("Enter")
    window.row(re.compile("Again"))
    # The view has the newest first.
    window.sees(window.page.get_by_role("treeitem", name=re.compile("-2, finished")).nth(1))


def test_agents_are_asked_from_where_one_is(window: Workbench, root: Path) -> None:
    # About what is selected.
    window.open("src/app.py", 2)
    window.keys("Home", "Shift+End")
    window.chord("t")
    window.sees(TITLE, "Start a task about 1 line of src/app.py")
    window.answer("Start a task about", "Use an f-string")
    window.agents("sed -i \"2s/.*/    print(f'hello {name}')/\" src/app.py")
    window.lenses(ONE)
    window.comes("print", "→ print(f'hello {name}')")

    # What a comment says, and what another extension complains about. No agent has to be configured.
    for file, line, title, told in (
        ("todo.cfg", 2, "Ask agents to do: TODO: add two numbers", "TODO: add two numbers\n"),
        ("data.json", 1, "Ask agents to fix: Expected comma", "Fix this error that json"),
    ):
        window.open(file, line)
        if file == "data.json":
            window.sees(".editor-instance .squiggly-error")
            window.keys("Alt+F8", "Escape")
        window.bulb(title)
        window.sees(TITLE, "Agents for “")
        window.page.locator(PICKS).nth(1).click()  # the one of before
        window.agents(f"cp $MUX_PROMPT_FILE told-of-{file}")
        window.row(re.compile(rf"-1, finished, #1 · 1 file \+\d+ −0 · sh:cp .*told-of-{file}"))  # noqa: RUF001
        run = window.run(re.compile(f"-1, finished, .*told-of-{file}"))
        window.inline(re.compile(f"^{run}"), "Accept All of a Run")
        window.sees(".statusbar-item", f"{run}: accepted")
        window.save_all()
        assert told in (root / f"told-of-{file}").read_text()

    # What is in no file cannot be what it is about.
    window.command("File: New Untitled Text File")
    window.type("words")
    window.keys("Control+A")
    window.chord("t")
    window.sees(TITLE, re.compile("^Start a task$"))
    window.keys("Escape")
    window.command("View: Revert and Close Editor")

    # What one picks from has the newest first, but for the one whose change is at the cursor.
    for file, line, first in (("notes.txt", 1, "Fix this error"), ("src/app.py", 2, "Use an f-string")):
        window.open(file, line)
        window.chord("g")
        window.sees(TITLE, "Task")
        window.sees(window.page.locator(PICKS).first, first)
        window.keys("Escape")


def test_of_several_folders_one_knows_which_is_meant(desk: Desk, root: Path, tmp_path: Path) -> None:
    make_repository(tmp_path / "other", {"other.txt": "one\n"})
    both = tmp_path / "both.code-workspace"
    both.write_text(json.dumps({"folders": [{"path": root.name}, {"path": "other"}]}))
    window = desk.window(both)
    try:
        window.connected()
        for file, folder in (("other.txt", "other"), ("todo.cfg", root.name)):
            window.open(file)
            window.command("Mux: Start a Task…")
            window.answer(f"Start a task in {folder}", f"Change {file}")
            window.agents(f"echo more >> {file}")
            window.lenses("+1 −0")  # noqa: RUF001  a minus sign
            window.row(re.compile(rf"^Change {file}, .* · {folder} · \d runs?"))
    finally:
        window.page.close()


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_repository_is_below_the_folder_or_behind_a_link(
    desk: Desk, root: Path, tmp_path: Path, is_linked: bool
) -> None:
    folder = tmp_path
    if is_linked:
        folder = tmp_path / "link"
        folder.symlink_to(root)
    window = desk.window(folder)
    try:
        window.connected()
        window.open("notes.txt")
        window.start("Shout", "sed -i 's/line 3$/LINE 3/' notes.txt")
        window.lenses(ONE)

        # The task is in the view, and what is gone to from there is the text that one has open.
        window.type("typed ")
        window.row(re.compile("-1, finished, #1 · 1 file")).click()
        window.keys("ArrowRight")
        notes = re.compile("^notes.txt, modified")
        window.row(notes).locator(".monaco-tl-twistie").click()
        window.row(re.compile("^LINE 3, line 3 · pending")).click()
        window.at(3)
        window.inline(notes, "Open the Diff")
        window.sees(".monaco-diff-editor .original .view-line", "typed line 1")
        expect(window.page.locator(".tab", has_text=re.compile("^notes.txt$"))).to_have_count(1)
    finally:
        window.page.close()


def test_a_run_is_continued_and_cancelled(window: Workbench, tmp_path: Path) -> None:
    window.start("First words", "cat $MUX_PROMPT_FILE >> said.txt; echo >> said.txt")
    run = window.run(re.compile("-1, finished, #1 · 1 file"))
    window.inline(re.compile(f"^{run}"), "Continue a Run…")
    window.answer(f"Continue {run}", "Second words")
    window.row(re.compile(rf"^{run}, finished, #1 · 1 file \+[2-9]"))
    window.inline(re.compile(f"^{run}"), "Open the Transcript of a Run")
    page = window.page.frame_locator("iframe.webview.ready").frame_locator("#active-frame")
    window.sees(page.get_by_role("heading", name=run))
    window.sees(page.get_by_text("Second words").first)

    # One that goes on is followed as it is at it, and ended from the keyboard.
    window.command("Mux: Start a Task…")
    window.answer("Start a task", "Wait")
    window.sees(TITLE, "Agents")
    window.page.locator(PICKS).nth(1).click()
    waits = [f"until [ -e {tmp_path}/{file} ]; do sleep 0.1; done" for file in ("go", "end")]
    window.agents(f"echo one; {waits[0]}; echo two; {waits[1]}")
    window.inline(re.compile("-1, running"), "Open the Transcript of a Run")
    window.sees(page.get_by_text("one", exact=True))
    window.sees(window.page.get_by_role("button", name="Mux: 1 run"))
    (tmp_path / "go").touch()
    window.sees(page.get_by_text("two"))
    window.command("Mux: Cancel a Task")
    window.pick("Wait")
    window.row(re.compile("-1, cancelled"))
    window.connected()
    (tmp_path / "end").touch()


def test_checks_are_run_on_what_is_on_the_screen(window: Workbench, root: Path) -> None:
    (root / "mux.toml").write_text('checks = ["! grep -n wrong notes.txt"]\n')
    window.open("notes.txt")
    window.type("wrong\n")
    window.start("Right it", "sed -i s/wrong/right/ notes.txt")
    window.row(re.compile("-1, finished"))

    # The repository names commands: they count once its person has seen them and says so. Meanwhile the task is begun.
    window.notice("mux.toml")
    window.command("Mux: Start a Task…")
    window.sees(TITLE, "Start a task")
    expect(window.page.locator(INPUT)).to_have_value("")
    window.keys("Escape")
    window.notice("mux.toml", "Look at It…")
    window.dialog("! grep -n wrong notes.txt", "Trust")
    window.command("Mux: Verify My Files")
    window.notice("1 of 1 check failed on your files", "Show What They Print")
    window.lines("$ ! grep -n wrong notes.txt")
    window.reads("1:wrong")
    window.keys("Control+W")
    window.sees(window.page.get_by_role("button", name="Mux: 1 of 1 check failed"))

    # With what the run changes it would pass; and when that is accepted, it does.
    window.menu(re.compile("-1, finished"), "Verify with All of a Run")
    window.notice("1 check passed on your files with")
    window.open("notes.txt")
    window.lens(ONE, "Accept")
    window.lines("right", "line 1")
    window.sees(window.page.get_by_role("button", name="Mux: 1 check passed", exact=True))
    window.type("x")
    window.sees(window.page.get_by_role("button", name="Mux: 1 check passed; your text has changed since"))
