"""Define the command that runs checks on the person's files as they are, or as they would be with a run's changes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import echo, echo_json
from mux_lsp.cli.text import duration
from mux_lsp.core.phrases import count, listed
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.cli.client import Json
    from mux_lsp.lsp.protocol import VerifyResult


@click.command(short_help="Run the checks on your files as they are now.")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--hunk", "hunks", multiple=True, metavar="ID", help="With only this hunk of RUN; `show RUN` lists them.")
@click.option("--check", "checks", multiple=True, metavar="COMMAND", help="Run this, in place of the usual checks.")
@click.option("--saved", is_flag=True, help="Without the unsaved buffers of connected editors.")
@json_option
def verify(  # noqa: PLR0913, PLR0917 - one parameter for each option
    run_id: str | None,
    paths: tuple[str, ...],
    hunks: tuple[str, ...],
    checks: tuple[str, ...],
    saved: bool,
    as_json: bool,
) -> int:
    """Run checks on your files as they are now, with the unsaved buffers of editors, in a hidden worktree.

    With RUN: on your files as they would be with RUN's changes, all of them or those of PATHs and hunks. Your files are
    not changed.

    Without --check, run the checks of the repository's newest task, else the configured ones.

    \b
    Exit status: 0 when every check passed, 1 when one failed, 3 when RUN collides with your files.
    """
    if run_id is None and hunks:
        raise UsageError("--hunk names a hunk of a run: `mux-lsp verify RUN --hunk ID`.")
    folder = here()
    with connected(folder) as client:
        from mux_lsp.cli.review import Chosen, named_changes
        from mux_lsp.lsp import protocol

        argument: Json = {"checks": list(checks) or None, "unsaved": "none" if saved else "all"}
        if run_id is None:
            argument["repository"] = folder.as_uri()
        else:
            argument |= named_changes(client, "verify", Chosen(run_id, paths, hunks))
            if argument.get("hunks") == []:
                raise UsageError("None of what you named has any change in it.")
        answer = client.execute("mux.verify", argument)
        result = protocol.VerifyResult.model_validate(answer)
        if as_json:
            echo_json(answer)
        else:
            _echo(result)
    return 0 if result.verdict.passed else 1


def _echo(result: VerifyResult) -> None:
    from mux_lsp.cli import formatting

    verdict = result.verdict
    what = _what(verdict.run, verdict.hunks, verdict.paths)
    passed = sum(check.state == "passed" for check in verdict.checks)
    outcome = "passed" if verdict.passed else f"{passed} of {count(len(verdict.checks), 'check')} passed"
    echo(f"{what}: {outcome}, in {duration(verdict.seconds)}", "passed" if verdict.passed else "failed")
    formatting.echo_left_out("what was verified", verdict.left_out)
    for check, printed in zip(verdict.checks, result.printed, strict=True):
        formatting.echo_checks([check])
        if check.state != "passed" and printed:
            for line in visible(printed, keep="\n\t").rstrip("\n").split("\n"):
                echo(f"    {line}")
    if verdict.stale:
        echo("Your files have changed meanwhile.", "conflict")


def echo_last(verdict: Json, repository: str) -> None:
    """Print the last verdict of a repository in one line."""
    what = _what(verdict["run"], verdict["hunks"], verdict["paths"])
    outcome = "passed" if verdict["passed"] else "failed"
    then = f"{duration(time.time() - verdict['at'])} ago"
    stale = "; the text has changed since" if verdict["stale"] else ""
    echo(f"  {visible(repository)}: {what} {outcome} {then}{stale}", "" if verdict["stale"] else outcome)


def _what(run: str | None, hunks: list[str], paths: list[str]) -> str:
    if run is None:
        return "Your files as they are"
    if hunks:
        return f"Your files with {count(len(hunks), 'change')} of {run}"
    if paths:
        return f"Your files with {run} in {listed([visible(path) for path in paths])}"
    return f"Your files with {run}"
