"""List agents' permission requests, and define the commands that answer them: allow and refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import echo, echo_json
from mux_lsp.cli.text import one_line
from mux_lsp.core.phrases import listed
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mux_lsp.cli.client import DaemonClient
    from mux_lsp.lsp.protocol import PermissionShape

SCOPES = {"once": "this once", "run": "in this run", "task": "in this task", "always": "in this repository"}


@click.command(short_help="Let an agent do what it asks for.")
@click.argument("id_", metavar="ID")
@click.option("--run", "scope", flag_value="run", help="And whenever this run asks for the same.")
@click.option("--task", "scope", flag_value="task", help="And whenever a run of this task asks for the same.")
@click.option("--always", "scope", flag_value="always", help="And whenever any agent asks for it in this repository.")
@json_option
def allow(id_: str, scope: str | None, as_json: bool) -> None:
    """Let an agent do what it asks for. ID is a request's, a run's or a task's; `mux-lsp list` shows the requests.

    The answer is for all runs of a task that wait for the same permission.
    """
    _answer(id_, {"answer": scope or "once"}, as_json=as_json)


@click.command(short_help="Refuse an agent what it asks for.")
@click.argument("id_", metavar="ID")
@click.argument("reason", required=False)
@json_option
def refuse(id_: str, reason: str | None, as_json: bool) -> None:
    """Refuse an agent what it asks for. It continues without it, and reads REASON."""
    _answer(id_, {"answer": "refuse", "reason": reason}, as_json=as_json)


def _answer(id_: str, answer: dict[str, str | None], *, as_json: bool) -> None:
    with connected(here()) as client:
        asked = _one(id_, open_questions(client))
        left = client.execute("mux.permission.reply", {"id": asked.id, **answer})
    if as_json:
        echo_json(left)
        return
    scope = SCOPES.get(answer["answer"] or "")
    words = f"Allowed {scope}" if scope else "Refused"
    echo(f"{words}: {one_line(asked.subject, 300)} ({listed(asked.runs)})")


def open_questions(client: DaemonClient) -> list[PermissionShape]:
    """Return agents' open permission requests, oldest first."""
    from mux_lsp.lsp.protocol import PermissionListResult

    return PermissionListResult.model_validate(client.execute("mux.permission.list", {})).permissions


def _one(id_: str, asked: Iterable[PermissionShape]) -> PermissionShape:
    found = [one for one in asked if id_ in {one.id, one.task, *one.runs}]
    if not found:
        raise UsageError(
            f"Nothing of {visible(id_)} waits for an answer: it was given, or nobody gave one in time. `mux-lsp list` "
            "shows what waits."
        )
    if len(found) > 1:
        choices = "; ".join(f"{one.id} to {one_line(one.title, 100)}" for one in found)
        raise UsageError(f"{visible(id_)} waits for {len(found)} answers. Name one of them: {choices}.")
    return found[0]


def question_lines(asked: Iterable[PermissionShape], runs: Collection[str] | None = None) -> list[str]:
    """Return lines with the open requests, only of `runs` if given, and the commands that answer them."""
    lines = []
    for one in asked:
        waiting = [run for run in one.runs if runs is None or run in runs]
        if waiting:
            verb = "asks" if len(waiting) == 1 else "ask"
            title = f"{listed(waiting)} {verb} for leave: {one_line(one.title, 300)}"
            lines.append(title)
            subject = visible(one.subject, keep="\n")
            if subject not in title:
                # Without a cut: a title may be cut, but the whole command would run.
                lines += [f"    {line}" for line in subject.split("\n")]
            lines.append(f"  mux-lsp allow {one.id} [--run|--task|--always]   or   mux-lsp refuse {one.id} [REASON]")
    return lines


def echo_questions(client: DaemonClient, runs: Collection[str]) -> None:
    """Print the open requests of these runs, and the commands that answer them."""
    for line in question_lines(open_questions(client), runs):
        echo(line, "waiting")
