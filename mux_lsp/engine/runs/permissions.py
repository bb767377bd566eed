"""Decide agents' permission requests: by rules if they apply, otherwise by asking a person, once for all runs of a task
that ask the same.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from mux_lsp.agents.backend import Decision
from mux_lsp.core.model import RunState
from mux_lsp.core.permissions import RUN, PermissionRequest, Rule, Rules, Ruling, rule_for, rules
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.state.events import PermissionRequested, PermissionSettled
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mux_lsp.config import Configuration
    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.state.events import Event
    from mux_lsp.engine.state.registry import Advance, TaskRegistry
    from mux_lsp.store.journal import Journal

log = logging.getLogger(__name__)

Answer = Literal["once", "run", "task", "always", "refuse"]
"""A person's answer: allow once, for this run, for its task, or always in this repository; or refuse."""

REFUSED = "The person refused this. Do it in another way, or finish without it."


@dataclass(slots=True)
class PendingPermission:
    """A permission request that waits for a person. All runs of a task that ask the same wait for one answer."""

    id: str
    task: str
    repository: str
    request: PermissionRequest
    waiting: dict[str, asyncio.Future[tuple[Answer, str | None]]] = field(default_factory=dict)
    """Future of each waiting run by id; its result is the answer and the person's words."""

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of the runs that wait."""
        return tuple(self.waiting)


class Asker(Protocol):
    """A run whose agent asks for permission."""

    @property
    def run_id(self) -> str:
        """Id of the run."""

    @property
    def task(self) -> Task:
        """Task of the run."""

    @property
    def current(self) -> Callable[[], Run]:
        """Callable that returns the current state of the run."""

    @property
    def advance(self) -> Advance:
        """Callable that changes the run."""


class PermissionStore(Protocol):
    """Storage of the permissions that a person has given for longer than once."""

    def rules_of(self, repository: str) -> Rules:
        """Return the rules of the settings, with those allowed for the repository permanently."""
        ...

    def remember(self, repository: str, rule: Rule) -> None:
        """Allow a rule in a repository permanently."""
        ...

    def given(self, owner: str) -> Collection[Rule]:
        """Return the rules that were allowed for a run or a task, by its id."""
        ...

    def give(self, owner: str, rule: Rule) -> None:
        """Allow a rule for a run or a task."""
        ...


@dataclass(frozen=True, slots=True)
class JournalPermissionStore:
    """Permissions stored with runs and tasks, and in the journal, so that the next daemon knows them too."""

    configuration: Callable[[], Configuration]
    journal: Journal
    book: TaskRegistry

    def rules_of(self, repository: str) -> Rules:
        """See `PermissionStore.rules_of`."""
        permissions = self.configuration().permissions
        given = tuple(Rule(tool, subject) for tool, subject in self.journal.grants.allowed(repository))
        return rules(permissions.allow, permissions.deny).and_also(Rules(given))

    def remember(self, repository: str, rule: Rule) -> None:
        """See `PermissionStore.remember`."""
        assert rule.subject is not None, "what was asked for had a subject"  # noqa: S101
        self.journal.grants.allow(repository, rule.tool, rule.subject)

    def given(self, owner: str) -> Collection[Rule]:
        """See `PermissionStore.given`."""
        run = self.book.find_run(owner)
        return self.book.task(owner).allowed if run is None else run.allowed

    def give(self, owner: str, rule: Rule) -> None:
        """See `PermissionStore.give`."""
        allowed = (*self.given(owner), rule)
        if self.book.find_run(owner) is None:
            self.book.change_task(owner, "allowed", allowed=allowed)
        else:
            self.book.advance(owner, allowed=allowed)


class PermissionService:
    """The open permission requests."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        said: PermissionStore,
        timeout: Callable[[], float],
        new_id: Callable[[], str] = lambda: f"ask{secrets.token_hex(3)}",
    ) -> None:
        self._emit = emit
        self._said = said
        self._timeout = timeout
        # Differs from tasks' ids, which have no vowels, and from ids of an earlier daemon, which a person may still
        # see.
        self._new_id = new_id
        self._open: dict[tuple[str, PermissionRequest], PendingPermission] = {}

    def open(self) -> tuple[PendingPermission, ...]:
        """Return the requests that wait for an answer, oldest first."""
        return tuple(self._open.values())

    async def ask(self, asker: Asker, request: PermissionRequest) -> Decision:
        """Decide a request of a run. Waits for a person if the rules do not decide it."""
        known = self._known(asker, request)
        if known is not None:
            return known
        key = (asker.task.id, PermissionRequest(request.tool, request.subject, ""))
        asked = self._open.get(key)
        if asked is None:
            asked = self._open[key] = PendingPermission(self._new_id(), asker.task.id, asker.task.repository, request)
        # A run may send the same request twice at once.
        future = asked.waiting.setdefault(asker.run_id, asyncio.get_running_loop().create_future())
        asker.advance(RunState.WAITING, reason=_reason(request))
        self._emit(PermissionRequested(asked.id, asked.task, asked.runs, request))
        seconds = self._timeout()
        answer: Answer = "refuse"
        words: str | None = None
        why = REFUSED
        try:
            async with asyncio.timeout(seconds):
                answer, words = await asyncio.shield(future)
        except TimeoutError:
            why = f"Nobody answered within {seconds:g} seconds, so it is refused. Do it in another way, or finish."
            log.info("run %s: nobody answered %r in time", asker.run_id, request.title)
        finally:
            asked.waiting.pop(asker.run_id, None)
            if not asked.waiting and self._open.get(key) is asked:
                self._open.pop(key, None)
                self._emit(PermissionSettled(asked.id, asked.task, answer))
            elif not all(one.done() for one in asked.waiting.values()):
                self._emit(PermissionRequested(asked.id, asked.task, asked.runs, request))
        others = [one for one in self._open.values() if asker.run_id in one.waiting]
        if asker.current().state is RunState.WAITING:
            state = RunState.WAITING if others else RunState.RUNNING
            asker.advance(state, reason=_reason(others[0].request) if others else None)
        if answer == "refuse":
            return Decision(False, f"{why} They say: {words}" if words else why, words)
        return Decision(True)

    def reply(self, ask_id: str, answer: Answer, reason: str | None = None) -> PendingPermission:
        """Apply a person's answer. Raises UsageError if the request is not open any more."""
        asked = next((one for one in self._open.values() if one.id == ask_id), None)
        if asked is None:
            raise UsageError(
                f"There is no open question {printable(ask_id)!r}: it was answered, or nobody answered in time."
            )
        rule = rule_for(asked.request)
        if answer == "always":
            self._said.remember(asked.repository, rule)
        given_to: Iterable[str] = {"run": asked.runs, "task": (asked.task,)}.get(answer, ())
        for one in given_to:
            self._said.give(one, rule)
        for future in asked.waiting.values():
            if not future.done():
                future.set_result((answer, reason))
        return asked

    def refuse(self, run_id: str, words: str) -> bool:
        """Refuse what a run waits for, with words for its agent. Other runs with the same request keep waiting.

        Returns whether the run was still waiting.
        """
        futures = [asked.waiting[run_id] for asked in self._open.values() if run_id in asked.waiting]
        waiting = [future for future in futures if not future.done()]
        for future in waiting:
            future.set_result(("refuse", words))
        return bool(waiting)

    def _known(self, asker: Asker, request: PermissionRequest) -> Decision | None:
        """Return the decision if no person has to be asked, else None."""
        verdict = self._said.rules_of(asker.task.repository).rule_on(request)
        if verdict is Ruling.DENY:
            return Decision(False, f"A rule of the person's denies this: {printable(request.subject)}.")
        if verdict is not Ruling.ALLOW and request.tool == RUN and request.subject.strip() in asker.task.checks:
            # The person already approved this command as a check.
            return Decision(True)
        if request.unasked or verdict is Ruling.ALLOW:
            return Decision(True)
        wanted = rule_for(request)
        given = any(wanted in self._said.given(one) for one in (asker.run_id, asker.task.id))
        return Decision(True) if given else None


def _reason(request: PermissionRequest) -> str:
    return f"asks for leave: {printable(request.title)}"
