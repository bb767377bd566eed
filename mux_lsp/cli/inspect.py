"""Define the commands that show: list, show, log, diff."""

from __future__ import annotations

import base64
import sys
import time
from typing import TYPE_CHECKING, Literal

import click

from mux_lsp.cli import permissions
from mux_lsp.cli.client import connected
from mux_lsp.cli.ids import is_run, meant, one_run
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import Cell, coloured, echo, echo_error, echo_json, echo_table, on_terminal
from mux_lsp.cli.text import duration, folder_of, one_line
from mux_lsp.core.phrases import count, listed
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.cli.client import DaemonClient, Json
    from mux_lsp.lsp.protocol import FileSummary, ReviewItem, RunShape, TaskShape

MAX_FILES_SHOWN = 200
"""Maximum number of a run's files that are shown."""

LOG_PIECE_BYTES = 262_144
"""Bytes of a log that are requested at a time."""


@click.command(name="list", short_help="List the tasks of this repository.")
@click.option("--all", "everywhere", is_flag=True, help="Those of every repository.")
@json_option
def list_(everywhere: bool, as_json: bool) -> None:
    """List the tasks of this repository, oldest first."""
    folder = here()
    with connected(folder) as client:
        answer = client.execute("mux.task.list", {} if everywhere else {"repository": folder.as_uri()})
        if as_json:
            echo_json(answer)
            return
        from mux_lsp.lsp.protocol import TaskListResult

        tasks = TaskListResult.model_validate(answer).tasks
        if not tasks:
            echo("No tasks." if everywhere else "No tasks in this repository; --all lists those of every one.")
            return
        headers = ("task", "age", "state", "runs", *(("repository",) if everywhere else ()), "prompt")
        echo_table(headers, [_task_row(task, everywhere=everywhere) for task in tasks])
        waiting = {run.id for task in tasks for run in task.runs if run.state == "waiting"}
        if waiting:
            echo()
            permissions.echo_questions(client, waiting)


def _task_row(task: TaskShape, *, everywhere: bool) -> list[Cell]:
    from mux_lsp.cli import formatting

    states = [formatting.state_cell(run).text for run in task.runs]
    style = (
        "running" if task.state == "running" else "finished" if any(map(formatting.succeeded, task.runs)) else "failed"
    )
    where = (Cell(str(folder_of(task.repository))),) if everywhere else ()
    return [
        Cell(task.id),
        Cell(duration(time.time() - task.created), "faint"),
        Cell("paused" if task.paused and "queued" in states else task.state, style),
        Cell(formatting.counted(states)),
        *where,
        Cell(one_line(task.prompt, 100)),
    ]


@click.command(short_help="Show a task or a run, or who made lines of a file.")
@click.argument("id_", metavar="ID|PATH[:LINE[-LINE]]")
@click.option("-f", "--follow", "following", is_flag=True, help="Watch the runs until they end.")
@json_option
def show(id_: str, following: bool, as_json: bool) -> int:
    """Show a task with its runs, or a run with its files, hunks and checks.

    For a PATH, or lines of it: show the accepted changes that are still there, with their agents, prompts, and who
    accepted them.
    """
    from mux_lsp.cli import history
    from mux_lsp.cli.run import watch

    with connected(here()) as client:
        if history.names_a_place(client, id_):
            if following:
                raise UsageError(f"{visible(id_)} is no task or run: there is nothing to follow.")
            history.echo_spot(client, id_, as_json=as_json)
            return 0
        from mux_lsp.cli.follow import Board
        from mux_lsp.lsp.protocol import RunResult, TaskResult

        board = Board(client)
        id_ = meant(client, id_)
        if is_run(id_):
            answer = client.execute("mux.run.get", {"run": id_})
            runs = [RunResult.model_validate(answer).run]
        else:
            answer = client.execute("mux.task.get", {"task": id_})
            runs = TaskResult.model_validate(answer).task.runs
        if following:
            board.known(runs)
            task = TaskResult.model_validate(client.execute("mux.task.get", {"task": runs[0].task})).task
            return watch(client, board, task, [run.id for run in runs], as_json=as_json)
        if as_json:
            echo_json(answer)
        elif is_run(id_):
            _echo_run(client, runs[0])
        else:
            _echo_task(TaskResult.model_validate(answer).task)
        waiting = {run.id for run in runs if run.state == "waiting"}
        if waiting and not as_json:
            echo()
            permissions.echo_questions(client, waiting)
    return 0


