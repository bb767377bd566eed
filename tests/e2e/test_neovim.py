"""Test Neovim with `vim.lsp.start` and without our plugin: prompt, review, accept, undo."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from mux_lsp.cli.help import DOCUMENTS
from tests.support.home import mux_home
from tests.support.neovim import Neovim, neovim
from tests.support.person import fingerprint, make_repository, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.home import IsolatedHome

__all__ = ["mux_home"]

START = """
local folder, python = ...
vim.lsp.start({ name = 'mux', cmd = { python, '-P', '-m', 'mux_lsp', 'serve' }, root_dir = folder })
"""
RUN = """
local commands = ...
_G.task = nil
vim.lsp.get_clients({ name = 'mux' })[1]:request('workspace/executeCommand', {
  command = 'mux.task.start',
  arguments = { {
    prompt = 'do it',
    agents = vim.tbl_map(function(command) return { agent = 'sh:' .. command } end, commands),
  } },
}, function(error, result) _G.task = { error = error, id = result and result.task.id } end)
"""
MENU = "vim.lsp.buf.code_action()"
"""The function of `gra`."""
ACTIONS, LENSES = "Code actions:", "Code lenses:"
"""The first words of the menus of code actions and of code lenses."""
ONE = "+1 −1"  # noqa: RUF001  a minus sign


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"notes.txt": text_of(range(1, 11))})


@pytest.fixture
def editor(mux_home: IsolatedHome, root: Path) -> Iterator[Neovim]:
    """Yield a Neovim with the file open, an unsaved line at its top, and the language server attached."""
    with neovim(root, mux_home.environment(HOME=str(mux_home.folder))) as one:
        one.request("nvim_command", "edit notes.txt")
        one.lua(START, str(root), sys.executable)
        one.wait("(vim.lsp.get_clients({ name = 'mux', bufnr = 0 })[1] or {}).initialized")
        one.keys("ggOunsaved<Esc>")
        yield one


def test_the_lua_of_the_document_compiles(editor: Neovim) -> None:
    blocks = re.findall(r"(?s)```lua\n(.*?)```", (DOCUMENTS / "editors.md").read_text(encoding="utf-8"))
    assert len(blocks) == 2
    for block in blocks:
        assert editor.lua("local _, wrong = loadstring(...); return wrong or ''", block) == ""


def start(editor: Neovim, *commands: str) -> str:
    """Start a task with a run for each command. Return its id."""
    editor.lua(RUN, list(commands))
    assert "error" not in editor.wait("_G.task")
    task: str = editor.lua("return _G.task.id")
    return task


def hints(editor: Neovim, *messages: str) -> None:
    """Wait until the buffer has these diagnostics."""
    editor.wait(
        "vim.deep_equal(a[1], vim.tbl_map(function(hint) return hint.message end, vim.diagnostic.get(0)))",
        list(messages),
    )


def lenses(editor: Neovim, *headlines: str) -> None:
    """Refresh the code lenses, and wait until these are on the screen."""
    editor.lua("vim.lsp.codelens.refresh({ bufnr = 0 })")
    editor.wait(
        "vim.deep_equal(a[1], vim.tbl_filter(function(title) return title:match(' · ') end,"
        " vim.tbl_map(function(lens) return lens.command.title end, vim.lsp.codelens.get(0))))",
        list(headlines),
    )


def line_of(editor: Neovim, text: str) -> str:
    """Return the line of the screen that has a text, after the line above it."""
    screen = editor.screen
    row = next(number for number, line in enumerate(screen) if text in line)
    return screen[row - 1] + screen[row]


def click(editor: Neovim, title: str) -> None:
    """Choose a code lens of the cursor's line in the menu."""
    editor.choose(editor.menu("vim.lsp.codelens.run()", LENSES), title)


def do(editor: Neovim, title: str) -> list[str]:
    """Choose a code action by the beginning of its title. Return all offered titles."""
    menu = editor.menu(MENU, ACTIONS)
    editor.choose(menu, title)
    return [line.partition(": ")[2] for line in menu if line[:1].isdigit()]


