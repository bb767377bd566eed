"""Run one command line of a set-up or a check in a worktree, with limits on time and output."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.agents import process
from mux_lsp.agents.bounded import kept_in_bounds
from mux_lsp.engine.repository.cancellation import wait_or_cancelled

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The folder, the environment and the limits of commands."""

    folder: Path
    """Working directory of the commands. It exists."""
    output: Path
    """Parent of the folders that receive each command's output."""
    mark: Mapping[str, str]
    """Environment variables that identify the commands' processes."""
    timeout: float
    """Seconds after which a command is ended and counts as failed."""
    grace: float
    """Seconds between SIGTERM and SIGKILL."""
    most_output: int
    """Maximum disk space of each output file of a command, in bytes."""
    largest_file: int
    """See `process.start`."""
    cancelled: asyncio.Event
    """Set when a person ends the commands."""
    without: Collection[str]
    """Environment variables that are removed."""


async def run_command(command: str, ground: CommandContext, run_folder: Path, environment: Mapping[str, str]) -> bool:
    """Run one command line to its end. Returns False if it timed out or a person ended it.

    None of its processes is left when this returns or is cancelled.
    """
    async with kept_in_bounds(run_folder, ground.most_output):
        child = process.start(
            ["/bin/sh", "-c", command],
            folder=ground.folder,
            environment=environment,
            run_folder=run_folder,
            mark=ground.mark,
            largest_file=ground.largest_file,
        )
        waiting = asyncio.ensure_future(process.wait(child, run_folder))
        in_time = False
        try:
            async with asyncio.timeout(ground.timeout):
                await wait_or_cancelled(waiting, ground.cancelled)
            in_time = waiting.done()
        except TimeoutError:
            log.info("in %s this took too long and was ended: %s", ground.folder, command)
        finally:
            waiting.cancel()
            await process.end(child, ground.mark, ground.grace, run_folder=run_folder)
    return in_time
