"""A real Neovim with a screen, driven over its API. No plugin, no configuration: what everybody has.

Waiting is done inside of Neovim by `vim.wait`, which runs its event loop and asks the condition again meanwhile. While
a menu is open Neovim answers nothing but what it draws: `menu` waits for that.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAM = Path(sys.executable).parent / "nvim"
WAIT_MILLISECONDS = 20_000
COLUMNS, LINES = 100, 30


class Neovim:
    """One running Neovim, and the screen that it draws."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._messages = msgpack.Unpacker(unicode_errors="surrogateescape", strict_map_key=False)
        self._number = 0
        self._grid = [[" "] * COLUMNS for _ in range(LINES)]
        self.request("nvim_ui_attach", COLUMNS, LINES, {"ext_linegrid": True, "rgb": True})
        # What is told behind a menu does not wait for the Enter key.
        self.request("nvim_set_option_value", "messagesopt", "wait:0,history:500", {})

    def request(self, method: str, *arguments: object) -> Any:
        """The answer to an API call. What is drawn before it is on the screen then."""
        self._number += 1
        self._in.write(msgpack.packb([0, self._number, method, arguments]))
        self._in.flush()
        while True:
            for message in self._messages:
                if message[0] == 1:
                    assert message[1] == self._number
                    assert message[2] is None, f"{method}: {message[2]}"
                    return message[3]
                if message[:2] == [2, "redraw"]:
                    self._draw(message[2])
            self._read()

    def _read(self, seconds: float = WAIT_MILLISECONDS / 1000) -> None:
        ready, _, _ = select.select([self._out], [], [], seconds)
        assert ready, "Neovim says nothing\n" + self._seen()
        data = os.read(self._out.fileno(), 65_536)
        assert data, "Neovim has gone"
        self._messages.feed(data)

    def _seen(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self._grid)

    def menu(self, code: str, prompt: str) -> list[str]:
        """The lines of the menu that a chunk of Lua leads to, once it is drawn whole, from its prompt on."""
        self.lua(f"vim.schedule(function() {code} end)")
        end = time.monotonic() + WAIT_MILLISECONDS / 1000
        while True:
            for message in self._messages:
                if message[:2] == [2, "redraw"]:
                    self._draw(message[2])
            lines = [line.rstrip() for line in self._seen().splitlines()]
            if prompt in lines and any(line.startswith("Type number and <Enter>") for line in lines):
                return lines[lines.index(prompt) + 1 :]
            self._read(end - time.monotonic())

    def choose(self, menu: list[str], title: str) -> None:
        """Choose what begins like this in the menu that is open."""
        (number,) = [line.partition(":")[0] for line in menu if line.partition(": ")[2].startswith(title)]
        self.request("nvim_input", f"{number}<CR>")

    def lua(self, code: str, *arguments: object) -> Any:
        """The value that a chunk of Lua returns; its arguments are `...`."""
        return self.request("nvim_exec_lua", code, list(arguments))

    def keys(self, keys: str) -> None:
        """Type, until all of it is done."""
        self.request("nvim_feedkeys", self.request("nvim_replace_termcodes", keys, True, True, True), "ntx", False)

    def wait(self, condition: str, *arguments: object) -> Any:
        """Wait until a Lua expression is true; its value."""
        answer = self.lua(
            f"local a, found = {{...}}, nil\n"
            f"local ok = vim.wait({WAIT_MILLISECONDS}, function() found = {condition} return found end, 10)\n"
            "return {ok, found}",
            *arguments,
        )
        assert answer[0], f"{condition} did not come\n" + "\n".join(self.screen)
        return answer[1]

    def buffer(self) -> list[str]:
        """The lines of the current buffer."""
        lines: list[str] = self.request("nvim_buf_get_lines", 0, 0, -1, True)
        return lines

    @property
    def screen(self) -> list[str]:
        """What a person sees now, line by line."""
        self.lua("vim.cmd.redraw()")
        self.request("nvim_get_mode")  # what was drawn has come before this answer
        return ["".join(line).rstrip() for line in self._grid]

    def _draw(self, events: list[Any]) -> None:
        for name, *calls in events:
            for call in calls:
                if name == "grid_line":
                    self._draw_line(*call[:4])
                elif name == "grid_clear":
                    self._grid = [[" "] * COLUMNS for _ in range(LINES)]
                elif name == "grid_scroll":
                    self._scroll(*call)

    def _draw_line(self, _: int, row: int, column: int, cells: list[list[Any]]) -> None:
        for text, *rest in cells:
            for _ in range(rest[1] if len(rest) > 1 else 1):
                self._grid[row][column] = text
                column += 1

    def _scroll(self, _: int, top: int, bottom: int, left: int, right: int, rows: int, __: int) -> None:
        order = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in order:
            self._grid[row][left:right] = self._grid[row + rows][left:right]


@contextmanager
def neovim(folder: Path, environment: Mapping[str, str]) -> Iterator[Neovim]:
    """A Neovim in `folder` that reads no configuration, with this environment."""
    with subprocess.Popen(
        [PROGRAM, "--embed", "--headless", "--clean", "-n"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Neovim(process)
        finally:
            process.kill()
