"""Record what an agent reports about its run, and pass on its permission requests.

This is the engine's implementation of the `Host` protocol that all kinds of agent use.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from mux_lsp.agents import transcript
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.events import Session, Started, Text, TextPart, Usage
from mux_lsp.agents.transcript import Prompted, Transcript
from mux_lsp.core.permissions import in_any_worktree

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.agents.backend import Decision
    from mux_lsp.agents.events import Event
    from mux_lsp.core.permissions import PermissionRequest
    from mux_lsp.engine.runs.job import Job

log = logging.getLogger(__name__)

MOST_TOKENS: Final = 10**15
"""Maximum number of tokens of a run. An agent may report any number, and some numbers cannot be stored."""

MOST_DOLLARS: Final = 1e9
"""Maximum cost of a run in US dollars, for the same reason."""


class RunHost:
    """Host of the agent of one run."""

    def __init__(self, job: Job, worktree: Path) -> None:
        self._job = job
        self._worktree = str(worktree)
        self.started = asyncio.Event()
        """Set when the agent has started a process of its own."""
        self._transcript = Transcript(job.run_folder)
        self._parts = ""
        """The part of the agent's current message that was already published in pieces."""
        self._last_text = ""
        """The agent's last message. Final words that only repeat it are not published again."""

    def prompted(self, prompt: str, turn: int) -> None:
        """Record the prompt that the agent gets."""
        self._transcript.add(Prompted(prompt, turn))
        self._job.outputs.on_noted(self._job.run_id)

    def emit(self, event: Event, offset: int | None = None) -> None:
        """See `Host.emit`."""
        job = self._job
        try:
            if self._transcript.add(event, offset):
                job.outputs.on_noted(job.run_id)
        except OSError as error:
            log.warning("what %s does could not be kept: %s", job.run_id, error)
        match event:
            case Started(process=child):
                job.advance(pid=child.pid, pid_created=child.created)
                self.started.set()
            case Session(id=session):
                job.advance(session=session)
            case Usage():
                run = job.current()
                tokens = min((run.tokens or 0) + event.tokens, MOST_TOKENS)
                job.advance(tokens=tokens, cost_usd=_sum(run.cost_usd, event.cost_usd))
        if said := self._said(event):
            job.outputs.say(job.run_id, said)

    def _said(self, event: Event) -> str:
        said = transcript.spoken(event)
        if isinstance(event, Text):
            self._last_text = event.text.strip()
        if isinstance(event, FinalWords) and event.text.strip() not in self._last_text:
            said = f"{event.text.rstrip()}\n"
        if isinstance(event, TextPart):
            self._parts += said
            return said
        if not self._parts or not said:
            return said
        if isinstance(event, Text) and event.text in self._parts:
            # This text was published already. More text that was published already may follow.
            self._parts = self._parts.partition(event.text)[2]
            return "" if self._parts else "\n"
        self._parts = ""
        return f"\n{said}"

    async def ask(self, request: PermissionRequest) -> Decision:
        """See `Host.ask`."""
        return await self._job.asks.ask(self._job, in_any_worktree(request, self._worktree))


def _sum(before: float | None, more: float | None) -> float | None:
    return before if more is None else min((before or 0.0) + more, MOST_DOLLARS)
