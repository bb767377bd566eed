"""Run agents that speak the Agent Client Protocol: one process for each attempt, connected by pipes.

The protocol's library takes long to import, so it is not imported before an agent is at work.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mux_lsp.agents.acp.messages import Opening
from mux_lsp.agents.command import mark
from mux_lsp.agents.environment import scrubbed
from mux_lsp.agents.events import Started
from mux_lsp.agents.process import end, start_with_pipes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mux_lsp.agents.acp.session import AcpSession
    from mux_lsp.agents.backend import Attempt, Host, Outcome
    from mux_lsp.agents.process import Process


@dataclass(slots=True)
class AcpBackend:
    """Backend for an agent's command line: a string is run by `/bin/sh -c`, a list without a shell."""

    command: str | Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the person's environment."""
    mode: str | None = None
    """The session mode to work in, by the agent's own name for it; None for the agent's default."""
    grace: float = 5.0
    """Seconds for an agent to stop when asked, and again between SIGTERM and SIGKILL."""
    person: Mapping[str, str] | None = None
    """The person's environment; None for the daemon's own."""
    _working: dict[str, AcpSession] = field(default_factory=dict)

    async def attempt(self, attempt: Attempt, host: Host) -> Outcome:
        """See `Backend.attempt`. An agent cannot survive without its pipes, so cancelling this coroutine ends it."""
        return await self._work(attempt, host, Opening.FRESH if attempt.session is None else Opening.FURTHER)

    async def resume(self, attempt: Attempt, process: Process, host: Host) -> Outcome:
        """See `Backend.resume`. The earlier daemon's pipes are gone, so a new process continues the session."""
        await self.cancel(attempt, process)
        # Without a session it had received no prompt yet.
        return await self._work(attempt, host, Opening.FRESH if attempt.session is None else Opening.AGAIN)

    async def cancel(self, attempt: Attempt, process: Process | None) -> None:
        """See `Backend.cancel`. The agent is first asked to stop by the protocol."""
        session = self._working.get(attempt.run)
        if session is not None:
            await session.cancel(self.grace)
        await end(process, mark(attempt.run, attempt.worktree), self.grace, run_folder=attempt.run_folder)

    async def _work(self, attempt: Attempt, host: Host, opening: Opening) -> Outcome:
        module: Any = await asyncio.to_thread(importlib.import_module, "mux_lsp.agents.acp.session")
        attempt.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        process, pipes = start_with_pipes(
            ["/bin/sh", "-c", self.command] if isinstance(self.command, str) else self.command,
            folder=attempt.folder,
            environment=self._environment(attempt),
            run_folder=attempt.run_folder,
            mark=mark(attempt.run, attempt.worktree),
            largest_file=attempt.largest_file,
        )
        try:
            with pipes:
                host.emit(Started(process))
                session: AcpSession = module.AcpSession(attempt, host, process, self.mode)
                self._working[attempt.run] = session
                return await session.work(pipes, opening)
        finally:
            self._working.pop(attempt.run, None)
            await self.cancel(attempt, process)

    def _environment(self, attempt: Attempt) -> dict[str, str]:
        ours = {"MUX_TASK": attempt.task, "MUX_REPOSITORY": str(attempt.repository)}
        if attempt.port is not None:
            ours["MUX_PORT"] = str(attempt.port)
        person = os.environ if self.person is None else self.person
        return {**scrubbed(person, attempt.folder), **self.environment, **ours, **attempt.environment}
