"""Read the output of runs, checks and set-ups piece by piece, and wait for more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mux_lsp.agents.log import Stream, read_text
from mux_lsp.agents.transcript import TRANSCRIPT
from mux_lsp.engine.repository.setup import setup_folder
from mux_lsp.engine.state.events import Event, RunChanged, RunOutput, TranscriptGrown
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mux_lsp.engine.checks.service import CheckService, CheckTarget
    from mux_lsp.engine.repository.registry import RepositoryStores
    from mux_lsp.engine.state.layout import StateFolder
    from mux_lsp.engine.state.registry import TaskRegistry


@dataclass(frozen=True, slots=True)
class LogPiece:
    """A part of a run's output: up to `limit` bytes from `offset`, of the agent or of the check with that index.

    `on` is the tree that the check ran on.
    """

    stream: Stream | Literal["transcript"]
    offset: int
    limit: int
    check: int | None = None
    on: CheckTarget = "result"
    setup: bool = False
    """True to read the output of the run's set-up."""


@dataclass(frozen=True, slots=True)
class LogReader:
    """Reader of runs' logs. Use it on one event loop."""

    registry: TaskRegistry
    repositories: RepositoryStores
    checks: CheckService
    files: StateFolder
    subscribe: Callable[[Callable[[Event], None]], Callable[[], None]]

    async def read(self, run_id: str, piece: LogPiece, *, follow: bool) -> tuple[str, int, bool]:
        """Return a sanitized piece of a run's output, the offset to continue at, and whether the run has ended.

        With `follow`, waits until there is more output or the run has ended. Raises UsageError if there is no such run
        or check.
        """
        run = self.registry.run(run_id)
        folder = self.files.run_folder(run_id)
        if piece.check is not None:
            folder = await self.checks.output_of(run, piece.check, piece.on)
        if piece.setup:
            if run.setup is None:
                raise UsageError(f"{run_id} had no set-up.")
            folder = setup_folder(self.repositories.get(Path(self.registry.task(run.task).repository)), run.setup)
        # The transcript is JSON in ASCII, so it contains no escape codes, only their escaped forms.
        file = TRANSCRIPT if piece.stream == "transcript" else piece.stream
        more = asyncio.Event()

        def listen(event: Event) -> None:
            if (isinstance(event, RunOutput | TranscriptGrown) and event.run == run_id) or (
                isinstance(event, RunChanged) and event.run.id == run_id and event.run.state.ended
            ):
                more.set()

        stop = self.subscribe(listen)
        try:
            while True:
                more.clear()
                ended = self.registry.run(run_id).state.ended
                printed, position = await asyncio.to_thread(read_text, folder, file, piece.offset, piece.limit)
                if position > piece.offset or ended or not follow:
                    return printed, position, ended
                await more.wait()
        finally:
            stop()
