"""The windows: tasks, transcripts, comparisons, lists, diffs, prompts and what agents ask leave for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.neovim.test_review import WRITTEN, capitals
from tests.support.person import make_repository
from tests.support.replaying import DONE, agent, call, replaying, turn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person
    from tests.support.home import IsolatedHome

CONFIG = """\
[defaults]
agents = ["shouter"]

[agents.shouter]
kind = "command"
command = 'sed -i "s/^line 4$/$(cat "$MUX_PROMPT_FILE" | tr -d "\\n" | cut -c1-20)/" notes.txt'
"""


@pytest.fixture
def shouting(home: IsolatedHome) -> None:
    """A default agent that writes the prompt's beginning into line 4."""
    home.write_config(CONFIG)


def test_the_tasks_window_shows_runs_live_and_folds_and_has_keys(person: Person, root: Path) -> None:
    go = root.parent / "go"
    wait = f"until [ -e {go} ]; do sleep 0.05; done"
    task = person.start(f"{wait}; {capitals(2)}", "false", prompt="Make it\nbetter")
    person.command("Mux tasks")
    person.sees(f"{task}  1/2  Make it better", f"{task}-1       running", "failed")
    person.wait("vim.fn.search('running  .*[1-9]s', 'nw') > 0")  # time goes on by itself
    go.touch()
    person.sees(f"{task}  2/2", "finished    sh:", "+1 −1")  # noqa: RUF001  a minus sign
    person.says(f"mux: {task}: 1 of 2 finished, 1 file to review")
    person.keys("ggzc")
    person.sees_no("finished    sh:")
    person.keys("zo")
    person.sees("finished    sh:")
    # The keys are shown; `q` leaves them and not the tasks, and one of them does what it says.
    for key in ("q", "<Esc>", "g?"):
        person.keys("g?")
        person.sees("accept all that the run did", "close the window")
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
def test_the_tasks_window_is_whole_again_after_bdelete_edit_and_a_session(
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
    assert other.value("require('mux.keys').id_here()") == f"{task}-1"
    assert other.value("vim.bo.modifiable") is False


def test_windows_are_about_the_repository_of_what_they_show(person: Person, root: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"LICENSE": "free\n"})
    person.edit(f"{other}/LICENSE")
    task = person.start("true", prompt="first")
    for number, command in enumerate(("Mux tasks", f"Mux log {task}-1"), 1):
        person.command("wincmd t")
        person.command(command)
        person.command(f"Mux run -a sh:true number {number}")
        person.wait("#require('mux').tasks(a[1]) == a[2]", str(other), number + 1)
    assert person.value("#require('mux').tasks(vim.fn.getcwd())") == 0


def test_the_cursor_stays_with_its_run_and_words_with_ids_have_no_say(person: Person) -> None:
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
    assert person.value("require('mux.keys').id_here()") == f"{first}-2", "the cursor is where it was"
    person.keys("gg")
    assert person.value("require('mux.keys').id_here()") == second
    person.keys("jx")  # of a run that has done nothing there is nothing to reject
    person.keys("G")
    # A transcript is about its run, whatever stands in it.
    third = person.start(f"echo {first}-1; {capitals(5)}")
    person.ended(third)
    person.command(f"Mux log {third}-1")
    person.wait("vim.fn.search(a[1], 'w') > 0", f"{first}-1")
    person.keys("a")
    person.wait("vim.fn.getbufline('notes.txt', 5)[1] == 'LINE 5'")
    assert person.value("vim.fn.getbufline('notes.txt', 2)[1]") == "line 2"
    # A comparison has its runs in a table.
    person.command(f"Mux compare {first}")
    person.wait(f"vim.fn.search('| {first}-2 |', 'w') > 0")
    assert person.value("vim.fn.winnr('$')") == 3, "it takes turns with the transcript"
    person.keys("a")
    person.wait("vim.fn.getbufline('notes.txt', 9)[1] == 'LINE 9'")
    # In a text it is the change under the cursor.
    person.command("1wincmd w")
    person.keys("2G")
    person.command("Mux log")
    person.wait("vim.api.nvim_buf_get_name(0) == a[1]", f"mux:/transcript/{first}-1.md")


