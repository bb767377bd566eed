"""Define the commands that let agents work: run, continue, retry, cancel, delete."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.ids import is_run, meant, one_run
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import echo, echo_error, echo_json
from mux_lsp.cli.text import place
from mux_lsp.core.phrases import count, few_of
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from mux_lsp.cli.client import DaemonClient, Json
    from mux_lsp.cli.follow import Board
    from mux_lsp.lsp.protocol import TaskShape

INTERRUPTED = 130
"""The exit status after Ctrl-C, as in a shell."""


@click.command(short_help="Hand a prompt to one or many agents.")
@click.argument("prompt")
@click.option("-a", "--agent", "agents", multiple=True, metavar="AGENT[*N]", help="An agent's name, or sh:COMMAND.")
@click.option("--check", "checks", multiple=True, metavar="COMMAND", help="Judge each result by this exit status.")
@click.option("-C", "folder", type=click.Path(exists=True, file_okay=False), help="Work on the repository here.")
@click.option("--context", "places", multiple=True, metavar="PATH[:LINE[-LINE]]", help="What the prompt is about.")
@click.option("--saved", is_flag=True, help="Without the unsaved buffers of connected editors.")
@click.option("--priority", type=click.IntRange(-1000, 1000), default=0, help="Before tasks whose number is lower.")
@click.option("--stop-after", type=click.IntRange(1), metavar="N", help="End the rest once N equal results pass.")
@click.option("--max-cost", type=click.FloatRange(0, min_open=True), metavar="USD", help="For all runs together.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="For all runs together.")
@click.option("--no-wait", is_flag=True, help="Return when the runs have started.")
@json_option
def run(  # noqa: PLR0913, PLR0917 - one parameter for each option
    prompt: str,
    agents: tuple[str, ...],
    checks: tuple[str, ...],
    folder: str | None,
    places: tuple[str, ...],
    saved: bool,
    priority: int,
    stop_after: int | None,
    max_cost: float | None,
    max_tokens: int | None,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Hand PROMPT to one or many agents, each in a hidden worktree.

    They start from your files as you see them: HEAD, staged, unstaged and untracked files, and the unsaved buffers of
    connected editors. `-` reads PROMPT from standard input. The default agents and checks are those in config.toml.

    Ctrl-C stops watching the runs, which continue.

    \b
    Exit status: 0 when a run finished (and passed every check, where there are checks), 1 when none did,
    2 for bad usage, 130 after Ctrl-C.
    """
    root = Path(folder).resolve() if folder else here()
    argument = {
        "prompt": _prompt(prompt),
        "agents": [_choice(text) for text in agents] or None,
        "checks": list(checks) or None,
        "context": [_context(text, root) for text in places],
        "repository": root.as_uri(),
        "unsaved": "none" if saved else "all",
        "priority": priority,
        "stop_after": stop_after,
        "max_cost_usd": max_cost,
        "max_tokens": max_tokens,
    }
    with connected(root) as client:
        from mux_lsp.cli.follow import Board
        from mux_lsp.lsp.protocol import TaskResult

        board = Board(client)
        answer = _started(client, argument, root, quiet=as_json)
        task = TaskResult.model_validate(answer).task
        if not as_json:
            for notice in task.notices:
                echo(notice, "waiting")
        if no_wait:
            echo_json(answer) if as_json else _echo_started(task)
            return 0
        if not as_json:
            _echo_started(task)
        board.known(task.runs)
        return watch(client, board, task, [run.id for run in task.runs], as_json=as_json)


def _echo_started(task: TaskShape) -> None:
    waiting = [run.queue_place for run in task.runs if run.queue_place is not None]
    wait = "waits" if len(waiting) == 1 else "wait"
    queued = f" {len(waiting)} of them {wait}, from place {min(waiting)} of the queue on." if waiting else ""
    echo(f"{task.id} started with {count(len(task.runs), 'run')}.{queued}")


def _prompt(text: str) -> str:
    if text == "-":
        text = sys.stdin.read()
    if not text.strip():
        raise UsageError("The prompt is empty: say what is to be done.")
    return text


def _choice(text: str) -> Json:
    from mux_lsp.config import parse_choice

    agent, number, model = parse_choice(text)
    return {"agent": agent, "count": number, "model": model}


def _context(text: str, folder: Path) -> Json:
    path, first, last = place(text, folder)
    if first is None or last is None:
        return {"uri": path.as_uri()}
    # The user counts lines from 1 and includes the last one; LSP counts from 0 and excludes the end.
    ends = {"start": {"line": first - 1, "character": 0}, "end": {"line": last, "character": 0}}
    return {"uri": path.as_uri(), "range": ends}


def _started(client: DaemonClient, argument: Json, root: Path, *, quiet: bool) -> Json:
    shown = _waiting(root, sys.stderr if quiet else sys.stdout)
    try:
        with shown:
            return client.execute("mux.task.start", argument)
    except KeyboardInterrupt:
        echo_error("\nThe task begins without you. `mux-lsp list` shows it, and `mux-lsp cancel` ends it.")
        raise


def _waiting(root: Path, stream: TextIO) -> AbstractContextManager[object]:
    """Return a progress indicator, if the output is a terminal."""
    if not stream.isatty():
        return contextlib.nullcontext()
    from rich.console import Console
    from rich.text import Text

    from mux_lsp.core.sanitize import visible

    return Console(file=stream).status(Text(f"Taking a snapshot of {visible(str(root))}"))


