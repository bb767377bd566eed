"""Define the command `compare`: show the runs of a task side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.ids import is_run
from mux_lsp.cli.inspect import echo_more, print_document
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import Cell, echo, echo_json, echo_table
from mux_lsp.cli.text import duration
from mux_lsp.core.ids import task_of
from mux_lsp.core.phrases import count, few_with_commas, listed
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mux_lsp.lsp.protocol import ComparedChange, ComparedFile, RankedRun, RunShape, TaskCompareResult

HEADERS: Final = ("rank", "run", "agent", "state", "checks", "tests", "files", "lines", "agreement", "cost", "worked")

MAX_COLUMNS: Final = 8
"""Maximum number of runs that have a column in the table of files and runs: the best ones."""

MAX_RUNS_NAMED: Final = 10
"""Maximum number of runs that are named beside a change."""


@click.command(short_help="Show the runs of a task side by side, ranked.")
@click.argument("task_id", metavar="TASK")
@click.option("--markdown", is_flag=True, help="As a Markdown document, with the changes where runs differ.")
@click.option("--svg", is_flag=True, help="Their agreement and cost as a drawing.")
@json_option
def compare(task_id: str, markdown: bool, svg: bool, as_json: bool) -> None:
    """Show the runs of TASK side by side: their ranks and why, their changes to each file, and where they agree."""
    if markdown + svg + as_json > 1:
        raise UsageError("--markdown, --svg and --json print the same in different ways: choose one.")
    if is_run(task_id):
        task = task_of(task_id)
        raise UsageError(f"{visible(task_id)} is a run: `mux-lsp compare {visible(task)}` compares it with the others.")
    with connected(here()) as client:
        if markdown or svg:
            print_document(client, "compare" if markdown else "plot", task_id)
            return
        answer = client.execute("mux.task.compare", {"task": task_id})
        if as_json:
            echo_json(answer)
            return
        from mux_lsp.lsp.protocol import TaskCompareResult

        _echo(TaskCompareResult.model_validate(answer))


def _echo(compared: TaskCompareResult) -> None:
    from mux_lsp.cli import formatting

    runs = formatting.best_first(compared.task.runs)
    ranking = {one.run: one for one in compared.ranking}
    echo_table(HEADERS, [_run_row(run, ranking.get(run.id)) for run in runs])
    formatting.echo_why(runs)
    if compared.equal:
        echo()
    for group in compared.equal:
        echo(f"{listed(group)} have the same result.")
    _echo_matrix(compared.files, runs)
    for file in compared.files:
        _echo_file(file, sum(run.discarded is None for run in runs))
    echo_more(compared.more)


def _run_row(run: RunShape, ranked: RankedRun | None) -> list[Cell]:
    from mux_lsp.cli import formatting

    agrees = ranked is not None and ranked.total and run.file_count
    return [
        formatting.rank_cell(run),
        Cell(run.id),
        Cell(formatting.agent_name(run)),
        formatting.state_cell(run),
        formatting.verdict_cell(run),
        Cell(formatting.tests_changed(run)),
        Cell(str(run.file_count)),
        Cell(formatting.lines_changed(run)),
        Cell(f"{ranked.agreement:.0%}" if ranked is not None and agrees else ""),
        Cell("" if run.cost_usd is None else f"${run.cost_usd:.4f}"),
        Cell("" if ranked is None or ranked.seconds is None else duration(ranked.seconds), "faint"),
    ]


def _echo_matrix(files: Sequence[ComparedFile], runs: Sequence[RunShape]) -> None:
    changing = [run.id for run in runs if any(run.id in file.changes for file in files)]
    if len(files) < 2 or len(changing) < 2:
        return
    across = changing[:MAX_COLUMNS]
    echo()
    # In the first row rather than as headers, which are printed in upper case.
    rows = [[Cell(""), *map(Cell, across)]]
    rows += [[Cell(visible(file.path)), *(Cell(_lines(file.changes.get(run))) for run in across)] for file in files]
    echo_table(("",) * len(rows[0]), rows)
    if len(changing) > len(across):
        echo(f"… and {count(len(changing) - len(across), 'more run')}", "faint")


def _lines(change: ComparedChange | None) -> str:
    if change is None:
        return ""
    kind = {"added": "new ", "deleted": "gone ", "renamed": "moved ", "copied": "copy "}.get(change.change, "")
    return f"{kind}not text" if change.added is None else f"{kind}+{change.added} -{change.removed}"


def _echo_file(file: ComparedFile, of: int) -> None:
    echo(f"\n{visible(file.path)}  changed by {count(len(file.runs), 'run')} of {of}", bold=True)
    for path, renaming in file.renamed.items():
        echo(f"  → {visible(path)}  renamed by {listed(renaming)}")
    rows = [
        [
            Cell(f"line {place.start + 1}" if number == 0 else "", "faint"),
            Cell(variant.hunk),
            Cell(f"{len(variant.runs)} of {of}"),
            Cell(_named(variant.runs)),
            Cell(variant.gist),
        ]
        for place in file.places
        for number, variant in enumerate(place.variants)
    ]
    echo_table(("",) * 5, rows, indent="  ")


def _named(runs: Sequence[str]) -> str:
    return few_with_commas(runs, MAX_RUNS_NAMED)
