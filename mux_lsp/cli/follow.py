"""Watch runs until they end: a live table on a terminal, one line per change elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from mux_lsp.cli.formatting import ENDED, RUN_HEADERS, run_line, run_row
from mux_lsp.cli.output import echo, echo_error
from mux_lsp.cli.permissions import open_questions, question_lines
from mux_lsp.cli.text import one_line
from mux_lsp.core.ids import task_of
from mux_lsp.core.sanitize import visible
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Group

    from mux_lsp.cli.client import DaemonClient
    from mux_lsp.lsp.protocol import PermissionShape, RunShape, TaskShape

CLOCK_PER_SECOND = 4
"""Number of times per second that the live table is redrawn, since the time of a run advances without notifications."""


class Board:
    """The known state of a connection's runs, from its notifications. Create it before the first request."""

    def __init__(self, client: DaemonClient) -> None:
        self.runs: dict[str, RunShape] = {}
        self.last_lines: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.asked: dict[str, PermissionShape] = {}
        """Open permission requests, by id."""
        self.new_questions: list[PermissionShape] = []
        """New permission requests, until the caller takes them."""
        self.changed: list[RunShape] = []
        """Runs whose state has changed, in order, until the caller takes them."""
        self.new_warnings: list[str] = []
        """Messages about limits, until the caller takes them."""
        self.checking: set[str] = set()
        """The tasks whose checks run on the snapshot itself."""
        client.notified = self._notified

    def _notified(self, method: str, parameters: dict[str, Any]) -> None:
        from mux_lsp.lsp.protocol import (
            LimitReachedParams,
            PermissionRequestedParams,
            PermissionSettledParams,
            QueueChangedParams,
            RunChangedParams,
            RunOutputParams,
            TaskChangedParams,
        )

        if method == "mux/runChanged":
            changed = RunChangedParams.model_validate(parameters)
            self.runs[changed.run.id] = changed.run
            if changed.run.state != changed.previous:
                self.changed.append(changed.run)
        elif method == "mux/runOutput":
            output = RunOutputParams.model_validate(parameters)
            if line := next((line for line in reversed(output.text.splitlines()) if line.strip()), ""):
                self.last_lines[output.run] = one_line(line, 200)
        elif method == "mux/permissionRequested":
            self.ask([PermissionRequestedParams.model_validate(parameters).permission])
        elif method == "mux/permissionSettled":
            self.asked.pop(PermissionSettledParams.model_validate(parameters).id, None)
        elif method == "mux/queueChanged":
            self._queue(QueueChangedParams.model_validate(parameters).runs)
        elif method == "mux/limitReached":
            reached = LimitReachedParams.model_validate(parameters)
            # Limits of other tasks do not concern this command.
            if reached.scope in {"day", "repository"} or reached.of in {*self.runs, *map(task_of, self.runs)}:
                self.new_warnings.append(reached.message)
        elif method == "mux/taskChanged":
            task = TaskChangedParams.model_validate(parameters)
            self.look_at(task.task)
            if task.deleted:
                self.checking.discard(task.task.id)
                self.deleted |= {run.id for run in task.task.runs}

    def known(self, runs: Sequence[RunShape]) -> None:
        """Add runs from an answer. Notifications received since the request are newer."""
        self.runs = {run.id: run for run in runs} | self.runs

    def look_at(self, task: TaskShape) -> None:
        """Update whether the checks of a task run on its snapshot."""
        running = any(check.state == "running" for check in task.baseline)
        (self.checking.add if running else self.checking.discard)(task.id)

    def ask(self, asked: Sequence[PermissionShape]) -> None:
        """Add open permission requests."""
        self.new_questions += [one for one in asked if one.id not in self.asked]
        self.asked |= {one.id: one for one in asked}

    def _queue(self, queue: Sequence[str]) -> None:
        places = {run: number for number, run in enumerate(queue, 1)}
        for run in [run for run in self.runs.values() if run.state == "queued"]:
            self.runs[run.id] = run.model_copy(update={"queue_place": places.get(run.id)})

    def table(self, ids: Sequence[str], width: int) -> Group:
        """Return these runs as they are now, for a terminal of `width` columns, and their permission requests."""
        from rich.console import Group
        from rich.text import Text

        from mux_lsp.cli.output import rich_table

        now = time.time()
        table = rich_table(
            RUN_HEADERS, [run_row(self.runs[id_], now, self.last_lines.get(id_, "")) for id_ in ids], width
        )
        return Group(table, *map(Text, [*question_lines(self.asked.values(), ids), *map(visible, self.new_warnings)]))


class LiveView(Protocol):
    """A view of the changes of the watched runs."""

    def update(self) -> None:
        """Show the changes since the last call."""


def follow(client: DaemonClient, board: Board, ids: Sequence[str], *, quiet: bool) -> None:
    """Show these runs until each of them has ended. With `quiet`, write nothing to standard output.

    Raises MuxError if one of them is deleted meanwhile.
    """
    if any(run.state == "waiting" for run in board.runs.values()):
        board.ask(open_questions(client))
    with _view(board, ids, quiet=quiet) as view:
        while not all(board.runs[id_].state in ENDED for id_ in ids):
            client.wait()
            view.update()
            if gone := board.deleted.intersection(ids):
                raise MuxError(f"{', '.join(sorted(gone))} was deleted meanwhile.")


def wait_for_baseline(client: DaemonClient, board: Board, task: str, *, quiet: bool) -> None:
    """Wait for the checks of a task on its snapshot, which may take longer than the runs."""
    stream = sys.stderr if quiet else sys.stdout
    if task not in board.checking:
        return
    with contextlib.ExitStack() as shown:
        if stream.isatty():
            from rich.console import Console

            shown.enter_context(Console(file=stream).status("Waiting for the checks on the snapshot itself"))
        while task in board.checking:
            client.wait()


@contextlib.contextmanager
def _view(board: Board, ids: Sequence[str], *, quiet: bool) -> Iterator[LiveView]:
    stream = sys.stderr if quiet else sys.stdout
    if not stream.isatty():
        yield _ByTheClock() if quiet else _Lines(board, ids)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    # Transient: what stays on the screen is the summary, printed once at the end.
    with Live(
        console=console,
        get_renderable=lambda: board.table(ids, console.width),
        refresh_per_second=CLOCK_PER_SECOND,
        transient=True,
    ):
        yield _ByTheClock()


class _ByTheClock:
    """A view without output, or for a live table, which redraws itself at regular intervals."""

    def update(self) -> None:
        pass


class _Lines:
    def __init__(self, board: Board, ids: Sequence[str]) -> None:
        self._board = board
        self._ids = frozenset(ids)
        self.update()

    def update(self) -> None:
        for run in self._board.changed:
            if run.id in self._ids:
                echo(run_line(run, time.time()))
        self._board.changed.clear()
        for line in question_lines(self._board.new_questions, self._ids):
            echo(line)
        self._board.new_questions.clear()
        for warning in self._board.new_warnings:
            echo(visible(warning), "conflict")
        self._board.new_warnings.clear()


def echo_detached(task: str) -> None:
    """Print how to continue, for a user who stops watching."""
    echo_error(
        f"\nThe runs of {task} go on without you.\n"
        f"  mux-lsp show {task} --follow   watch them again\n"
        f"  mux-lsp cancel {task}          end them"
    )