def test_a_hunk_is_seen_accepted_and_undone(editor: Neovim, root: Path) -> None:
    before = fingerprint(root / ".git")
    task = start(editor, "sed -i 's/line 3$/LINE 3/' notes.txt; head -1 notes.txt")
    headline = f"{ONE} · {task}-1"
    hints(editor, headline)
    written = text_of(range(1, 11)).splitlines()
    assert editor.buffer() == ["unsaved", *written]

    # Typing meanwhile moves the hunk. (The agent saw the first unsaved line, and not this one.)
    editor.keys("ggOtyped later<Esc>")
    editor.wait("vim.diagnostic.get(0)[1].lnum == 4")
    assert editor.lua("return vim.diagnostic.get(0)[1].source") == "mux"
    assert any(line.startswith("H ") and line.endswith("line 3") for line in editor.screen)
    lenses(editor, headline)
    assert f"{headline} | Accept | Diff | Reject" in line_of(editor, "line 3")

    editor.keys("5G")
    editor.lua("vim.lsp.buf.hover()")
    editor.wait("#vim.api.nvim_list_wins() == 2")
    screen = "\n".join(editor.screen)
    assert "-line 3" in screen
    assert "+LINE 3" in screen
    editor.lua("vim.api.nvim_win_close(vim.api.nvim_list_wins()[2], true)")

    offered = do(editor, f"Accept {ONE}")
    assert offered == [
        f"Accept {ONE} from {task}-1",
        f"Show the diff of {task}-1",
        f"Reject {ONE} from {task}-1",
        f"Accept all of {task}-1 in this file",
        f"Accept all of {task}-1",
    ]
    editor.wait("vim.fn.getline(5) == 'LINE 3'")
    accepted = ["typed later", "unsaved", *text_of(range(1, 11)).replace("line 3", "LINE 3").splitlines()]
    assert editor.buffer() == accepted
    hints(editor)
    assert any(line.strip() == "LINE 3" for line in editor.screen)
    assert (root / "notes.txt").read_text() == text_of(range(1, 11)), "the editor saves, nobody else"

    editor.keys("u")
    assert editor.buffer() == ["typed later", "unsaved", *written]
    editor.wait("(vim.diagnostic.get(0)[1] or {}).lnum == 4")
    assert not any(line.strip().endswith("LINE 3") for line in editor.screen)

    editor.keys("<C-r>")
    assert editor.buffer() == accepted
    hints(editor)
    editor.request("nvim_command", "write")
    assert (root / "notes.txt").read_text().splitlines() == accepted
    assert fingerprint(root / ".git") == before


def test_variants_are_gone_through_and_switched(editor: Neovim) -> None:
    three, trois = ("sed -i 's/line 3$/three/' notes.txt", "sed -i 's/line 3$/trois/' notes.txt")
    task = start(editor, three, three, trois)
    first = f"{ONE} · {task}-1 · 2 variants · 2/3 agree"
    other = f"{ONE} · {task}-3 · 2 variants · 1/3 agree"
    hints(editor, first)
    lenses(editor, first)
    assert f"{first} | Accept | Next | Diff | Reject" in line_of(editor, "line 3")

    # Go to the next variant with its lens, and accept it with its lens.
    editor.keys("4G")
    click(editor, "Next")
    hints(editor, other)
    lenses(editor, other)
    assert f"{other} | Accept | Next | Diff | Reject" in line_of(editor, "line 3")
    click(editor, "Accept")
    editor.wait("vim.fn.getline(4) == 'trois'")
    hints(editor)
    lenses(editor)
    assert not any("agree" in line for line in editor.screen)

    # One action to the other variant and one back, each a separate undo step.
    assert do(editor, "Use ")[0] == f"Use {task}-1's instead of {task}-3's"
    editor.wait("vim.fn.getline(4) == 'three'")
    assert any(line.strip() == "three" for line in editor.screen)
    assert do(editor, "Use ")[0] == f"Use {task}-3's instead of {task}-1's"
    editor.wait("vim.fn.getline(4) == 'trois'")
    editor.keys("u")
    assert editor.buffer()[3] == "three"
    editor.keys("uu")
    assert editor.buffer() == ["unsaved", *text_of(range(1, 11)).splitlines()]
    hints(editor, other)
    lenses(editor, other)
    assert f"{other} | Accept | Next" in line_of(editor, "line 3"), "what was shown is shown"


def test_a_conflict_says_why_and_is_put_between_markers(editor: Neovim) -> None:
    task = start(editor, "sed -i 's/line 3$/LINE 3/' notes.txt")
    hints(editor, f"{ONE} · {task}-1")
    editor.keys("4Gccmine<Esc>")
    headline = f"⚠ conflict: line 4 was changed here too · {ONE} · {task}-1"
    hints(editor, headline)
    before = editor.buffer()
    lenses(editor, headline)
    assert f"{headline} | Merge | Diff | Reject" in line_of(editor, "mine ").replace("  ", " ")
    editor.lua(
        "local task = ...; _G.refused = nil\n"
        "vim.lsp.get_clients({ name = 'mux' })[1]:request('workspace/executeCommand',\n"
        "  { command = 'mux.run.accept', arguments = { { run = task .. '-1' } } },\n"
        "  function(error) _G.refused = error and error.message end)",
        task,
    )
    assert "notes.txt:4" in editor.wait("_G.refused")
    assert editor.buffer() == before

    editor.keys("4G")
    offered = do(editor, "Insert conflict markers")
    assert f"Take {task}-1's lines over yours (loses 1 line: “mine”)" in offered
    assert "Open the three versions" in offered
    editor.wait("vim.fn.search('^=======$', 'nw') > 0")
    marked = ["<<<<<<< yours", "mine", "||||||| snapshot", "line 3", "=======", "LINE 3", f">>>>>>> {task}-1"]
    assert editor.buffer() == [*before[:3], *marked, *before[4:]]
    screen = "\n".join(editor.screen)
    assert all(line in screen for line in marked)
    editor.keys("u")
    assert editor.buffer() == before

    hints(editor, headline)
    editor.keys("4G")
    do(editor, "Take ")
    editor.wait("vim.fn.getline(4) == 'LINE 3'")
    editor.keys("u")
    assert editor.buffer() == before
