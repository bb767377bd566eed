"""The inline diff: seen on the screen, gone through, decided on, undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.person import fingerprint, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person

WRITTEN = text_of(range(1, 11)).splitlines()


def replaced(*numbers: int) -> list[str]:
    """The lines of `notes.txt` with these in capitals."""
    return [line.upper() if int(line.split()[1]) in numbers else line for line in WRITTEN]


def capitals(*numbers: int) -> str:
    """An agent that writes these lines in capitals."""
    return "sed -i " + " ".join(f"-e 's/^line {number}$/LINE {number}/'" for number in numbers) + " notes.txt"


@pytest.mark.both_neovims
def test_a_change_is_seen_accepted_undone_and_redone(person: Person, root: Path) -> None:
    before = fingerprint(root / ".git")
    person.keys("ggOunsaved<Esc>")
    task = person.start(f"grep -q '^unsaved$' notes.txt && {capitals(3)}")
    person.sees(f"~ line 3   {task}-1 · sh:grep")
    row = person.row("line 3 ")
    assert person.editor.screen[row + 1] == "  LINE 3"
    gone, come = person.editor.attributes("line 3 "), person.editor.attributes("LINE 3")
    assert gone != come
    assert {} not in (gone, come), "both stand out"
    assert person.lines() == ["unsaved", *WRITTEN], "nothing is in the text yet"
    person.wait(
        "require('mux.store').task(a[1]).state == 'ended' and not require('mux.store').run(a[1] .. '-1').worktree",
        task,
    )

    # What is typed moves it along.
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
    assert (root / "notes.txt").read_text() == text_of(range(1, 11)), "the person writes, nobody else"
    assert fingerprint(root / ".git") == before
    assert person.told() == [f"mux: {task}: 1 of 1 finished, 1 file to review"]


def test_changes_are_gone_through_with_counts_and_around_the_end(person: Person) -> None:
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
    # A change is a motion's goal and a text object.
    person.keys("ggd]m")
    assert person.lines() == WRITTEN[1:]
    person.keys("u5Gdim")
    assert person.lines() == [*WRITTEN[:4], *WRITTEN[5:]]


@pytest.mark.both_neovims
def test_variants_are_stepped_through_in_place_and_one_is_accepted_and_one_rejected(person: Person) -> None:
    three, trois, drei = (f"sed -i 's/^line 3$/{word}/' notes.txt" for word in ("three", "trois", "drei"))
    task = person.start(three, three, trois, drei)
    person.ended(task)
    person.sees(f"{task}-1 · sh:sed", "2/4 agree · variant 1 of 3")
    person.keys("3G]v")
    person.sees("1/4 agree · variant 2 of 3")
    person.sees_no("  three")
    # Which of the two comes first is a matter of time.
    second, third = ("trois", "drei") if "  trois" in person.editor.screen else ("drei", "trois")
    person.keys("2]v")
    person.sees("  three", "variant 1 of 3")
    person.keys("[v")
    person.sees(f"  {third}", "variant 3 of 3")
    # What is shown stays shown while something is typed elsewhere.
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


def test_a_no_can_be_taken_back(person: Person) -> None:
    task = person.start(capitals(3, 7))
    person.ended(task)
    person.sees("  LINE 3", "  LINE 7")
    person.keys("7G mx")
    person.sees_no("  LINE 7")
    # What is not saved does not stand in the way.
    person.keys("Goend<Esc>gg")
    menu = person.editor.menu("vim.cmd('Mux rejected')", "Rejected. To accept after all")
    person.editor.choose(menu, "notes.txt:7")
    person.wait("vim.fn.getline(7) == 'LINE 7' and vim.fn.line('.') == 7")
    assert person.value("vim.fn.getline(3)") == "line 3"
    person.keys("''")
    assert person.value("vim.fn.line('.')") == 1, "it was a jump as any other"
    # What is undone waits as anything does.
    person.keys("u")
    person.sees("  LINE 7")
    person.wait("vim.fn.getline(7) == 'line 7'")
    person.command("Mux rejected")
    person.sees("nothing was rejected")


def test_accept_and_reject_are_repeated_by_the_dot_and_done_over_ranges_and_the_file(person: Person) -> None:
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
    assert person.lines() == WRITTEN, "each accept is an undo of its own"
    person.sees("LINE 2", "LINE 4")
    person.sees_no("LINE 6", "LINE 8")

    # A selection, an Ex range, and all of the file that was not rejected: one undo each.
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
    # A run by its name, which leaves out what was rejected but takes back nothing.
    person.command(f"Mux accept {task}-1 notes.txt")
    person.sees("5 rejected changes left out")


def test_keys_may_be_quicker_than_the_daemon(person: Person) -> None:
    task = person.start(capitals(2, 4, 6, 8))
    person.ended(task)
    person.sees("LINE 8")
    person.keys("qq]m maq]m mx2@q")
    person.wait("vim.fn.getline(8) == 'LINE 8'")
    assert person.lines() == replaced(2, 6, 8)
    person.sees_no(f"{task}-1")
    person.keys("u")
    assert person.lines() == replaced(2, 6)
    assert person.told() == [f"mux: {task}: 1 of 1 finished, 1 file to review"]


def test_what_several_tasks_do_to_a_line_is_decided_on_one_by_one(person: Person) -> None:
    older = person.start("sed -i s/3/THREE/ notes.txt")
    person.ended(older)
    newer = person.start("sed -i s/3/trois/ notes.txt")
    person.ended(newer)
    person.sees("line THREE", "line trois")
    person.keys("3G ma")
    person.sees("⚠ line 3 was changed here too")
    assert person.lines()[2] == "line THREE"
    assert not [one for one in person.told() if "Nothing was written" in one]
    person.keys("u")
    person.sees("line 3", "line THREE", "line trois")
    person.keys("3G mx")
    person.sees_no("line THREE")
    person.sees("line trois")
    person.keys(".")
    person.sees_no("line trois")


def test_hunks_of_several_runs_are_accepted_in_one_undo(person: Person) -> None:
    task = person.start(capitals(2), f"{capitals(8)}; {capitals(5)}")
    person.sees("LINE 2", "LINE 5", "LINE 8")
    person.command("%Mux accept")
    person.wait("vim.fn.getline(8) == 'LINE 8' and vim.fn.getline(2) == 'LINE 2'")
    person.sees_no(f"{task}-1", f"{task}-2")
    assert person.lines() == replaced(2, 5, 8)
    person.keys("u")
    assert person.lines() == WRITTEN


def test_what_comes_at_the_top_at_the_end_and_what_only_goes_is_seen(person: Person) -> None:
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


def test_what_is_saved_under_another_name_is_reviewed_too(person: Person) -> None:
    person.command("saveas other.txt")
    task = person.start("sed -i s/3/THREE/ other.txt")
    person.sees("line THREE")
    person.keys("3G ma")
    person.wait("vim.fn.getline(3) == 'line THREE'")
    person.sees_no(f"{task}-1")


@pytest.mark.both_neovims
def test_a_conflict_is_shown_apart_and_settled_by_a_menu(person: Person) -> None:
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
    person.sees("mux: your files were kept in")
    person.sees_no(f"line 3   {task}-1", "!")


def test_typing_goes_on_while_changes_arrive(person: Person, root: Path) -> None:
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
def test_added_lines_have_the_colours_of_their_filetype(start: Open) -> None:
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


def test_what_is_different_within_a_line_is_marked(start: Open) -> None:
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


def test_what_comes_in_front_of_the_first_line_is_seen_whenever_that_is(start: Open, root: Path) -> None:
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


def test_nothing_is_drawn_in_a_diff(person: Person, root: Path) -> None:
    person.start(capitals(3))
    person.sees("~ line 3 ")
    person.command("diffsplit greet.py")
    person.sees_no("LINE 3", "~ line 3 ")
    person.command("close | diffoff")
    person.sees("~ line 3 ", "LINE 3")


@pytest.mark.both_neovims
def test_a_key_does_what_it_did_where_there_is_nothing_to_review(start: Open) -> None:
    person = start("greet.py")
    person.attached()
    person.keys("gg]m")
    assert person.value("vim.fn.line('.')") == 5, "the next function, as the filetype has it"
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


def test_a_change_of_a_text_whose_lines_are_counted_otherwise_is_refused(person: Person, root: Path) -> None:
    (root / "odd.txt").write_bytes(b"a\rb\nline 2\nline 3\n")
    person.edit("odd.txt")
    task = person.start("sed -i 's/^line 3$/three/' odd.txt")
    person.ended(task)
    person.command(f"Mux accept {task}-1")
    person.says("odd.txt has carriage returns within lines")
    assert person.lines() == ["a\rb", "line 2", "line 3"]
    assert (root / "odd.txt").read_bytes() == b"a\rb\nline 2\nline 3\n"


@pytest.mark.both_neovims
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nline 2\nc\r\n", b"b\r\nline 2\nd\r\ne\n"),  # of mixed line ends
        (b"a\r\nb\r\n", b"a\r\nB\r\nc\r\n"),
        (b"a\nb", b"A\nb"),  # without an end of the last line
        (b"a\nb\n", b"A\nb\n\n"),
        (b"\n", b"\n\na\n"),
        (b"", b"one\ntwo\n"),
        (None, b"one\ntwo\n"),
        (b"a\nb\n", b""),
        ("ä€\n𝄞 b\n".encode(), "ö€\n𝄞 c\n\n𝄞\n".encode()),
    ],
)
def test_what_is_accepted_is_written_to_the_byte(
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


def test_what_is_written_as_a_whole_is_in_the_buffer_at_once(person: Person, root: Path) -> None:
    (root / "odd.bin").write_bytes(b"a\0b\nline 2\n")
    person.edit("odd.bin")
    person.start("printf 'c\\000d\\n' > odd.bin")
    person.sees("whole file")
    person.keys(" ma")
    person.wait("vim.fn.getline(1) == 'c\\nd'")
    assert (root / "odd.bin").read_bytes() == b"c\0d\n"


def test_nothing_an_agent_writes_drives_the_screen(person: Person, root: Path) -> None:
    hostile = "line\t3 \x1b]0;title\x07 \x1b[2J a\u202eb %#Error# <Cmd>q<CR>"
    (root.parent / "hostile").write_text(f"{hostile}\n")
    task = person.start(f"sed -i -e '3{{r {root.parent}/hostile' -e 'd}}' notes.txt")
    person.sees("^[]0;title^G ^[[2J a<202e>b %#Error# <Cmd>q<CR>")
    assert person.line("^[]0;title").startswith("  line    3 ")
    person.keys("3G ma")
    person.sees_no(f"{task}-1")
    assert person.lines()[2] == hostile


def test_what_is_not_text_is_shown_and_decided_on(person: Person, root: Path) -> None:
    task = person.start("chmod +x notes.txt", "git mv notes.txt papers.txt", "rm notes.txt")
    person.ended(task)
    person.sees("file mode", "delete the file")
    person.command(f"Mux accept {task}-1")
    person.sees_no("file mode")
    assert (root / "notes.txt").stat().st_mode & 0o100


def test_long_changes_are_shown_in_part_and_only_near_the_screen(start: Open, root: Path) -> None:
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
def test_what_a_fold_or_another_window_brings_up_is_drawn(start: Open, root: Path) -> None:
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
