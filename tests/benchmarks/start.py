"""Measure from `mux.task.start` to the agent's first instruction, beside `git worktree add`."""

from __future__ import annotations

import itertools
import os
import select
import shlex
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.benchmarks import place, repository
from tests.benchmarks.client import TimingClient
from tests.benchmarks.figures import Goal, Line, median

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

LONGEST_SECONDS = 120.0
"""Maximum seconds to wait for an agent to begin."""


@dataclass(slots=True)
class _Samples:
    add_one: list[float] = field(default_factory=list)
    add_many: list[float] = field(default_factory=list)
    cold_one: list[float] = field(default_factory=list)
    cold_many: list[float] = field(default_factory=list)
    warm_one: list[float] = field(default_factory=list)
    warm_many: list[float] = field(default_factory=list)


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure cold (a new home, no shadow store) and warm (with free worktrees), for one run and for many."""
    with place.temporary(base) as here:
        person = here / "project"
        repository.make(person, repository.many_small_files(sizes.files))
        samples = _Samples()
        generations = itertools.count()
        with _Gate.made(here) as gate:
            for _ in range(sizes.rounds):
                _add_worktrees(person, here / "added", sizes.many, samples)
                with _client(person, base) as client:
                    samples.cold_one.append(gate.seconds_to_first_instruction(client, person, next(generations), 1))
                with _client(person, base) as client:
                    samples.cold_many.append(
                        gate.seconds_to_first_instruction(client, person, next(generations), sizes.many)
                    )
                    for _ in range(sizes.warm_singles):
                        samples.warm_one.append(gate.seconds_to_first_instruction(client, person, next(generations), 1))
                    samples.warm_many.append(
                        gate.seconds_to_first_instruction(client, person, next(generations), sizes.many)
                    )
    return _lines(samples, sizes)


def _lines(samples: _Samples, sizes: Sizes) -> list[Line]:
    one, many = "git worktree add --detach", f"git worktree add --detach, {sizes.many} times"
    add_one, add_many = median(samples.add_one), median(samples.add_many)
    note = f"{sizes.files:,} files"
    rows = [
        ("cold start of 1 run", samples.cold_one, one, add_one, Goal(1.2)),
        (f"cold start of {sizes.many} runs, the last", samples.cold_many, many, add_many, Goal(1.2)),
        ("warm start of 1 run", samples.warm_one, one, add_one, Goal(0.1)),
        (f"warm start of {sizes.many} runs, the last", samples.warm_many, many, add_many, None),
    ]
    return [
        Line("start", name, median(taken), baseline, figure, goal, note=note)
        for name, taken, baseline, figure, goal in rows
    ]


def _add_worktrees(person: Path, folder: Path, count: int, samples: _Samples) -> None:
    begun = time.perf_counter()
    for number in range(count):
        repository.git(person, "worktree", "add", "--quiet", "--detach", str(folder / str(number)))
        if number == 0:
            samples.add_one.append(time.perf_counter() - begun)
    samples.add_many.append(time.perf_counter() - begun)
    place.remove(*folder.iterdir())
    repository.git(person, "worktree", "prune")


@contextmanager
def _client(person: Path, base: Path) -> Iterator[TimingClient]:
    """Yield a client of a new daemon."""
    with place.home(base) as home:
        with TimingClient(home, person) as client:
            yield client
        home.stop()
        # Each remaining worktree is a copy of the person's files.
        place.remove(*home.state.glob("repos/*/worktrees/*"))


@dataclass(frozen=True, slots=True)
class _Gate:
    """Two named pipes: each agent writes into one as its first act, and reads from the other until it may end.

    All agents wait until the last has begun, as real agents would still be at work: the end of one must not slow down
    the start of another.
    """

    begun: Path
    hold: Path
    begun_descriptor: int
    hold_descriptor: int

    @classmethod
    @contextmanager
    def made(cls, folder: Path) -> Iterator[_Gate]:
        begun, hold = folder / "begun", folder / "hold"
        for pipe in (begun, hold):
            os.mkfifo(pipe)
        # With the pipes open for reading and writing, opening them never blocks.
        gate = cls(begun, hold, os.open(begun, os.O_RDWR), os.open(hold, os.O_RDWR))
        try:
            yield gate
        finally:
            os.close(gate.begun_descriptor)
            os.close(gate.hold_descriptor)

    def seconds_to_first_instruction(self, client: TimingClient, person: Path, generation: int, runs: int) -> float:
        """Return the seconds from sending `mux.task.start` until the last run has begun. All have ended on return."""
        repository.edit(person, generation)
        agent = f"sh:echo >{shlex.quote(str(self.begun))}; read _ <{shlex.quote(str(self.hold))}"
        task = {"prompt": "Begin.", "agents": [{"agent": agent, "count": runs}]}
        begun = time.perf_counter()
        client.ask("workspace/executeCommand", {"command": "mux.task.start", "arguments": [task]})
        for _ in range(runs):
            ready, _, _ = select.select([self.begun_descriptor], [], [], LONGEST_SECONDS)
            if not ready:
                raise RuntimeError(f"an agent had not begun after {LONGEST_SECONDS:g} s")
            os.read(self.begun_descriptor, 1)
        seconds = time.perf_counter() - begun
        os.write(self.hold_descriptor, b"\n" * runs)
        ended = client.until_given_back(runs)
        if failed := [run for run in ended if run["state"] != "finished"]:
            raise RuntimeError(f"a run did not finish: {failed[0]['reason']}")
        return seconds
