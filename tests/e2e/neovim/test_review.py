"""Test reviewing changes in the text: navigate, accept, reject, undo and resolve conflicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.neovim.notes import WRITTEN, capitals, replaced
from tests.support.person import fingerprint, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person


@pytest.mark.both_neovims
def test_a_change_is_drawn_accepted_undone_and_redone(person: Person, root: Path) -> None:
    before = fingerprint(root / ".git")
    person.keys("ggOunsaved<Esc>")
    task = person.start(f"grep -q '^unsaved$' notes.txt && {capitals(3)}")
    person.sees(f"~ line 3   {task}-1 · sh:grep")
    row = person.row("line 3 ")
    assert person.editor.screen[row + 1] == "  LINE 3"
    gone, come = person.editor.attributes("line 3 "), person.editor.attributes("LINE 3")
    assert gone != come
    assert {} not in (gone, come), "both are highlighted"
    assert person.lines() == ["unsaved", *WRITTEN], "the text has not changed yet"
    person.wait(
        "require('mux.store').task(a[1]).state == 'ended' and not require('mux.store').run(a[1] .. '-1').worktree",
        task,
    )

    # It moves with typed text.
    person.keys("ggOtyped later<Esc>")
    assert person.row("LINE 3") == row + 2
    person.keys("5G ma")
    person.wait("vim.fn.getline(5) == 'LINE 3'")
    assert person.lines() == ["typed later", "unsaved", *replaced(3)]
    person.sees_no(f"{task}-1")
    person.keys("u")
    assert person.lines() == ["typed later", "unsaved", *WRITTEN]
    person.sees(f"~ line 3   {task}-1")
    person.keys("<C-r>")
    assert person.lines() == ["typed later", "unsaved", *replaced(3)]
    person.sees_no(f"{task}-1")
    assert (root / "notes.txt").read_text() == text_of(range(1, 11)), "only the person writes the file"
    assert fingerprint(root / ".git") == before
    assert person.notifications() == [f"mux: {task}: 1 of 1 finished, 1 file to review"]


def test_navigation_takes_counts_and_wraps_around(person: Person) -> None:
    person.start(capitals(2, 5, 9))
    person.sees("LINE 2", "LINE 5", "LINE 9")

    def at(keys: str) -> int:
        person.keys(keys)
        line: int = person.value("vim.fn.line('.')")
        return line

    assert [at("]m") for _ in range(4)] == [2, 5, 9, 2]
    assert [at(keys) for keys in ("2]m", "2]m", "[m", "[m", "4[m")] == [9, 5, 2, 9, 5]
    assert at("6G]m") == 9
    assert at("6G[m") == 5
    assert at("gg[m") == 9
    person.command("Mux next 2")
    assert person.value("vim.fn.line('.')") == 5
    person.command("Mux prev")
    assert person.value("vim.fn.line('.')") == 2
    person.sees("mux: change 1 of 3")
    # Navigation is a motion, and a change is a text object.
    person.keys("ggd]m")
    assert person.lines() == WRITTEN[1:]
    person.keys("u5Gdim")
    assert person.lines() == [*WRITTEN[:4], *WRITTEN[5:]]


@pytest.mark.both_neovims
def test_variants_are_shown_in_place_accepted_and_rejected(person: Person) -> None:
    three, trois, drei = (f"sed -i 's/^line 3$/{word}/' notes.txt" for word in ("three", "trois", "drei"))
    task = person.start(three, three, trois, drei)
    person.ended(task)
    person.sees(f"{task}-1 · sh:sed", "2/4 agree · variant 1 of 3")
    person.keys("3G]v")
    person.sees("1/4 agree · variant 2 of 3")
    person.sees_no("  three")
    # The order of these two depends on timing.
    second, third = ("trois", "drei") if "  trois" in person.editor.screen else ("drei", "trois")
    person.keys("2]v")
    person.sees("  three", "variant 1 of 3")
    person.keys("[v")
    person.sees(f"  {third}", "variant 3 of 3")
    # The shown variant stays while text elsewhere changes.
    person.keys("Goend<Esc>")
    person.sees(f"  {third}", "variant 3 of 3")
    person.keys("3G mx")
    person.sees("variant 1 of 2")
    person.sees_no(f"  {third}")
    person.command("Mux variant -1")
    person.sees(f"  {second}", "variant 2 of 2")
    person.keys(" ma")
    person.wait("vim.fn.getline(3) == a[1]", second)
    person.sees_no("agree")
    person.keys("u")
    person.sees(f"  {second}", "variant 2 of 2")


def test_a_rejected_change_can_be_accepted(person: Person) -> None:
    task = person.start(capitals(3, 7))
    person.ended(task)
    person.sees("  LINE 3", "  LINE 7")
    person.keys("7G mx")
    person.sees_no("  LINE 7")
    # Unsaved text is no obstacle.
    person.keys("Goend<Esc>gg")
    menu = person.editor.menu("vim.cmd('Mux rejected')", "Rejected changes: accept one")
    person.editor.choose(menu, "notes.txt:7")
    person.wait("vim.fn.getline(7) == 'LINE 7' and vim.fn.line('.') == 7")
    assert person.value("vim.fn.getline(3)") == "line 3"
    person.keys("''")
    assert person.value("vim.fn.line('.')") == 1, "it is in the jump list"
    # Undone, the change is pending.
    person.keys("u")
    person.sees("  LINE 7")
    person.wait("vim.fn.getline(7) == 'line 7'")
    person.command("Mux rejected")
    person.sees("nothing was rejected")


def test_accept_and_reject_take_repeats_ranges_and_the_whole_file(person: Person) -> None:
    task = person.start(capitals(2, 4, 6, 8, 10))
    person.sees("LINE 2", "LINE 4", "LINE 6", "LINE 8", "LINE 10")
    person.keys("2G ma")
    person.wait("vim.fn.getline(2) == 'LINE 2'")
    person.keys("4G.")
    person.wait("vim.fn.getline(4) == 'LINE 4'")
    assert person.lines() == replaced(2, 4)
    person.keys("6G mx")
    person.sees_no("LINE 6")
    person.keys("8G.")
    person.sees_no("LINE 8")
    person.sees("LINE 10")
    person.keys("uu")
    assert person.lines() == WRITTEN, "each accept is one undo block"
    person.sees("LINE 2", "LINE 4")
    person.sees_no("LINE 6", "LINE 8")

    # A selection, an Ex range, and all unrejected changes of the file: one undo block each.
    person.keys("1GVjjj ma")
    person.wait("vim.fn.getline(4) == 'LINE 4'")
    assert person.lines() == replaced(2, 4)
    person.keys("u")
    assert person.lines() == WRITTEN
    person.sees("LINE 2")
    person.command("1,3Mux accept")
    person.wait("vim.fn.getline(2) == 'LINE 2'")
    person.keys("u")
    person.sees("~ line 2 ")
    person.keys(" mA")
    person.wait("vim.fn.getline(10) == 'LINE 10'")
    assert person.lines() == replaced(2, 4, 10)
    person.keys("u")
    assert person.lines() == WRITTEN
    person.sees("~ line 2 ")
    person.command("Mux reject file")
    person.sees_no(f"{task}-1")
    # A run by its id: rejected changes are left out and stay rejected.
    person.command(f"Mux accept {task}-1 notes.txt")
    person.sees("5 rejected changes left out")


def test_a_person_may_type_faster_than_the_daemon_responds(person: Person) -> None:
    task = person.start(capitals(2, 4, 6, 8))
    person.ended(task)
    person.sees("LINE 8")
    person.keys("qq]m maq]m mx2@q")
    person.wait("vim.fn.getline(8) == 'LINE 8'")
    assert person.lines() == replaced(2, 6, 8)
    person.sees_no(f"{task}-1")
    person.keys("u")
    assert person.lines() == replaced(2, 6)
    assert person.notifications() == [f"mux: {task}: 1 of 1 finished, 1 file to review"]


def test_changes_of_several_tasks_to_a_line_are_decided_one_by_one(person: Person) -> None:
    older = person.start("sed -i s/3/THREE/ notes.txt")
    person.ended(older)
    newer = person.start("sed -i s/3/trois/ notes.txt")
    person.ended(newer)
    person.sees("line THREE", "line trois")
    person.keys("3G ma")
    person.sees("⚠ line 3 was changed here too")
    assert person.lines()[2] == "line THREE"
    assert not [one for one in person.notifications() if "Nothing was written" in one]
    person.keys("u")
    person.sees("line 3", "line THREE", "line trois")
    person.keys("3G mx")
    person.sees_no("line THREE")
    person.sees("line trois")
    person.keys(".")
    person.sees_no("line trois")


def test_hunks_of_several_runs_are_accepted_in_one_undo_block(person: Person) -> None:
    task = person.start(capitals(2), f"{capitals(8)}; {capitals(5)}")
    person.sees("LINE 2", "LINE 5", "LINE 8")
    person.command("%Mux accept")
    person.wait("vim.fn.getline(8) == 'LINE 8' and vim.fn.getline(2) == 'LINE 2'")
    person.sees_no(f"{task}-1", f"{task}-2")
    assert person.lines() == replaced(2, 5, 8)
    person.keys("u")
    assert person.lines() == WRITTEN


def test_a_buffer_saved_under_another_name_is_reviewed(person: Person) -> None:
    person.command("saveas other.txt")
    task = person.start("sed -i s/3/THREE/ other.txt")
    person.sees("line THREE")
    person.keys("3G ma")
    person.wait("vim.fn.getline(3) == 'line THREE'")
    person.sees_no(f"{task}-1")


@pytest.mark.both_neovims
def test_a_conflict_is_drawn_differently_and_resolved_with_a_menu(person: Person) -> None:
    task = person.start(capitals(3))
    person.sees("LINE 3")
    plain = person.editor.attributes("LINE 3")
    person.keys("3Gccmine<Esc>")
    person.sees("! mine   ⚠ line 3 was changed here too", "  LINE 3")
    assert person.editor.attributes("LINE 3") != plain
    before = person.lines()
    prompt = f"{task}-1 is in conflict: line 3 was changed here too"
    menu = person.editor.menu("vim.api.nvim_feedkeys('3G ma', 't', false)", prompt)
    assert menu[0] == f"1: take {task}-1's lines over yours (loses 1 line: “mine”)"
    person.editor.choose(menu, "write conflict markers")
    person.wait("vim.fn.search('^=======$', 'nw') > 0")
    marked = ["<<<<<<< yours", "mine", "||||||| snapshot", "line 3", "=======", "LINE 3", f">>>>>>> {task}-1"]
    assert person.lines() == [*before[:2], *marked, *before[3:]]
    person.keys("u")
    assert person.lines() == before
    person.sees("! mine")
    menu = person.editor.menu("vim.api.nvim_feedkeys('3G ma', 't', false)", prompt)
    person.editor.choose(menu, "take")
    person.wait("vim.fn.getline(3) == 'LINE 3'")
    person.sees("mux: copies of your files are in")
    person.sees_no(f"line 3   {task}-1", "!")


@pytest.mark.both_neovims
def test_a_person_can_type_while_changes_arrive(person: Person, root: Path) -> None:
    (root.parent / "gate").touch()
    person.keys("Go")
    person.type("i")
    task = person.start(f"{capitals(2)}; until [ -e {root.parent}/go ]; do sleep 0.05; done; {capitals(6)}")
    person.sees("LINE 2")
    for letter in "some words ":
        person.type(letter if letter != " " else "<Space>")
    (root.parent / "go").touch()
    person.sees("LINE 6", "some words")
    person.type("more")
    person.sees("some words more")
    assert person.value("vim.api.nvim_get_mode().mode") == "i"
    assert person.lines() == [*WRITTEN, "some words more"]
    person.type("<Esc>")
    person.sees(f"~ line 2   {task}-1", f"~ line 6   {task}-1")
    person.keys(" mA")
    person.wait("vim.fn.getline(6) == 'LINE 6'")
    assert person.lines() == [*replaced(2, 6), "some words more"]


@pytest.mark.both_neovims
def test_keys_keep_their_meaning_where_there_is_nothing_to_review(start: Open) -> None:
    person = start("greet.py")
    person.attached()
    person.keys("gg]m")
    assert person.value("vim.fn.line('.')") == 5, "the filetype's motion to the next function"
    person.keys("[m")
    assert person.value("vim.fn.line('.')") == 1
    person.start("sed -i 's/bye/farewell/' greet.py")
    person.sees("farewell")
    person.keys("]m")
    assert person.value("vim.fn.line('.')") == 6
    person.keys("yim")
    assert person.value("vim.fn.getreg('0')") == '    print("bye " + name)\n'
    person.keys(" ma")
    person.wait("vim.fn.getline(6):find('farewell')")
    person.wait("require('mux.places').count(vim.api.nvim_get_current_buf()) == 0")
    person.keys("gg]m")
    assert person.value("vim.fn.line('.')") == 5


def test_a_change_of_a_text_with_carriage_returns_within_lines_is_refused(person: Person, root: Path) -> None:
    (root / "odd.txt").write_bytes(b"a\rb\nline 2\nline 3\n")
    person.edit("odd.txt")
    task = person.start("sed -i 's/^line 3$/three/' odd.txt")
    person.ended(task)
    person.command(f"Mux accept {task}-1")
    person.says("odd.txt has carriage returns within lines")
    assert person.lines() == ["a\rb", "line 2", "line 3"]
    assert (root / "odd.txt").read_bytes() == b"a\rb\nline 2\nline 3\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nline 2\nc\r\n", b"b\r\nline 2\nd\r\ne\n"),  # mixed line ends
        (b"a\r\nb\r\n", b"a\r\nB\r\nc\r\n"),
        (b"a\nb", b"A\nb"),  # no line end at the end
        (b"a\nb\n", b"A\nb\n\n"),
        (b"\n", b"\n\na\n"),
        (b"", b"one\ntwo\n"),
        (None, b"one\ntwo\n"),
        (b"a\nb\n", b""),
        ("ä€\n𝄞 b\n".encode(), "ö€\n𝄞 c\n\n𝄞\n".encode()),
    ],
)
def test_accepted_text_is_written_exactly_to_the_byte(
    person: Person, root: Path, before: bytes | None, after: bytes
) -> None:
    (root.parent / "after").write_bytes(after)
    if before is not None:
        (root / "some.txt").write_bytes(before)
    person.edit("some.txt")
    person.command("set nofixeol")
    task = person.start(f"cp {root.parent}/after some.txt")
    person.ended(task)
    person.wait("require('mux.places').count(vim.api.nvim_get_current_buf()) > 0")
    person.keys(" mA")
    person.wait("require('mux.places').count(vim.api.nvim_get_current_buf()) == 0")
    person.command("write")
    assert (root / "some.txt").read_bytes() == after
    if before:
        person.keys("u")
        person.command("write")
        assert (root / "some.txt").read_bytes() == before


def test_a_file_written_as_a_whole_is_read_into_the_buffer(person: Person, root: Path) -> None:
    (root / "odd.bin").write_bytes(b"a\0b\nline 2\n")
    person.edit("odd.bin")
    person.start("printf 'c\\000d\\n' > odd.bin")
    person.sees("whole file")
    person.keys(" ma")
    person.wait("vim.fn.getline(1) == 'c\\nd'")
    assert (root / "odd.bin").read_bytes() == b"c\0d\n"
