"""Test the printed output: aligned, harmless, and nothing but JSON with `--json`."""

from __future__ import annotations

import json

import pytest

from mux_lsp.cli.output import Cell, aligned, echo, echo_json, echo_table, fitting, rich_table


def test_a_table_in_a_pipe_is_whole_and_aligned() -> None:
    rows = [[Cell("k3f"), Cell("x" * 200)], [Cell("k3f-12"), Cell("")]]
    assert aligned(("id", "what"), rows) == ["ID      WHAT", f"k3f     {'x' * 200}", "k3f-12"]
    assert aligned(("", ""), rows[1:]) == ["k3f-12"]


def test_nothing_printed_drives_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    echo("two\nlines \x1b[2J")
    echo_table(("name",), [[Cell("\x1b]0;title\x07\nforged line")]], indent="  ")
    echo_json({"path": "\x1b[2J\x9b\u202ecaf\udce9"})
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "two\nlines \\x1b[2J\n" in printed
    assert "  \\x1b]0;title\\x07\\nforged line\n" in printed
    assert printed.isascii()


def test_json_keeps_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({"path": "\x1bcaf\udce9"})
    assert json.loads(capsys.readouterr().out) == {"path": "\x1bcaf\udce9"}


def on_a_terminal(rows: list[list[Cell]], width: int, headers: tuple[str, ...] = ("id", "what")) -> list[str]:
    from rich.console import Console

    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(rich_table(headers, rows, width))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_on_a_terminal_the_widest_column_is_cut() -> None:
    rows = [[Cell("k3f-1"), Cell("x" * 200)], [Cell("k3f-10"), Cell("short")]]
    assert on_a_terminal(rows, 40) == ["id      what", "k3f-1   " + "x" * 31 + "…", "k3f-10  short"]
    rows = [[Cell("y" * 30), Cell("k3f-1")], [Cell("y"), Cell("k3f-10")]]
    assert on_a_terminal(rows, 24) == ["id                what", "y" * 15 + "…  k3f-1", "y                 k3f-10"]


@pytest.mark.parametrize(
    ("widest", "room", "widths"),
    [
        ([4, 6, 20], 34, [4, 6, 20]),
        ([4, 6, 20], 30, [4, 6, 16]),
        ([4, 6, 28, 24], 60, [4, 6, 22, 22]),
        # No cell is shortened until it says nothing: the last columns are dropped instead.
        ([4, 6, 28, 9, 24, 5, 5], 60, [4, 6, 13, 9, 13, 5]),
        ([4, 6, 28, 9, 24], 30, [4, 6, 16]),
        ([28], 5, [5]),
    ],
)
def test_widths_of_a_terminal(widest: list[int], room: int, widths: list[int]) -> None:
    assert fitting(widest, room) == widths


def test_where_there_is_no_room_a_column_without_a_word_goes_first() -> None:
    rows = [[Cell("k3f-1"), Cell(""), Cell("x" * 12)]]
    headers = ("id", "cost", "what")
    assert on_a_terminal(rows, 25, headers) == ["id     cost  what", "k3f-1        xxxxxxxxxxxx"]
    assert on_a_terminal(rows, 24, headers) == ["id     what", "k3f-1  xxxxxxxxxxxx"]


def test_rich_reads_nothing_into_a_cell() -> None:
    rows = [[Cell("[red]x[/red]"), Cell(":smile: \x1b[2J")]]
    assert on_a_terminal(rows, 80)[1] == "[red]x[/red]  :smile: \\x1b[2J"
