"""Define the commands for the queue: pause, resume, prioritize."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.ids import is_run, meant
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import echo, echo_json
from mux_lsp.core.phrases import count
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mux_lsp.cli.client import Json
    from mux_lsp.lsp.protocol import TaskShape


@click.command(short_help="Keep a task's queued runs from beginning.")
@click.argument("task", metavar="TASK")
@json_option
def pause(task: str, as_json: bool) -> None:
    """Pause TASK: its queued runs do not begin. Runs at work continue."""
    _change("pause", task, {}, _paused, as_json=as_json)


@click.command(short_help="Let a paused task go on.")
@click.argument("task", metavar="TASK")
@json_option
def resume(task: str, as_json: bool) -> None:
    """Resume TASK: its queued runs begin when it is their turn."""
    _change("resume", task, {}, _resumed, as_json=as_json)


@click.command(short_help="Have a task's runs begin before others.", context_settings={"ignore_unknown_options": True})
@click.argument("task", metavar="TASK")
@click.argument("priority", type=click.IntRange(-1000, 1000))
@json_option
def prioritize(task: str, priority: int, as_json: bool) -> None:
    """Let the queued runs of TASK begin before those of tasks with a lower PRIORITY. The default is 0."""
    _change("prioritize", task, {"priority": priority}, _prioritized, as_json=as_json)


def _change(what: str, typed: str, argument: Json, told: Callable[[TaskShape], str], *, as_json: bool) -> None:
    with connected(here()) as client:
        from mux_lsp.lsp.protocol import TaskResult

        task = meant(client, typed)
        if is_run(task):
            raise UsageError(f"{visible(task)} is a run: a whole task can be {what}d, not a part of it.")
        answer = client.execute(f"mux.task.{what}", {"task": task, **argument})
        echo_json(answer) if as_json else echo(told(TaskResult.model_validate(answer).task))


def _paused(task: TaskShape) -> str:
    from mux_lsp.cli.formatting import ENDED

    held = sum(run.state == "queued" for run in task.runs)
    at_work = sum(run.state not in ENDED for run in task.runs) - held
    words = f"{task.id} is paused: {count(held, 'run')} held"
    return f"{words}, {count(at_work, 'run')} at work." if at_work else f"{words}."


def _resumed(task: TaskShape) -> str:
    return f"{task.id} goes on{_in_queue(task)}."


def _prioritized(task: TaskShape) -> str:
    return f"{task.id} has priority {task.priority}{_in_queue(task)}."


def _in_queue(task: TaskShape) -> str:
    places = [run.queue_place for run in task.runs if run.queue_place is not None]
    if not places:
        return ""
    return f": {count(len(places), 'run')} in the queue, the first at place {min(places)}"