def test_a_prompt_that_could_not_be_sent_is_there_again(home: IsolatedHome, start: Open) -> None:
    home.write_config("")
    person = start()
    person.attached()
    person.keys(" mr")
    person.keys("ia long prompt<CR>of two lines<Esc>")
    person.command("set cmdheight=8 | wq")
    person.says("No agent was named")
    person.wait("vim.bo.buftype == 'acwrite'")
    assert person.lines() == ["a long prompt", "of two lines"]
    person.sees("What is to be done. :w sends, :q! leaves it.")
    person.command("q!")
    person.command("Mux continue zzz-1")
    person.keys("iand more<Esc>")
    person.command("write")
    person.says("zzz-1")
    person.wait("vim.bo.buftype == 'acwrite'")
    assert person.lines() == ["and more"]


def test_a_prompt_comes_back_beside_what_is_being_typed(person: Person) -> None:
    person.keys(" mr")
    person.keys("ia prompt<Esc>")
    person.lua(
        "require('mux.connection').request = function(_, _, answer)\n"
        "  _G.fail = function() answer(nil, 'not now') end\n"
        "end"
    )
    person.command("write")
    person.wait("vim.fn.expand('%:t') == 'notes.txt' and _G.fail ~= nil")
    person.type("Gotyp")
    person.lua("_G.fail()")
    person.sees("a prompt", "typ")
    person.type("ing<Esc>")
    person.wait("vim.fn.getline('$') == 'typing'")
    assert person.value("vim.fn.expand('%:t')") == "notes.txt"


def test_the_lines_of_a_prompt_are_those_that_were_chosen(start: Open, home: IsolatedHome, root: Path) -> None:
    home.write_config(CONFIG)
    person = start()
    person.attached()
    person.command("4,5Mux run")
    person.keys("iabout those<Esc>")
    person.command("wincmd p")
    person.keys("ggOone more line<Esc>")
    person.lua(
        "local request = require('mux.connection').request\n"
        "require('mux.connection').request = function(command, argument, ...)\n"
        "  if command == 'mux.task.start' then _G.context = argument.context end\n"
        "  return request(command, argument, ...)\n"
        "end"
    )
    person.command("wincmd p | write")
    person.newest()
    (context,) = person.value("_G.context")
    assert context["uri"] == (root / "notes.txt").as_uri()
    assert (context["range"]["start"]["line"], context["range"]["end"]["line"]) == (4, 6)


@pytest.mark.both_neovims
def test_a_transcript_streams_and_is_answered_in(person: Person, root: Path) -> None:
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
    # Of no task in particular it is the newest.
    newer = person.start(capitals(4))
    person.command("wincmd p | Mux compare")
    person.wait("vim.api.nvim_buf_get_name(0) == a[1]", f"mux:/compare/{newer}.md")


def test_what_is_no_run_opens_no_window(person: Person) -> None:
    task = person.start(capitals(2), capitals(3))
    person.ended(task)
    person.sees("LINE 2")
    person.keys("]m")
    person.command("Mux task")
    assert person.value("vim.api.nvim_get_current_line()").startswith(f"  {task}-"), "that of the change one was at"
    person.command(f"Mux task {task}")
    for command in ("log", "retry", "pick", "continue go on"):
        person.lua("_G.told = {}")
        person.command(f"Mux {command}")
        person.says("which run? :Mux tasks shows those there are.")
    for given in (task, f"{task}-9", "nobody"):
        person.command(f"Mux log {given}")
        person.says(f"{given} is no run; :Mux tasks shows those there are.")
    assert person.value("#vim.api.nvim_list_wins()") == 2
    # The only run of a task goes by the task's name too.
    only = person.start("echo alone")
    person.ended(only)
    person.command(f"Mux log {only}")
    person.wait("vim.fn.search('^alone$', 'nw') > 0")


