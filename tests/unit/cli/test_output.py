"""What is printed: aligned, harmless, and nothing but JSON where JSON was asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mux_lsp.cli.output import Cell, aligned, rich_table, say, say_json, say_table

if TYPE_CHECKING:
    import pytest


def test_a_table_in_a_pipe_is_whole_and_aligned() -> None:
    rows = [[Cell("k3f"), Cell("x" * 200)], [Cell("k3f-12"), Cell("")]]
    assert aligned(("id", "what"), rows) == ["ID      WHAT", f"k3f     {'x' * 200}", "k3f-12"]
    assert aligned(("", ""), rows[1:]) == ["k3f-12"]


def test_nothing_printed_drives_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("two\nlines \x1b[2J")
    say_table(("name",), [[Cell("\x1b]0;title\x07\nforged line")]], indent="  ")
    say_json({"path": "\x1b[2J\x9b\u202ecaf\udce9"})
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "two\nlines \\x1b[2J\n" in printed
    assert "  \\x1b]0;title\\x07\\nforged line\n" in printed
    assert printed.isascii()


def test_json_keeps_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"path": "\x1bcaf\udce9"})
    assert json.loads(capsys.readouterr().out) == {"path": "\x1bcaf\udce9"}


def on_a_terminal(rows: list[list[Cell]], width: int) -> list[str]:
    from rich.console import Console

    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(rich_table(("id", "what"), rows, width))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_on_a_terminal_only_the_last_column_is_cut() -> None:
    rows = [[Cell("k3f-1"), Cell("x" * 200)], [Cell("k3f-10"), Cell("short")]]
    assert on_a_terminal(rows, 40) == ["id      what", "k3f-1   " + "x" * 31 + "…", "k3f-10  short"]


def test_rich_reads_nothing_into_a_cell() -> None:
    rows = [[Cell("[red]x[/red]"), Cell(":smile: \x1b[2J")]]
    assert on_a_terminal(rows, 80)[1] == "[red]x[/red]  :smile: \\x1b[2J"
