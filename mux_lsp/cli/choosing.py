"""Define the commands that choose between the runs of a task: pick, discard, restore."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.ids import meant, one_run
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import echo, echo_json
from mux_lsp.cli.review import accepted, one_way, way_options, ways_out
from mux_lsp.core.ids import task_of
from mux_lsp.core.phrases import few_of
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command(short_help="Accept a result whole, and discard the rest of its task.")
@click.argument("run_id", metavar="RUN")
@way_options
@json_option
def pick(run_id: str, instead: bool, take: bool, mark: bool, as_json: bool) -> None:
    """Put all that RUN changed into your working tree, and discard the other runs of its task.

    If a change cannot be placed, nothing is written or discarded and the exit status is 3. `restore` brings the other
    runs back.
    """
    way = one_way(instead, take, mark)
    with connected(here()) as client:
        run = one_run(client, run_id)
        try:
            answer = client.execute("mux.run.pick", {"run": run, "mode": way})
        except ConflictError as error:
            raise ConflictError(" ".join([str(error), *ways_out(client, run, way)])) from None
        if as_json:
            echo_json(answer)
            return
        words = [*accepted(answer)]
        if answer["discarded"]:
            words.append(_thrown_away(task_of(run), answer["discarded"]))
        echo(" ".join(words))


@click.command(short_help="Throw runs away; they can be brought back for a while.")
@click.argument("id_", metavar="ID")
@click.option("--keep", multiple=True, metavar="RUN", help="Of a task: all runs but this one.")
@json_option
def discard(id_: str, keep: Sequence[str], as_json: bool) -> None:
    """Discard a run, or the runs of a task. Runs at work are ended, and their worktrees are freed.

    Changes that you accepted stay. `restore` brings discarded runs back until `retention_days` (config.toml) have
    passed.
    """
    with connected(here()) as client:
        id_ = meant(client, id_)
        kept = [meant(client, one) for one in keep]
        answer = client.execute("mux.task.discard", {"id": id_, "keep": kept})
        if as_json:
            echo_json(answer)
        elif answer["discarded"]:
            echo(_thrown_away(id_, answer["discarded"], answer["kept_until"]))
        else:
            echo("There was nothing left to discard.")


@click.command(short_help="Bring discarded runs back.")
@click.argument("id_", metavar="ID")
@json_option
def restore(id_: str, as_json: bool) -> None:
    """Bring back a discarded run, or all discarded runs of a task, with your decisions about them."""
    with connected(here()) as client:
        id_ = meant(client, id_)
        answer = client.execute("mux.task.restore", {"id": id_})
        if as_json:
            echo_json(answer)
            return
        back = answer["restored"]
        echo(
            f"{few_of(back)} {'is' if len(back) == 1 else 'are'} back." if back else f"Nothing of {id_} was discarded."
        )


def _thrown_away(id_: str, runs: Sequence[str], until: float | None = None) -> str:
    them = "it" if len(runs) == 1 else "them"
    last = "" if until is None else f" until {time.strftime('%Y-%m-%d %H:%M', time.localtime(until))}"
    return f"Discarded {few_of(runs)}; `mux-lsp restore {id_}` brings {them} back{last}."