def test_all_that_waits_is_in_a_quickfix_list_and_in_a_menu(start: Open) -> None:
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
    assert person.value("#vim.fn.getqflist()") == 3, "equal changes are one"
    person.command("cclose")
    menu = person.editor.menu("vim.cmd('Mux select')", "To review")
    person.editor.choose(menu, "notes.txt:9")
    person.wait("vim.fn.expand('%:t') == 'notes.txt' and vim.fn.line('.') == 9")


@pytest.mark.both_neovims
@pytest.mark.parametrize("kept", ["set winfixbuf", "set nohidden | normal Goend", "Mux tasks"])
def test_a_choice_is_gone_to_from_a_window_that_keeps_its_text(person: Person, kept: str) -> None:
    task = person.start("sed -i s/hello/hullo/ greet.py")
    person.ended(task)
    person.command(kept)
    before = person.value("vim.api.nvim_get_current_buf()")
    menu = person.editor.menu("vim.cmd('Mux select')", "To review")
    person.editor.choose(menu, "greet.py:2")
    person.wait("vim.fn.expand('%:t') == 'greet.py' and vim.fn.line('.') == 2")
    assert person.value(f"#vim.fn.win_findbuf({before})") == 1, "that window is as it was"


def test_files_of_any_name_are_listed_completed_and_gone_to(person: Person, root: Path) -> None:
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
    menu = person.editor.menu("vim.cmd('Mux select')", "To review")
    person.editor.choose(menu, odd)
    person.wait("vim.api.nvim_buf_get_name(0) == a[1]", str(root / odd))
    person.command(f"Mux accept {task}-1 {found[0]}")
    person.wait("vim.fn.getline(1) == 'one'")


@pytest.mark.parametrize("agent", ['echo one > "$name"', 'git mv notes.txt "$name"'])
def test_nothing_a_file_is_called_is_carried_out(person: Person, root: Path, agent: str) -> None:
    name = "a\nlua=rawset(_G,_VERSION,1)"
    (root.parent / "name").write_text(name)
    task = person.start(f'name="$(cat {root.parent}/name)"; {agent}')
    assert [file["path"] for file in person.ended(task)["runs"][0]["files"]] == [name]
    person.command(f"Mux diff {task}-1")
    person.wait("vim.fn.winnr('$') == 2 and vim.api.nvim_buf_get_name(0) == a[1]", str(root / name))
    person.command("tabclose")
    person.command(f"Mux accept {task}-1")
    if "mv" in agent:
        person.says("has a line end in its new name: use mux-lsp accept in a terminal")
        assert (root / "notes.txt").exists()
    else:
        person.wait("vim.fn.bufloaded(a[1]) == 1", str(root / name))
    assert person.value("_G[_VERSION]") is None


def test_what_an_agent_wrote_sets_no_option_and_hides_nothing(person: Person, root: Path) -> None:
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


def test_the_first_thing_that_is_asked_for_is_answered(person: Person, start: Open) -> None:
    task = person.start(capitals(3))
    person.ended(task)
    for command, found in (("Mux hunks", "LINE 3"), (f"Mux diff {task}-1", "LINE 3"), ("Mux tasks", f"{task}  1/1")):
        fresh = start(None)
        fresh.command(command)
        fresh.sees(found)
    fresh = start(None)
    assert fresh.value("vim.fn.getcompletion('Mux log ', 'cmdline')") == [f"{task}-1"]