def watch(client: DaemonClient, board: Board, task: TaskShape, ids: Sequence[str], *, as_json: bool) -> int:
    """Follow runs of a task to their end, print their results, and return the exit status."""
    from mux_lsp.cli import formatting
    from mux_lsp.cli.follow import echo_detached, follow, wait_for_baseline
    from mux_lsp.lsp.protocol import TaskResult

    try:
        board.look_at(task)
        follow(client, board, ids, quiet=as_json)
        wait_for_baseline(client, board, task.id, quiet=as_json)
    except KeyboardInterrupt:
        echo_detached(task.id)
        return INTERRUPTED
    for warning in board.new_warnings:
        echo_error(warning)
    answer = client.execute("mux.task.get", {"task": task.id})
    task = TaskResult.model_validate(answer).task
    runs = [run for run in task.runs if run.id in ids]
    good = [run for run in runs if formatting.succeeded(run)]
    if as_json:
        echo_json(answer)
    else:
        echo()
        formatting.echo_left_out("the snapshot", task.left_out)
        formatting.echo_runs(runs, board.last_lines)
        for run in runs:
            formatting.echo_left_out(f"the result of {run.id}", run.left_out)
        formatting.echo_why(runs)
        formatting.echo_next(task, runs)
    return 0 if good else 1


@click.command(name="continue", short_help="Send an ended run a further message.")
@click.argument("run_id", metavar="RUN")
@click.argument("message")
@click.option("--up-to-date", is_flag=True, help="First merge what you have by now into its files.")
@click.option("--saved", is_flag=True, help="With --up-to-date: without the unsaved buffers of connected editors.")
@click.option("--no-wait", is_flag=True, help="Return when the agent has started.")
@json_option
def continue_(  # noqa: PLR0913, PLR0917 - one parameter for each option
    run_id: str, message: str, up_to_date: bool, saved: bool, no_wait: bool, as_json: bool
) -> int:
    """Let the agent of an ended RUN continue from its own result, with MESSAGE as the next prompt.

    For a RUN that waits for permission, MESSAGE refuses its request, for this run only. With --up-to-date, RUN stops
    what it is doing and continues from its result.
    """
    argument: dict[str, Any] = {"message": _prompt(message)}
    if saved and not up_to_date:
        raise UsageError("--saved says what --up-to-date takes: give both, or neither.")
    if up_to_date:
        argument["up_to_date"] = "saved" if saved else "all"
    return _again("mux.run.continue", run_id, argument, no_wait=no_wait, as_json=as_json)


@click.command(short_help="Have an agent try again, as a new run.")
@click.argument("run_id", metavar="RUN")
@click.option("--no-wait", is_flag=True, help="Return when the agent has started.")
@json_option
def retry(run_id: str, no_wait: bool, as_json: bool) -> int:
    """Let the agent of RUN try again, as a new run of the same task."""
    return _again("mux.run.retry", run_id, {}, no_wait=no_wait, as_json=as_json)


def _again(command: str, id_: str, argument: dict[str, Any], *, no_wait: bool, as_json: bool) -> int:
    with connected(here()) as client:
        from mux_lsp.cli.follow import Board
        from mux_lsp.lsp.protocol import RunResult, TaskResult

        board = Board(client)
        answer = client.execute(command, {"run": one_run(client, id_), **argument})
        run = RunResult.model_validate(answer).run
        if no_wait:
            echo_json(answer) if as_json else echo(f"{run.id} started.")
            return 0
        if not as_json:
            echo(f"{run.id} started.")
        board.known([run])
        task = TaskResult.model_validate(client.execute("mux.task.get", {"task": run.task})).task
        return watch(client, board, task, [run.id], as_json=as_json)


@click.command(short_help="End a task or a run.")
@click.argument("id_", metavar="ID")
@json_option
def cancel(id_: str, as_json: bool) -> None:
    """End a task or a run with every process it started. Its changes so far are kept as its result."""
    with connected(here()) as client:
        from mux_lsp.cli.formatting import ENDED, counted, echo_runs
        from mux_lsp.lsp.protocol import RunResult, TaskResult

        id_ = meant(client, id_)
        kind = "run" if is_run(id_) else "task"
        before = client.execute(f"mux.{kind}.get", {kind: id_})[kind]
        answer = client.execute(f"mux.{kind}.cancel", {kind: id_})
        if as_json:
            echo_json(answer)
        elif kind == "run" and before["state"] in ENDED:
            echo(f"{id_} had ended already: {before['state']}.")
        elif before["state"] == "ended":
            echo(f"{id_} had ended already: {counted([run['state'] for run in before['runs']])}.")
        elif kind == "run":
            echo_runs([RunResult.model_validate(answer).run])
        else:
            echo_runs(TaskResult.model_validate(answer).task.runs)


@click.command(short_help="Forget an ended task or run.")
@click.argument("id_", metavar="ID")
@json_option
def delete(id_: str, as_json: bool) -> None:
    """Delete an ended task or run with its results, its logs and your decisions about them."""
    with connected(here()) as client:
        answer = client.execute("mux.task.delete", {"id": id_})
        echo_json(answer) if as_json else echo(f"Deleted {few_of(answer['deleted'])}.")