def _echo_task(task: TaskShape) -> None:
    from mux_lsp.cli import formatting

    formatting.echo_task(task, str(folder_of(task.repository)))
    if task.state == "ended":
        formatting.echo_next(task, task.runs)


def _echo_run(client: DaemonClient, run: RunShape) -> None:
    from mux_lsp.cli import formatting
    from mux_lsp.lsp.protocol import ReviewListResult

    echo(f"{run.id}  {formatting.agent_name(run, 100)}", bold=True)
    echo(formatting.run_line(run, time.time()), run.state)
    formatting.echo_discarded(run.id, [run])
    if run.rank is not None:
        echo(f"  rank {formatting.rank_cell(run).text}: {' '.join(run.reasons)}")
    formatting.echo_checks(run.checks)
    if run.tampered:
        files = listed([visible(path) for path in run.tampered[:MAX_FILES_SHOWN]])
        echo(f"  It changed what judges it: {files}{'' if run.restored_checks else '.'}", "conflict")
        if run.restored_checks:
            echo("  With that as it was:")
            formatting.echo_checks(run.restored_checks)
    if run.cost_usd is not None or run.tokens is not None:
        cost = [] if run.cost_usd is None else [f"{run.cost_usd:.4f} US dollars"]
        tokens = [] if run.tokens is None else [f"{run.tokens:,} tokens"]
        echo(f"  {listed(cost + tokens)}", "faint")
    formatting.echo_left_out("the result", run.left_out)
    shown = run.files[:MAX_FILES_SHOWN]
    # Request only what is shown: some runs have ten thousand files.
    argument: Json = {"run": run.id, "paths": [file.path for file in shown]}
    items = ReviewListResult.model_validate(client.execute("mux.review.list", argument)).items if shown else []
    for file in shown:
        lines = "not text" if file.added is None else f"+{file.added} -{file.removed}"
        echo(f"{_name(file)}  {file.change}, {lines}")
        echo_table(("",) * 4, [_item_row(item) for item in items if item.path == file.path], indent="  ")
    echo_more(run.file_count - len(shown))


def echo_more(files: int) -> None:
    """Print how many files are not shown."""
    if files:
        echo(f"… and {count(files, 'more file')}", "faint")


def _name(file: FileSummary) -> str:
    """Return the path of a changed file, with its old path if it was renamed or copied."""
    return visible(file.path) if file.old_path is None else f"{visible(file.old_path)} → {visible(file.path)}"


def _item_row(item: ReviewItem) -> list[Cell]:
    return [
        Cell(item.hunk or "(whole file)"),
        Cell(item.status, item.status),
        Cell(f"line {item.range.start.line + 1}", "faint"),
        Cell(item.reason or gist(item)),
    ]


def gist(item: ReviewItem) -> str:
    """Return a summary of a hunk in one line: its first line that is not blank."""
    if one_line(item.added):
        return f"+ {one_line(item.added)}"
    return f"- {one_line(item.removed)}" if one_line(item.removed) else ""


