"""Test reviewing in VS Code: see changes, navigate, accept, reject, undo, and resolve conflicts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.person import fingerprint, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.vscode.conftest import Desk
    from tests.support.workbench import Workbench

pytestmark = pytest.mark.timeout(900)

LINES = text_of(range(1, 11)).splitlines()
ONE, TWO = "+1 −1", "+2 −1"  # noqa: RUF001  a minus sign
SHOUT = "sed -i 's/line 3$/LINE 3/; s/line 7$/LINE 7/' notes.txt; head -1 notes.txt"
TROIS = "sed -i 's/line 3$/trois\\ntroistrois/' notes.txt"
MARK = (255, 0, 254)
"""The colour of the extension's marks in the overview ruler, by the tests' settings."""

DRAWN = """() => {
    const parts = [...document.querySelectorAll('.editor-instance .view-line span')];
    const inserted = parts.map(one => getComputedStyle(one, '::after')).filter(one => one.content.includes('LINE'));
    const removed = [...document.querySelectorAll('.editor-instance .view-overlays .cdr')];
    const drawn = removed.map(one => getComputedStyle(one)).flatMap(one => [one.backgroundColor, one.borderTopColor]);
    const isSeen = colour => !/^rgba\\(.*, 0\\)$/.test(colour);
    return [inserted.some(one => isSeen(one.color)), drawn.some(isSeen)];
}"""
"""Script that returns whether inserted text has a visible colour, and whether removed lines have."""


def test_from_the_prompt_to_an_accepted_change_and_back(window: Workbench, root: Path) -> None:  # noqa: PLR0915  (one long workflow)
    before = fingerprint(root / ".git" / "objects")
    window.open("notes.txt")
    window.type("unsaved\n")
    window.start("Shout some lines", SHOUT, TROIS, f"{TROIS}; true; sed -i s/greet/welcome/ src/app.py")

    # The view shows the task, and its runs with their changes.
    first = window.run(re.compile(r"-1, finished, #3 · 1 file \+2 −2"))  # noqa: RUF001
    task = first.partition("-")[0]
    window.row(re.compile(rf"^{task}-3, finished"))
    window.row(re.compile("^Shout some lines, .* 3 runs"))

    # Above each place is a line of lenses, with the variant of most runs first; inserted text follows removed lines.
    agreed, other = f"{TWO} · {task}-2 · 2 variants · 2/3 agree", f"{ONE} · {task}-1 · 2 variants"
    last = f"{ONE} · {task}-1"
    window.lenses(agreed, last)
    window.lines("unsaved", *LINES)
    window.inserts("line 3", "→ trois (+1 line)")
    window.inserts("line 7", "→ LINE 7")
    window.rules(MARK)

    # Keys go to the next place, show the proposed text in full, and show the other variant and the first again.
    window.open("notes.txt")
    window.chord("n")
    window.at(4)
    window.chord("n")
    window.at(8)
    window.chord("p")
    window.at(4)
    window.chord("e")
    thread = window.sees(".review-widget", "troistrois")
    window.sees(thread, f"{TWO} · {task}-2 · 2/3 agree · 2 variants")
    window.sees_no(".part.panel:visible")
    window.chord("v")
    window.lenses(other, last)
    window.sees(".review-widget", "LINE 3")
    window.inserts("line 3", "→ LINE 3")
    window.chord("Shift+V")
    window.lenses(agreed, last)
    window.sees(".review-widget").get_by_role("button", name="Show the Next Variant").click()
    window.lenses(other, last)

    # Accepted with its button, the change is text like typed text, and one undo reverts it.
    window.sees(".review-widget").get_by_role("button", name="Accept the Shown Variant").click()
    accepted = ["unsaved", *text_of(range(1, 11)).replace("line 3", "LINE 3").splitlines()]
    window.lines(*accepted)
    window.lenses(last)
    window.sees_no(".review-widget")
    window.open("notes.txt", 4)
    window.keys("Control+Z")
    window.lines("unsaved", *LINES)
    window.lenses(other, last)

    # Accept one change with its lens, and reject the other.
    window.lens(other, "Accept")
    window.lines(*accepted)
    window.open("notes.txt")
    window.chord("n")
    window.at(8)
    window.chord("r")
    window.lenses()
    window.sees_no(".cgmr")
    window.rules_no(MARK)
    assert (root / "notes.txt").read_text().splitlines() == LINES, "the editor saves, nobody else"
    window.keys("Control+S")
    window.sees_no(".tab.active.dirty")
    assert (root / "notes.txt").read_text().splitlines() == accepted
    assert fingerprint(root / ".git" / "objects") == before

    # After the last change of a file, the next place is in another file.
    window.chord("n")
    window.sees(".tab.active", "app.py")
    window.at(1)
    window.inserts("def greet", "→ def welcome(name):")
    window.chord("a")
    window.lines("def welcome(name):")


def test_the_buttons_of_the_proposed_text_act_on_its_own_change(window: Workbench) -> None:
    window.open("notes.txt", 2)
    window.start("Shout", "sed -i 's/line 2$/LINE 2/; s/line 7$/LINE 7/' notes.txt; sed -i s/hello/HELLO/ src/app.py")
    window.lenses(ONE, ONE)

    # At another place it moves there; at the same place it is hidden.
    for line, text in ((2, "LINE 2"), (7, "LINE 7")):
        window.open("notes.txt", line)
        window.chord("e")
        window.sees(".review-widget", text)
    window.sees_no(".review-widget", "LINE 2")
    window.chord("e")
    window.sees_no(".review-widget")
    window.chord("e")

    # It moves with its lines. Its buttons act on the change that it shows, not on the one at the cursor.
    window.open("notes.txt")
    window.type("typed\n")
    window.open("notes.txt", 3)
    window.sees(".review-widget", "LINE 7").get_by_role("button", name="Accept the Shown Variant").click()
    window.lines("typed", *(f"line {number}" for number in range(1, 7)), "LINE 7")
    window.sees_no(".review-widget")

    # A key in another file acts on no change of the first file.
    window.chord("e")
    window.sees(".review-widget", "LINE 2")
    window.open("src/app.py", 1)
    window.lenses(ONE)
    window.chord("a")
    window.chord("n")
    window.at(2)
    window.lines("def greet(name):", "    print('hello ' + name)")
    window.chord("e")
    window.sees(".review-widget", "HELLO")


def test_a_conflict_is_merged_in_the_merge_editor(window: Workbench, root: Path) -> None:
    window.open("notes.txt")
    window.start("Shout", "sed -i 's/line 3$/LINE 3/; s/line 8$/LINE 8/' notes.txt")
    run = window.run(re.compile("-1, finished"))
    window.lenses(ONE, ONE)
    window.open("notes.txt", 3)
    window.keys("Home", "Shift+End")
    window.type("mine")
    window.lenses(f"⚠ conflict: line 3 was changed here too · {ONE}", ONE)

    # Accepting offers the resolutions; the lens opens the merge editor.
    window.offered(lambda: window.chord("a"), re.compile(f"Take {run}'s lines over yours .loses 1 line: “mine”"))
    window.sees(".action-widget .monaco-list-row", "Open the three versions")
    window.keys("Escape")
    window.lens("⚠ conflict", "Merge")
    editor = window.sees(".merge-editor")
    for title in ("Yours", run):
        window.sees(editor.locator(".title"), title)
    assert editor.locator(".cgmr").count() == 0, "a merge editor has no marks of the extension"
    for choice in ("Remove Yours", f"Accept {run}", f"Accept {run}"):
        editor.get_by_role("button", name=choice, exact=True).first.click()
    window.sees(editor, "0 Conflicts Remaining")
    window.command("File: Save All")
    window.sees_no(".tab.dirty")
    window.keys("Control+W")
    window.open("notes.txt")
    window.lenses()
    assert (root / "notes.txt").read_text().splitlines()[2::5] == ["LINE 3", "LINE 8"]


def test_what_the_light_bulb_offers(window: Workbench) -> None:
    window.open("notes.txt")
    shout, trois = "sed -i 's/line 3$/LINE 3/' notes.txt", "sed -i 's/line 3$/trois/' notes.txt"
    window.start("Shout", shout, trois)
    second = window.run(re.compile("-2, finished, tied #1"))
    first = second.replace("-2", "-1")
    window.lenses(f"{ONE} · {first}")
    window.open("notes.txt", 3)
    window.bulb(f"Accept {ONE} from {second}")
    window.lines("line 1", "line 2", "trois")
    window.lenses()

    # Use the other variant instead, and undo.
    window.open("notes.txt", 3)
    window.bulb(f"Use {first}'s instead of {second}'s")
    window.lines("line 1", "line 2", "LINE 3")
    window.keys("Control+Z")
    window.lines("line 1", "line 2", "trois")

    # The diff of a change.
    window.keys("Control+Z")
    window.lenses(f"{ONE} · {first}")
    window.lens(f"{ONE} · {first}", "Diff")
    window.sees(".tab.active", f"notes.txt (yours ↔ {first})")
    window.sees(".monaco-diff-editor .modified .view-line", "LINE 3")


@pytest.mark.parametrize("theme", ["Default High Contrast", "Default High Contrast Light", "Default Dark Modern"])
def test_removed_and_inserted_text_is_visible_in_every_theme(desk: Desk, root: Path, theme: str) -> None:
    desk.set(**{"workbench.colorTheme": theme, "editor.renderLineHighlight": "none"})
    try:
        window = desk.window(root)
        window.connected()
        window.open("notes.txt")
        window.start("Shout", "sed -i 's/line 3$/LINE 3/' notes.txt")
        window.inserts("line 3", "→ LINE 3")
        assert window.page.evaluate(DRAWN) == [True, True]
        window.page.close()
    finally:
        desk.set()
