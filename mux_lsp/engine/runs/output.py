"""Publish agents' output as it is printed: the newest part of it, at a rate that every client can follow."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.bounded import trim, trim_outputs
from mux_lsp.agents.files import Appended
from mux_lsp.agents.log import STREAMS, Stream, read_text, size_of, watch_growth
from mux_lsp.agents.process import STDOUT
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.state.events import Event, RunOutput, TranscriptGrown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


log = logging.getLogger(__name__)

PIECE: Final = 65_536
"""Maximum number of bytes of a stream published at a time. If an agent prints faster, only the end is published; the
log has everything.
"""


SOON: Final = 0.025
"""Seconds for which agents' messages are collected before they are published, for all agents together, because there
may be many.
"""


class Outputs:
    """Publisher of the output of active runs. `runs` is the parent of their folders."""

    def __init__(self, runs: Path, emit: Callable[[Event], None], most: Callable[[], int]) -> None:
        """Create a publisher. `most` returns the maximum size of an output file in bytes."""
        self._runs = runs
        self._emit = emit
        self._most = most
        self._offsets: dict[str, dict[Stream, int]] = {}
        self._said: dict[str, list[str]] = {}
        self._files: dict[str, Appended] = {}
        """Output files of runs that are written here, and published when they are written."""

    def follow(self, run_id: str) -> None:
        """Publish what a run prints from now on."""
        self._offsets[run_id] = {stream: size_of(self._runs / run_id, stream) for stream in STREAMS}

    def say(self, run_id: str, said: str) -> None:
        """Append to the output of a run, for an agent that prints nothing itself. It is published soon."""
        if run_id not in self._files:
            self._files[run_id] = Appended(self._runs / run_id / STDOUT)
        if not self._said:
            asyncio.get_running_loop().call_later(SOON, self._write_all)
        self._said.setdefault(run_id, []).append(said)

    def on_noted(self, run_id: str) -> None:
        """Announce that a run's transcript has a new entry."""
        self._emit(TranscriptGrown(run_id))

    def _write_all(self) -> None:
        for run_id in list(self._said):
            self._write(run_id)

    def _write(self, run_id: str) -> None:
        said = "".join(self._said.pop(run_id, ())).encode("utf-8", "replace")
        if not said:
            return
        try:
            offset = self._files[run_id].append(said)
        except OSError as error:
            log.warning("what %s says could not be kept: %s", run_id, error)
            return
        offsets = self._offsets.get(run_id)
        if offsets is not None and offsets["stdout"] == offset:
            offsets["stdout"] = offset + len(said)
            self._emit(RunOutput(run_id, "stdout", offset, printable(said.decode())))

    async def finish(self, run_id: str) -> None:
        """Publish the rest of a run's output, and stop following it."""
        self._write(run_id)
        await asyncio.to_thread(trim_outputs, self._runs / run_id, self._most())
        for stream in STREAMS:
            await self._publish(run_id, stream)
        self._write(run_id)  # messages may have been added meanwhile
        self._offsets.pop(run_id, None)
        if (file := self._files.pop(run_id, None)) is not None:
            file.close()

    async def pump(self) -> None:
        """Publish output as files grow, one piece of each stream in turn. Runs until it is cancelled."""
        async for grown in watch_growth(self._runs, self._most):
            for growth in grown:
                if growth.stream != "stdout" or growth.run not in self._files:
                    await self._publish(growth.run, growth.stream)

    async def _publish(self, run_id: str, stream: Stream) -> None:
        offsets = self._offsets.get(run_id)
        if offsets is None:
            return
        folder = self._runs / run_id
        await asyncio.to_thread(trim, folder / stream, self._most())
        offset = max(offsets[stream], await asyncio.to_thread(size_of, folder, stream) - PIECE)
        printed, position = await asyncio.to_thread(read_text, folder, stream, offset, PIECE)
        # The pump and the end of the run may both read this: whoever is first publishes it.
        if position > offset >= offsets[stream]:
            offsets[stream] = position
            self._emit(RunOutput(run_id, stream, offset, printed))
