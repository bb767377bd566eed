"""Neovim as it comes, with `vim.lsp.start` and nothing of ours: prompt, review, accept, undo."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

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
local command = ...
_G.task = nil
vim.lsp.get_clients({ name = 'mux' })[1]:request('workspace/executeCommand', {
  command = 'mux.task.start',
  arguments = { { prompt = 'do it', agents = { { agent = 'sh:' .. command } } } },
}, function(error, result) _G.task = { error = error, id = result and result.task.id } end)
"""
LIST = """
_G.titles = nil
local parameters = vim.lsp.util.make_range_params(0, 'utf-16')
parameters.context = { diagnostics = {} }
vim.lsp.get_clients({ name = 'mux' })[1]:request('textDocument/codeAction', parameters, function(_, found)
  _G.titles = vim.tbl_map(function(action) return action.title end, found)
end, 0)
"""
ACCEPT = """
vim.lsp.buf.code_action({
  filter = function(action) return vim.startswith(action.title, 'Accept +1') end,
  apply = true,
})
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"notes.txt": text_of(range(1, 11))})


@pytest.fixture
def editor(mux_home: IsolatedHome, root: Path) -> Iterator[Neovim]:
    """A Neovim with the file open, an unsaved line at its top, and the language server attached."""
    with neovim(root, mux_home.environment(HOME=str(mux_home.folder))) as one:
        one.request("nvim_command", "edit notes.txt")
        one.lua(START, str(root), sys.executable)
        one.wait("(vim.lsp.get_clients({ name = 'mux', bufnr = 0 })[1] or {}).initialized")
        one.keys("ggOunsaved<Esc>")
        yield one


def start(editor: Neovim, command: str) -> None:
    """Start a task, and wait until its first hint is over the text."""
    editor.lua(RUN, command)
    assert "error" not in editor.wait("_G.task")
    editor.wait("vim.diagnostic.get(0)[1]")


def test_a_hunk_is_seen_accepted_and_undone(editor: Neovim, root: Path) -> None:
    before = fingerprint(root / ".git")
    start(editor, "sed -i 's/line 3$/LINE 3/' notes.txt; head -1 notes.txt")
    written = text_of(range(1, 11)).splitlines()
    assert editor.buffer() == ["unsaved", *written]

    # What is typed meanwhile moves the hunk. (The agent saw the first unsaved line, and not this one.)
    editor.keys("ggOtyped later<Esc>")
    editor.wait("vim.diagnostic.get(0)[1].lnum == 4")
    hint = editor.lua("return vim.diagnostic.get(0)[1]")
    task = editor.lua("return _G.task.id")
    assert (hint["source"], hint["message"]) == ("mux", f"{task}-1: +1 −1")  # noqa: RUF001  a minus sign
    assert any(line.startswith("H ") and line.endswith("line 3") for line in editor.screen)

    editor.lua("vim.lsp.codelens.refresh({ bufnr = 0 })")
    editor.wait("#vim.lsp.codelens.get(0) == 2")
    row = next(number for number, line in enumerate(editor.screen) if "line 3" in line)
    lenses = f"Accept +1 −1 · {task}-1 | Reject"  # noqa: RUF001  a minus sign
    assert lenses in editor.screen[row] + editor.screen[row - 1], "\n".join(editor.screen)

    editor.keys("5G")
    editor.lua("vim.lsp.buf.hover()")
    editor.wait("#vim.api.nvim_list_wins() == 2")
    screen = "\n".join(editor.screen)
    assert "-line 3" in screen
    assert "+LINE 3" in screen
    editor.lua("vim.api.nvim_win_close(vim.api.nvim_list_wins()[2], true)")

    editor.lua(LIST)
    titles = editor.wait("_G.titles")
    assert titles[:2] == [f"Accept +1 −1 from {task}-1", f"Reject +1 −1 from {task}-1"]  # noqa: RUF001

    editor.lua(ACCEPT)
    editor.wait("vim.fn.getline(5) == 'LINE 3'")
    accepted = ["typed later", "unsaved", *text_of(range(1, 11)).replace("line 3", "LINE 3").splitlines()]
    assert editor.buffer() == accepted
    editor.wait("#vim.diagnostic.get(0) == 0")
    assert any(line.strip() == "LINE 3" for line in editor.screen)
    assert (root / "notes.txt").read_text() == text_of(range(1, 11)), "the editor saves, nobody else"

    editor.keys("u")
    assert editor.buffer() == ["typed later", "unsaved", *written]
    editor.wait("(vim.diagnostic.get(0)[1] or {}).lnum == 4")
    assert not any(line.strip().endswith("LINE 3") for line in editor.screen)

    editor.keys("<C-r>")
    assert editor.buffer() == accepted
    editor.wait("#vim.diagnostic.get(0) == 0")
    editor.request("nvim_command", "write")
    assert (root / "notes.txt").read_text().splitlines() == accepted
    assert fingerprint(root / ".git") == before


def test_a_conflict_says_why_and_changes_nothing(editor: Neovim) -> None:
    start(editor, "sed -i 's/line 3$/LINE 3/' notes.txt")
    editor.keys("4Gccmine<Esc>")
    editor.wait("(vim.diagnostic.get(0)[1] or { message = '' }).message:match('conflict')")
    before = editor.buffer()
    editor.lua("vim.lsp.codelens.refresh({ bufnr = 0 })")
    editor.wait("#vim.lsp.codelens.get(0) == 2")
    assert any("⚠" in line and "conflict" in line for line in editor.screen), "\n".join(editor.screen)
    editor.lua(
        "local task = ...; _G.refused = nil\n"
        "vim.lsp.get_clients({ name = 'mux' })[1]:request('workspace/executeCommand',\n"
        "  { command = 'mux.run.accept', arguments = { { run = task .. '-1' } } },\n"
        "  function(error) _G.refused = error and error.message end)",
        editor.lua("return _G.task.id"),
    )
    assert "notes.txt:4" in editor.wait("_G.refused")
    assert editor.buffer() == before