def test_a_file_is_seen_beside_what_a_run_makes_of_it(person: Person) -> None:
    task = person.start(capitals(3))
    person.sees("LINE 3")
    person.keys("ggOmine<Esc>")
    person.command("Mux diff")
    person.wait("vim.fn.winnr('$') == 2 and vim.fn.getbufline(vim.fn.winbufnr(2), 4)[1] == 'LINE 3'")
    assert person.value("vim.fn.bufname(vim.fn.winbufnr(2))") == f"mux:/pending/{task}-1/notes.txt"
    assert person.value("vim.wo[vim.fn.win_getid(1)].diff and vim.wo[vim.fn.win_getid(2)].diff")
    person.wait("vim.fn.getbufline(vim.fn.winbufnr(2), 1)[1] == 'mine'")  # the text as it is, unsaved
    person.keys("ggOmore<Esc>")
    person.wait("vim.fn.getbufline(vim.fn.winbufnr(2), 1)[1] == 'more'")
    # Without a change under the cursor it is the run in a line of a window.
    person.command("Mux tasks")
    person.keys("j")
    person.command("Mux diff")
    person.wait("vim.fn.tabpagenr() == 2 and vim.fn.winnr('$') == 2")


def test_a_task_starts_from_a_key_with_a_selection(shouting: None, start: Open) -> None:
    person = start()
    person.attached()
    person.keys("2GVj mr")
    person.sees("What is to be done about lines 2 to 3. :w sends, :q! leaves it.")
    person.keys("iloud and clear<Esc>:w<CR>")
    person.sees("loud and clear")
    person.wait("vim.fn.expand('%:t') == 'notes.txt'")
    task = person.newest()
    person.sees(f"~ line 4   {task}-1 · shouter", "  loud and clear")
    assert person.ended(task)["prompt"] == "loud and clear"
    # And from the command line, with agents named and completed.
    assert "shouter" in person.value("vim.fn.getcompletion('Mux run -a sh', 'cmdline')")
    person.command("Mux run -a sh:true*2 quick and silent")
    other = person.ended(person.newest(2))
    assert (other["prompt"], len(other["runs"])) == ("quick and silent", 2)


@pytest.mark.both_neovims
def test_the_command_completes_subcommands_runs_and_files(person: Person) -> None:
    task = person.start(capitals(3))
    person.ended(task)

    def completed(line: str) -> list[str]:
        found: list[str] = person.value(f"vim.fn.getcompletion('{line}', 'cmdline')")
        return found

    assert completed("Mux ac") == ["accept"]
    assert completed("Mux co") == ["compare", "continue"]
    assert completed(f"Mux accept {task[:2]}") == [f"{task}-1"]
    assert completed(f"Mux accept {task}-1 n") == ["notes.txt"]
    assert completed("1,2Mux rej") == ["reject", "rejected"]
    assert task in completed("Mux cancel ")
    person.command("Mux nonsense")
    person.says("mux: there is no :Mux nonsense; there are accept, agents,")
    person.command("Mux run -a")
    person.says("mux: -a needs the name of an agent behind it")


def test_what_neovim_refuses_is_said_in_its_words(person: Person) -> None:
    person.command("set winheight=20 winminheight=20")
    person.command("Mux tasks")
    person.says("mux: E36: Not enough room")


@pytest.mark.both_neovims
def test_a_permission_is_seen_while_typing_goes_on_and_answered(
    home: IsolatedHome, start: Open, root: Path, tmp_path: Path
) -> None:
    with replaying(tmp_path, turn(call("run_command", command="touch \u202eallowed")), DONE) as url:
        home.write_config(agent(url))
        person = start()
        person.attached()
        person.command("Mux run -a built do it")
        person.keys("Go")
        person.type("i")
        for letter in "typed while ":
            person.type(letter.replace(" ", "<Space>"))
        task = person.newest()
        run = f"{task}-1"
        person.sees(f"{run} asks: ", "touch <U+202E>allowed", ":Mux permission answers")
        person.type("asked")
        person.sees("typed while asked", f"{run} asks: ")
        assert person.value("vim.api.nvim_get_mode().mode") == "i"
        assert person.lines()[-1] == "typed while asked"
        person.type("<Esc>")
        person.command("tabnew")
        person.sees(f"{run} asks: ")  # in every tab page
        person.command("tabclose")
        menu = person.editor.menu(
            "vim.api.nvim_feedkeys(' mp', 't', false)", f"{run} asks: Run `touch <U+202E>allowed`"
        )
        person.editor.choose(menu, "allow it this once")
        person.sees_no(f"{run} asks: ")
        assert person.ended(task)["runs"][0]["file_count"] == 1
        person.command("Mux permission once")
        person.says("mux: no agent asks for anything")


