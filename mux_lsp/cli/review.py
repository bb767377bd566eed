"""Commands that decide: accept and reject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.ids import one_run
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import say, say_json
from mux_lsp.cli.text import count, folder_of, is_below, listed, named_path, visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mux_lsp.cli.client import Client, Json


@click.command(short_help="Put a result, or parts of it, into your files.")
@click.argument("run_id", metavar="RUN")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--hunk", "hunks", multiple=True, metavar="ID", help="Only this hunk; `show RUN` lists them.")
@json_option
def accept(run_id: str, paths: tuple[str, ...], hunks: tuple[str, ...], as_json: bool) -> None:
    """Put what RUN changed into your working tree: all of it, or these PATHs and hunks.

    Hunks land where their lines are now, exactly, or nothing is written and the exit status is 3.
    """
    with connected(here()) as client:
        answer = _decide(client, "accept", run_id, paths, hunks)
        if as_json:
            say_json(answer)
            return
        files = [visible(path) for path in answer["files"]]
        words = [f"Accepted {count(answer['accepted'], 'change')} in {listed(files)}."] if answer["accepted"] else []
        if answer["already"]:
            words.append(f"{_are_there(answer['already'])}.")
        if not words:
            items = client.execute("mux.review.list", {"run": one_run(client, run_id)})["items"]
            rejected = sum(item["status"] == "rejected" for item in items)
            words.append("There was nothing to accept.")
            if rejected:
                words.append(f"Of what was rejected ({count(rejected, 'change')}), --hunk ID takes one all the same.")
        say(" ".join(words))


@click.command(short_help="Say no to a result, or to parts of it.")
@click.argument("run_id", metavar="RUN")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--hunk", "hunks", multiple=True, metavar="ID", help="Only this hunk; `show RUN` lists them.")
@json_option
def reject(run_id: str, paths: tuple[str, ...], hunks: tuple[str, ...], as_json: bool) -> None:
    """Say no to what RUN changed: all of it, or these PATHs and hunks. Your files stay as they are."""
    with connected(here()) as client:
        answer = _decide(client, "reject", run_id, paths, hunks)
        if as_json:
            say_json(answer)
            return
        words = [f"Rejected {count(answer['rejected'], 'change')}."] if answer["rejected"] else []
        if answer["applied"]:
            words.append(f"{_are_there(answer['applied'])}, and reject does not take anything out.")
        say(" ".join(words) or "There was nothing left to reject.")


def _are_there(number: int) -> str:
    return f"{count(number, 'change')} {'was' if number == 1 else 'were'} there already"


def _decide(client: Client, verb: str, id_: str, paths: Sequence[str], hunks: Sequence[str]) -> Json:
    run = one_run(client, id_)
    names = changed_by(client, run, paths)
    if not names and not hunks:
        return client.execute(f"mux.run.{verb}", {"run": run})
    if not names:
        return client.execute(f"mux.hunk.{verb}", {"run": run, "hunks": list(hunks)})
    if not hunks:
        return client.execute(f"mux.run.{verb}", {"run": run, "paths": names})
    # One command for all of it, so that a conflict in the last file leaves the first one alone too.
    items = client.execute("mux.review.list", {"run": run})["items"]
    chosen = [item for item in items if any(is_below(item["path"], name) for name in names)]
    wanted = [item for item in chosen if item["status"] != "rejected"]
    for item in wanted:
        if item["hunk"] is None:
            raise UsageError(f"{visible(item['path'])} can only be taken as a whole: {verb} it by itself.")
    ids = [*hunks, *(item["hunk"] for item in wanted)]
    if not ids:
        return {"accepted": 0, "already": 0, "files": []} if verb == "accept" else {"rejected": 0, "applied": 0}
    return client.execute(f"mux.hunk.{verb}", {"run": run, "hunks": ids})


def changed_by(client: Client, run: str, paths: Sequence[str]) -> list[str]:
    """The files and folders that a person means by `paths`, as the daemon names them.

    Raises UsageError where the run changes nothing at one of them.
    """
    if not paths:
        return []
    shape = client.execute("mux.run.get", {"run": run})["run"]
    root = folder_of(client.execute("mux.task.get", {"task": shape["task"]})["task"]["repository"])
    changed = [file["path"] for file in shape["files"]]
    folder = here()
    return list(dict.fromkeys(named_path(typed, changed, root, folder) for typed in paths))
