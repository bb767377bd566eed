"""Test the connection to the daemon: attaching, failures, settings and reconnecting."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp.daemon.client import request_status
from tests.support.home import wait_for_exit
from tests.support.person import git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person
    from tests.support.home import IsolatedHome


@pytest.mark.both_neovims
def test_files_of_git_repositories_are_attached_and_no_others(start: Open, root: Path, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"LICENSE": "free\n"})
    (tmp_path / "plain.txt").write_text("no repository\n")
    person = start(None)
    assert person.value("#vim.lsp.get_clients()") == 0
    assert not person.value("package.loaded['mux.connection']"), "loaded only when needed"
    person.edit(str(root / "notes.txt"))
    person.edit(str(other / "LICENSE"))  # without a filetype
    assert person.value("#vim.lsp.get_clients({ name = 'mux' })") == 1, "one connection for all"
    assert person.value("#vim.lsp.get_clients({ name = 'mux' })[1].workspace_folders") == 2
    person.command(f"edit {tmp_path}/plain.txt")
    person.command("Mux next")
    person.sees("mux: this buffer is not attached: its file must be in a git repository")
    assert person.value("#vim.lsp.get_clients({ bufnr = 0 })") == 0


def test_gits_own_files_are_not_attached(start: Open, root: Path) -> None:
    (root / ".git" / "COMMIT_EDITMSG").write_text("a message\n")
    person = start(".git/COMMIT_EDITMSG")
    first = person.value("vim.api.nvim_get_current_buf()")
    person.edit(str(root / "notes.txt"))  # a file that is opened later is attached by now
    assert person.value(f"#vim.lsp.get_clients({{ bufnr = {first} }})") == 0


def test_tasks_are_found_in_a_linked_folder_with_an_unusual_name(start: Open, root: Path, tmp_path: Path) -> None:
    odd = make_repository(tmp_path / "c++ & (ä)=[x]#1%20", {"notes.txt": "one\n"})
    (tmp_path / "link").symlink_to(odd)
    person = start(None)
    person.command(f"cd {tmp_path}/link")
    person.edit("notes.txt")
    task = person.start("sed -i s/one/ONE/ notes.txt")
    person.sees("  ONE")
    person.ended(task)
    person.command("Mux tasks")
    person.sees(f"{task}  1/1")
    person.keys("d")
    person.wait("vim.fn.winnr('$') == 2 and vim.fn.getbufline(vim.fn.winbufnr(2), 1)[1] == 'ONE'")


def test_a_persons_configuration_of_the_client_adds_to_the_plugins(start: Open) -> None:
    person = start(None)
    if person.value("vim.fn.has('nvim-0.11')") == 0:
        return  # there is no `vim.lsp.config`
    person.lua("vim.lsp.config('mux', { on_attach = function() _G.mine = true end })")
    person.edit("notes.txt")
    person.start("sed -i s/3/THREE/ notes.txt")
    person.sees("line THREE")
    assert person.value("_G.mine") is True


@pytest.mark.both_neovims
def test_other_language_servers_are_not_affected(start: Open) -> None:
    person = start()
    person.attached()
    client = "vim.lsp.get_clients({ name = 'mux' })[1]"
    assert person.value(f"{client}.offset_encoding") == "utf-16", "as most servers count"
    assert person.value("vim.fn.maparg('K', 'n')") == "", "`K` still runs the keyword program"
    for feature in ("hover", "codeLens"):
        assert not person.value(f"vim.lsp.get_clients({{ bufnr = 0, method = 'textDocument/{feature}' }})[1] ~= nil")
    person.lua(
        "vim.lsp.start({ name = 'other', cmd = function()\n"
        "  return {\n"
        "    request = function(method, _, answer)\n"
        "      local capabilities = { hoverProvider = true }\n"
        "      local hover = { contents = { kind = 'plaintext', value = 'text of the other' } }\n"
        "      vim.schedule(function()\n"
        "        answer(nil, method == 'initialize' and { capabilities = capabilities } or hover)\n"
        "      end)\n"
        "      return true, 1\n"
        "    end,\n"
        "    notify = function() return true end,\n"
        "    is_closing = function() return false end,\n"
        "    terminate = function() end,\n"
        "  }\n"
        "end })"
    )
    person.wait("#vim.lsp.get_clients({ bufnr = 0, method = 'textDocument/hover' }) == 1")
    person.type("K")
    person.sees("text of the other")
    assert person.notifications() == []


def test_attach_can_be_switched_off(start: Open) -> None:
    person = start(settings="{ attach = false }")
    person.lua("vim.wait(50)")
    assert person.value("#vim.lsp.get_clients()") == 0
    person.lua("require('mux.connection').attach(0)")
    person.attached()


@pytest.mark.both_neovims
def test_without_mux_lsp_there_is_one_clear_message(start: Open, root: Path) -> None:
    person = start(settings="{ program = 'no-such-mux' }")
    message = "mux: the setting `program`: there is no no-such-mux (:help mux-install)"
    person.says(message)
    person.command(f"edit {root}/greet.py")
    person.command("Mux accept x1x-1")
    person.wait("#_G.notifications == 2")
    assert person.notifications() == [message] * 2, "one on attaching, and one as the response to the command"
    assert person.value("#vim.lsp.get_clients()") == 0


def test_without_mux_lsp_on_the_path_there_is_one_clear_message(start: Open, tmp_path: Path) -> None:
    for program in ("sh", "git"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    person = start(PATH=str(tmp_path))
    person.says("mux: no mux-lsp on the PATH: pip install mux-lsp (:help mux-install)")
    person.command("edit greet.py")
    person.command("doautoall FileType")
    assert len(person.notifications()) == 1
    assert len(person.notifications()[0]) <= FITS, "the message does not wait for Enter"


FITS = 68
"""Maximum columns of a message that does not wait for Enter, of 80."""

ANSWER = '{"jsonrpc":"2.0","id":1,"result":{"capabilities":{},"serverInfo":{"version":"0.0.1"}}}'


@pytest.mark.both_neovims
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'No such command: serve' >&2; exit 2", "mux: `mux-old serve` ended with status 2: see :checkhealth mux"),
        (
            f"read header; printf 'Content-Length: {len(ANSWER)}\\r\\n\\r\\n%s' '{ANSWER}'; exec sleep 60",
            "mux: mux-lsp 0.0.1 is too old: pip install -U mux-lsp, then :Mux restart",
        ),
    ],
)
def test_with_an_old_mux_lsp_there_is_one_clear_message(start: Open, tmp_path: Path, script: str, words: str) -> None:
    old = tmp_path / "mux-old"
    old.write_text(f"#!/bin/sh\n{script}\n")
    old.chmod(0o755)
    person = start(settings=f"{{ program = '{old}' }}")
    assert len(person.says(words)) <= FITS + 5
    person.command("Mux restart")
    person.wait("#_G.notifications == 2")
    assert words in person.notifications()[1]
    person.wait("#vim.lsp.get_clients() == 0")


@pytest.mark.both_neovims
def test_with_another_protocol_there_is_one_clear_message(start: Open) -> None:
    person = start(None)
    person.lua("require('mux.server').PROTOCOL = 99")
    person.command("edit notes.txt")
    person.says("This client speaks mux protocol 99, mux-lsp")
    assert len(person.notifications()) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{ prefix = '' }", 'prefix is "", but must be a string that is not empty'),
        (
            "{ tasks = { split = 'nonsense' } }",
            'tasks.split is "nonsense", but must be a string with one or more of aboveleft,',
        ),
        ("{ review = false }", "review is false, but must be a table"),
        ("{ review = { signs = { add = 'wide' } } }", "review.signs is {"),
        ("{ agents = 'claude' }", 'agents is "claude", but must be a list of agent names, or false'),
        ("{ program = {} }", "program is {}, but must be a string, or a list of strings"),
        ("7", "the settings are 7, but must be a table"),
    ],
)
def test_each_kind_of_setting_is_checked(person: Person, settings: str, words: str) -> None:
    problems = person.value(f"table.concat(require('mux.config').problems({settings}), '\\n')")
    assert problems.startswith(words)


def test_valid_settings_are_used(start: Open) -> None:
    person = start(
        settings="{ review = { signs = { add = '▎' } }, tasks = { split = 'topleft vertical', width = 40 } }"
    )
    person.attached()
    person.start("sed -i '$a more' notes.txt")
    person.sees("▎ line 10")
    person.command("Mux tasks")
    assert person.value("vim.fn.winnr() == 1 and vim.fn.winwidth(1)") == 40


def test_invalid_settings_are_reported_with_the_allowed_values(start: Open) -> None:
    person = start(settings="{ programm = 'x', review = { delay = 'soon' } }")
    message = person.says(
        "mux: vim.g.mux: programm is not a setting: the settings are agents, attach, keymaps, notify, prefix,"
    )
    assert 'review.delay is "soon", but must be a whole number, 0 or more' in message
    person.lua("require('mux').setup({ keymaps = 'yes' })")
    person.says('mux: setup: keymaps is "yes", but must be true or false.')
    person.attached()


@pytest.mark.both_neovims
def test_the_plugin_can_be_loaded_late(start: Open) -> None:
    person = start(settings="{ keymaps = true }", MUX_LATE="1")
    assert person.value("vim.fn.exists(':Mux')") == 0
    person.command("runtime plugin/mux.lua")
    person.attached()
    assert person.value("vim.fn.maparg(' mt', 'n')") == "<Plug>(mux-tasks)"
    person.start("sed -i 's/^line 3$/three/' notes.txt")
    person.sees("  three")


@pytest.mark.both_neovims
def test_after_the_daemon_dies_everything_is_restored(person: Person, home: IsolatedHome, root: Path) -> None:
    three, trois = ("sed -i 's/^line 3$/three/' notes.txt", "sed -i 's/^line 3$/trois/' notes.txt")
    task = person.start(three, three, trois)
    person.ended(task)
    person.sees("variant 1 of 2")
    person.keys("3G]v")
    person.sees("  trois", "variant 2 of 2")
    person.keys("ggOunsaved<Esc>")
    for command in ("Mux tasks", "wincmd p"):
        person.command(command)
    daemon = psutil.Process(request_status(home=home.paths)["pid"])
    person.lua(
        "vim.api.nvim_create_autocmd('User', { pattern = 'MuxConnected', callback = function() _G.back = true end })"
    )
    daemon.kill()
    wait_for_exit(daemon, 10)
    person.wait("_G.back")
    person.attached()
    person.sees("  trois", "variant 2 of 2")
    assert person.notifications() == [f"mux: {task}: 3 of 3 finished, 1 file to review"], (
        "the reconnection is not reported"
    )
    person.command("wincmd w")
    person.keys("q")
    person.keys("4G ma")
    person.wait("vim.fn.getline(4) == 'trois'")
    person.sees_no(f"{task}-3")
    assert git(root, "status", "--short") == ""


def test_two_neovims_see_each_others_decisions(start: Open, person: Person) -> None:
    other = start()
    other.attached()
    task = person.start("sed -i -e 's/^line 3$/three/' -e 's/^line 7$/seven/' notes.txt")
    person.sees("  three", "  seven")
    other.sees("  three", "  seven")
    person.keys("3G mx")
    person.sees_no("  three")
    other.sees_no("  three")
    other.keys("7G ma")
    other.wait("vim.fn.getline(7) == 'seven'")
    other.command("write")
    person.command("checktime")
    person.sees_no(f"{task}-1")
    assert person.value("vim.fn.getline(7)") == "seven"
