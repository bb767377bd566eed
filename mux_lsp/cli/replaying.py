"""Define the commands that replay conversations without a model, and record those with a model."""

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
    """Serve the Messages API on this machine with SCRIPT in the model's place, until Ctrl-C. Any key is accepted.

    A script is a TOML file with the model's answers in order, from `mux-lsp record` or written by hand:

    \b
      [[conversation]]
      model = "claude-*"              # models that it is for; default: any
      contains = "fix the parser"     # text that the prompt contains; default: anything
      events_per_second = 25          # speed of the answer; default: at once
    \b
      [[conversation.turn]]
      content = [
        { text = "I look at the parser first." },
        { tool = "read_file", input = { path = "parser.py" } },
      ]
      faults = [{ kind = "overloaded", times = 2 }]    # errors that come before the answer
      usage = { input = 1200, output = 80 }            # tokens; default: estimated
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
    """Forward requests to the Messages API, and write the model's answers to FILE, until Ctrl-C. No key is written.

    `mux-lsp replay FILE` replays it: the same prompt then gets the same answers, without a key.
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
