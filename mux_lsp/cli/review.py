"""Define the commands that decide: accept and reject."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from mux_lsp.cli.client import connected
from mux_lsp.cli.ids import one_run
from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import echo, echo_json
from mux_lsp.cli.text import folder_of, is_below, named_path
from mux_lsp.core.phrases import count, listed
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mux_lsp.cli.client import DaemonClient, Json


_Command = TypeVar("_Command", bound="Callable[..., None]")


def way_options(command: _Command) -> _Command:
    """Add the options for changes that collide with other text."""
    for option in (
        click.option("--mark", is_flag=True, help="Where it collides with your lines, have both between markers."),
        click.option("--take", is_flag=True, help="Where it collides with your lines, have RUN's in their place."),
        click.option("--instead", is_flag=True, help="Take out what other runs of the task have in its place."),
    ):
        command = option(command)
    return command


def one_way(instead: bool, take: bool, mark: bool) -> str:
    """Return the mode that the options select. Raises UsageError for several options."""
    ways = [way for way, wanted in (("instead", instead), ("take", take), ("mark", mark)) if wanted]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(f'--{way}' for way in ways)} exclude each other: give one of them.")
    return ways[0] if ways else "exact"


@click.command(short_help="Put a result, or parts of it, into your files.")
@click.argument("run_id", metavar="RUN")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--hunk", "hunks", multiple=True, metavar="ID", help="Only this hunk; `show RUN` lists them.")
@way_options
@json_option
def accept(  # noqa: PLR0913, PLR0917 - one parameter for each option
    run_id: str, paths: tuple[str, ...], hunks: tuple[str, ...], instead: bool, take: bool, mark: bool, as_json: bool
) -> None:
    """Put RUN's changes into your working tree: all of them, or those of PATHs and hunks.

    Hunks are placed exactly where their lines are now; if one cannot be placed, nothing is written and the exit status
    is 3. With --instead, --take or --mark, they are also placed where other text is now.
    """
    way = one_way(instead, take, mark)
    chosen = Chosen(run_id, paths, hunks)
    with connected(here()) as client:
        try:
            answer = _decide(client, "accept", chosen, mode=way)
        except ConflictError as error:
            if way not in _OPEN:
                raise
            raise ConflictError(" ".join([str(error), *_what_next(client, chosen)])) from None
        if as_json:
            echo_json(answer)
            return
        echo(" ".join(accepted(answer)))


def accepted(answer: Json) -> list[str]:
    """Return sentences about what was accepted."""
    files = [visible(path) for path in answer["files"]]
    words = []
    if answer["accepted"]:
        place = f", in place of what {listed(answer['instead_of'])} had there" if answer["instead_of"] else ""
        words.append(f"Accepted {count(answer['accepted'], 'change')} in {listed(files)}{place}.")
    if answer["marked"]:
        words.append(f"Marked {count(answer['marked'], 'conflict')} in {listed(files)}: decide there.")
    if answer["already"]:
        words.append(f"{_are_there(answer['already'])}.")
    if not words:
        words.append("There was nothing to accept.")
    if rejected := answer["rejected"]:
        left = count(rejected, "change")
        words.append(f"Left out because you rejected it: {left} (--hunk ID takes one all the same).")
    if answer["kept"]:
        words.append(f"What was there before is kept in {visible(answer['kept'])}.")
    return words


@click.command(short_help="Say no to a result, or to parts of it.")
@click.argument("run_id", metavar="RUN")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--hunk", "hunks", multiple=True, metavar="ID", help="Only this hunk; `show RUN` lists them.")
@json_option
def reject(run_id: str, paths: tuple[str, ...], hunks: tuple[str, ...], as_json: bool) -> None:
    """Reject RUN's changes: all of them, or those of PATHs and hunks. Your files stay as they are."""
    with connected(here()) as client:
        answer = _decide(client, "reject", Chosen(run_id, paths, hunks))
        if as_json:
            echo_json(answer)
            return
        words = [f"Rejected {count(answer['rejected'], 'change')}."] if answer["rejected"] else []
        if answer["applied"]:
            words.append(f"{_are_there(answer['applied'])}, and reject does not take anything out.")
        echo(" ".join(words) or "There was nothing left to reject.")


class Chosen(NamedTuple):
    """The user's selection: all of a run, or some of its paths and hunks."""

    run: str
    paths: Sequence[str]
    hunks: Sequence[str]


_WAYS = {
    "instead": "--instead puts it in place of what another run has there",
    "take": "--take puts it in place of your lines",
    "mark": "--mark writes both between conflict markers",
}

_OPEN = frozenset({"exact", "instead"})
"""Modes after which a conflict may be solved by another mode."""

_MAX_HUNKS_NAMED = 8
"""Maximum number of hunks that are named in a sentence."""


