"""Test spending limits: usage counts towards each of them, a warning comes once, and runs end at the limit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from mux_lsp import config
from mux_lsp.core.model import Run, RunState, Task
from mux_lsp.core.spending import Spent, Unit, amount
from mux_lsp.engine.scheduling.budget import Budget
from mux_lsp.engine.state.registry import TaskRegistry
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.store.spending import day_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.engine.state.events import LimitReached
    from mux_lsp.store.journal import Journal
    from mux_lsp.store.spending import Spending

FILE = Path("/home/ada/config.toml")
NOON = 1_700_000_000.0


def task(task_id: str, runs: int = 1, **more: Any) -> Task:
    """Return a task whose runs are all running."""
    made = tuple(Run(f"{task_id}-{number}", task_id, "a", None, RunState.RUNNING) for number in range(1, runs + 1))
    return Task(task_id, "do it", more.pop("repository", "/shop"), "", NOON, runs=made, runs_created=runs, **more)


@dataclass
class Till:
    """A budget over a journal that only keeps entries in memory."""

    settings: dict[str, Any]
    tasks: tuple[Task, ...]
    told: list[LimitReached] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    journalled: list[Spending] = field(default_factory=list)
    now: float = NOON

    def __post_init__(self) -> None:
        journal = SimpleNamespace(tasks=lambda: self.tasks, save_run=self._save)
        self.book = TaskRegistry(cast("Journal", journal), lambda _: None)
        self.limits = Budget(self.book, self._tell, self._end, FILE, lambda: self.now)
        self.limits.configure(config.LimitsSection(**self.settings))
        self.book.spent = self.limits.spent

    def _save(self, run: Run, kind: str, data: object, spent: Spending | None = None) -> None:
        if spent is not None:
            self.journalled.append(spent)

    def _end(self, reasons: Mapping[str, str]) -> None:
        self.ended = {**reasons, **self.ended}

    def _tell(self, event: object) -> None:
        self.told.append(cast("LimitReached", event))

    def spend(self, run_id: str, usd: float = 0.0, tokens: int = 0) -> None:
        """Report the usage of one request, as an agent does."""
        run = self.book.run(run_id)
        self.book.advance(run_id, cost_usd=(run.cost_usd or 0) + usd, tokens=(run.tokens or 0) + tokens)

    @property
    def words(self) -> list[str]:
        return [event.message for event in self.told]


def test_a_warning_at_four_fifths_and_an_end_at_the_whole() -> None:
    till = Till({"run_usd": 5}, (task("k3f", 2),))
    till.spend("k3f-1", usd=3.9)
    assert till.told == []
    till.spend("k3f-1", usd=0.2)
    assert till.words == [f"The limit of $5.00 for k3f-1 is near: $4.10 is spent (run_usd under [limits] in {FILE})."]
    till.spend("k3f-1", usd=0.1)
    assert len(till.told) == 1, "once is enough"
    assert till.ended == {}
    till.spend("k3f-1", usd=1.0)
    assert till.words[1:] == [
        f"Stopped: the limit of $5.00 for k3f-1 is spent ($5.20; run_usd under [limits] in {FILE})."
    ]
    assert till.ended == {"k3f-1": "the limit of $5.00 for k3f-1 is spent ($5.20; run_usd under [limits])"}
    assert [event.stopped for event in till.told] == [False, True]
    till.spend("k3f-2", usd=1.0)
    assert set(till.ended) == {"k3f-1"}


@pytest.mark.parametrize(
    ("settings", "scope", "of", "ended"),
    [
        ({"run_tokens": 100}, "run", "k3f-1", {"k3f-1"}),
        ({"task_tokens": 100}, "task", "k3f", {"k3f-1", "k3f-2"}),
        ({"repository_tokens": 100}, "repository", "/shop", {"k3f-1", "k3f-2", "b2b-1"}),
        ({"day_tokens": 100}, "day", None, {"k3f-1", "k3f-2", "b2b-1", "c4c-1"}),
    ],
)
def test_each_limit_ends_what_it_is_for(settings: dict[str, int], scope: str, of: str | None, ended: set[str]) -> None:
    till = Till(settings, (task("k3f", 2), task("b2b"), task("c4c", repository="/elsewhere")))
    till.spend("k3f-1", tokens=120)
    assert [(event.scope, event.of, event.unit) for event in till.told] == [(scope, of, Unit.TOKENS)]
    assert set(till.ended) == ended


def test_a_clock_that_is_set_forward_and_back_gives_nobody_his_day_again() -> None:
    till = Till({"day_tokens": 100}, (task("k3f"),))
    till.spend("k3f-1", tokens=70)
    till.now += 2 * 24 * 3600
    till.spend("k3f-1", tokens=1)
    till.now -= 2 * 24 * 3600
    till.spend("k3f-1", tokens=10)
    assert till.limits.today().tokens == 80
    till.spend("k3f-1", tokens=20)
    assert set(till.ended) == {"k3f-1"}


def test_runs_whose_agents_have_ended_are_left_alone() -> None:
    states = (RunState.FINISHED, RunState.QUEUED, RunState.CHECKING, RunState.WAITING)
    runs = tuple(Run(f"k3f-{number}", "k3f", "a", None, state) for number, state in enumerate(states, 1))
    till = Till({"task_usd": 1}, (replace(task("k3f", 4), runs=runs),))
    till.spend("k3f-2", usd=2)
    assert set(till.ended) == {"k3f-2", "k3f-4"}
    till.ended.clear()
    till.limits.enforce()
    assert set(till.ended) == {"k3f-2", "k3f-4"}


def test_a_tasks_own_limit_takes_the_place_of_the_settings() -> None:
    till = Till({"task_usd": 1, "task_tokens": 10}, (task("k3f", max_cost_usd=4.0), task("b2b", max_tokens=7)))
    till.spend("k3f-1", usd=3)
    assert till.ended == {}
    till.spend("k3f-1", usd=1)
    assert till.ended == {"k3f-1": "the limit of $4.00 for k3f is spent ($4.00; its own limit)"}
    till.spend("b2b-1", tokens=8)
    assert till.ended["b2b-1"] == "the limit of 7 tokens for b2b is spent (8 tokens; its own limit)"


def family(**more: Any) -> tuple[Task, ...]:
    return task("p2p", 2, **more), task("c3c", 2, parent="p2p-1"), task("g4g", parent="c3c-2")


@pytest.mark.parametrize(
    ("settings", "ended"),
    [
        ({"run_usd": 1}, {"g4g-1", "c3c-2", "p2p-1", "c3c-1"}),
        ({"task_usd": 1}, {"g4g-1", "c3c-1", "c3c-2", "p2p-1", "p2p-2"}),
    ],
)
def test_what_an_agent_has_others_spend_is_its_own(settings: dict[str, int], ended: set[str]) -> None:
    till = Till(settings, family())
    till.spend("g4g-1", usd=0.6)
    till.spend("c3c-2", usd=0.3)
    assert till.ended == {}
    till.spend("p2p-1", usd=0.2)
    assert "p2p-1" in till.ended
    till.spend("g4g-1", usd=0.5)
    assert set(till.ended) == ended
    assert till.journalled[0].under == ("c3c-2", "p2p-1")


def test_a_new_day_begins_with_nothing() -> None:
    till = Till({"day_usd": 1}, (task("k3f"),))
    till.spend("k3f-1", usd=1.5)
    with pytest.raises(MuxError, match=r"the limit of .* a day is spent"):
        till.limits.check_start("/shop", 1, None)
    till.now += 24 * 3600
    till.limits.check_start("/shop", 1, None)
    assert till.limits.today() == Spent()
    till.spend("k3f-1", usd=0.25)
    assert till.limits.today("/shop") == Spent(0.25)


def test_what_an_earlier_daemon_counted_counts() -> None:
    first = Till({}, family())
    first.spend("g4g-1", usd=0.5, tokens=10)
    first.spend("p2p-2", usd=0.25)
    later = Till({"task_usd": 0.75, "run_usd": 0.75}, family())
    later.limits.load(replace(one, day=day_of(NOON)) for one in first.journalled)
    later.limits.enforce()
    assert set(later.ended) == {"p2p-1", "p2p-2", "c3c-1", "c3c-2", "g4g-1"}, "it has come to its limit long ago"
    assert later.told == [], "that was told"


def test_yesterdays_spending_is_not_todays() -> None:
    till = Till({"day_usd": 1, "run_usd": 2}, (task("k3f"),))
    till.spend("k3f-1", usd=1.5)
    later = Till({"day_usd": 1, "run_usd": 2}, (task("k3f"),), now=NOON + 24 * 3600)
    later.limits.load(replace(one, day=day_of(NOON)) for one in till.journalled)
    assert later.limits.today() == Spent()
    later.spend("k3f-1", usd=0.6)
    assert set(later.ended) == {"k3f-1"}, "the run's own limit knows no days"


def test_beyond_a_spent_limit_nothing_begins() -> None:
    till = Till({"repository_usd": 1, "run_usd": 0.5}, (task("k3f", 2),))
    till.spend("k3f-1", usd=1.25)
    with pytest.raises(MuxError) as refused:
        till.limits.check_start("/shop", 1, None)
    assert str(refused.value) == (
        "Nothing new begins: the limit of $1.00 a day in /shop is spent "
        f"($1.25; repository_usd under [limits] in {FILE})."
    )
    till.limits.check_start("/elsewhere", 1, None)
    with pytest.raises(MuxError, match="for k3f-1 is spent"):
        till.limits.check_continue(till.book.run("k3f-1"))
    with pytest.raises(MuxError, match="a day in /shop"):
        till.limits.check_retry(till.book.task("k3f"))


def test_depth_and_number_are_limited() -> None:
    till = Till({"depth": 1, "runs": 6}, (task("p2p", 2), task("c3c", 2, parent="p2p-1")))
    till.limits.check_start("/shop", 6, None)
    with pytest.raises(MuxError, match=r"A task may have 6 runs at the most, .* 7 \(runs under \[limits\]"):
        till.limits.check_start("/shop", 7, None)
    till.limits.check_start("/shop", 2, till.book.run("p2p-2"))
    with pytest.raises(MuxError, match="p2p, with all that its agents start, may have 6 runs at the most"):
        till.limits.check_start("/shop", 3, till.book.run("p2p-2"))
    with pytest.raises(MuxError, match=r"The agent of c3c-2 may start no task: .* 1 deep"):
        till.limits.check_start("/shop", 1, till.book.run("c3c-2"))
    till.book.advance("p2p-1", RunState.FINISHED)
    with pytest.raises(UsageError, match="p2p-1 has ended"):
        till.limits.check_start("/shop", 1, till.book.run("p2p-1"))


def test_retries_count_too() -> None:
    till = Till({"runs": 4}, (task("p2p", 2), task("c3c", 2, parent="p2p-1"), task("k3f", 3)))
    for one in ("p2p", "c3c"):
        with pytest.raises(MuxError, match="p2p has 4 runs"):
            till.limits.check_retry(till.book.task(one))
    till.limits.check_retry(till.book.task("k3f"))


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        (Unit.USD, 4.1, "$4.10"),
        (Unit.USD, 1234.5, "$1,234.50"),
        (Unit.USD, 0.0031, "$0.0031"),
        (Unit.USD, 0, "$0.00"),
        (Unit.TOKENS, 12500, "12,500 tokens"),
    ],
)
def test_amounts_in_words(unit: Unit, value: float, said: str) -> None:
    assert amount(unit, value) == said
