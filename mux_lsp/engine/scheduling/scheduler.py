"""Schedule runs: decide which may have an agent at work, and in which order the others wait.

It knows neither git nor agents. Tasks with a higher priority go first; among equal priorities, the task whose last turn
is longest ago, and before those a task that had no turn yet; within a task, the run with the lower number. A run whose
agent is at its limit is overtaken by those behind it.

A run that has started tasks of its own lends them its slot while any of their runs is at work. It only waits for them,
and if such runs held all slots, no run could continue.
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
"""Key under which every run is counted. No agent has this name."""


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run that wants a slot."""

    run: str
    task: str
    number: int
    """Its number within its task."""
    agents: frozenset[str] = frozenset()
    """The names under which its agent may be limited: its own and its kind."""
    under: tuple[str, ...] = ()
    """The runs whose agents started it, directly or indirectly, the nearest first."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """Priority of a task, and whether it is paused."""

    priority: int = 0
    paused: bool = False


class Scheduler:
    """Assignment of slots to runs. Use it on one event loop.

    `changed` is called whenever the order of the waiting runs has changed; it must not call back.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._most = 1
        self._most_of: Mapping[str, int] = {}
        self._waiting: dict[str, _Waiter] = {}
        self._holding: dict[str, QueuedRun] = {}
        self._urgencies: dict[str, Urgency] = {}
        self._turns: dict[str, int] = {}
        """Number of each task's last turn; the numbers increase."""
        self._turn = 0
        self._queue: dict[str, int] = {}

    def limit(self, most: int, most_of: Mapping[str, int]) -> None:
        """Set how many runs may be at work at once: in total, and by name or kind of agent.

        Runs at work keep their slots, even if there are more of them than the new limit.
        """
        self._most = most
        self._most_of = most_of
        self._give()

    def set_priority(self, task: str, urgency: Urgency) -> None:
        """Set how urgent a task is."""
        self._urgencies[task] = urgency
        self._give()

    def had_turns(self, tasks: Iterable[str]) -> None:
        """Record the last turns of tasks, given in the order of those turns."""
        for task in tasks:
            self._note_turn(task)

    def forget(self, task: str) -> None:
        """Forget a deleted task. None of its runs may wait or hold a slot."""
        self._urgencies.pop(task, None)
        self._turns.pop(task, None)

    def enqueue(self, entrants: Iterable[QueuedRun]) -> None:
        """Enqueue these runs. Some of them may hold a slot on return."""
        for one in entrants:
            self._waiting[one.run] = _Waiter(one)
        self._give()

    def occupy(self, entrant: QueuedRun) -> None:
        """Record that a run is at work already, regardless of the limits."""
        self._holding[entrant.run] = entrant
        self._note_turn(entrant.task)

    async def turn(self, run: str) -> None:
        """Wait until an enqueued run holds its slot."""
        if (waiter := self._waiting.get(run)) is not None:
            await waiter.given.wait()

    def release(self, run: str) -> None:
        """Remove a run, whether it holds a slot or waits. Has no effect on other runs."""
        if self._waiting.pop(run, None) is not None or self._holding.pop(run, None) is not None:
            self._give()

    def queue_place(self, run: str) -> int | None:
        """Return the position of a run in the queue, counted from 1; None if it does not wait or its task is paused."""
        return self._queue.get(run)

    @property
    def at_work(self) -> frozenset[str]:
        """The runs that hold a slot."""
        return frozenset(self._holding)

    @property
    def queue(self) -> tuple[str, ...]:
        """The waiting runs in the order in which they would get slots, without those of paused tasks."""
        return tuple(self._queue)

    def _give(self) -> None:
        """Assign the free slots."""
        taken = _taken(self._holding.values())
        for one in self._order():
            after = _taken([*self._holding.values(), one]) if one.under else taken + Counter(_names(one))
            # A run that its starter lends a slot may leave the count unchanged. That is allowed even above the limit.
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
        """Return the waiting runs in the order in which they would be served."""
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
    """Count the taken slots by name. Slots that are lent do not count."""
    holding = tuple(holding)
    lenders = {run for one in holding for run in one.under}
    return Counter(name for one in holding if one.run not in lenders for name in _names(one))
