"""Measure, and print one table: `python -m tests.benchmarks`. Timings are reported, never asserted: the status is 0."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from tests.benchmarks import place
from tests.benchmarks.figures import table
from tests.benchmarks.groups import GROUPS
from tests.benchmarks.sizes import TINY, Sizes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.benchmarks.figures import Line

FILE_WIDTH = 160
"""Columns of the table if the output is a file or a pipe."""


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(GROUPS)), help="Only this group; may be given again.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where to work, in folders that are removed at the end; by default the system's folder for temporary files.",
)
@click.option("--rounds", type=click.IntRange(1), help="How often starts are measured.", default=Sizes().rounds)
@click.option("--tiny", is_flag=True, help="Tiny inputs: to see that everything runs. The figures mean nothing.")
def main(only: tuple[str, ...], json_file: Path | None, folder: Path | None, rounds: int, tiny: bool) -> None:
    """Measure mux-lsp beside named baselines, in a temporary home."""
    sizes = TINY if tiny else Sizes(rounds=rounds)
    console = Console(stderr=True)
    base = folder or place.default()
    lines: list[Line] = []
    begun = time.monotonic()
    for name, measure in GROUPS.items():
        if not only or name in only:
            with console.status(f"measuring {name} …"):
                lines += measure(sizes, base)
            console.print(f"{name}: measured, {time.monotonic() - begun:.0f} s in all", style="dim")
    Console(width=None if console.is_terminal else FILE_WIDTH).print(
        table(lines, f"in {base} ({place.file_system(base)})")
    )
    if json_file is not None:
        json_file.write_text(json.dumps(document(lines, base), indent=2) + "\n")


def document(lines: Iterable[Line], base: Path) -> dict[str, object]:
    """Return the figures with a description of the machine."""
    git = subprocess.run(["git", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    return {
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "git": git,
            "folder": str(base),
            "file_system": place.file_system(base),
        },
        "lines": [line.shape() for line in lines],
    }


if __name__ == "__main__":
    main()
