"""Test prompts, the command line of `:Mux`, and permission requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.neovim.notes import capitals
from tests.support.replaying import DONE, agent, call, replaying, turn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person
    from tests.support.home import IsolatedHome


def test_a_prompt_that_could_not_be_sent_opens_again(home: IsolatedHome, start: Open) -> None:
    home.write_config("")
    person = start()
    person.attached()
    person.keys(" mr")
    person.keys("ia long prompt<CR>of two lines<Esc>")
    person.command("set cmdheight=8 | wq")
    person.says("No agent was named")
    person.wait("vim.bo.buftype == 'acwrite'")
    assert person.lines() == ["a long prompt", "of two lines"]
    person.sees("Prompt (:w sends it, :q! cancels)")
    person.command("q!")
    person.command("Mux continue zzz-1")
    person.keys("iand more<Esc>")
    person.command("write")
    person.says("zzz-1")
    person.wait("vim.bo.buftype == 'acwrite'")
    assert person.lines() == ["and more"]


def test_a_prompt_opens_again_without_interrupting_typing(person: Person) -> None:
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


def test_the_lines_of_a_prompt_move_with_the_text(shouting: None, start: Open, root: Path) -> None:
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


def test_a_task_starts_from_a_key_with_a_selection(shouting: None, start: Open) -> None:
    person = start()
    person.attached()
    person.keys("2GVj mr")
    person.sees("Prompt about lines 2 to 3 (:w sends it, :q! cancels)")
    person.keys("iloud and clear<Esc>:w<CR>")
    person.sees("loud and clear")
    person.wait("vim.fn.expand('%:t') == 'notes.txt'")
    task = person.newest()
    person.sees(f"~ line 4   {task}-1 · shouter", "  loud and clear")
    assert person.ended(task)["prompt"] == "loud and clear"
    # From the command line, with named and completed agents.
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
    person.says("mux: there is no :Mux nonsense: the subcommands are accept, agents,")
    person.command("Mux run -a")
    person.says("mux: -a must be followed by the name of an agent")


def test_a_missing_or_wrong_run_is_reported(person: Person) -> None:
    task = person.start(capitals(2), capitals(3))
    person.ended(task)
    person.sees("LINE 2")
    person.keys("]m")
    person.command("Mux task")
    assert person.value("vim.api.nvim_get_current_line()").startswith(f"  {task}-"), (
        "the run of the change at the cursor"
    )
    person.command(f"Mux task {task}")
    for command in ("log", "retry", "pick", "continue go on"):
        person.lua("_G.notifications = {}")
        person.command(f"Mux {command}")
        person.says("no run at the cursor: name one (:Mux tasks lists them)")
    for given in (task, f"{task}-9", "nobody"):
        person.command(f"Mux log {given}")
        person.says(f"{given} is not a run: :Mux tasks lists all runs")
    assert person.value("#vim.api.nvim_list_wins()") == 2
    # A task with one run can be given in place of the run.
    only = person.start("echo alone")
    person.ended(only)
    person.command(f"Mux log {only}")
    person.wait("vim.fn.search('^alone$', 'nw') > 0")


def test_errors_of_neovim_are_shown_in_its_words(person: Person) -> None:
    person.command("set winheight=20 winminheight=20")
    person.command("Mux tasks")
    person.says("mux: E36: Not enough room")


@pytest.mark.both_neovims
def test_a_permission_request_does_not_interrupt_typing_and_is_answered(
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
        person.editor.choose(menu, "allow once")
        person.sees_no(f"{run} asks: ")
        assert person.ended(task)["runs"][0]["file_count"] == 1
        person.command("Mux permission once")
        person.says("mux: there is no permission request")


def test_a_permission_request_is_shown_after_the_command_line_window_closed(person: Person) -> None:
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


def test_a_permission_request_is_refused_with_a_reason(home: IsolatedHome, start: Open, tmp_path: Path) -> None:
    with replaying(tmp_path, turn(call("run_command", command="touch x")), DONE) as url:
        home.write_config(agent(url))
        person = start()
        person.attached()
        person.command("Mux run -a built do it")
        task = person.newest()
        person.sees(f"{task}-1 asks: Run `touch x`")
        person.command("Mux permission maybe")
        person.says("mux: the answer must be once, run, task, always or refuse")
        person.command("Mux permission refuse not in this house")
        person.sees_no(f"{task}-1 asks: ")
        person.ended(task)
        person.command(f"Mux log {task}-1")
        person.wait("vim.fn.search('not in this house', 'nw') > 0")
