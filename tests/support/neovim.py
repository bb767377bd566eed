"""A real Neovim with a screen, driven over its API. Without configuration, and without a plugin unless it is given one.

Waiting is done inside of Neovim by `vim.wait`, which runs its event loop and asks the condition again meanwhile. While
a menu is open Neovim answers nothing but what it draws: `menu` waits for that.
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
    """What stands in one place of the screen: a character, and the number of its highlight attributes."""

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
        """The screen's own `foreground` and `background`."""
        self._drawn = 0  # so many times something was drawn
        self.highlights: dict[int, dict[str, Any]] = {0: {}}
        """The attributes by their number: `foreground`, `background`, `bold` and so on."""
        self.request("nvim_ui_attach", COLUMNS, LINES, {"ext_linegrid": True, "rgb": True})
        # What is told behind a menu does not wait for the Enter key.
        self.lua("pcall(vim.api.nvim_set_option_value, 'messagesopt', 'wait:0,history:500', {})")

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

    def _read(self, seconds: float = 1.5 * WAIT_MILLISECONDS / 1000) -> None:
        ready, _, _ = select.select([self._out], [], [], seconds)
        assert ready, "Neovim says nothing\n" + self._seen()
        data = os.read(self._out.fileno(), 65_536)
        assert data, "Neovim has gone"
        self._messages.feed(data)

    def _seen(self) -> str:
        return "\n".join(_text(line) for line in self._grid)

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
        return [_text(line) for line in self._grid]

    @property
    def cells(self) -> list[list[Cell]]:
        """The screen with its highlights."""
        assert self.screen
        return [list(line) for line in self._grid]

    def attributes(self, text: str) -> dict[str, Any]:
        """The highlight attributes of the place on the screen where a text begins."""
        for line in self.cells:
            column = "".join(cell.text for cell in line).find(text)
            if column >= 0:
                # A wide character is one with an empty one behind it; texts in tests have none in front.
                return self.highlights[line[column].highlight]
        raise AssertionError(f"{text!r} is not on the screen\n" + self._seen())

    def sees(self, *texts: str) -> None:
        """Wait until all of these stand on the screen."""
        end = time.monotonic() + WAIT_MILLISECONDS / 1000
        while True:
            screen = "\n".join(self.screen)
            missing = [text for text in texts if text not in screen]
            if not missing:
                return
            assert time.monotonic() < end, f"{missing} is not on the screen\n{screen}"
            self._await_drawing(end)

    def sees_no(self, *texts: str) -> None:
        """Wait until none of these stands on the screen."""
        end = time.monotonic() + WAIT_MILLISECONDS / 1000
        while True:
            screen = "\n".join(self.screen)
            there = [text for text in texts if text in screen]
            if not there:
                return
            assert time.monotonic() < end, f"{there} is still on the screen\n{screen}"
            self._await_drawing(end)

    def _await_drawing(self, end: float) -> None:
        """Wait until Neovim draws something by itself."""
        while True:
            for message in self._messages:
                if message[:2] == [2, "redraw"]:
                    self._draw(message[2])
                    return
            ready, _, _ = select.select([self._out], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return
            data = os.read(self._out.fileno(), 65_536)
            assert data, "Neovim has gone"
            self._messages.feed(data)

    def type(self, keys: str) -> None:
        """Type as a person does, without waiting until it is done."""
        self.request("nvim_input", keys)

    def stroke(self, key: str) -> float:
        """Type one key. Seconds until what it did was drawn."""
        drawn = self._drawn
        begun = time.perf_counter()
        self.request("nvim_input", key)
        while self._drawn == drawn:
            self._await_drawing(begun + WAIT_MILLISECONDS / 1000)
        return time.perf_counter() - begun

    def command(self, command: str) -> None:
        """Carry out an Ex command."""
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
            highlight = rest[0] if rest else highlight  # where it is left out it is that of the one before
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
"""Reads no configuration of whoever runs the tests."""


@contextmanager
def neovim(
    folder: Path,
    environment: Mapping[str, str],
    *arguments: str,
    program: Installed | None = None,
    begins: Sequence[str] = UNCONFIGURED,
) -> Iterator[Neovim]:
    """A Neovim in `folder` with this environment; 0.11 if no program is named. `begins`: how it is configured."""
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
