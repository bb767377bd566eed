"""Define the command `mux-lsp demo`."""

from __future__ import annotations

import click

from mux_lsp.cli.demo.agents import AGENTS


@click.command(short_help="Show in a temporary repository what it does.")
@click.option("--accept", "chosen", type=click.Choice(AGENTS), help="Accept this agent's result instead of the best.")
@click.option("--keep", is_flag=True, help="Leave the temporary folder where it is.")
def demo(chosen: str | None, keep: bool) -> int:
    """Show in a temporary repository what mux-lsp does, without a key, network access, or changes to your files.

    Exit status: 1 if a claim turns out to be false (`--accept plus-one` shows that).
    """
    from mux_lsp.cli.demo.story import tell

    return tell(chosen, keep=keep)
