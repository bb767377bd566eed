"""What an agent tells of its run, and asks: the engine's end of the seam behind which the kinds of agent stand."""

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
"""What a run can have taken at the most. An agent may tell any number, and there are some that cannot be kept."""

MOST_DOLLARS: Final = 1e9
"""Likewise."""


class RunHost:
    """Notes what the agent of one run does."""

    def __init__(self, job: Job, worktree: Path) -> None:
        self._job = job
        self._worktree = str(worktree)
        self.started = asyncio.Event()
        """Set when the agent has started a process of its own."""
        self._transcript = Transcript(job.run_folder)
        self._parts = ""
        """What the agent is saying, as far as it has been told in parts."""
        self._last_text = ""
        """What it said last. Closing words that are no more than that are not told again."""

    def prompted(self, prompt: str, turn: int) -> None:
        """Note what the agent is told."""
        self._transcript.add(Prompted(prompt, turn))
        self._job.outputs.noted(self._job.run_id)

    def emit(self, event: Event, offset: int | None = None) -> None:
        """See `Host.emit`."""
        job = self._job
        try:
            if self._transcript.add(event, offset):
                job.outputs.noted(job.run_id)
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
            # It has been told. There may be another one, that has been told too.
            self._parts = self._parts.partition(event.text)[2]
            return "" if self._parts else "\n"
        self._parts = ""
        return f"\n{said}"

    async def ask(self, request: PermissionRequest) -> Decision:
        """See `Host.ask`."""
        return await self._job.asks.ask(self._job, in_any_worktree(request, self._worktree))


def _sum(before: float | None, more: float | None) -> float | None:
    return before if more is None else min((before or 0.0) + more, MOST_DOLLARS)
