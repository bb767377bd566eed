"""Commands for conversations without a model, and for keeping one that was had with a model: replay and record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mux_lsp.cli.output import echo
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

ANTHROPIC = "https://api.anthropic.com"

port_option = click.option("--port", type=click.IntRange(0, 65535), default=0, help="A port of 127.0.0.1.")


@click.command(short_help="Play a conversation in a model's place.")
@click.argument("script", type=click.Path(path_type=Path))
@port_option
def replay(script: Path, port: int) -> None:
    """Serve the Messages API on this machine with SCRIPT in the model's place, until Ctrl-C. It takes any key.

    A script is TOML, written by `mux-lsp record` or by hand, the model's answers one after the other:

    \b
      [[conversation]]
      model = "claude-*"              # which models it is for; left out: any
      contains = "fix the parser"     # what the prompt contains; left out: anything
      events_per_second = 25          # so fast it speaks; left out: at once
    \b
      [[conversation.turn]]
      content = [
        { text = "I look at the parser first." },
        { tool = "read_file", input = { path = "parser.py" } },
      ]
      faults = [{ kind = "overloaded", times = 2 }]    # errors that come before the answer
      usage = { input = 1200, output = 80 }            # tokens; left out: guessed
    \b
      [[conversation.turn]]
      content = [{ tool = "finish", input = { summary = "Done." } }]
    """
    from mux_lsp.agents.replay.script import load
    from mux_lsp.agents.replay.server import serve

    _serve(serve(load(script), port=port), f"It plays {script}.")


@click.command(short_help="Keep conversations with a model as a script.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--upstream", default=ANTHROPIC, metavar="URL", help=f"The API to pass requests on to ({ANTHROPIC}).")
@port_option
def record(file: Path, upstream: str, port: int) -> None:
    """Pass requests on to the Messages API, and write what the model says to FILE, until Ctrl-C. No key is written.

    `mux-lsp replay FILE` plays it: the same prompt then has the same answers, without a key.
    """
    from mux_lsp.agents.replay.record import record as recording

    _serve(recording(file, upstream=upstream, port=port), f"It passes on to {upstream} and writes {file}.")


def _serve(server: AbstractAsyncContextManager[str], what: str) -> None:
    import asyncio

    async def until_interrupted() -> None:
        async with server as url:
            echo(url, bold=True)
            echo(f"{what} Use it as the built-in agent's address, in config.toml:\n")
            echo(f'  [agents.replayed]\n  kind = "anthropic"\n  base_url = "{url}"\n')
            echo("and `mux-lsp run PROMPT -a replayed`, or as ANTHROPIC_BASE_URL of any other agent. Ctrl-C ends it.")
            await asyncio.Event().wait()

    try:
        asyncio.run(until_interrupted())
    except OSError as error:
        raise MuxError(f"The port cannot be had: {error.strerror}. Name another one with --port.") from error
