"""Test the tasks view: runs, files and changes, and the commands on each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.workbench import Workbench

pytestmark = pytest.mark.timeout(900)

ONE = "+1 −1"  # noqa: RUF001  a minus sign
TIDY = "echo new > new.txt; git mv old.txt renamed.txt; rm src/app.py; sed -i 's/5/FIVE/; s/8/EIGHT/' notes.txt"


def test_a_whole_run_with_new_renamed_and_deleted_files(window: Workbench, root: Path) -> None:
    window.open("notes.txt")
    window.start("Tidy up", TIDY)
    name = window.run(re.compile("-1, finished, #1 · 4 files"))

    # The view shows its files and changes.
    run = re.compile(f"^{name}, finished")
    window.row(run).click()
    window.keys("ArrowRight")
    for file in ("new.txt, added", "renamed.txt, renamed", "src.app.py, deleted", "notes.txt, modified"):
        window.row(re.compile(f"^{file}"))
    window.row(re.compile("^notes.txt, modified")).locator(".monaco-tl-twistie").click()
    window.row(re.compile("^line FIVE, line 5 · pending"))

    # One native diff editor shows all of them.
    window.inline(run, "Open All Changes of a Run")
    window.sees(".tab.active", f"{name}: Tidy up (4 files)")
    for file in ("new.txt", "renamed.txt", "app.py", "notes.txt"):
        window.sees(".multiDiffEntry .file-path, .multiDiffEntry .title", file)
    window.keys("Control+W")

    window.inline(run, "Accept All of a Run")
    window.sees(".statusbar-item", f"{name}: accepted, 4 files changed")
    window.row(re.compile("^line FIVE, line 5 · applied"))
    # VS Code opens unsaved files in tabs.
    for file in ("notes.txt", "new.txt"):
        window.sees(".tab.dirty", file)
    window.save_all()
    there = {"data.json", "new.txt", "notes.txt", "renamed.txt", "src", "todo.cfg"}
    assert {path.name for path in root.iterdir() if path.name != ".git"} == there
    assert not (root / "src" / "app.py").exists()
    assert (root / "new.txt").read_text() == "new\n"
    assert "line FIVE\n" in (root / "notes.txt").read_text()

    # The remaining files can still be shown.
    window.inline(run, "Open All Changes of a Run")
    window.sees(".tab.active", f"{name}: Tidy up (3 files)")


def test_files_and_changes_one_by_one(window: Workbench, root: Path) -> None:
    window.open("notes.txt")
    window.start("Tidy up", TIDY)
    name = window.run(re.compile("-1, finished, #1 · 4 files"))
    window.row(re.compile(f"^{name}")).click()
    window.keys("ArrowRight")

    # A file as a diff of two live texts: typed text is in both. Accept it there.
    notes, new = re.compile("^notes.txt, modified"), re.compile("^new.txt, added")
    window.inline(notes, "Open the Diff")
    window.sees(".tab.active", f"notes.txt (yours ↔ {name})")
    window.sees(".monaco-diff-editor .modified .view-line", "line EIGHT")
    window.sees(".monaco-diff-editor .original .view-line", "line 8")
    window.open("notes.txt", 1)
    window.type("typed ")
    window.keys("Control+Tab")
    window.sees(".monaco-diff-editor .modified .view-line", "typed line 1")
    assert window.page.locator(".monaco-diff-editor .cgmr").count() == 0, "a diff editor has no marks of the extension"
    window.page.locator(".editor-actions").get_by_role("button", name="Accept the File").click()
    window.sees(".statusbar-item", "notes.txt: accepted, 1 file changed")
    window.sees(".monaco-diff-editor .original .view-line", "line EIGHT")
    window.open("notes.txt")
    window.lines("typed line 1", *(f"line {number}" for number in (2, 3, 4, "FIVE", 6, 7, "EIGHT")))

    # Undo; then accept one change and reject the other. A file that does not exist yet is shown as a diff.
    window.keys("Control+Z")
    window.lines("typed line 1", *(f"line {number}" for number in range(2, 9)))
    window.row(notes).locator(".monaco-tl-twistie").click()
    window.inline(re.compile("^line FIVE, line 5 · pending"), "Accept the Change")
    window.inline(re.compile("^line EIGHT, line 8 · pending"), "Reject the Change")
    window.row(re.compile("^line EIGHT, line 8 · rejected"))
    window.lenses()
    window.row(re.compile("^line FIVE, line 5 · applied")).click()
    window.at(5)
    window.row(new).locator(".monaco-tl-twistie").click()
    window.row(re.compile("^new, line 1 · pending")).click()
    window.sees(".tab.active", f"new.txt (yours ↔ {name})")

    # Decide on the other files, one by one.
    window.inline(re.compile("^renamed.txt, renamed"), "Reject the File")
    # Every button has a menu entry, for keyboard users.
    window.menu(re.compile("^src.app.py, deleted"), "Accept the File")
    window.sees(".statusbar-item", "src/app.py: accepted, 1 file changed")
    window.inline(new, "Accept the File")
    window.sees(".tab.dirty", "new.txt")
    window.save_all()
    assert (root / "new.txt").read_text() == "new\n"
    assert not (root / "src" / "app.py").exists()
    assert (root / "old.txt").exists()
    wanted = "".join(f"line {number}\n" for number in (2, 3, 4, "FIVE", 6, 7, 8, 9, 10))
    assert (root / "notes.txt").read_text() == f"typed line 1\n{wanted}"


def test_binary_files_are_shown_as_such(window: Workbench, root: Path) -> None:
    (root / "mine.dat").write_bytes(b"\0mine")
    window.open("notes.txt")
    window.start("Make a picture", "printf '\\000\\001' | tee picture.dat > mine.dat; sed -i s/5/FIVE/ notes.txt")
    run = re.compile("-1, finished, #1 · 3 files")
    window.row(run).click()
    window.keys("ArrowRight")
    # An existing file opens in the editor for its kind.
    mine = window.row(re.compile("^mine.dat, modified, not text")).locator(".monaco-tl-twistie")
    mine.click()
    window.row(re.compile("^the file itself, pending")).click()
    window.sees(".tab.active", re.compile("^mine.dat"))
    window.sees_no(".notification-toast")
    mine.click()
    window.row(re.compile("^picture.dat, added, not text")).locator(".monaco-tl-twistie").click()
    window.row(re.compile("^the file itself, pending")).click()
    window.sees(".tab.active", "picture.dat (yours ↔ ")
    window.sees(".monaco-diff-editor .modified .view-line", "is not a text")
    window.inline(run, "Open All Changes of a Run")
    for file in ("picture.dat", "mine.dat", "notes.txt"):
        window.sees(".multiDiffEntry .file-path, .multiDiffEntry .title", file)
    window.inline(re.compile("^the file itself, pending"), "Accept the Change")
    window.row(re.compile("^the file itself, applied"))
    assert (root / "picture.dat").read_bytes() == b"\0\1"


def test_runs_are_discarded_restored_picked_and_deleted(window: Workbench) -> None:
    window.open("notes.txt")
    window.start("Shout", "sed -i s/3/THREE/ notes.txt", "sed -i s/3/trois/ notes.txt")
    second = window.run(re.compile("-2, finished, tied #1"))
    first = second.replace("-2", "-1")
    window.lenses(f"{ONE} · {first} · 2 variants")

    # Going to a change of a run shows the variant of that run.
    window.row(re.compile(f"^{second}")).click()
    window.keys("ArrowRight")
    window.row(re.compile("^notes.txt, modified")).locator(".monaco-tl-twistie").click()
    window.row(re.compile("^line trois, line 3 · pending")).click()
    window.lenses(f"{ONE} · {second} · 2 variants")
    window.inserts("line 3", "→ line trois")
    window.row(re.compile(f"^{second}")).click()
    window.keys("ArrowLeft")
    # Navigation from the view focuses the text.
    window.chord("n")
    window.sees(".editor-instance .monaco-editor.focused")
    window.at(3)

    # A discarded run has no variants, and can be restored.
    window.inline(re.compile(f"^{first}"), "Discard a Run…")
    window.dialog(f"Discard {first}?", "Discard")
    window.row(re.compile(f"^{first}, finished, discarded"))
    window.lenses(f"{ONE} · {second}")
    window.inserts("line 3", "→ line trois")
    window.inline(re.compile(f"^{first}"), "Restore a Run")
    window.lenses(f"{ONE} · {second} · 2 variants")

    # The view can be filtered.
    window.page.get_by_role("button", name="Filter Tasks…").click()
    window.pick("running tasks")
    window.sees(window.page.get_by_text("Only running tasks are shown."))
    window.sees_no("[role=treeitem]", "Shout")
    window.page.get_by_role("button", name="Show All Tasks").click()
    window.row(re.compile("^Shout, "))

    # Pick a run: all of its changes are accepted, and the other run is discarded.
    window.menu(re.compile(f"^{second}"), "Accept All of a Run and Discard the Others…")
    window.dialog(f"Accept all of {second}?", "Accept")
    window.row(re.compile(f"^{first}, finished, discarded"))
    window.lenses()
    window.lines("line 1", "line 2", "line trois")
    window.menu(re.compile(f"^{first}"), "Delete a Run…")
    window.dialog(f"Delete {first}", "Delete")
    window.inline(re.compile("^Shout, .* · 1 run"), "Discard a Task…")
    window.dialog("Discard", "Discard")
    window.row(re.compile("^Shout, .* · discarded"))
    window.inline(re.compile("^Shout"), "Restore a Task")
    window.row(re.compile("^Shout, .* · 1 run"))
    window.lines("line 1", "line 2", "line trois")