@click.command(short_help="Print what an agent printed, or list what was accepted.")
@click.argument("id_", metavar="[RUN | PATH[:LINE[-LINE]]]", required=False)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the run has ended.")
@click.option("--stderr", is_flag=True, help="What it wrote to standard error.")
@click.option("--check", type=click.IntRange(min=1), metavar="N", help="What the run's Nth check printed instead.")
@click.option("--baseline", is_flag=True, help="With --check: what it printed on the snapshot itself.")
@click.option("--restored", is_flag=True, help="With --check: with the tests and settings as the snapshot had them.")
@click.option("--setup", is_flag=True, help="What the set-up of its worktree printed instead.")
@click.option("--accepted", is_flag=True, help="List what was accepted in this repository, or in PATH, newest first.")
@click.option("--markdown", is_flag=True, help="Prompt, conversation, checks and files as a Markdown document.")
@click.option("--json-lines", is_flag=True, help="The conversation and the tool calls, one JSON object to a line.")
@json_option
def log(  # noqa: PLR0913, PLR0917  # click passes each option as an argument
    id_: str | None,
    following: bool,
    stderr: bool,
    check: int | None,
    baseline: bool,
    restored: bool,
    setup: bool,
    accepted: bool,
    markdown: bool,
    json_lines: bool,
    as_json: bool,
) -> None:
    """Print the output of RUN's agent, without characters that could control a terminal.

    With --accepted: list the agents' changes that were accepted in this repository or in PATH, also of deleted tasks.
    """
    if accepted and (following or stderr or check is not None):
        raise UsageError("log --accepted is no output of a run: -f, --stderr and --check do not go with it.")
    if markdown and (accepted or following or stderr or check is not None):
        raise UsageError("log --markdown prints all there is of a run: no other option goes with it.")
    if json_lines and (accepted or markdown or stderr or check is not None):
        raise UsageError("log --json-lines prints a run's conversation: of the other options only -f goes with it.")
    if setup and (accepted or following or stderr or check is not None or markdown or json_lines):
        raise UsageError("log --setup prints what there is of a set-up: no other option goes with it.")
    if (baseline or restored) and (check is None or baseline == restored):
        raise UsageError("--baseline and --restored say what a check ran on: give one of them, with --check.")
    if not accepted and (id_ is None or as_json):
        raise UsageError("log --json goes with --accepted." if as_json else "log takes a RUN, or --accepted.")
    with connected(here()) as client:
        if accepted or id_ is None:
            from mux_lsp.cli import history

            history.echo_log(client, id_, as_json=as_json)
            return
        run = one_run(client, id_)
        if markdown:
            print_document(client, "transcript", run)
            return
        # The reason of a check's result may be in either of its streams.
        streams = (
            ["transcript"]
            if json_lines
            else ["stderr"]
            if stderr
            else ["stdout"]
            if check is None
            else ["stdout", "stderr"]
        )
        printed = 0
        for stream in streams:
            argument: Json = {"run": run, "stream": stream, "check": check and check - 1, "limit": LOG_PIECE_BYTES}
            argument["on"] = "snapshot" if baseline else "restored" if restored else "result"
            argument["setup"] = setup
            printed += _print_log(client, {**argument, "follow": following})
        if not printed and on_terminal():
            other = f"; `mux-lsp log {run}{'' if stderr else ' --stderr'}` has the other of its outputs"
            echo_error(f"There is nothing to print{'' if setup or json_lines or check else other}.")


def print_document(client: DaemonClient, kind: Literal["transcript", "compare", "plot"], of: str) -> None:
    """Print a read-only document about a run or a task."""
    from mux_lsp.lsp.wire.uris import Address, Kind

    document = client.execute("mux.document.get", {"uri": Address(Kind(kind), of).uri})
    sys.stdout.write(visible(document["text"], keep="\n\t"))
    sys.stdout.flush()


def _print_log(client: DaemonClient, argument: Json) -> int:
    """Print a log from its beginning. Return the number of bytes."""
    offset = 0
    while True:
        piece = client.execute("mux.run.log", {**argument, "offset": offset})
        sys.stdout.write(visible(piece["text"], keep="\n\t"))
        sys.stdout.flush()
        end = piece["offset"] == offset
        offset = int(piece["offset"])
        if end and (piece["ended"] or not argument["follow"]):
            return offset


@click.command(short_help="Print a result as a patch for `git apply`.")
@click.argument("run_id", metavar="RUN")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@json_option
def diff(run_id: str, paths: tuple[str, ...], as_json: bool) -> None:
    """Print RUN's changes as a patch for `git apply`; only those of PATHs if given."""
    from mux_lsp.cli.review import changed_by

    with connected(here()) as client:
        id_ = one_run(client, run_id)
        answer = client.execute("mux.run.diff", {"run": id_, "paths": changed_by(client, id_, paths)})
        if as_json:
            echo_json(answer)
        elif on_terminal():
            _echo_patch(answer["patch"])
        else:
            exact = answer["base64"]
            sys.stdout.flush()
            sys.stdout.buffer.write(base64.b64decode(exact) if exact else answer["patch"].encode())
            sys.stdout.buffer.flush()


def _echo_patch(patch: str) -> None:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    colour = coloured()
    heading = False
    for line in patch.split("\n")[: -1 if patch.endswith("\n") else None]:
        # The lines before a file's first hunk name it; `---` and `+++` are not changes there.
        heading = line.startswith("diff --git ") or (heading and not line.startswith("@@"))
        text = visible(line, keep="\t")
        if colour:
            style = None if heading else colours.get(line[:1])
            text = click.style(text, fg=style, bold=heading or None)
        sys.stdout.write(text + "\n")
    sys.stdout.flush()
