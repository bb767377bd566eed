"""Drive a real Neovim with a screen over its API, by default without configuration and plugins.

Waits run inside Neovim with `vim.wait`, which runs its event loop and evaluates the condition meanwhile. While a menu
is open, Neovim answers no requests but sends redraws: `menu` waits for those.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack  # type: ignore[import-untyped]  # it ships no types

from tests.support import neovim_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.neovim_versions import Installed

WAIT_MILLISECONDS = 20_000
COLUMNS, LINES = 100, 30


class Cell(NamedTuple):
    """A cell of the screen: a character, and the number of its highlight attributes."""

    text: str
    highlight: int


BLANK = Cell(" ", 0)


class Neovim:
    """One running Neovim, and the screen that it draws."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._messages = msgpack.Unpacker(unicode_errors="surrogateescape", strict_map_key=False)
        self._number = 0
        self._grid = [[BLANK] * COLUMNS for _ in range(LINES)]
        self.colours: dict[str, int] = {}
        """The default `foreground` and `background`."""
        self._drawn = 0  # the number of redraws
        self.highlights: dict[int, dict[str, Any]] = {0: {}}
        """The attributes by their number: `foreground`, `background`, `bold` and so on."""
        self.request("nvim_ui_attach", COLUMNS, LINES, {"ext_linegrid": True, "rgb": True})
        # A message after a menu does not wait for the Enter key.
        self.lua("pcall(vim.api.nvim_set_option_value, 'messagesopt', 'wait:0,history:500', {})")

    def request(self, method: str, *arguments: object) -> Any:
        """Call the API and return the result. The screen then has all earlier redraws."""
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

    def _read(self, seconds: float = 1.5 * WAIT_MILLISECONDS / 1000) -> None:
        ready, _, _ = select.select([self._out], [], [], seconds)
        assert ready, "Neovim does not respond\n" + self._text_of_screen()
        data = os.read(self._out.fileno(), 65_536)
        assert data, "Neovim has ended"
        self._messages.feed(data)

    def _text_of_screen(self) -> str:
        return "\n".join(_text(line) for line in self._grid)

    def menu(self, code: str, prompt: str) -> list[str]:
        """Run a chunk of Lua that opens a menu. Return the menu's lines after its prompt, once completely drawn."""
        self.lua(f"vim.schedule(function() {code} end)")
        end = time.monotonic() + WAIT_MILLISECONDS / 1000
        while True:
            for message in self._messages:
                if message[:2] == [2, "redraw"]:
                    self._draw(message[2])
            lines = [line.rstrip() for line in self._text_of_screen().splitlines()]
            if prompt in lines and any(line.startswith("Type number and <Enter>") for line in lines):
                return lines[lines.index(prompt) + 1 :]
            self._read(end - time.monotonic())

    def choose(self, menu: list[str], title: str) -> None:
        """Choose the entry of the open menu that starts with a title."""
        (number,) = [line.partition(":")[0] for line in menu if line.partition(": ")[2].startswith(title)]
        self.request("nvim_input", f"{number}<CR>")

    def lua(self, code: str, *arguments: object) -> Any:
        """Run a chunk of Lua and return its value. Its arguments are `...`."""
        return self.request("nvim_exec_lua", code, list(arguments))

    def keys(self, keys: str) -> None:
        """Type keys, and wait until all of them are processed."""
        self.request("nvim_feedkeys", self.request("nvim_replace_termcodes", keys, True, True, True), "ntx", False)

    def wait(self, condition: str, *arguments: object) -> Any:
        """Wait until a Lua expression is true, and return its value."""
        answer = self.lua(
            f"local a, found = {{...}}, nil\n"
            f"local ok = vim.wait({WAIT_MILLISECONDS}, function() found = {condition} return found end, 10)\n"
            "return {ok, found}",
            *arguments,
        )
        assert answer[0], f"{condition} did not come\n" + "\n".join(self.screen)
        return answer[1]

    def buffer(self) -> list[str]:
        """Return the lines of the current buffer."""
        lines: list[str] = self.request("nvim_buf_get_lines", 0, 0, -1, True)
        return lines

    @property
    def screen(self) -> list[str]:
        """Return the lines of the screen."""
        self.lua("vim.cmd.redraw()")
        self.request("nvim_get_mode")  # the redraws arrive before this response
        return [_text(line) for line in self._grid]

    @property
    def cells(self) -> list[list[Cell]]:
        """Return the cells of the screen with their highlights."""
        assert self.screen
        return [list(line) for line in self._grid]

    def attributes(self, text: str) -> dict[str, Any]:
        """Return the highlight attributes of the cell of the screen where a text starts."""
        for line in self.cells:
            column = "".join(cell.text for cell in line).find(text)
            if column >= 0:
                # A wide character has an empty cell after it; tests have none before their texts.
                return self.highlights[line[column].highlight]
        raise AssertionError(f"{text!r} is not on the screen\n" + self._text_of_screen())

    def sees(self, *texts: str) -> None:
        """Wait until the screen contains all of these texts."""
        end = time.monotonic() + WAIT_MILLISECONDS / 1000
        while True:
            screen = "\n".join(self.screen)
            missing = [text for text in texts if text not in screen]
            if not missing:
                return
            assert time.monotonic() < end, f"{missing} is not on the screen\n{screen}"
            self._await_drawing(end)

    def sees_no(self, *texts: str) -> None:
        """Wait until the screen contains none of these texts."""
        end = time.monotonic() + WAIT_MILLISECONDS / 1000
        while True:
            screen = "\n".join(self.screen)
            there = [text for text in texts if text in screen]
            if not there:
                return
            assert time.monotonic() < end, f"{there} is still on the screen\n{screen}"
            self._await_drawing(end)

    def _await_drawing(self, end: float) -> None:
        """Wait until Neovim redraws."""
        while True:
            for message in self._messages:
                if message[:2] == [2, "redraw"]:
                    self._draw(message[2])
                    return
            ready, _, _ = select.select([self._out], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return
            data = os.read(self._out.fileno(), 65_536)
            assert data, "Neovim has ended"
            self._messages.feed(data)

    def type(self, keys: str) -> None:
        """Type as a person does, without waiting until the keys are processed."""
        self.request("nvim_input", keys)

    def stroke(self, key: str) -> float:
        """Type one key. Return the seconds until its effect was drawn."""
        drawn = self._drawn
        begun = time.perf_counter()
        self.request("nvim_input", key)
        while self._drawn == drawn:
            self._await_drawing(begun + WAIT_MILLISECONDS / 1000)
        return time.perf_counter() - begun

    def command(self, command: str) -> None:
        """Run an Ex command."""
        self.request("nvim_command", command)

    def _draw(self, events: list[Any]) -> None:
        for name, *calls in events:
            for call in calls:
                if name == "grid_line":
                    self._draw_line(*call[:4])
                elif name == "grid_clear":
                    self._grid = [[BLANK] * COLUMNS for _ in range(LINES)]
                elif name == "grid_scroll":
                    self._scroll(*call)
                elif name == "flush":
                    self._drawn += 1
                elif name == "hl_attr_define":
                    self.highlights[call[0]] = call[1]
                elif name == "default_colors_set":
                    self.colours = {"foreground": call[0], "background": call[1]}

    def _draw_line(self, _: int, row: int, column: int, cells: list[list[Any]]) -> None:
        highlight = 0
        for text, *rest in cells:
            highlight = rest[0] if rest else highlight  # omitted where it is that of the previous cell
            for _ in range(rest[1] if len(rest) > 1 else 1):
                self._grid[row][column] = Cell(text, highlight)
                column += 1

    def _scroll(self, _: int, top: int, bottom: int, left: int, right: int, rows: int, __: int) -> None:
        order = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for row in order:
            self._grid[row][left:right] = self._grid[row + rows][left:right]


def _text(line: list[Cell]) -> str:
    return "".join(cell.text for cell in line).rstrip()


UNCONFIGURED = ("--clean",)
"""Arguments that keep Neovim from reading the configuration of the person who runs the tests."""


@contextmanager
def neovim(
    folder: Path,
    environment: Mapping[str, str],
    *arguments: str,
    program: Installed | None = None,
    begins: Sequence[str] = UNCONFIGURED,
) -> Iterator[Neovim]:
    """Yield a Neovim in `folder` with this environment, by default 0.11. `begins` are its configuration arguments."""
    chosen = program or neovim_versions.installed("0.11")
    with subprocess.Popen(
        [*chosen.command, "--embed", "--headless", *begins, "-n", *arguments],
        cwd=folder,
        env={**environment, **chosen.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Neovim(process)
        finally:
            process.kill()
