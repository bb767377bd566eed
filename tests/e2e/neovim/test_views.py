"""Test the windows: tasks, transcripts, comparisons, lists and diffs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.neovim.notes import capitals
from tests.support.person import make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person


def test_the_tasks_window_is_live_and_has_folds_and_keys(person: Person, root: Path) -> None:
    go = root.parent / "go"
    wait = f"until [ -e {go} ]; do sleep 0.05; done"
    task = person.start(f"{wait}; {capitals(2)}", "false", prompt="Make it\nbetter")
    person.command("Mux tasks")
    person.sees(f"{task}  1/2  Make it better", f"{task}-1       running", "failed")
    person.wait("vim.fn.search('running  .*[1-9]s', 'nw') > 0")  # the elapsed time is updated
    go.touch()
    person.sees(f"{task}  2/2", "finished    sh:", "+1 −1")  # noqa: RUF001  a minus sign
    person.says(f"mux: {task}: 1 of 2 finished, 1 file to review")
    person.keys("ggzc")
    person.sees_no("finished    sh:")
    person.keys("zo")
    person.sees("finished    sh:")
    # `g?` shows the keys. `q` closes only that window, and another key has its action.
    for key in ("q", "<Esc>", "g?"):
        person.keys("g?")
        person.sees("accept all changes of the run", "close the window")
        person.keys(key)
        person.sees_no("close the window")
        person.sees(f"{task}  2/2")
    person.keys("g?=")
    person.sees(f"mux:/compare/{task}.md")
    person.sees_no("close the window")
    person.keys("q")
    person.command(f"Mux task {task}")
    person.keys("ja")
    person.wait("vim.fn.getbufline('notes.txt', 2)[1] == 'LINE 2'")
    person.keys("q")
    person.sees_no(f"{task}  2/2")
    assert person.value("#vim.api.nvim_list_wins()") == 1


@pytest.mark.both_neovims
def test_the_tasks_window_is_filled_again_after_bdelete_edit_and_a_session(
    person: Person, start: Open, root: Path
) -> None:
    task = person.start(capitals(2))
    person.ended(task)
    person.command("Mux tasks")
    for command in ("bdelete", "edit", "bwipeout"):
        person.command(command)
        person.command("Mux tasks")
        person.keys("g?")
        person.sees(f"{task}  1/1", "close the window")
        person.keys("q")
    person.command(f"Mux log {task}-1")
    person.sees(f"mux:/transcript/{task}-1.md", "sed -i")
    session = root.parent / "session.vim"
    person.command(f"mksession {session}")
    other = start(None)
    other.command(f"source {session}")
    other.sees(f"mux:/transcript/{task}-1.md", "sed -i", f"{task}  1/1")
    other.command("Mux tasks")
    other.keys("j")
    assert other.value("require('mux.target').id_here()") == f"{task}-1"
    assert other.value("vim.bo.modifiable") is False


def test_commands_in_a_window_use_the_repository_of_its_content(person: Person, root: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"LICENSE": "free\n"})
    person.edit(f"{other}/LICENSE")
    task = person.start("true", prompt="first")
    for number, command in enumerate(("Mux tasks", f"Mux log {task}-1"), 1):
        person.command("wincmd t")
        person.command(command)
        person.command(f"Mux run -a sh:true number {number}")
        person.wait("#require('mux').tasks(a[1]) == a[2]", str(other), number + 1)
    assert person.value("#require('mux').tasks(vim.fn.getcwd())") == 0


def test_the_cursor_stays_with_its_run_and_ids_in_text_are_ignored(person: Person) -> None:
    first = person.start(capitals(2), capitals(9), prompt="first")
    person.ended(first)
    person.command("Mux tasks")
    person.sees(f"{first}  2/2  first")
    person.keys("Gzc")
    person.sees_no("finished    ")
    person.keys("zoG")
    assert f"{first}-2" in person.value("vim.fn.getline('.')")
    second = person.start("true", prompt=f"go on from {first}-1")
    person.ended(second)
    person.sees(f"{second}  1/1  go on from {first}-1")
    assert person.value("require('mux.target').id_here()") == f"{first}-2", "the cursor has not moved"
    person.keys("gg")
    assert person.value("require('mux.target').id_here()") == second
    person.keys("jx")  # a run without changes has nothing to reject
    person.keys("G")
    # A transcript belongs to its run, whatever it contains.
    third = person.start(f"echo {first}-1; {capitals(5)}")
    person.ended(third)
    person.command(f"Mux log {third}-1")
    person.wait("vim.fn.search(a[1], 'w') > 0", f"{first}-1")
    person.keys("a")
    person.wait("vim.fn.getbufline('notes.txt', 5)[1] == 'LINE 5'")
    assert person.value("vim.fn.getbufline('notes.txt', 2)[1]") == "line 2"
    # A comparison has a table with a row for each run.
    person.command(f"Mux compare {first}")
    person.wait(f"vim.fn.search('| {first}-2 |', 'w') > 0")
    assert person.value("vim.fn.winnr('$')") == 3, "it shares the window of the transcript"
    person.keys("a")
    person.wait("vim.fn.getbufline('notes.txt', 9)[1] == 'LINE 9'")
    # In a text, the change at the cursor counts.
    person.command("1wincmd w")
    person.keys("2G")
    person.command("Mux log")
    person.wait("vim.api.nvim_buf_get_name(0) == a[1]", f"mux:/transcript/{first}-1.md")


@pytest.mark.both_neovims
def test_a_transcript_is_live_and_its_run_is_continued_from_it(person: Person, root: Path) -> None:
    go = root.parent / "go"
    again = 'grep -q more "$MUX_PROMPT_FILE" && echo and more'
    task = person.start(f"{again}; echo begins; until [ -e {go} ]; do sleep 0.05; done; echo ends")
    person.command(f"Mux log {task}-1")
    person.sees("begins", "running")
    assert person.value("vim.bo.modifiable") is False
    assert person.value("vim.bo.filetype") == "markdown"
    go.touch()
    person.wait("vim.fn.search('^ends$', 'nw') > 0")
    person.wait("require('mux.store').run(a[1]).state == 'finished'", f"{task}-1")
    person.command("Mux continue some more")
    person.wait("vim.fn.search('^and more$', 'nw') > 0")


@pytest.mark.both_neovims
def test_runs_are_compared_side_by_side(person: Person) -> None:
    task = person.start(capitals(2), capitals(2), capitals(3))
    person.ended(task)
    person.command(f"Mux compare {task}")
    person.wait("vim.fn.search(a[1], 'nw') > 0", f"{task}-3")
    assert person.value("vim.api.nvim_buf_get_name(0)") == f"mux:/compare/{task}.md"
    person.wait("vim.fn.search('LINE 3', 'w') > 0")
    # Without a task, the newest is compared.
    newer = person.start(capitals(4))
    person.command("wincmd p | Mux compare")
    person.wait("vim.api.nvim_buf_get_name(0) == a[1]", f"mux:/compare/{newer}.md")


def test_open_changes_are_in_a_quickfix_list_and_in_a_menu(start: Open) -> None:
    person = start("greet.py")
    person.attached()
    task = person.start(f"{capitals(2, 9)}; sed -i s/hello/hullo/ greet.py", capitals(2))
    person.ended(task)
    person.command("Mux hunks")
    person.wait("vim.bo.filetype == 'qf'")
    person.sees(
        f'greet.py|2 info| {task}-1 · + print("hullo " + name)',
        f"notes.txt|2 info| {task}-1 · + LINE 2",
        f"notes.txt|9 info| {task}-1 · + LINE 9",
    )
    assert person.value("#vim.fn.getqflist()") == 3, "equal changes have one entry"
    person.command("cclose")
    menu = person.editor.menu("vim.cmd('Mux select')", "Changes to review")
    person.editor.choose(menu, "notes.txt:9")
    person.wait("vim.fn.expand('%:t') == 'notes.txt' and vim.fn.line('.') == 9")


@pytest.mark.both_neovims
@pytest.mark.parametrize("kept", ["set winfixbuf", "set nohidden | normal Goend", "Mux tasks"])
def test_a_chosen_change_opens_beside_a_window_that_keeps_its_text(person: Person, kept: str) -> None:
    task = person.start("sed -i s/hello/hullo/ greet.py")
    person.ended(task)
    person.command(kept)
    before = person.value("vim.api.nvim_get_current_buf()")
    menu = person.editor.menu("vim.cmd('Mux select')", "Changes to review")
    person.editor.choose(menu, "greet.py:2")
    person.wait("vim.fn.expand('%:t') == 'greet.py' and vim.fn.line('.') == 2")
    assert person.value(f"#vim.fn.win_findbuf({before})") == 1, "that window is unchanged"


def test_files_with_unusual_names_are_listed_completed_and_opened(person: Person, root: Path) -> None:
    odd = "+a b\\%#|'x\"$(1)*[y].txt"
    (root.parent / "name").write_text(odd)
    task = person.start(f'echo one > "$(cat {root.parent}/name)"')
    assert [file["path"] for file in person.ended(task)["runs"][0]["files"]] == [odd]
    person.command("Mux hunks")
    person.wait("vim.bo.filetype == 'qf' and #vim.fn.getqflist() == 1")
    person.command("cclose")
    found = person.value(f"vim.fn.getcompletion('Mux accept {task}-1 ', 'cmdline')")
    assert found == [odd.replace("\\", "\\\\").replace(" ", "\\ ")]
    person.command(f"Mux diff {task}-1 {found[0]}")
    person.wait("vim.fn.winnr('$') == 2 and vim.fn.getbufline(vim.fn.winbufnr(2), 1)[1] == 'one'")
    assert person.value("vim.api.nvim_buf_get_name(0)") == str(root / odd)
    person.command("tabclose")
    menu = person.editor.menu("vim.cmd('Mux select')", "Changes to review")
    person.editor.choose(menu, odd)
    person.wait("vim.api.nvim_buf_get_name(0) == a[1]", str(root / odd))
    person.command(f"Mux accept {task}-1 {found[0]}")
    person.wait("vim.fn.getline(1) == 'one'")


@pytest.mark.parametrize("agent", ['echo one > "$name"', 'git mv notes.txt "$name"'])
def test_a_file_name_is_never_executed(person: Person, root: Path, agent: str) -> None:
    name = "a\nlua=rawset(_G,_VERSION,1)"
    (root.parent / "name").write_text(name)
    task = person.start(f'name="$(cat {root.parent}/name)"; {agent}')
    assert [file["path"] for file in person.ended(task)["runs"][0]["files"]] == [name]
    person.command(f"Mux diff {task}-1")
    person.wait("vim.fn.winnr('$') == 2 and vim.api.nvim_buf_get_name(0) == a[1]", str(root / name))
    person.command("tabclose")
    person.command(f"Mux accept {task}-1")
    if "mv" in agent:
        person.says("has a line end: run mux-lsp accept in a terminal")
        assert (root / "notes.txt").exists()
    else:
        person.wait("vim.fn.bufloaded(a[1]) == 1", str(root / name))
    assert person.value("_G[_VERSION]") is None


def test_text_of_agents_sets_no_option_and_is_not_concealed(person: Person, root: Path) -> None:
    task = person.start(
        "printf '# vim: set textwidth=33 :\\n[a](b)\\n' > new.md; echo '[shown](hidden) vim: set textwidth=33 :'"
    )
    person.ended(task)
    person.command("set conceallevel=2 modeline")
    for uri in (f"mux:/run/{task}-1/new.md", f"mux:/pending/{task}-1/new.md"):
        person.command(f"edit {uri}")
        person.wait("vim.fn.getline(1) ~= ''")
        assert person.value("vim.bo.textwidth") == 0
    person.command("edit notes.txt")
    person.command(f"Mux log {task}-1")
    person.wait("vim.fn.search('shown', 'w') > 0")
    person.wait("vim.fn.search('^.shown.*:$', 'w') > 0")
    person.sees("[shown](hidden) vim: set textwidth=33 :")
    assert person.value("vim.bo.textwidth") == 0


def test_the_first_command_of_a_new_neovim_works(person: Person, start: Open) -> None:
    task = person.start(capitals(3))
    person.ended(task)
    for command, found in (("Mux hunks", "LINE 3"), (f"Mux diff {task}-1", "LINE 3"), ("Mux tasks", f"{task}  1/1")):
        fresh = start(None)
        fresh.command(command)
        fresh.sees(found)
    fresh = start(None)
    assert fresh.value("vim.fn.getcompletion('Mux log ', 'cmdline')") == [f"{task}-1"]


def test_a_file_is_shown_beside_the_version_of_a_run(person: Person) -> None:
    task = person.start(capitals(3))
    person.sees("LINE 3")
    person.keys("ggOmine<Esc>")
    person.command("Mux diff")
    person.wait("vim.fn.winnr('$') == 2 and vim.fn.getbufline(vim.fn.winbufnr(2), 4)[1] == 'LINE 3'")
    assert person.value("vim.fn.bufname(vim.fn.winbufnr(2))") == f"mux:/pending/{task}-1/notes.txt"
    assert person.value("vim.wo[vim.fn.win_getid(1)].diff and vim.wo[vim.fn.win_getid(2)].diff")
    person.wait("vim.fn.getbufline(vim.fn.winbufnr(2), 1)[1] == 'mine'")  # the live text, unsaved
    person.keys("ggOmore<Esc>")
    person.wait("vim.fn.getbufline(vim.fn.winbufnr(2), 1)[1] == 'more'")
    # In a window of the plugin, the run of the line counts.
    person.command("Mux tasks")
    person.keys("j")
    person.command("Mux diff")
    person.wait("vim.fn.tabpagenr() == 2 and vim.fn.winnr('$') == 2")


@pytest.mark.both_neovims
def test_the_three_versions_of_a_conflict_are_shown_side_by_side(person: Person) -> None:
    person.start(capitals(3))
    person.sees("LINE 3")
    person.keys("3Gccmine<Esc>")
    person.sees("! mine")
    menu = person.editor.menu("vim.lsp.buf.code_action()", "Code actions:")
    person.editor.choose(menu, "Open the three versions")
    person.wait("vim.fn.winnr('$') == 3 and vim.fn.getbufline(vim.fn.winbufnr(3), 3)[1] == 'LINE 3'")
    person.wait("vim.fn.getbufline(vim.fn.winbufnr(1), 3)[1] == 'line 3'")
    assert person.lines()[2] == "mine"
    for _ in range(2):
        person.command("wincmd w")
        person.keys("q")
    assert person.value("vim.fn.winnr('$') == 1 and vim.wo.diff") is False
    person.sees("! mine")
