"""VS Code with the extension: see, step, accept, reject, undo; and what to do where texts collide."""

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
"""The colour that the tests' settings give to our marks in the overview ruler."""

DRAWN = """() => {
    const parts = [...document.querySelectorAll('.editor-instance .view-line span')];
    const coming = parts.map(one => getComputedStyle(one, '::after')).filter(one => one.content.includes('LINE'));
    const going = [...document.querySelectorAll('.editor-instance .view-overlays .cdr')];
    const drawn = going.map(one => getComputedStyle(one)).flatMap(one => [one.backgroundColor, one.borderTopColor]);
    const isSeen = colour => !/^rgba\\(.*, 0\\)$/.test(colour);
    return [coming.some(one => isSeen(one.color)), drawn.some(isSeen)];
}"""
"""Whether what would come is drawn in a colour that is seen, and whether what would go is."""


def test_from_the_prompt_to_an_accepted_change_and_back(window: Workbench, root: Path) -> None:  # noqa: PLR0915  (it is one way, and long)
    before = fingerprint(root / ".git" / "objects")
    window.open("notes.txt")
    window.type("unsaved\n")
    window.start("Shout some lines", SHOUT, TROIS, f"{TROIS}; true; sed -i s/greet/welcome/ src/app.py")

    # The view follows: the task, and its runs with what they have changed.
    first = window.run(re.compile(r"-1, finished, #3 · 1 file \+2 −2"))  # noqa: RUF001
    task = first.partition("-")[0]
    window.row(re.compile(rf"^{task}-3, finished"))
    window.row(re.compile("^Shout some lines, .* 3 runs"))

    # Above each place a line of lenses, the variant of most runs first; what would come is behind what would go.
    agreed, other = f"{TWO} · {task}-2 · 2 variants · 2/3 agree", f"{ONE} · {task}-1 · 2 variants"
    last = f"{ONE} · {task}-1"
    window.lenses(agreed, last)
    window.lines("unsaved", *LINES)
    window.comes("line 3", "→ trois (+1 line)")
    window.comes("line 7", "→ LINE 7")
    window.rules(MARK)

    # By keys to the next place, where the proposed text is shown in full, and to the other variant and back.
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
    window.comes("line 3", "→ LINE 3")
    window.chord("Shift+V")
    window.lenses(agreed, last)
    window.sees(".review-widget").get_by_role("button", name="Show the Next Variant").click()
    window.lenses(other, last)

    # Accepted by its button, it is text as if typed, and one undo takes it back.
    window.sees(".review-widget").get_by_role("button", name="Accept the Shown Variant").click()
    accepted = ["unsaved", *text_of(range(1, 11)).replace("line 3", "LINE 3").splitlines()]
    window.lines(*accepted)
    window.lenses(last)
    window.sees_no(".review-widget")
    window.open("notes.txt", 4)
    window.keys("Control+Z")
    window.lines("unsaved", *LINES)
    window.lenses(other, last)

    # By a click on its lens the one, and the other rejected for good.
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

    # Where nothing is left to decide, the next place is in another file.
    window.chord("n")
    window.sees(".tab.active", "app.py")
    window.at(1)
    window.comes("def greet", "→ def welcome(name):")
    window.chord("a")
    window.lines("def welcome(name):")


def test_the_proposed_text_is_decided_on_where_it_stands(window: Workbench) -> None:
    window.open("notes.txt", 2)
    window.start("Shout", "sed -i 's/line 2$/LINE 2/; s/line 7$/LINE 7/' notes.txt; sed -i s/hello/HELLO/ src/app.py")
    window.lenses(ONE, ONE)

    # At another place it is shown there; where it is shown, it is taken away.
    for line, text in ((2, "LINE 2"), (7, "LINE 7")):
        window.open("notes.txt", line)
        window.chord("e")
        window.sees(".review-widget", text)
    window.sees_no(".review-widget", "LINE 2")
    window.chord("e")
    window.sees_no(".review-widget")
    window.chord("e")

    # Its lines move, and it with them. A button of it is for what it shows, and not for where the cursor is.
    window.open("notes.txt")
    window.type("typed\n")
    window.open("notes.txt", 3)
    window.sees(".review-widget", "LINE 7").get_by_role("button", name="Accept the Shown Variant").click()
    window.lines("typed", *(f"line {number}" for number in range(1, 7)), "LINE 7")
    window.sees_no(".review-widget")

    # Nor does a key in another file decide on what is at the same line there.
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

    # Accepting it asks what is to be done; the lens merges at once.
    window.offered(lambda: window.chord("a"), re.compile(f"Take {run}'s lines over yours .loses 1 line: “mine”"))
    window.sees(".action-widget .monaco-list-row", "Open the three versions")
    window.keys("Escape")
    window.lens("⚠ conflict", "Merge")
    editor = window.sees(".merge-editor")
    for title in ("Yours", run):
        window.sees(editor.locator(".title"), title)
    assert editor.locator(".cgmr").count() == 0, "a merge has no marks of ours"
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

    # The other one instead, there and back by undo.
    window.open("notes.txt", 3)
    window.bulb(f"Use {first}'s instead of {second}'s")
    window.lines("line 1", "line 2", "LINE 3")
    window.keys("Control+Z")
    window.lines("line 1", "line 2", "trois")

    # The diff of a change; from there to the text of the run.
    window.keys("Control+Z")
    window.lenses(f"{ONE} · {first}")
    window.lens(f"{ONE} · {first}", "Diff")
    window.sees(".tab.active", f"notes.txt (yours ↔ {first})")
    window.sees(".monaco-diff-editor .modified .view-line", "LINE 3")


@pytest.mark.parametrize("theme", ["Default High Contrast", "Default High Contrast Light", "Default Dark Modern"])
def test_what_goes_and_what_comes_is_seen_in_every_theme(desk: Desk, root: Path, theme: str) -> None:
    desk.set(**{"workbench.colorTheme": theme, "editor.renderLineHighlight": "none"})
    try:
        window = desk.window(root)
        window.connected()
        window.open("notes.txt")
        window.start("Shout", "sed -i 's/line 3$/LINE 3/' notes.txt")
        window.comes("line 3", "→ LINE 3")
        assert window.page.evaluate(DRAWN) == [True, True]
        window.page.close()
    finally:
        desk.set()