def test_a_permission_is_shown_once_the_command_line_window_has_gone(person: Person) -> None:
    person.type("q:")
    person.wait("vim.fn.getcmdwintype() == ':'")
    person.lua(
        "require('mux.store').permission_requested({\n"
        "  id = '1', task = 'x1x', runs = { 'x1x-1' }, title = 'Run it', subject = 'it', agent = 'one'\n"
        "})"
    )
    person.type(":quit<CR>")
    person.sees("x1x-1 asks: Run it")
    person.lua("require('mux.store').permission_settled({ id = '1', task = 'x1x', answer = 'once' })")
    person.sees_no("x1x-1 asks: ")


def test_a_permission_is_refused_with_a_reason(home: IsolatedHome, start: Open, tmp_path: Path) -> None:
    with replaying(tmp_path, turn(call("run_command", command="touch x")), DONE) as url:
        home.write_config(agent(url))
        person = start()
        person.attached()
        person.command("Mux run -a built do it")
        task = person.newest()
        person.sees(f"{task}-1 asks: Run `touch x`")
        person.command("Mux permission maybe")
        person.says("mux: the answers are once, run, task, always and refuse")
        person.command("Mux permission refuse not in this house")
        person.sees_no(f"{task}-1 asks: ")
        person.ended(task)
        person.command(f"Mux log {task}-1")
        person.wait("vim.fn.search('not in this house', 'nw') > 0")


def test_autocommands_progress_and_the_statusline_tell_what_goes_on(person: Person, root: Path) -> None:
    go = root.parent / "go"
    person.lua(
        "_G.events = {}\n"
        "vim.api.nvim_create_autocmd('User', { pattern = 'Mux*', callback = function(event)\n"
        "  local run = (event.data.run or {}).id\n"
        "  table.insert(_G.events, run and event.match .. ' ' .. run or event.match)\n"
        "end })\n"
        "_G.progress = {}\n"
        "vim.api.nvim_create_autocmd('LspProgress', { callback = function(event)\n"
        "  table.insert(_G.progress, event.data.params.value)\n"
        "end })\n"
        "vim.o.laststatus = 2\n"
        "vim.o.statusline = \"[%{v:lua.require'mux'.statusline()}]\""
    )
    task = person.start(f"{capitals(3)}; until [ -e {go} ]; do sleep 0.05; done", "false")
    person.sees("[mux: 1 working, 1 to review]")
    go.touch()
    person.wait("vim.tbl_contains(_G.events, 'MuxTaskEnded')")
    events = set(person.value("_G.events"))
    assert {f"MuxRunFinished {task}-1", f"MuxRunFailed {task}-2", "MuxTaskChanged", "MuxReviewChanged"} <= events
    # As fidget, noice and `vim.lsp.status()` have it.
    person.wait("vim.iter(_G.progress):any(function(one) return one.kind == 'end' end)")
    begun, *reports, ended = person.value("_G.progress")
    assert (begun["kind"], begun["title"]) == ("begin", f"{task}: do it")
    assert all(one["kind"] == "report" for one in reports)
    assert {one["percentage"] for one in reports} >= {50}
    assert f"{task}-1 running" in " ".join(one["message"] for one in reports)
    assert (ended["kind"], ended["message"]) == ("end", "1 of 2 finished")
    person.sees("[mux: 1 to review]")


def test_status_and_agents_are_told(shouting: None, start: Open) -> None:
    person = start()
    person.attached()
    person.command("Mux status")
    person.says("unfinished run")
    assert re.search(
        r"mux-lsp [\d.]+, pid \d+: \d+ unfinished runs?, \$\d+\.\d\d and .* spent today", person.told()[-1]
    )
    person.command("set cmdheight=14")  # a list of this length would wait for Enter
    person.command("Mux agents")
    assert "(default)" in person.says("shouter ")


