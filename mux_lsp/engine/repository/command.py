"""Run one command line of a set-up or a check in a worktree, within bounds of time and output."""

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
    """Where checks run, and within which bounds."""

    folder: Path
    """The folder that they are started in. It is there."""
    output: Path
    """Has a folder for what each of them prints."""
    mark: Mapping[str, str]
    """What each of their processes carries in its environment."""
    timeout: float
    """How long one may take before it counts as failed, in seconds."""
    grace: float
    """Seconds between TERM and KILL."""
    most_output: int
    """Bytes of the disk that each file takes in which one prints."""
    largest_file: int
    """See `process.start`."""
    cancelled: asyncio.Event
    """Set when a person ends them."""
    without: Collection[str]
    """The variables that are not in their environment."""


async def run_command(command: str, ground: CommandContext, run_folder: Path, environment: Mapping[str, str]) -> bool:
    """Run one command line to its end. False where it took too long or a person ended it.

    Nothing that it started is left when this returns, or is cancelled.
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
