"""Locate the editors' clients that come with mux-lsp."""

from __future__ import annotations

from pathlib import Path

import click

from mux_lsp.cli.output import echo
from mux_lsp.errors import MuxError


def client_folder(editor: str) -> Path:
    """Return the folder of an editor's client, in the installed package or beside it in a checkout. Raises MuxError."""
    package = Path(__file__).parents[1]
    for folder in (package / "clients" / editor, package.parent / "editor-clients" / editor):
        if folder.is_dir():
            return folder
    raise MuxError(f"This installation of mux-lsp has no client for {editor}: install it anew, by pip install mux-lsp.")


@click.command("neovim-path", short_help="Print the folder of the Neovim plugin.")
def neovim_path() -> None:
    """Print the folder of the Neovim plugin, for Neovim's runtimepath.

    \b
    To install it as a package, create a link once:
      packages=~/.local/share/nvim/site/pack/mux/start
      mkdir -p "$packages" && ln -sfn "$(mux-lsp neovim-path)" "$packages/mux"
    """
    echo(str(client_folder("neovim")))
