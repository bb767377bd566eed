"""Render our own documents for a terminal or a pipe, at any width.

rich parses and lays them out. This module changes four of its defaults: code keeps its lines, so that it can be copied;
tables with long cells become lists; headings are aligned left; links name something that can be opened from a terminal.
"""

from __future__ import annotations

import io
import posixpath
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, Group
from rich.markdown import CodeBlock, Heading, Markdown, TableElement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token
    from rich.console import ConsoleOptions, RenderableType, RenderResult
    from rich.markdown import MarkdownElement

FOLDER = "mux_lsp/docs"
"""The folder of the documents in the repository, to which their links are relative."""

INDENT = 4
"""Columns by which code, and a row's cells in a list, are indented."""

THEME = Theme(
    {
        "markdown.code": "cyan",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold italic",
        "markdown.link": "default",
        "markdown.link_url": "cyan",
    }
)


def render(text: str, width: int, *, styled: bool) -> str:
    """Render Markdown in `width` columns, with colours and other styles if `styled`."""
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        theme=THEME,
        force_terminal=styled,
        color_system="standard" if styled else None,
        highlight=False,
    )
    console.print(_Document(text, styled=styled), crop=False)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


class _Title(Heading):
    """A heading, aligned left. Without styles, its level is written as in Markdown."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.color_system is None:
            yield Text(f"{'#' * int(self.tag[1:])} {self.text.plain}")
        else:
            yield self.text


class _Code(CodeBlock):
    """A block of code, indented. A line wider than the terminal is not wrapped."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in str(self.text).rstrip().splitlines():
            yield Text(" " * INDENT + line, style="cyan", no_wrap=True, overflow="ignore")


class _Rows(TableElement):
    """A table: in columns if it has two and the first is narrow, else a list with a row's cells below its first."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        headers = [cell.content for cell in self.header.row.cells] if self.header and self.header.row else []
        rows = [[cell.content for cell in row.cells] for row in self.body.rows] if self.body else []
        first = max((row[0].cell_len for row in rows), default=0)
        if len(headers) == 2 and first <= options.max_width // 3:
            yield _columns(rows)
        else:
            yield Group(*_entries([header.plain for header in headers], rows))


def _columns(rows: Sequence[Sequence[Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table


def _entries(headers: Sequence[str], rows: Sequence[Sequence[Text]]) -> Iterator[RenderableType]:
    for name, *cells in rows:
        yield name
        for header, cell in zip(headers[1:], cells, strict=True):
            # With two columns, the second needs no name.
            labelled = cell if len(headers) == 2 else Text.assemble(f"{header}: ", cell)
            yield Padding(labelled, (0, 0, 0, INDENT))


class _Document(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Title,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Rows,
    }

    def __init__(self, text: str, *, styled: bool) -> None:
        super().__init__(text, hyperlinks=False)
        for token in self.parsed:
            if token.children:
                token.children = list(_reachable(token.children, quote_code=not styled))
        self.parsed = list(_without_empty_paragraphs(self.parsed))


def _reachable(tokens: Sequence[Token], *, quote_code: bool) -> Iterator[Token]:
    """Drop images, and replace each link's target by something that can be opened from a terminal."""
    dropped = False
    for token in tokens:
        if token.type == "image":
            continue
        if token.type == "link_open":
            target, is_command = _target(str(token.attrs["href"]))
            dropped = not target
            token.attrs["href"] = f"`{target}`" if is_command and quote_code else target
        if dropped and token.type in {"link_open", "link_close"}:
            continue
        if quote_code and token.type == "code_inline":
            token.content = f"`{token.content}`"
        yield token


def _target(address: str) -> tuple[str, bool]:
    """Return a link's target as an address, a command or a file of the repository, and whether it is a command.

    It is empty for a section of the same document.
    """
    if "://" in address:
        return address, False
    path = address.partition("#")[0]
    if path.endswith(".md") and "/" not in path:
        return f"mux-lsp help {path.removesuffix('.md')}", True
    return (posixpath.normpath(f"{FOLDER}/{path}") if path else ""), False


def _without_empty_paragraphs(tokens: Sequence[Token]) -> Iterator[Token]:
    """Drop the paragraphs that contained only an image."""
    index = 0
    while index < len(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if tokens[index].type == "paragraph_open" and following is not None and following.children == []:
            index += 3
        else:
            yield tokens[index]
            index += 1
