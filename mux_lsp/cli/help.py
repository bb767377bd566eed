"""`mux-lsp help`: list the documents that come with the package, and show one of them."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mux_lsp.cli.output import coloured, echo, on_terminal
from mux_lsp.core.phrases import listed
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

DOCUMENTS: Final = Path(__file__).parents[1] / "docs"

TOPICS: Final = (
    "getting-started",
    "review",
    "agents",
    "checks-and-ranking",
    "configuration",
    "editors",
    "security",
    "troubleshooting",
)
"""All topics, in the order in which to read them."""

MAX_WIDTH: Final = 100
"""Maximum columns of text: longer lines are hard to read, however wide the terminal is."""

MAX_SUGGESTIONS: Final = 3
"""Maximum number of names suggested in place of an unknown one."""


def document(topic: str) -> str:
    """Read a topic's document, which is Markdown."""
    return (DOCUMENTS / f"{topic}.md").read_text(encoding="utf-8")


def summary(topic: str) -> str:
    """Return the sentence below the title of a topic's document."""
    _title, sentence, _rest = document(topic).split("\n\n", 2)
    return " ".join(sentence.split())


@click.command("help", short_help="Explain a topic, or list the topics.")
@click.argument("topic", required=False)
@click.pass_context
def help_(context: click.Context, topic: str | None) -> None:
    """Explain TOPIC. Without TOPIC, list the topics.

    On a terminal the text is shown in your pager ($PAGER). For the name of a command, its help is shown.
    """
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    group = context.parent.command if context.parent else None
    commands = group.commands if isinstance(group, click.Group) else {}
    if topic is None:
        _list_topics(width)
    elif (name := topic.lower().removesuffix(".md")) in TOPICS:
        _show(name, width)
    elif name in commands:
        with click.Context(commands[name], info_name=name, parent=context.parent) as its:
            echo(commands[name].get_help(its))
    else:
        raise UsageError(f"There is no topic '{visible(topic)}'; {_suggestion(name, commands)}")


def _list_topics(width: int) -> None:
    formatter = click.HelpFormatter(width=width)
    with formatter.section("Topics"):
        formatter.write_dl([(topic, summary(topic)) for topic in TOPICS])
    formatter.write_paragraph()
    formatter.write_text(
        "`mux-lsp help TOPIC` explains a topic; `mux-lsp COMMAND --help` lists the options of a command."
    )
    echo(formatter.getvalue().rstrip("\n"))


def _show(topic: str, width: int) -> None:
    from mux_lsp.cli.markdown import render

    text = render(document(topic), width, styled=coloured())
    if on_terminal():
        # Click finds the pager, and removes colours if it cannot show them.
        click.echo_via_pager(text)
    else:
        echo(text.rstrip("\n"))


def _suggestion(typed: str, commands: Collection[str]) -> str:
    """Suggest topics and commands with the same beginning, else with a similar name, else topics with the word."""
    names = [*TOPICS, *sorted(set(commands) - set(TOPICS))]
    similar = [name for name in names if typed and any(word.startswith(typed) for word in (name, *name.split("-")))]
    similar = similar or difflib.get_close_matches(typed, names)
    if similar:
        *others, last = similar[:MAX_SUGGESTIONS]
        return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"
    word = re.compile(rf"\b{re.escape(typed)}\b", re.IGNORECASE)
    mentions = [topic for topic in TOPICS if typed and word.search(document(topic))]
    if mentions:
        return f"{listed(mentions)} {'mention' if len(mentions) > 1 else 'mentions'} it."
    return "`mux-lsp help` lists the topics."