def test_a_run_is_retried_and_a_task_is_paused_and_deleted(person: Person, root: Path) -> None:
    task = person.start(f"[ -e {root.parent}/ready ] && {capitals(3)}")
    person.wait("require('mux.store').run(a[1]).state == 'failed'", f"{task}-1")
    (root.parent / "ready").touch()
    person.command(f"Mux retry {task}-1")
    person.sees("  LINE 3")
    person.wait("require('mux.store').run(a[1]).state == 'finished'", f"{task}-2")
    person.keys("3G")
    menu = person.editor.menu("vim.cmd('Mux delete')", f"Delete {task}-2 for good, with all that was made?")
    person.editor.choose(menu, "delete")
    person.says(f"mux: {task}-2 deleted")
    person.sees_no("  LINE 3")
    other = person.start("sleep 600")
    person.command(f"Mux pause {other}")
    person.wait("require('mux.store').task(a[1]).paused", other)
    person.command(f"Mux resume {other}")
    person.wait("not require('mux.store').task(a[1]).paused", other)
    person.command(f"Mux cancel {other}")
    person.ended(other)


@pytest.mark.both_neovims
def test_the_three_versions_of_a_conflict_are_seen_side_by_side(person: Person) -> None:
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


def test_a_run_is_cancelled(person: Person) -> None:
    task = person.start("sleep 600", "sleep 600")
    person.wait("require('mux.store').run(a[1] .. '-1').state == 'running'", task)
    person.command(f"Mux cancel {task}-1")
    person.wait("require('mux.store').run(a[1] .. '-1').state == 'cancelled'", task)
    person.command(f"Mux cancel {task}")
    person.says(f"mux: {task}: 0 of 2 finished, nothing was changed")
    assert person.lines() == WRITTEN


def test_what_checks_say_is_listed_from_the_root_and_does_not_take_what_is_being_typed(
    person: Person, root: Path
) -> None:
    go = root.parent / "go"
    task = person.start("true", checks=[f"until [ -e {go} ]; do sleep 0.05; done; cat {go}; false"])
    person.wait("require('mux.store').task(a[1])", task)
    person.command(f"cd {root.parent}")
    person.command("Mux verify")
    person.type("Gotyp")
    go.write_text("notes.txt:4:no\n")
    person.says("mux: 0 of 1 checks passed in")
    person.type("ing<Esc>")
    person.wait("vim.fn.getline('$') == 'typing'")
    person.command("cc")
    assert person.value("vim.api.nvim_buf_get_name(0)") == str(root / "notes.txt")
    assert person.value("vim.fn.line('.')") == 4


def test_a_run_is_verified_picked_and_the_others_come_back(person: Person) -> None:
    task = person.start(capitals(2), capitals(8), checks=["grep -n LINE notes.txt || { echo notes.txt:4:no; false; }"])
    person.ended(task)
    person.command("Mux verify")
    person.says("mux: 0 of 1 checks passed in")
    person.wait("vim.bo.filetype == 'qf'")
    person.sees("notes.txt|4| no")
    person.command("cclose")
    person.command(f"Mux verify {task}-1")
    person.says("mux: 1 of 1 checks passed in")
    person.command(f"Mux pick {task}-2")
    person.says(f"mux: {task}-2 accepted, {task}-1 thrown away")
    assert person.lines() == [*WRITTEN[:7], "LINE 8", *WRITTEN[8:]]
    person.sees_no("  LINE 2")
    person.command(f"Mux restore {task}-1")
    person.says(f"mux: {task}-1 brought back")
    person.sees("  LINE 2")
    menu = person.editor.menu(f"vim.cmd('Mux discard {task}-1')", f"Throw {task}-1 away?")
    person.editor.choose(menu, "discard")
    person.says(f"mux: {task}-1 thrown away; :Mux restore {task}-1 brings back")
    person.sees_no("  LINE 2")
