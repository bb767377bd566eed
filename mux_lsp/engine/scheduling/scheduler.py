"""Whose turn it is: which runs may have an agent at work, and in which order the others wait.

Knows neither git nor agents. Runs of tasks with a higher priority go first; among those of one priority the task goes
first whose last turn is longest ago, one that had none before all; within a task the lower number. A run whose agent is
at its limit is passed over by those behind it.

A run that has started tasks of its own lends them its place while any of their runs is at work: it only waits for them,
and with all places taken by such there would be nobody left to go on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ALL: Final = ""
"""The name under which every run counts. No agent has it."""


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run that wants a place."""

    run: str
    task: str
    number: int
    """Its place among the runs of its task."""
    agents: frozenset[str] = frozenset()
    """What its agent goes by: its name and its kind. Each may have a limit."""
    under: tuple[str, ...] = ()
    """The runs whose agents brought it about, the nearest first."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """How urgent a task is to its person."""

    priority: int = 0
    paused: bool = False


class Scheduler:
    """Gives out the places. Lives on one event loop.

    `changed` is called whenever the order of those that wait has become another one; it must not call back.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._most = 1
        self._most_of: Mapping[str, int] = {}
        self._waiting: dict[str, _Waiter] = {}
        self._holding: dict[str, QueuedRun] = {}
        self._urgencies: dict[str, Urgency] = {}
        self._turns: dict[str, int] = {}
        """By task, when it had its last turn: a number that grows."""
        self._turn = 0
        self._queue: dict[str, int] = {}

    def limit(self, most: int, most_of: Mapping[str, int]) -> None:
        """How many may be at work at once: all together, and of each agent by its name or kind.

        Those at work stay, also where they are more than that now.
        """
        self._most = most
        self._most_of = most_of
        self._give()

    def set_priority(self, task: str, urgency: Urgency) -> None:
        """How urgent a task is from now on."""
        self._urgencies[task] = urgency
        self._give()

    def had_turns(self, tasks: Iterable[str]) -> None:
        """Remember tasks in the order in which they had their last turns."""
        for task in tasks:
            self._note_turn(task)

    def forget(self, task: str) -> None:
        """The task is no more. None of its runs may wait or hold a place."""
        self._urgencies.pop(task, None)
        self._turns.pop(task, None)

    def enqueue(self, entrants: Iterable[QueuedRun]) -> None:
        """Have these wait from now on; some may have a place at the return."""
        for one in entrants:
            self._waiting[one.run] = _Waiter(one)
        self._give()

    def occupy(self, entrant: QueuedRun) -> None:
        """This one is at work already, whatever the limits say."""
        self._holding[entrant.run] = entrant
        self._note_turn(entrant.task)

    async def turn(self, run: str) -> None:
        """Wait until a run that has entered has its place."""
        if (waiter := self._waiting.get(run)) is not None:
            await waiter.given.wait()

    def release(self, run: str) -> None:
        """A run wants no place any more, whether it had one or waited. Nothing for one that has left."""
        if self._waiting.pop(run, None) is not None or self._holding.pop(run, None) is not None:
            self._give()

    def queue_place(self, run: str) -> int | None:
        """Where a run stands in the queue, counted from 1; None for one that does not wait or whose task is paused."""
        return self._queue.get(run)

    @property
    def at_work(self) -> frozenset[str]:
        """Those that have a place."""
        return frozenset(self._holding)

    @property
    def queue(self) -> tuple[str, ...]:
        """Those that wait, in the order in which they would get places, without those of paused tasks."""
        return tuple(self._queue)

    def _give(self) -> None:
        """Give out the places that are free."""
        taken = _taken(self._holding.values())
        for one in self._order():
            after = _taken([*self._holding.values(), one]) if one.under else taken + Counter(_names(one))
            # With the place that it is lent it takes no more than was taken.
            if all(after[name] <= max(self._most_for(name), taken[name]) for name in _names(one)):
                taken = after
                self._holding[one.run] = one
                self._note_turn(one.task)
                self._waiting.pop(one.run).given.set()
        queue = {one.run: number for number, one in enumerate(self._order(), 1)}
        if list(queue) != list(self._queue):
            self._queue = queue
            self._changed()

    def _order(self) -> list[QueuedRun]:
        """Those that wait, as they would be served one after the other."""
        arrived: dict[str, int] = {}
        for number, waiter in enumerate(self._waiting.values()):
            arrived.setdefault(waiter.entrant.task, number)
        rounds: Counter[str] = Counter()
        keys: dict[QueuedRun, tuple[int, ...]] = {}
        for one in sorted((waiter.entrant for waiter in self._waiting.values()), key=lambda one: one.number):
            urgency = self._urgencies.get(one.task, Urgency())
            if not urgency.paused:
                keys[one] = (-urgency.priority, rounds[one.task], self._turns.get(one.task, 0), arrived[one.task])
                rounds[one.task] += 1
        return sorted(keys, key=keys.__getitem__)

    def _most_for(self, name: str) -> float:
        return self._most if name == ALL else self._most_of.get(name, inf)

    def _note_turn(self, task: str) -> None:
        self._turn += 1
        self._turns[task] = self._turn


@dataclass(frozen=True, slots=True)
class _Waiter:
    entrant: QueuedRun
    given: asyncio.Event = field(default_factory=asyncio.Event)


def _names(one: QueuedRun) -> tuple[str, ...]:
    return ALL, *one.agents


def _taken(holding: Iterable[QueuedRun]) -> Counter[str]:
    """How many places of each name are taken, by those that have not lent theirs."""
    holding = tuple(holding)
    lenders = {run for one in holding for run in one.under}
    return Counter(name for one in holding if one.run not in lenders for name in _names(one))
