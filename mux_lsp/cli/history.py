"""Show what was accepted: `log --accepted`, and `show` of a file and its lines."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from mux_lsp.cli.ids import is_run
from mux_lsp.cli.options import here
from mux_lsp.cli.output import Cell, echo, echo_json, echo_table
from mux_lsp.cli.text import PLACE, one_line
from mux_lsp.core.phrases import count, listed
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.cli.client import DaemonClient, Json
    from mux_lsp.lsp.protocol import AcceptanceShape, HistoryListResult

MAX_LINES = 3
"""Maximum number of a hunk's lines that `show` prints."""


class Spot(NamedTuple):
    """A file, or lines of it, counted from 1, with the last one included. The file need not exist."""

    path: Path
    first: int | None = None
    last: int | None = None

    @property
    def lines(self) -> str:
        """` line 3`, ` lines 3-5`, or empty for the whole file."""
        if self.first is None:
            return ""
        return f" line {self.first}" if self.first == self.last else f" lines {self.first}-{self.last}"


def spot(typed: str, folder: Path) -> Spot:
    """Parse `PATH`, `PATH:LINE` or `PATH:LINE-LINE`. An existing file with that whole name is preferred.

    Raises UsageError for a folder, and for an impossible range of lines.
    """
    whole = folder / typed
    match = None if os.path.lexists(whole) else PLACE.fullmatch(typed)
    path = folder / match["path"] if match else whole
    path = folder / os.path.normpath(path)
    if path.is_dir():
        raise UsageError(f"{visible(typed)} is a folder: name a file.")
    if match is None:
        return Spot(path)
    first = int(match["first"])
    last = int(match["last"] or first)
    if not 1 <= first <= last:
        raise UsageError(f"{visible(typed)}: lines are counted from 1, the first one first.")
    return Spot(path, first, last)


def names_a_place(client: DaemonClient, typed: str) -> bool:
    """Return whether the argument of `show` names a file rather than a task or run. An existing id is preferred."""
    if any(character in typed for character in "/.:"):
        return True
    if not os.path.lexists(here() / typed):
        return False
    kind = "run" if is_run(typed) else "task"
    try:
        client.execute(f"mux.{kind}.get", {kind: typed})
    except UsageError:
        return True
    return False


def echo_log(client: DaemonClient, typed: str | None, *, as_json: bool) -> None:
    """Print what was accepted in this repository, or in a file or its lines, newest first."""
    folder = here()
    at = None if typed is None else spot(typed, folder)
    answer = client.execute("mux.history.list", {"repository": folder.as_uri()} if at is None else _argument(at))
    if as_json:
        echo_json(answer)
        return
    found = _read(answer).acceptances
    if not found:
        echo(_nothing(at, folder) if at else "Nothing that agents made was accepted in this repository.")
        return
    rows = [
        [
            Cell(_when(one.at)),
            Cell(one.person),
            Cell(one.run),
            Cell(_agent(one)),
            Cell(_where(one)),
            Cell(_state(one, located=at is not None), "faint"),
            Cell(one_line(one.prompt, 100)),
        ]
        for one in found
    ]
    echo_table(("when", "who", "run", "agent", "where", "", "prompt"), rows)


def echo_spot(client: DaemonClient, typed: str, *, as_json: bool) -> None:
    """Print the accepted changes that a file, or lines of it, still has, and who made them."""
    at = spot(typed, here())
    answer = client.execute("mux.history.list", _argument(at))
    if as_json:
        echo_json(answer)
        return
    standing = [one for one in _read(answer).acceptances if one.withdrawn is None]
    if not standing:
        echo(_nothing(at, here()))
    for number, one in enumerate(standing):
        if number:
            echo()
        _echo_one(one)


def _echo_one(one: AcceptanceShape) -> None:
    state = _state(one, located=True)
    echo(f"{_where(one)}  {one.run}  {_agent(one)}{f'  ({state})' if state else ''}", bold=True)
    came = "accepted" if one.cause == "accept" else "in the text, typed or brought in by another tool,"
    echo(f"  {came} {_when(one.at)} by {visible(one.person)} in {visible(one.client)}")
    if one.total > 1:
        others = f": {listed([visible(run) for run in one.agreed])} too" if one.agreed else ""
        echo(f"  {1 + len(one.agreed)} of {count(one.total, 'run')} made it{others}", "faint")
    for sign, text, number in (("-", one.removed, one.removed_lines), ("+", one.added, one.added_lines)):
        _echo_lines(sign, text, number)
    if one.hunk is None:
        echo("  the file as a whole, or its mode")
    for words in (one.prompt, one.message):
        if words is not None:
            echo("  prompt:" if words is one.prompt else "  then:", "faint")
            for line in words.rstrip("\n").split("\n"):
                echo(f"    {visible(line)}")


def _echo_lines(sign: str, text: str | None, number: int) -> None:
    lines = [] if text is None else text.splitlines()[:MAX_LINES]
    for line in lines:
        echo(f"  {sign} {one_line(line, 100) if line.strip() else ''}".rstrip())
    if number > len(lines):
        echo(f"  {sign} … {count(number - len(lines), 'more line' if lines else 'line')}", "faint")


def _argument(at: Spot) -> Json:
    lines = {} if at.first is None or at.last is None else {"start": at.first - 1, "end": at.last - 1}
    return {"uri": at.path.as_uri(), **lines}


def _read(answer: Json) -> HistoryListResult:
    from mux_lsp.lsp.protocol import HistoryListResult

    return HistoryListResult.model_validate(answer)


def _nothing(at: Spot, folder: Path) -> str:
    name = visible(os.path.relpath(at.path, folder))
    if at.first is not None:
        return f"Nothing accepted stands at{at.lines} of {name}; `mux-lsp log --accepted {name}` has all of the file."
    if not os.path.lexists(at.path):
        raise UsageError(f"There is no file {name}; `mux-lsp log --accepted` has all that was accepted.")
    return f"Nothing that agents made was accepted in {name}."


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _agent(one: AcceptanceShape) -> str:
    return one_line(f"{one.agent}:{one.model}" if one.model else one.agent, 28)


def _where(one: AcceptanceShape) -> str:
    """Return the current position of an accepted change if it was requested and found, else its position when accepted.

    For example `src/a.py:3-5`.
    """
    if one.range is None:
        first, last = one.line + 1, one.line + one.added_lines
    else:
        first, end = one.range.start.line + 1, one.range.end
        last = end.line + (1 if end.character else 0)
    name = visible(one.path)
    if one.hunk is None:
        return name
    return f"{name}:{first}" if last <= first else f"{name}:{first}-{last}"


def _state(one: AcceptanceShape, *, located: bool) -> str:
    if one.withdrawn is not None:
        return f"taken back {_when(one.withdrawn)}"
    if not located or one.hunk is None:
        return ""
    if one.range is None:
        return "not there now"
    return "changed since" if one.partial else ""
