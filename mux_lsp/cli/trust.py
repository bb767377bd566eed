"""Define the command that shows what a repository's own `mux.toml` would run, and trusts it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import Cell, echo, echo_json, echo_table
from mux_lsp.cli.text import duration, folder_of
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.cli.client import DaemonClient

LABELS = {
    "agents": "agents",
    "setup": "set-up",
    "checks": "checks",
    "setup_inputs": "set up again when these change",
    "protected": "files that judge",
    "check_timeout_seconds": "seconds for a check",
}


@click.command(short_help="Let a repository's own mux.toml count.")
@click.option("-C", "folder", type=click.Path(file_okay=False), help="The repository here.")
@click.option("--yes", is_flag=True, help="Trust without being asked.")
@click.option("--list", "listing", is_flag=True, help="List the repositories whose mux.toml you trust.")
@click.option("--remove", is_flag=True, help="Trust it no more.")
@json_option
def trust(folder: str | None, yes: bool, listing: bool, remove: bool, as_json: bool) -> int:
    """Show what the mux.toml of this repository would run, and use it once you trust it.

    You trust its current content. When that changes, whoever changed it, it is not used until you trust it again. Exit
    status: 1 if you do not trust it.
    """
    if sum((yes, listing, remove)) > 1:
        raise UsageError("trust takes one of --yes, --list and --remove.")
    root = Path(folder).resolve() if folder else here()
    with connected(root if root.is_dir() else here()) as client:
        if listing:
            answer = client.execute("mux.repository.list", {})
            echo_json(answer) if as_json else _echo_list(answer)
            return 0
        if remove:
            answer = client.execute("mux.repository.distrust", {"repository": root.as_uri()})
            echo_json(answer) if as_json else echo(f"The mux.toml of {visible(str(root))} does not count any more.")
            return 0
        return _trust(client, root, sure=yes, as_json=as_json)


def _trust(client: DaemonClient, root: Path, *, sure: bool, as_json: bool) -> int:
    named = {"repository": root.as_uri(), "unsaved": "all"}
    shown = client.execute("mux.repository.get", named)
    if shown["problem"] is not None:
        raise UsageError(f"{_file(shown)} does not count: {shown['problem']}")
    if shown["digest"] is None:
        raise UsageError(f"{_file(shown)} is not there, or says nothing: there is nothing to trust.")
    if not as_json:
        _echo_settings(shown)
    words = "You trust this, and it counts."
    if not shown["trusted"]:
        if not sure and not _asked():
            echo("Nothing was trusted.")
            return 1
        shown = client.execute("mux.repository.trust", {**named, "digest": shown["digest"]})
        words = "From now on it counts, until it says something else."
    echo_json(shown) if as_json else echo(words)
    return 0


def _asked() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("Nobody is there to ask: run this in a terminal, or with --yes.")
    return click.confirm("Trust this?")


def _echo_settings(shown: Mapping[str, Any]) -> None:
    echo(f"{_file(shown)} says:", bold=True)
    for key, label in LABELS.items():
        value = shown[key]
        if value is not None:
            for number, one in enumerate(value if isinstance(value, list) else [f"{value:g}"]):
                # Without a cut: it is what the person trusts.
                first, *others = visible(one, keep="\n").split("\n")
                echo(f"  {'' if number else label:<32}{first}")
                for line in others:
                    echo(f"  {'':<32}  {line}")
    hooks = "run" if shown["hooks_trusted"] else "do not run"
    echo("The commands among this run as you, in hidden worktrees.")
    echo(f"Hooks and servers that the repository brings for agents {hooks}: `[repositories] trusted` in config.toml.")


def _echo_list(answer: Mapping[str, Any]) -> None:
    if not answer["trusted"]:
        echo("You trust the mux.toml of no repository.")
        return
    now = time.time()
    echo_table(
        ("trusted", "repository"),
        [
            (Cell(f"{duration(max(0, now - one['at']))} ago"), Cell(visible(str(folder_of(one["repository"])))))
            for one in answer["trusted"]
        ],
    )


def _file(shown: Mapping[str, Any]) -> str:
    return visible(str(folder_of(shown["file"])))
