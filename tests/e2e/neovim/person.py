"""Play a person who uses a Neovim with the plugin."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.neovim import neovim

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.home import IsolatedHome
    from tests.support.neovim import Neovim
    from tests.support.neovim_versions import Installed

PLUGIN = Path(__file__).parents[3] / "editor-clients" / "neovim"

RECORD_NOTIFICATIONS = """
local notify = vim.notify
_G.notifications = {}
vim.notify = function(message, level, ...)
  table.insert(_G.notifications, message)
  return notify(message, level, ...)
end
"""


class Person:
    """The actions of a person, and waits for what they see."""

    def __init__(self, editor: Neovim) -> None:
        self.editor = editor
        self.type = editor.type
        self.sees = editor.sees
        self.sees_no = editor.sees_no
        self.command = editor.command
        self.wait = editor.wait
        self.lua = editor.lua

    @classmethod
    @contextmanager
    def at(
        cls,
        home: IsolatedHome,
        root: Path,
        nvim: Installed,
        file: str | None,
        settings: str,
        environment: Mapping[str, str],
    ) -> Iterator[Person]:
        """Yield a Neovim on a file, with the plugin on the runtimepath and no further set-up."""
        arguments = ["--cmd", f"set rtp^={PLUGIN} cmdheight=3", "--cmd", f"lua vim.g.mux = {settings}"]
        arguments += ["--cmd", "let mapleader = ' '", "--cmd", f"lua {' '.join(RECORD_NOTIFICATIONS.split())}"]
        if "MUX_LATE" in environment:
            arguments += ["--cmd", "let g:loaded_mux = 1", "-c", "unlet g:loaded_mux"]
        full = home.environment(HOME=str(home.folder), **environment)
        full.setdefault("PATH", "")
        if "PATH" not in environment:
            full["PATH"] = f"{home.folder}:{full['PATH']}"
        with neovim(root, full, *arguments, *([file] if file else []), program=nvim) as editor:
            yield cls(editor)

    def keys(self, keys: str) -> None:
        """Type with mappings, and wait until all keys are processed."""
        typed = self.editor.request("nvim_replace_termcodes", keys, True, True, True)
        self.editor.request("nvim_feedkeys", typed, "mtx", False)

    def attached(self) -> None:
        """Wait until the buffer is attached and the tasks are loaded."""
        self.wait("(vim.lsp.get_clients({ name = 'mux', bufnr = 0 })[1] or {}).initialized")
        self.lua("vim.g.loaded = nil require('mux.store').when_loaded(function() vim.g.loaded = true end)")
        self.wait("vim.g.loaded")

    def edit(self, file: str) -> None:
        """Open a file."""
        self.command(f"edit {file}")
        self.attached()

    def start(self, *commands: str, prompt: str = "do it", checks: list[str] | None = None) -> str:
        """Start a task with a run for each command. Return its id."""
        self.lua(
            "local commands, prompt, checks = ...\n"
            "_G.task = nil\n"
            "require('mux').start({ prompt = prompt, checks = checks, agents = vim.tbl_map(function(command)\n"
            "  return { agent = 'sh:' .. command }\n"
            "end, commands) }, function(task) _G.task = task.id end)",
            list(commands),
            prompt,
            checks or [],
        )
        task: str = self.wait("_G.task")
        return task

    def newest(self, count: int = 1) -> str:
        """Wait until the repository has `count` tasks. Return the id of the newest."""
        mine = "require('mux').tasks(vim.fn.getcwd())"
        task: str = self.wait(f"#{mine} == a[1] and {mine}[1].id", count)
        return task

    def ended(self, task: str) -> dict[str, Any]:
        """Wait until a task has ended and is ranked, which may change the order of variants. Return the task."""
        known = "require('mux.store').task(a[1])"
        ranked = f"vim.iter({known}.runs):all(function(run) return run.rank end)"
        shape: dict[str, Any] = self.wait(f"({known} or {{}}).state == 'ended' and {ranked} and {known}", task)
        return shape

    def lines(self) -> list[str]:
        """Return the lines of the current buffer."""
        return self.editor.buffer()

    def notifications(self) -> list[str]:
        """Return the messages of `vim.notify` so far."""
        found: list[str] = self.lua("return _G.notifications")
        return found

    def says(self, words: str) -> str:
        """Wait for a message of `vim.notify` that contains these words. Return the message."""
        find = "vim.iter(_G.notifications):find(function(one) return one:find(a[1], 1, true) ~= nil end)"
        message: str = self.wait(find, words)
        return message

    def line(self, text: str) -> str:
        """Return the line of the screen that contains a text."""
        found = [line for line in self.editor.screen if text in line]
        assert found, f"{text!r} is not on the screen\n" + "\n".join(self.editor.screen)
        return found[0]

    def row(self, text: str) -> int:
        """Return the number of the line of the screen that contains a text."""
        screen = self.editor.screen
        return next(number for number, line in enumerate(screen) if text in line)

    def value(self, expression: str) -> Any:
        """Evaluate a Lua expression and return its value."""
        return self.lua(f"return {expression}")
