"""Test the quick start in the README of the plugin, step by step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.neovim.conftest import PROGRAM
from tests.e2e.neovim.person import PLUGIN
from tests.support.person import fingerprint, git
from tests.support.replaying import DONE, agent, call, replaying, turn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person
    from tests.support.home import IsolatedHome

STEPS = dict(re.findall(r"(?m)^(\d+)\. (.*)$", (PLUGIN / "README.md").read_text()))

AGENT = """
[agents.claude]
kind = "command"
command = '''
grep -q '^def unsaved' greet.py || exit 1
case "$MUX_RUN" in
  *-3) sed -i -e 's/"hello "/"good day "/' greet.py ;;
  *) sed -i -e 's/"hello "/"hi "/' -e 's/"bye "/"farewell "/' -e 's/pass/return/' greet.py ;;
esac
'''
"""


def check_step(step: int, *words: str) -> None:
    """Check that a step of the README contains these words."""
    for word in words:
        assert f"`{word}`" in STEPS[str(step)], f"step {step} is {STEPS[str(step)]!r}, without {word}"


@pytest.mark.both_neovims
def test_the_quick_start_of_the_readme_works(start: Open, home: IsolatedHome, root: Path, tmp_path: Path) -> None:
    before = fingerprint(root / ".git")
    checks = '\n[defaults]\nchecks = ["python3 -m py_compile greet.py"]\n'
    with replaying(tmp_path, turn(call("run_command", command="touch asked")), DONE) as url:
        home.write_config(AGENT + agent(url) + checks)
        person = start()
        assert len(STEPS) == 10
        review(person, ask(person))
        assert (root / "greet.py").read_text() == PROGRAM
        keep(person)
    assert fingerprint(root / ".git") == before, "nothing else has changed"
    assert git(root, "status", "--short") == " M greet.py\n"
    text = (root / "greet.py").read_text()
    assert '"good day "' in text
    assert '"bye "' in text
    assert "def unsaved" in text


def ask(person: Person) -> str:
    """Take the first four steps: start agents. Return the id of the task."""
    check_step(1, ":edit")
    person.edit("greet.py")
    person.keys("Go<CR><C-u>def unsaved():<CR>pass<Esc>")

    check_step(2, ":'<,'>Mux run -a claude*3 Handle the empty case", "<leader>mr")
    person.keys("1GVj:Mux run -a claude*3 Handle the empty case<CR>")
    task = person.newest()

    check_step(3, "<leader>mt", "g?")
    person.keys(" mt")
    person.sees(f"{task}  3/3  Handle the empty case", "checks 1/1")
    person.keys("g?")
    person.sees("open the transcript")
    person.keys("qq")
    person.ended(task)

    person.command("Mux run -a built ask me")
    asking = person.newest(2)
    check_step(4, "<leader>mp")
    person.sees(f"{asking}-1 asks: Run `touch asked`")
    menu = person.editor.menu("vim.api.nvim_feedkeys(' mp', 't', false)", f"{asking}-1 asks: Run `touch asked`")
    person.editor.choose(menu, "allow once")
    person.sees_no("asks: ")
    person.ended(asking)
    return task


def review(person: Person, task: str) -> None:
    """Take the next four steps: decide on the changes."""
    check_step(5, "]m")
    person.keys("gg]m")
    person.sees(f"{task}-1 · claude · 2/3 agree · variant 1 of 2", '"hi "')

    check_step(6, "]v")
    person.keys("]v")
    person.sees(f"{task}-3 · claude · 1/3 agree · variant 2 of 2", '"good day "')

    check_step(7, "<leader>ma", "u")
    person.keys(" ma")
    person.wait("vim.fn.getline(2):find('good day')")
    person.keys("u")
    person.sees("variant 2 of 2")
    person.keys(" ma")
    person.wait("vim.fn.getline(2):find('good day')")
    person.sees_no("variant")

    check_step(8, "]m<leader>mx", "]m.")
    person.keys("]m mx")
    person.sees_no("farewell")
    person.keys("]m.")
    person.wait("require('mux.places').count(vim.api.nvim_get_current_buf()) == 0")


def keep(person: Person) -> None:
    """Take the last two steps: check and write."""
    check_step(9, "<leader>mv")
    person.keys(" mv")
    person.says("mux: 1 of 1 checks passed in")

    check_step(10, ":write")
    person.command("write")
