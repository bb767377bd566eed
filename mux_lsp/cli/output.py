"""Print to the terminal or into a pipe, with control characters made visible in all texts."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from mux_lsp.core.sanitize import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

STYLES = {
    "queued": "bright_black",
    "preparing": "cyan",
    "running": "cyan",
    "waiting": "magenta",
    "checking": "blue",
    "finished": "green",
    "failed": "red",
    "cancelled": "yellow",
    "interrupted": "red",
    "passed": "green",
    "pending": "cyan",
    "applied": "green",
    "conflict": "red",
    "rejected": "yellow",
    "faint": "bright_black",
}
"""Colours by meaning, by names that click and rich share."""


COLUMN_GAP = 2
"""Spaces between columns."""

MIN_COLUMN_WIDTH = 10
"""Minimum width to which columns are cut, so that names and hunks can still be recognized."""


class Cell(NamedTuple):
    """One field of a table. `style` is a key of STYLES or empty."""

    text: str
    style: str = ""


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout.isatty()


def coloured() -> bool:
    """Return whether to print colours: on a terminal, unless disabled (https://no-color.org)."""
    return on_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def echo(text: str = "", style: str = "", *, bold: bool = False) -> None:
    """Print one or several lines."""
    line = visible(text, keep="\n")
    if coloured() and (style or bold):
        line = click.style(line, fg=STYLES.get(style), bold=bold or None)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def echo_error(text: str) -> None:
    """Print to standard error."""
    sys.stderr.write(visible(text, keep="\n") + "\n")
    sys.stderr.flush()


def echo_json(value: object) -> None:
    """Print JSON in ASCII, so that names that are not UTF-8 are kept and no character controls the terminal."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def echo_table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], *, indent: str = "") -> None:
    """Print a table: cut to the terminal's width there, complete and aligned elsewhere."""
    if not rows:
        return
    if coloured():
        from rich.console import Console
        from rich.padding import Padding

        console = Console()
        table = rich_table(headers, rows, console.width - len(indent))
        console.print(Padding(table, (0, 0, 0, len(indent))))
        return
    for line in aligned(headers, rows):
        sys.stdout.write(f"{indent}{line}\n")
    sys.stdout.flush()


def aligned(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> list[str]:
    """Return a table as lines of text, with `COLUMN_GAP` spaces between the columns.

    No header line if all headers are empty.
    """
    texts = [[visible(cell.text) for cell in row] for row in rows]
    if any(headers):
        texts.insert(0, [header.upper() for header in headers])
    widths = [max(len(row[column]) for row in texts) for column in range(len(headers))]
    return [
        (" " * COLUMN_GAP).join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def fitting(widest: Sequence[int], room: int) -> list[int]:
    """Return the widths of columns that fit into `room` with GAP between them, at most `widest` each.

    The widest are cut first. If all would be cut to less than LEAST, the last columns are dropped.
    """
    widths = list(widest)
    while sum(widths) + COLUMN_GAP * (len(widths) - 1) > room:
        most = max(widths)
        if len(widths) > 1 and most <= MIN_COLUMN_WIDTH:
            return fitting(widest[:-1], room)
        if most <= 1:
            break
        widths[len(widths) - 1 - widths[::-1].index(most)] -= 1
    return widths


def rich_table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], width: int) -> Table:
    """Return a table for a terminal of `width` columns.

    Cells are `Text`, in which rich interprets no markup.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    texts = [[Text(visible(cell.text), style=STYLES.get(cell.style, "")) for cell in row] for row in rows]
    columns = list(range(len(headers)))
    widest = [max([cell_len(headers[column]), *(row[column].cell_len for row in texts)]) for column in columns]
    if sum(widest) + COLUMN_GAP * (len(widest) - 1) > width:
        columns = [column for column in columns if any(row[column] for row in texts)]
    table = Table(
        box=None, pad_edge=False, show_header=any(headers), header_style="bold", padding=(0, COLUMN_GAP, 0, 0)
    )
    # rich itself would narrow every column.
    widths = fitting([widest[column] for column in columns], width)
    for column, room in zip(columns, widths, strict=False):
        table.add_column(headers[column], no_wrap=True, width=room)
    for row in texts:
        table.add_row(*(row[column] for column in columns[: len(widths)]))
    return table
