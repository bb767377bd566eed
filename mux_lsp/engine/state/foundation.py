"""Open the foundation of the engine: files, settings, clock, events, background tasks and the journal."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp import config
from mux_lsp.agents import process
from mux_lsp.engine.state.background import BackgroundTasks
from mux_lsp.engine.state.configuration import LiveConfiguration
from mux_lsp.engine.state.event_bus import EventBus
from mux_lsp.engine.state.layout import StateFolder
from mux_lsp.engine.state.notices import Notices, describe_loss
from mux_lsp.git.command import own
from mux_lsp.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from pathlib import Path

    from mux_lsp.engine.state.clock import Clock

GIT_GRACE_SECONDS: Final = 2.0
"""Seconds in which a git process of a killed daemon may clean up after itself."""


@dataclass(frozen=True, slots=True)
class Foundation:
    """The parts that exist before anything is read from the journal."""

    files: StateFolder
    configuration: LiveConfiguration
    clock: Clock
    events: EventBus
    background: BackgroundTasks
    notices: Notices
    journal: Journal

    async def report_loss(self, known: Collection[str]) -> None:
        """Add a notice if the journal has lost tasks. `known` are the ids of the runs that it still has."""
        if self.journal.lost is not None:
            self.notices.add(await asyncio.to_thread(describe_loss, self.journal.lost, self.files.runs, known))


@contextlib.asynccontextmanager
async def opened(state: Path, config_file: Path, clock: Clock) -> AsyncIterator[Foundation]:
    """Read the settings, and open the journal until the context ends. Raises MuxError."""
    files = StateFolder(state)
    configuration = LiveConfiguration(config_file, config.load(config_file))
    # A git process of a killed daemon would write to the same files as this daemon's.
    await process.end(None, own(str(state)), GIT_GRACE_SECONDS)
    files.runs.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(shutil.rmtree, files.client_files, ignore_errors=True)
    with contextlib.closing(Journal(files.journal)) as journal:
        events = EventBus()
        background, notices = BackgroundTasks(events.emit), Notices(events.emit)
        yield Foundation(files, configuration, clock, events, background, notices, journal)
