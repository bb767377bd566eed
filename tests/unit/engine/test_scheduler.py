"""Test whose turn it is: by priority, fair between tasks, within the limits, through pauses and cancellations."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.engine.scheduling.scheduler import QueuedRun, Scheduler, Urgency


@dataclass
class Yard:
    """A scheduler, and the runs that it has let start."""

    most: int = 1
    most_of: dict[str, int] = field(default_factory=dict)
    told: list[tuple[str, ...]] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)
    scheduler: Scheduler = field(init=False)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(lambda: self.told.append(self.scheduler.queue))
        self.scheduler.limit(self.most, self.most_of)

    def enter(self, *runs: str, agents: str = "", under: str = "") -> None:
        self.entered |= set(runs)
        self.scheduler.enqueue([entrant(run, agents, under) for run in runs])

    def leave(self, *runs: str) -> None:
        for run in runs:
            self.entered.discard(run)
            self.scheduler.release(run)

    @property
    def queue(self) -> list[str]:
        return list(self.scheduler.queue)

    @property
    def at_work(self) -> frozenset[str]:
        return self.scheduler.at_work

    def served(self) -> list[str]:
        """Return the order in which runs are served from now on, each ending at once."""
        order: deque[str] = deque()
        while at_work := sorted(self.at_work, key=number):
            order += at_work
            self.leave(*at_work)
        return list(order)


def entrant(run: str, agents: str = "", under: str = "") -> QueuedRun:
    task, _, position = run.partition("-")
    return QueuedRun(run, task, int(position), frozenset(agents.split()), tuple(under.split()))


def number(run: str) -> int:
    return int(run.partition("-")[2])


def runs(task: str, count: int) -> list[str]:
    return [f"{task}-{position}" for position in range(1, count + 1)]


def test_so_many_at_once_and_the_others_in_their_order() -> None:
    yard = Yard(most=2)
    yard.enter(*runs("a", 5))
    assert yard.at_work == {"a-1", "a-2"}
    assert yard.queue == ["a-3", "a-4", "a-5"]
    assert [yard.scheduler.queue_place(run) for run in runs("a", 5)] == [None, None, 1, 2, 3]
    yard.leave("a-1")
    assert yard.at_work == {"a-2", "a-3"}
    assert yard.queue == ["a-4", "a-5"]


def test_tasks_take_turns_whoever_came_first() -> None:
    yard = Yard()
    yard.enter(*runs("a", 4))
    yard.enter(*runs("b", 2))
    yard.enter(*runs("c", 3))
    # `a` had its first turn when it was alone.
    assert yard.queue == ["b-1", "c-1", "a-2", "b-2", "c-2", "a-3", "c-3", "a-4"]
    assert yard.served() == ["a-1", "b-1", "c-1", "a-2", "b-2", "c-2", "a-3", "c-3", "a-4"]


def test_a_higher_priority_goes_first_and_can_be_changed() -> None:
    yard = Yard()
    for task, priority in (("a", 0), ("b", 5), ("c", -1)):
        yard.scheduler.set_priority(task, Urgency(priority))
    yard.enter(*runs("c", 2), *runs("a", 2), *runs("b", 2))
    assert yard.at_work == {"b-1"}
    assert yard.queue == ["b-2", "a-1", "a-2", "c-1", "c-2"]
    yard.scheduler.set_priority("c", Urgency(9))
    assert yard.queue == ["c-1", "c-2", "b-2", "a-1", "a-2"]
    assert yard.at_work == {"b-1"}, "nobody is sent away"


def test_a_pause_holds_those_that_wait_and_nobody_else() -> None:
    yard = Yard(most=2)
    yard.enter(*runs("a", 4), *runs("b", 2))
    assert yard.at_work == {"a-1", "b-1"}
    yard.scheduler.set_priority("a", Urgency(paused=True))
    assert yard.queue == ["b-2"]
    assert yard.scheduler.queue_place("a-2") is None
    yard.leave("b-1", "a-1")
    assert yard.at_work == {"b-2"}
    yard.leave("b-2")
    assert yard.at_work == set()
    yard.scheduler.set_priority("a", Urgency(paused=False))
    assert yard.at_work == {"a-2", "a-3"}


def test_an_agent_at_its_limit_is_passed_over() -> None:
    yard = Yard(most=4, most_of={"claude": 1, "command": 2})
    yard.enter("a-1", "a-2", "a-3", agents="claude")
    yard.enter("b-1", "b-2", "b-3", agents="fix command")
    yard.enter("c-1", agents="codex")
    assert yard.at_work == {"a-1", "b-1", "b-2", "c-1"}
    yard.leave("c-1")
    assert yard.at_work == {"a-1", "b-1", "b-2"}
    assert yard.queue == ["a-2", "b-3", "a-3"]
    yard.leave("a-1")
    assert yard.at_work == {"a-2", "b-1", "b-2"}


def test_a_changed_limit_takes_effect_at_once_and_sends_nobody_away() -> None:
    yard = Yard(most=2)
    yard.enter(*runs("a", 6))
    yard.scheduler.limit(4, {})
    assert yard.at_work == {"a-1", "a-2", "a-3", "a-4"}
    yard.scheduler.limit(1, {})
    yard.leave("a-1", "a-2", "a-3")
    assert yard.at_work == {"a-4"}
    yard.leave("a-4")
    assert yard.at_work == {"a-5"}


def test_those_taken_up_count_and_do_not_wait() -> None:
    yard = Yard(most=2)
    for run in runs("a", 3):
        yard.scheduler.occupy(entrant(run))
    yard.enter("b-1")
    assert yard.at_work == {"a-1", "a-2", "a-3"}
    yard.leave("a-1", "a-2")
    assert yard.at_work == {"a-3", "b-1"}


def test_turns_of_an_earlier_daemon_are_remembered() -> None:
    yard = Yard()
    for run in ("b-1", "c-1"):
        yard.scheduler.occupy(entrant(run))
    yard.scheduler.had_turns(["c", "a", "b"])
    yard.enter("a-2", "b-2", "c-2", "d-1")
    assert yard.queue == ["d-1", "c-2", "a-2", "b-2"]


def test_whoever_leaves_while_waiting_is_forgotten() -> None:
    yard = Yard()
    yard.enter(*runs("a", 4))
    yard.leave("a-3")
    yard.leave("a-3")
    assert yard.queue == ["a-2", "a-4"]
    assert yard.served() == ["a-1", "a-2", "a-4"]


async def test_waiting_ends_with_the_turn() -> None:
    yard = Yard()
    yard.enter("a-1", "a-2")
    waiting = asyncio.ensure_future(yard.scheduler.turn("a-2"))
    yard.leave("a-1")
    await asyncio.wait_for(waiting, 10)


def test_a_run_lends_its_place_to_those_that_it_waits_for() -> None:
    yard = Yard()
    yard.enter("p-1", "q-1")
    yard.enter("c-1", "c-2", under="p-1")
    assert yard.at_work == {"p-1", "c-1"}, "nobody would ever go on"
    yard.enter("g-1", under="c-1 p-1")
    assert yard.at_work == {"p-1", "c-1", "g-1"}
    yard.leave("g-1")
    assert yard.at_work == {"p-1", "c-1"}
    yard.leave("c-1")
    assert yard.at_work == {"p-1", "c-2"}
    yard.leave("c-2")
    assert yard.at_work == {"p-1"}, "its place is its own again"
    yard.leave("p-1")
    assert yard.at_work == {"q-1"}


def test_a_place_is_lent_for_the_agent_that_it_was_given_for() -> None:
    yard = Yard(most=9, most_of={"claude": 1, "codex": 1})
    yard.enter("p-1", agents="claude")
    yard.enter("q-1", agents="codex")
    yard.enter("c-1", agents="claude", under="p-1")
    yard.enter("d-1", agents="codex", under="p-1")
    assert yard.at_work == {"p-1", "q-1", "c-1"}


def test_the_order_is_told_when_it_changes_and_not_else() -> None:
    yard = Yard()
    yard.enter("a-1")
    assert yard.told == []
    yard.enter("a-2", "b-1")
    yard.scheduler.limit(1, {"claude": 3})
    yard.scheduler.set_priority("b", Urgency(0))
    yard.leave("a-1")
    yard.leave("b-1", "a-2")
    assert yard.told == [("b-1", "a-2"), ("a-2",), ()]


def test_a_task_that_is_gone_is_as_one_that_never_was() -> None:
    yard = Yard()
    yard.scheduler.set_priority("a", Urgency(5))
    yard.enter("a-1")
    yard.leave("a-1")
    yard.scheduler.forget("a")
    yard.enter("z-1", "b-1", "a-1")
    assert yard.queue == ["b-1", "a-1"]


TASKS = st.lists(st.integers(1, 8), min_size=1, max_size=6).map(
    lambda counts: dict(zip("abcdef", counts, strict=False))
)


@given(TASKS, st.integers(1, 9))
def test_between_two_that_wait_no_task_is_served_twice_more(tasks: dict[str, int], most: int) -> None:
    yard = Yard(most=most)
    for task, count in tasks.items():
        yard.enter(*runs(task, count))
    # Each run at work now started when its task was alone, or had its turn in the ring.
    left = {task: [run for run in yard.queue if run.startswith(task)] for task in tasks}
    given: Counter[str] = Counter()
    order = list(yard.queue)
    for position, run in enumerate(order):
        given[run[0]] += 1
        waits = {task for task in tasks if set(left[task]) & set(order[position + 1 :])}
        assert max(given.values()) - min([given[task] for task in waits], default=max(given.values())) <= 1


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("enter"), st.sampled_from("abc"), st.sampled_from(["", "claude", "fix command"])),
            st.tuples(st.just("leave"), st.integers(0, 30), st.none()),
            st.tuples(st.just("limit"), st.integers(1, 4), st.integers(0, 3)),
            st.tuples(st.just("pause"), st.sampled_from("abc"), st.booleans()),
            st.tuples(st.just("priority"), st.sampled_from("abc"), st.integers(-1, 1)),
        ),
        max_size=40,
    )
)
def test_whatever_happens_no_limit_is_passed_and_no_place_stays_empty(steps: list[tuple[str, object, object]]) -> None:
    yard = Yard(most=2, most_of={"claude": 1, "command": 1})
    agents: dict[str, str] = {}
    urgencies: dict[str, Urgency] = {}
    for step, one, two in steps:
        before = yard.at_work
        most, most_of = yard.most, dict(yard.most_of)
        match step:
            case "enter":
                run = f"{one}-{len(agents) + 1}"
                agents[run] = str(two)
                yard.enter(run, agents=agents[run])
            case "leave" if yard.entered:
                yard.leave(sorted(yard.entered)[int(str(one)) % len(yard.entered)])
            case "limit":
                yard.most, yard.most_of = int(str(one)), {"claude": int(str(two)), "command": 1}
                yard.scheduler.limit(yard.most, yard.most_of)
            case "pause" | "priority":
                old = urgencies.get(str(one), Urgency())
                new = Urgency(old.priority, bool(two)) if step == "pause" else Urgency(int(str(two)), old.paused)
                urgencies[str(one)] = new
                yard.scheduler.set_priority(str(one), new)
        at_work = yard.at_work
        begun = at_work - before
        assert before - at_work <= set(agents) - yard.entered, "nobody loses a place"
        names = Counter(name for run in at_work for name in agents[run].split())
        if begun:
            assert len(at_work) <= yard.most
            for run in begun:
                assert all(names[name] <= yard.most_of.get(name, 99) for name in agents[run].split())
                assert not urgencies.get(run[0], Urgency()).paused
        free = [
            run
            for run in yard.entered - at_work
            if not urgencies.get(run[0], Urgency()).paused
            and all(names[name] < yard.most_of.get(name, 99) for name in agents[run].split())
        ]
        assert not free or len(at_work) >= yard.most
        assert set(yard.queue) == {run for run in yard.entered - at_work if not urgencies.get(run[0], Urgency()).paused}
        assert (most, most_of) == (yard.most, yard.most_of) or step == "limit"


@pytest.mark.parametrize("most", [1, 7, 50])
def test_two_hundred_runs_of_ten_tasks(most: int) -> None:
    yard = Yard(most=most)
    everyone = [run for task in "abcdefghij" for run in runs(task, 20)]
    yard.enter(*everyone)
    assert len(yard.at_work) == most
    served = yard.served()
    assert sorted(served) == sorted(everyone)
    half = Counter(run[0] for run in served[:100])
    assert set(half.values()) <= {9, 10, 11}, "after half of the time every task is half done"
    assert len(yard.told) <= len(everyone) + 1
