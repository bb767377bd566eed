"""Test the drawing of the inline diff: insertions, deletions, highlighting, folds and long changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.neovim.notes import WRITTEN, capitals
from tests.support.person import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person


def test_insertions_at_both_ends_and_deletions_are_drawn(person: Person) -> None:
    person.start("sed -i -e '1i first of all' -e '5d' -e '$a last of all' notes.txt")
    person.sees("first of all", "- line 5", "last of all")
    screen = person.editor.screen
    assert screen[0].startswith("  first of all")
    assert screen[1] == "+ line 1"
    assert person.line("line 5").startswith("- line 5")
    assert person.row("last of all") == person.row("line 10") + 1
    person.keys("gg ma")
    person.wait("vim.fn.getline(1) == 'first of all'")
    person.keys("G ma")
    person.wait("vim.fn.getline('$') == 'last of all'")
    person.command("6Mux accept")
    person.wait("vim.fn.line('$') == 11")
    assert person.lines() == ["first of all", *WRITTEN[:4], *WRITTEN[5:], "last of all"]
    person.command("write")
    person.start("sed -i '$d' notes.txt")
    person.sees("- last of all")
    person.keys("G ma")
    person.wait("vim.fn.line('$') == 10")
    assert person.lines() == ["first of all", *WRITTEN[:4], *WRITTEN[5:]]


@pytest.mark.both_neovims
def test_inserted_lines_have_syntax_highlighting(start: Open) -> None:
    person = start("greet.py")
    person.attached()
    person.start('sed -i \'s/^    print("hello.*/    return "hello"  # and nothing more/\' greet.py')
    person.sees('      return "hello"  # and nothing more')
    line = person.row('return "hello"')
    cells = person.editor.cells[line]
    text = "".join(cell.text for cell in cells)

    def colour(word: str) -> object:
        return person.editor.highlights[cells[text.index(word)].highlight].get("foreground")

    def background(column: int) -> object:
        return person.editor.highlights[cells[column].highlight].get("background")

    assert len({colour("return"), colour("hello"), colour("# and")}) == 3, "keyword, string and comment differ"
    assert background(text.index("return")) == background(90) is not None, "as wide as the screen"


def test_the_differing_part_of_a_line_is_marked(start: Open) -> None:
    person = start("greet.py")
    person.attached()
    person.start("sed -i 's/hello/gr\u00fc\u00df dich/' greet.py")
    person.sees('print("gr\u00fc\u00df dich')
    marked = person.value("vim.api.nvim_get_hl(0, { name = 'DiffText' }).bg")

    def marked_in(row: int) -> str:
        cells = person.editor.cells[row]
        return "".join(
            cell.text for cell in cells if person.editor.highlights[cell.highlight].get("background") == marked
        )

    row = person.row('print("hello')
    assert marked_in(row) == "hello"
    assert marked_in(row + 1) == "gr\u00fc\u00df dich"
    person.keys("2Gccwholly other<Esc>u")
    person.sees('print("hello')
    assert marked_in(person.row('print("hello')) == "hello"


def test_an_insertion_before_the_first_line_is_visible_with_that_line(start: Open, root: Path) -> None:
    (root / "long.txt").write_text(text_of(range(1, 101)))
    person = start("long.txt")
    person.attached()
    person.start("sed -i '1i first of all' long.txt")
    person.sees("first of all")
    person.keys("G")
    person.sees_no("first of all")
    person.keys("gg")
    person.sees("first of all")
    person.keys("<C-e>")
    person.sees_no("first of all")
    person.keys("]m")
    person.sees("first of all")
    person.command("edit notes.txt")
    person.sees_no("first of all")
    person.command("edit long.txt")
    person.sees("first of all")


def test_nothing_is_drawn_in_diff_mode(person: Person, root: Path) -> None:
    person.start(capitals(3))
    person.sees("~ line 3 ")
    person.command("diffsplit greet.py")
    person.sees_no("LINE 3", "~ line 3 ")
    person.command("close | diffoff")
    person.sees("~ line 3 ", "LINE 3")


def test_control_characters_of_agents_are_shown_as_text(person: Person, root: Path) -> None:
    hostile = "line\t3 \x1b]0;title\x07 \x1b[2J a\u202eb %#Error# <Cmd>q<CR>"
    (root.parent / "hostile").write_text(f"{hostile}\n")
    task = person.start(f"sed -i -e '3{{r {root.parent}/hostile' -e 'd}}' notes.txt")
    person.sees("^[]0;title^G ^[[2J a<202e>b %#Error# <Cmd>q<CR>")
    assert person.line("^[]0;title").startswith("  line    3 ")
    person.keys("3G ma")
    person.sees_no(f"{task}-1")
    assert person.lines()[2] == hostile


def test_changes_of_the_file_itself_are_drawn_and_accepted(person: Person, root: Path) -> None:
    task = person.start("chmod +x notes.txt", "git mv notes.txt papers.txt", "rm notes.txt")
    person.ended(task)
    person.sees("file mode", "delete the file")
    person.command(f"Mux accept {task}-1")
    person.sees_no("file mode")
    assert (root / "notes.txt").stat().st_mode & 0o100


def test_long_changes_are_cut_and_only_changes_near_the_screen_are_drawn(start: Open, root: Path) -> None:
    (root / "long.txt").write_text(text_of(range(1, 2001)))
    person = start("long.txt", "{ keymaps = true, review = { max_lines = 5 } }")
    person.attached()
    person.start(
        'i=10; while [ $i -le 2000 ]; do sed -n "${i}p" long.txt >> seen; i=$((i+10)); done;'
        " sed -i -e 's/^line \\([0-9]*0\\)$/LINE \\1/' -e '4r seen' long.txt; rm seen"
    )
    person.sees("line 10", "LINE 10", "… 195 more lines: :Mux diff shows them")
    drawn = "#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_get_namespaces()['mux.inline'], 0, -1, {})"
    few: int = person.value(drawn)
    assert few < 40
    person.keys("1000G")
    person.sees("LINE 1000", "LINE 990")
    person.keys("G")
    assert person.value(drawn) < 40
    person.keys("[m]m")
    person.sees("LINE 2000")
    person.keys("[m")
    person.sees("change 200 of 201")


@pytest.mark.both_neovims
def test_lines_that_a_fold_or_a_second_window_shows_are_drawn(start: Open, root: Path) -> None:
    (root / "long.txt").write_text(text_of(range(1, 301)))
    person = start("long.txt")
    person.attached()
    task = person.start("sed -i -e '/^line 205$/d' -e '220,290d' long.txt")
    person.ended(task)
    person.wait("require('mux.places').count(vim.api.nvim_get_current_buf()) == 2")
    person.keys("285Gzt")
    person.sees("- line 285", "- line 290")
    person.command("split")
    person.keys("221Gzt")
    person.sees("- line 222", "- line 230", "- line 286")
    person.command("only")
    person.keys("gg")
    person.sees("line 10")
    person.command("20,200fold")
    person.sees("- line 205")
