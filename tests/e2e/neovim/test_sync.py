"""Test the texts that the daemon receives: always exactly those of the buffers, however they were changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.person import text_of

if TYPE_CHECKING:
    from tests.e2e.neovim.conftest import Open
    from tests.e2e.neovim.person import Person

SETTINGS = f"{{ program = {{ '{sys.executable}', '-P', '-m', 'tests.e2e.neovim.listening' }} }}"

TEXTS = """
local function theirs()
  local text, failure
  require('mux.connection').request('mux.text', { uri = vim.uri_from_bufnr(0) }, function(answer, err)
    text, failure = answer, err
  end)
  vim.wait(20000, function() return text ~= nil or failure ~= nil end, 1)
  return assert(text, failure)
end
-- The text that Neovim would write.
local function mine()
  vim.bo.fixeol = false
  local copy = vim.fn.tempname()
  vim.cmd('silent noautocmd keepalt write! ' .. copy)
  local file = assert(io.open(copy, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end
"""

RANDOM = """
local seed, rounds = ...
math.randomseed(seed)
local function any(list) return list[math.random(#list)] end
local function line() return math.random(vim.api.nvim_buf_line_count(0)) end
local words = { 'x', 'ä€𝄞', '', 'two\\nlines', 'a b', '\\t', 'long ' .. ('y'):rep(50) }
local edits = {
  function()
    local first = line() - 1
    local last = math.min(vim.api.nvim_buf_line_count(0), first + math.random(0, 3))
    local lines = {}
    for _ = 1, math.random(0, 3) do table.insert(lines, (any(words):gsub('\\n', ' '))) end
    vim.api.nvim_buf_set_lines(0, first, last, true, lines)
  end,
  function()
    local keys = any({ 'dd', '3dd', 'yyp', 'J', 'x', 'A more', 'ggp', 'Gp' })
    vim.cmd(('silent! normal! %dG%s'):format(line(), keys))
  end,
  function() vim.cmd(('silent! normal! %dGO%s'):format(line(), any({ 'new', 'ä€𝄞', 'a\\rb' }))) end,
  function() vim.cmd(('silent! %d,%dm0'):format(line(), line())) end,
  function() vim.cmd('silent! g/x/s/x/y\\\\r/') end,
  function() vim.cmd('silent! %s/y/x/g') end,
  function() vim.cmd('sort!') end,
  function() vim.cmd(any({ 'silent! undo', 'silent! redo', 'silent! undo', 'silent! earlier 5' })) end,
  function() vim.cmd(any({ '%d _', 'silent! 2,$d _', 'set noeol', 'set eol' })) end,
  function() vim.cmd(any({ 'set ff=dos', 'set ff=mac', 'set ff=unix', 'set ff=unix' })) end,
  function() vim.api.nvim_buf_set_text(0, 0, 0, 0, 0, { any({ 'a', 'ä€' }), 'b' }) end,
}
for round = 1, rounds do
  for _ = 1, math.random(1, 6) do any(edits)() end
  if math.random(10) == 1 then
    vim.cmd('silent write')
    if math.random(2) == 1 then
      vim.cmd('edit!')
      vim.wait(20000, function() return require('mux.connection').is_attached(0) end, 1)
    end
  end
  local here, there = mine(), theirs()
  if here ~= there then
    return { round = round, mine = here, theirs = there }
  end
end
return 'alike'
"""


@pytest.fixture
def listened(start: Open) -> Person:
    """Return a person with a server that only keeps texts."""
    person = start(settings=SETTINGS, PYTHONPATH=str(Path(__file__).parents[3]))
    person.attached()
    return person


@pytest.mark.both_neovims
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_daemon_has_exactly_the_text_after_random_edits(listened: Person, seed: int) -> None:
    assert listened.lua(TEXTS + RANDOM, seed, 150) == "alike"


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"no end", b"a\rb\nc\n", b"nul\0nul\nend\n", b"a\r\nb\n", b"a\r\nb\r\n", "ä€𝄞\nb".encode()],
)
def test_the_daemon_has_exactly_the_text_of_unusual_files(listened: Person, root: Path, content: bytes) -> None:
    (root / "odd.txt").write_bytes(content)
    listened.edit("odd.txt")
    assert listened.lua(TEXTS + RANDOM, 4, 40) == "alike"


@pytest.mark.both_neovims
def test_typed_text_is_sent_without_a_request_and_as_few_lines(listened: Person, root: Path) -> None:
    (root / "long.txt").write_text(text_of(range(1, 20_001)))
    listened.edit("long.txt")
    listened.lua(
        "local notify = require('mux.connection').client().rpc\n"
        "_G.sent = {}\n"
        "local send = vim.json.encode\n"
        "vim.json.encode = function(value, ...)\n"
        "  if type(value) == 'table' and value.method == 'textDocument/didChange' then\n"
        "    table.insert(_G.sent, value.params.contentChanges)\n"
        "  end\n"
        "  return send(value, ...)\n"
        "end"
    )
    listened.type("9999Gochanged<CR>more<Esc>")
    listened.wait("#_G.sent > 0 and vim.fn.mode() == 'n' and vim.fn.getline(10001) == 'more'")
    listened.wait("require('mux.sync').flush() or true")
    changes = listened.value("vim.iter(_G.sent):flatten():totable()")
    assert all(len(change["text"]) < 30 for change in changes), changes
    assert listened.lua(TEXTS + "return mine() == theirs()")
