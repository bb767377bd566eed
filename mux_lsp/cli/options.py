"""Define the options and helpers that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from mux_lsp.errors import UsageError

json_option = click.option("--json", "as_json", is_flag=True, help="Print the protocol's JSON.")


def here() -> Path:
    """Return the current folder. Raises UsageError if it does not exist any more."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("The current folder does not exist any more: change to another one.") from None
