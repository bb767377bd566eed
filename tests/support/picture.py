"""Draw the screen of a Neovim as an SVG image, with its colours and letters."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.neovim import Cell, Neovim

WIDTH, HEIGHT, SIZE = 8.4, 18.0, 14
"""Width and height of a cell, and size of its letter, in pixels."""

_PAD: Final = 12.0
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
"""No-break space: viewers collapse ordinary spaces."""
_FONTS: Final = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def svg(editor: Neovim, rows: range, columns: int) -> str:
    """Return these rows of the screen as SVG."""
    cells = [line[:columns] for line in editor.cells[rows.start : rows.stop]]
    width, height = columns * WIDTH + 2 * _PAD, len(cells) * HEIGHT + 2 * _PAD
    drawn = "\n".join(piece for row, line in enumerate(cells) for piece in _line(editor, row, line))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'font-family="{_FONTS}" font-size="{SIZE}">\n'
        f'<rect width="100%" height="100%" rx="6" fill="{_colour(editor.colours["background"])}"/>\n'
        f"{drawn}\n</svg>\n"
    )


def _line(editor: Neovim, row: int, line: list[Cell]) -> Iterator[str]:
    column = 0
    top = _PAD + row * HEIGHT
    for number, group in groupby(line, key=lambda cell: cell.highlight):
        same = list(group)
        left, width = _PAD + column * WIDTH, len(same) * WIDTH
        column += len(same)
        foreground, background = _colours(editor, editor.highlights[number])
        if background != editor.colours["background"]:
            yield (
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{HEIGHT}" '
                f'fill="{_colour(background)}"/>'
            )
        text = "".join(cell.text for cell in same).rstrip()
        if text.strip():
            style = _style(editor.highlights[number])
            # The explicit length aligns columns in any font.
            yield (
                f'<text x="{left:.1f}" y="{top + HEIGHT * 0.75:.1f}" textLength="{len(text) * WIDTH:.1f}" '
                f'fill="{_colour(foreground)}"{style}>{escape(text.replace(" ", NO_BREAK))}</text>'
            )


def _colours(editor: Neovim, attributes: dict[str, Any]) -> tuple[int, int]:
    foreground = attributes.get("foreground", editor.colours["foreground"])
    background = attributes.get("background", editor.colours["background"])
    return (background, foreground) if attributes.get("reverse") else (foreground, background)


def _style(attributes: dict[str, Any]) -> str:
    return (' font-weight="bold"' if attributes.get("bold") else "") + (
        ' font-style="italic"' if attributes.get("italic") else ""
    )


def _colour(number: int) -> str:
    return f"#{number:06x}"