def _what_next(client: DaemonClient, chosen: Chosen) -> list[str]:
    """Return sentences about what the person can do after a conflict."""
    run = one_run(client, chosen.run)
    items: list[Json] = []
    if chosen.paths or not chosen.hunks:
        items += _items_at(client, run, changed_by(client, run, chosen.paths) or ["."])
    if chosen.hunks:
        every = client.execute("mux.review.list", {"run": run})["items"]
        items += [item for item in every if item["hunk"] in chosen.hunks and item not in items]
    colliding = [item["resolutions"] for item in items if item["status"] == "conflict"]
    fitting = [item["hunk"] for item in items if item["status"] == "pending"]
    sentences = []
    if fitting:
        one = len(fitting) == 1
        which = f"accept {'it' if one else 'them'} with {' '.join(f'--hunk {hunk}' for hunk in fitting)}"
        if None in fitting or len(fitting) > _MAX_HUNKS_NAMED:
            which = f"`mux-lsp show {run}` lists {'it' if one else 'them'}"
        sentences.append(f"The other {'one fits' if one else f'{len(fitting)} fit'}: {which}.")
    return [*sentences, *_ways(colliding)]


def ways_out(client: DaemonClient, run: str, way: str) -> list[str]:
    """Return sentences about the other modes in which the whole run can be accepted after a conflict in mode `way`."""
    items = client.execute("mux.review.list", {"run": run})["items"] if way in _OPEN else []
    return _ways([item["resolutions"] for item in items if item["status"] == "conflict"])


def _ways(colliding: Sequence[Sequence[str]]) -> list[str]:
    # All changes must be placed in the same mode.
    ways = [words for way, words in _WAYS.items() if colliding and all(way in open_ for open_ in colliding)]
    return [f"For what collides, {', '.join(ways)}."] if ways else []


def _items_at(client: DaemonClient, run: str, names: Sequence[str]) -> list[Json]:
    """Return a run's changes to these files and folders, without rejected ones."""
    items = client.execute("mux.review.list", {"run": run})["items"]
    files = client.execute("mux.run.get", {"run": run})["run"]["files"]
    there = {file["path"] for file in files if any(is_below(path, name) for path in _paths(file) for name in names)}
    return [item for item in items if item["path"] in there and item["status"] != "rejected"]


def _are_there(number: int) -> str:
    return f"{count(number, 'change')} {'was' if number == 1 else 'were'} there already"


def _decide(client: DaemonClient, verb: str, chosen: Chosen, **more: str) -> Json:
    argument = named_changes(client, verb, chosen)
    if "hunks" not in argument:
        return client.execute(f"mux.run.{verb}", {**argument, **more})
    if not argument["hunks"]:
        nothing = {
            "accepted": 0, "already": 0, "instead_of": [], "marked": 0, "rejected": 0, "kept": None, "files": [],
        }  # fmt: skip
        return nothing if verb == "accept" else {"rejected": 0, "applied": 0}
    return client.execute(f"mux.hunk.{verb}", {**argument, **more})


def named_changes(client: DaemonClient, verb: str, chosen: Chosen) -> Json:
    """Return the argument of a command for the person's selection: the run, and `paths`, `hunks` or neither.

    Raises UsageError if hunks are combined with a file that can only be taken as a whole.
    """
    run, hunks = one_run(client, chosen.run), chosen.hunks
    names = changed_by(client, run, chosen.paths)
    if not names:
        return {"run": run, "hunks": list(hunks)} if hunks else {"run": run}
    if not hunks:
        return {"run": run, "paths": names}
    # One command for all, so that a conflict in the last file also leaves the first one unchanged.
    wanted = _items_at(client, run, names)
    for item in wanted:
        if item["hunk"] is None:
            raise UsageError(f"{visible(item['path'])} can only be taken as a whole: {verb} it by itself.")
    return {"run": run, "hunks": [*hunks, *(item["hunk"] for item in wanted)]}


def changed_by(client: DaemonClient, run: str, paths: Sequence[str]) -> list[str]:
    """Return the changed files and folders that the person means by `paths`, as the daemon names them.

    Raises UsageError if the run changes nothing at one of them.
    """
    if not paths:
        return []
    shape = client.execute("mux.run.get", {"run": run})["run"]
    root = folder_of(client.execute("mux.task.get", {"task": shape["task"]})["task"]["repository"])
    changed = [path for file in shape["files"] for path in _paths(file)]
    folder = here()
    return list(dict.fromkeys(named_path(typed, changed, root, folder) for typed in paths))


def _paths(file: Json) -> list[str]:
    """Return the paths by which a changed file may be named: a renamed one also by its old path."""
    return [file["path"], file["old_path"]] if file["change"] == "renamed" else [file["path"]]
