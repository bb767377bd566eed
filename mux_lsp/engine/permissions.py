"""What agents ask leave for: judged by rules where they speak, else by a person, once for all who ask the same."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mux_lsp.agents.backend import Decision
from mux_lsp.agents.log import printable
from mux_lsp.core.model import RunState
from mux_lsp.core.permissions import RUN, PermissionRequest, Rule, Rules, Verdict, rule_for
from mux_lsp.engine.events import PermissionRequested, PermissionSettled
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mux_lsp.engine.attempt import Job
    from mux_lsp.engine.events import Event

log = logging.getLogger(__name__)

Answer = Literal["once", "run", "task", "always", "refuse"]
"""What a person may answer: for this time, for this run, for its task, for the repository from now on; or no."""

REFUSED = "The person refused this. Do it in another way, or finish without it."


@dataclass(slots=True)
class Asked:
    """A question that waits for a person. All runs of a task that ask the same wait for the one answer."""

    id: str
    task: str
    repository: str
    request: PermissionRequest
    waiting: dict[str, asyncio.Future[tuple[Answer | None, str | None]]] = field(default_factory=dict)
    """By run; what is set is the answer, None where nobody answered in time, and why it was a no."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that wait."""
        return tuple(self.waiting)


class Asks:
    """The questions that are open, and what was answered for longer than once.

    `rules_of` gives the rules of a repository; `remember` keeps one that a person gave for good.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        rules_of: Callable[[str], Rules],
        remember: Callable[[str, Rule], None],
        timeout: Callable[[], float],
        new_id: Callable[[], str] = lambda: f"ask{secrets.token_hex(3)}",
    ) -> None:
        self._emit = emit
        self._rules_of = rules_of
        self._remember = remember
        self._timeout = timeout
        # No task's id, which have no vowels, and not a question's of an earlier daemon, which a person may still see.
        self._new_id = new_id
        self._open: dict[tuple[str, PermissionRequest], Asked] = {}
        self._given: dict[str, set[tuple[str, str]]] = {}
        """What was allowed for a run or a task, by its id, as tool and subject."""

    def open(self) -> tuple[Asked, ...]:
        """The questions that wait for an answer, oldest first."""
        return tuple(self._open.values())

    async def ask(self, job: Job, request: PermissionRequest) -> Decision:
        """Judge a request of a run, waiting for a person where the rules say nothing."""
        known = self._known(job, request)
        if known is not None:
            return known
        key = (job.task.id, PermissionRequest(request.tool, request.subject, ""))
        asked = self._open.get(key)
        if asked is None:
            asked = self._open[key] = Asked(self._new_id(), job.task.id, job.task.repository, request)
        # A run may ask the same twice at once.
        future = asked.waiting.setdefault(job.run_id, asyncio.get_running_loop().create_future())
        job.advance(RunState.WAITING, reason=_reason(request))
        self._emit(PermissionRequested(asked.id, asked.task, asked.runs, request))
        seconds = self._timeout()
        answer: Answer | None = None
        why: str | None = None
        try:
            async with asyncio.timeout(seconds):
                answer, why = await asyncio.shield(future)
        except TimeoutError:
            why = f"Nobody answered within {seconds:.0f} seconds, so it is refused. Do it in another way, or finish."
            log.info("run %s: nobody answered %r in time", job.run_id, request.title)
        finally:
            asked.waiting.pop(job.run_id, None)
            if not asked.waiting and self._open.get(key) is asked:
                self._open.pop(key, None)
                self._emit(PermissionSettled(asked.id, asked.task, answer or "refuse"))
        others = [one for one in self._open.values() if job.run_id in one.waiting]
        if job.current().state is RunState.WAITING:
            state = RunState.WAITING if others else RunState.RUNNING
            job.advance(state, reason=_reason(others[0].request) if others else None)
        if answer in {None, "refuse"}:
            return Decision(False, why or REFUSED)
        return Decision(True)

    def reply(self, ask_id: str, answer: Answer, reason: str | None = None) -> Asked:
        """A person's answer. Raises UsageError where the question is not open any more."""
        asked = next((one for one in self._open.values() if one.id == ask_id), None)
        if asked is None:
            raise UsageError(
                f"There is no open question {printable(ask_id)!r}: it was answered, or nobody answered in time."
            )
        request = asked.request
        if answer == "always":
            self._remember(asked.repository, rule_for(request))
        given_to: Iterable[str] = {"run": asked.runs, "task": (asked.task,)}.get(answer, ())
        for one in given_to:
            self._given.setdefault(one, set()).add((request.tool, request.subject))
        for future in asked.waiting.values():
            if not future.done():
                future.set_result((answer, f"{REFUSED} They say: {reason}" if reason else None))
        return asked

    def forget(self, ids: Iterable[str]) -> None:
        """Runs or tasks that have been deleted."""
        for one in ids:
            self._given.pop(one, None)

    def _known(self, job: Job, request: PermissionRequest) -> Decision | None:
        """What needs no question."""
        verdict = self._rules_of(job.task.repository).judge(request)
        if verdict is Verdict.DENY:
            return Decision(False, f"A rule of the person's denies this: {printable(request.subject)}.")
        if verdict is not Verdict.ALLOW and request.tool == RUN and request.subject.strip() in job.task.checks:
            # The person has said already that this may run here.
            return Decision(True)
        wanted = (request.tool, request.subject)
        if (
            request.unasked
            or verdict is Verdict.ALLOW
            or any(wanted in self._given.get(one, ()) for one in (job.run_id, job.task.id))
        ):
            return Decision(True)
        return None


def _reason(request: PermissionRequest) -> str:
    return f"asks for leave: {printable(request.title)}"
