"""Test permission requests: which runs wait, who is asked, and what an answer applies to."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from mux_lsp.core.model import Run, RunState
from mux_lsp.core.permissions import PermissionRequest, Rule, Rules, rules
from mux_lsp.engine.runs.permissions import PermissionService
from mux_lsp.engine.state.events import PermissionRequested, PermissionSettled
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.agents.backend import Decision
    from mux_lsp.engine.runs.permissions import Asker

INSTALL = PermissionRequest("run", "npm install", "Run `npm install`")
FETCH = PermissionRequest("fetch", "https://example.org", "Fetch https://example.org")


@dataclass
class Office:
    """A person's desk: the requests shown there and the events about them."""

    rules: Rules = field(default_factory=Rules)
    seconds: float = 60.0
    events: list[Any] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    gave: defaultdict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    asks: PermissionService = field(init=False)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        numbers = itertools.count(1)
        self.asks = PermissionService(self.hear, self, lambda: self.seconds, lambda: f"p{next(numbers)}")

    def hear(self, event: Any) -> None:
        self.events.append(event)
        self.changed.set()

    def rules_of(self, _: str) -> Rules:
        return self.rules

    def given(self, owner: str) -> list[Rule]:
        return self.gave[owner]

    def give(self, owner: str, rule: Rule) -> None:
        self.gave[owner].append(rule)

    def remember(self, repository: str, rule: Rule) -> None:
        assert repository == "/repo"
        self.rules = self.rules.and_also(Rules((rule,)))

    def ask(self, run_id: str, request: PermissionRequest = INSTALL) -> asyncio.Task[Decision]:
        run = self.runs.setdefault(run_id, Run(run_id, "k3f", "agent", None, RunState.RUNNING))

        def advance(state: RunState | None = None, *, reason: str | None = None) -> Run:
            self.runs[run_id] = replace(self.runs[run_id], state=state or run.state, reason=reason)
            return self.runs[run_id]

        job = SimpleNamespace(
            run_id=run_id,
            task=SimpleNamespace(id="k3f", repository="/repo", checks=("make test",)),
            advance=advance,
            current=lambda: self.runs[run_id],
        )
        return asyncio.create_task(self.asks.ask(cast("Asker", job), request))

    async def asked(self, count: int) -> None:
        """Wait until this many requests have been shown."""
        while sum(isinstance(event, PermissionRequested) for event in self.events) < count:
            self.changed.clear()
            await self.changed.wait()


async def test_a_run_waits_for_the_answer_and_goes_on() -> None:
    office = Office()
    deciding = office.ask("k3f-1")
    await office.asked(1)
    waiting = office.runs["k3f-1"]
    assert (waiting.state, waiting.reason) == (RunState.WAITING, "asks for leave: Run `npm install`")
    assert [(one.id, one.runs, one.request) for one in office.asks.open()] == [("p1", ("k3f-1",), INSTALL)]
    office.asks.reply("p1", "once")
    assert (await deciding).allowed
    assert office.runs["k3f-1"].state is RunState.RUNNING
    assert office.asks.open() == ()
    assert office.events[-1] == PermissionSettled("p1", "k3f", "once")


async def test_all_who_ask_the_same_have_one_answer() -> None:
    office = Office()
    deciding = [office.ask("k3f-1"), office.ask("k3f-2"), office.ask("k3f-3", FETCH)]
    await office.asked(3)
    assert [one.runs for one in office.asks.open()] == [("k3f-1", "k3f-2"), ("k3f-3",)]
    office.asks.reply("p1", "refuse", "use yarn")
    office.asks.reply("p2", "once")
    first, second, third = await asyncio.gather(*deciding)
    assert not first.allowed
    assert first == second
    assert first.reason is not None
    assert first.reason.endswith("They say: use yarn")
    assert third.allowed


@pytest.mark.parametrize(
    ("answer", "same_run", "same_task", "later"),
    [
        ("once", False, False, False),
        ("run", True, False, False),
        ("task", True, True, False),
        ("always", True, True, True),
    ],
)
async def test_what_an_answer_is_good_for(answer: Any, same_run: bool, same_task: bool, later: bool) -> None:
    office = Office()
    deciding = office.ask("k3f-1")
    await office.asked(1)
    office.asks.reply("p1", answer)
    await deciding
    told = len(office.events)
    for run_id, unasked in (("k3f-1", same_run), ("k3f-2", same_task)):
        again = office.ask(run_id)
        if unasked:
            assert (await again).allowed
            assert len(office.events) == told
        else:
            await office.asked(sum(isinstance(event, PermissionRequested) for event in office.events[:told]) + 1)
            office.asks.reply(office.asks.open()[0].id, "refuse")
            assert not (await again).allowed
            told = len(office.events)
    assert (office.rules == Rules((Rule("run", "npm install"),))) is later


async def test_rules_answer_unasked_and_no_goes_first() -> None:
    office = Office(rules(["run:npm", "fetch"], ["run:npm install"]))
    refused = await office.ask("k3f-1")
    assert not refused.allowed
    assert refused.reason == "A rule of the person's denies this: npm install."
    assert (await office.ask("k3f-1", FETCH)).allowed
    assert office.events == []


async def test_the_tasks_own_checks_may_run() -> None:
    office = Office()
    assert (await office.ask("k3f-1", PermissionRequest("run", "make test", ""))).allowed
    denied = Office(rules([], ["run:make"]))
    assert not (await denied.ask("k3f-1", PermissionRequest("run", "make test", ""))).allowed


async def test_what_is_said_to_one_is_no_answer_for_the_others() -> None:
    office = Office()
    deciding = [office.ask("k3f-1"), office.ask("k3f-1", FETCH), office.ask("k3f-2")]
    await office.asked(3)
    assert office.asks.refuse("k3f-1", "Use yarn.")
    assert not office.asks.refuse("k3f-1", "Use pnpm."), "it has its answer"
    for refused in (await deciding[0], await deciding[1]):
        assert not refused.allowed
        assert refused.words == "Use yarn."
        assert refused.reason is not None
        assert refused.reason.endswith("They say: Use yarn.")
    assert office.runs["k3f-1"].state is RunState.RUNNING
    assert office.runs["k3f-2"].state is RunState.WAITING
    assert [one.runs for one in office.asks.open()] == [("k3f-2",)]
    # Clients notified that both wait are notified that one is left.
    assert PermissionRequested("p1", "k3f", ("k3f-2",), INSTALL) in office.events
    office.asks.reply("p1", "once")
    assert (await deciding[2]).allowed
    assert office.asks.open() == ()


async def test_nobody_there_is_a_no() -> None:
    office = Office(seconds=0.01)
    decision = await office.ask("k3f-1")
    assert not decision.allowed
    assert decision.reason is not None
    assert decision.reason.startswith("Nobody answered within")
    assert office.runs["k3f-1"].state is RunState.RUNNING
    with pytest.raises(UsageError, match="no open question 'p1'"):
        office.asks.reply("p1", "once")


async def test_a_cancelled_run_asks_no_more() -> None:
    office = Office()
    deciding = office.ask("k3f-1")
    await office.asked(1)
    deciding.cancel()
    await asyncio.wait({deciding})
    assert office.asks.open() == ()
    assert office.events[-1] == PermissionSettled("p1", "k3f", "refuse")
