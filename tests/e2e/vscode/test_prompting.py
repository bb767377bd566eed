"""Test starting tasks from the palette and from the text, continuing and cancelling runs, and running checks."""

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
    # A cancelled prompt is offered again.
    window.keys("Escape")
    window.command("Mux: Start a Task…")
    window.sees(TITLE, "Start a task")
    expect(window.page.locator(INPUT)).to_have_value("Shout")
    window.keys("Enter")
    window.sees(TITLE, "Agents for “Shout”")
    # Type an agent and press Enter at once, before the list shows it; then add a run with its button.
    window.page.locator(INPUT).fill("sh:sed -i s/unsaved/UNSAVED/ notes.txt")
    window.keys("Enter")
    window.sees(PICKS, re.compile("Start sh:sed"))
    row = window.sees(window.page.locator(PICKS).nth(1), "sh:sed")
    row.hover()
    row.get_by_role("button", name="One more run").click()
    window.pick(re.compile("Start 2 runs: 2 × sh:sed"))  # noqa: RUF001  a multiplication sign

    # Agents saw the unsaved text, and the focus is still in the editor.
    window.lenses(f"{ONE} ·")
    window.inserts("unsaved", "→ UNSAVED")
    window.row(re.compile("-2, finished, tied #1"))
    window.type("typed on, ")
    window.lines("unsaved", "typed on, line 1")

    # The next task has the same agents, with one key.
    window.chord("t")
    window.sees(TITLE, "Start a task")
    expect(window.page.locator(INPUT)).to_have_value("")
    window.answer("Start a task", "Again")
    window.sees(PICKS, re.compile("Start 2 runs: 2 × sh:sed"))  # noqa: RUF001
    window.keys("Enter")
    window.row(re.compile("Again"))
    # The view shows the newest task first.
    window.sees(window.page.get_by_role("treeitem", name=re.compile("-2, finished")).nth(1))


def test_a_task_starts_from_a_selection_a_comment_and_a_diagnostic(window: Workbench, root: Path) -> None:
    # About the selection.
    window.open("src/app.py", 2)
    window.keys("Home", "Shift+End")
    window.chord("t")
    window.sees(TITLE, "Start a task about 1 line of src/app.py")
    window.answer("Start a task about", "Use an f-string")
    window.agents("sed -i \"2s/.*/    print(f'hello {name}')/\" src/app.py")
    window.lenses(ONE)
    window.inserts("print", "→ print(f'hello {name}')")

    # About a comment, and about a diagnostic of another extension. No agent is configured.
    for file, line, title, prompt in (
        ("todo.cfg", 2, "Ask agents to do: TODO: add two numbers", "TODO: add two numbers\n"),
        ("data.json", 1, "Ask agents to fix: Expected comma", "Fix this error that json"),
    ):
        window.open(file, line)
        if file == "data.json":
            window.sees(".editor-instance .squiggly-error")
            window.keys("Alt+F8", "Escape")
        window.bulb(title)
        window.sees(TITLE, "Agents for “")
        window.page.locator(PICKS).nth(1).click()  # the agent of the previous task
        window.agents(f"cp $MUX_PROMPT_FILE prompt-for-{file}")
        window.row(re.compile(rf"-1, finished, #1 · 1 file \+\d+ −0 · sh:cp .*prompt-for-{file}"))  # noqa: RUF001
        run = window.run(re.compile(f"-1, finished, .*prompt-for-{file}"))
        window.inline(re.compile(f"^{run}"), "Accept All of a Run")
        window.sees(".statusbar-item", f"{run}: accepted")
        window.save_all()
        assert prompt in (root / f"prompt-for-{file}").read_text()

    # Text of an untitled document is not in a file: the selection is ignored.
    window.command("File: New Untitled Text File")
    window.type("words")
    window.keys("Control+A")
    window.chord("t")
    window.sees(TITLE, re.compile("^Start a task$"))
    window.keys("Escape")
    window.command("View: Revert and Close Editor")

    # The list of tasks has the task of the change at the cursor first, then the newest.
    for file, line, first in (("notes.txt", 1, "Fix this error"), ("src/app.py", 2, "Use an f-string")):
        window.open(file, line)
        window.chord("g")
        window.sees(TITLE, "Task")
        window.sees(window.page.locator(PICKS).first, first)
        window.keys("Escape")


def test_with_several_folders_the_title_names_the_one_of_a_task(desk: Desk, root: Path, tmp_path: Path) -> None:
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

        # The view has the task, and its rows lead to the open document.
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

    # The transcript of a running run is updated, and the run is cancelled from the keyboard.
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


def test_checks_run_on_the_live_text(window: Workbench, root: Path) -> None:
    (root / "mux.toml").write_text('checks = ["! grep -n wrong notes.txt"]\n')
    window.open("notes.txt")
    window.type("wrong\n")
    window.start("Right it", "sed -i s/wrong/right/ notes.txt")
    window.row(re.compile("-1, finished"))

    # The commands of the repository run only once the person trusts them. The task starts anyway.
    window.notice("mux.toml")
    window.command("Mux: Start a Task…")
    window.sees(TITLE, "Start a task")
    expect(window.page.locator(INPUT)).to_have_value("")
    window.keys("Escape")
    window.notice("mux.toml", "Show Details…")
    window.dialog("! grep -n wrong notes.txt", "Trust")
    window.command("Mux: Verify My Files")
    window.notice("1 of 1 check failed on your files", "Show Check Output")
    window.lines("$ ! grep -n wrong notes.txt")
    window.reads("1:wrong")
    window.keys("Control+W")
    window.sees(window.page.get_by_role("button", name="Mux: 1 of 1 check failed"))

    # The checks pass with the changes of the run, and after these are accepted.
    window.menu(re.compile("-1, finished"), "Verify with All of a Run")
    window.notice("1 check passed on your files with")
    window.open("notes.txt")
    window.lens(ONE, "Accept")
    window.lines("right", "line 1")
    window.sees(window.page.get_by_role("button", name="Mux: 1 check passed", exact=True))
    window.type("x")
    window.sees(window.page.get_by_role("button", name="Mux: 1 check passed; your text has changed since"))
