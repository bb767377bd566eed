"""Test the ranks of runs while runs are added, removed and changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp.core.grading import Opinion, Weights
from mux_lsp.core.model import AgentChoice, RunState
from mux_lsp.core.ranking import Ranked, rank
from mux_lsp.engine.ranking import service
from mux_lsp.engine.ranking.service import Rankings
from mux_lsp.engine.state.events import Event, ReviewChanged, RunChanged, TaskChanged
from mux_lsp.engine.tasks.request import StartRequest
from tests.integration.engine.conftest import Workshop, ended

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import pytest

    from mux_lsp.core.grading import Candidate
    from mux_lsp.core.model import Check, FileChange, Hunk, Task
    from mux_lsp.engine.engine import Engine

SMALL = "sh:sed -i s/two/TWO/ f.txt"
LARGE = "sh:sed -i s/^/x/ f.txt"


async def finished(workshop: Workshop, engine: Engine, *agents: str, checks: tuple[str, ...] = ()) -> Task:
    task = await workshop.start(engine, *agents, checks=checks)
    for run in task.runs:
        await ended(engine, run.id)
    return await engine.tasks.ranked(task.id)


def ranks(engine: Engine, task: Task) -> list[int | None]:
    return [engine.tasks.summary(run).rank for run in engine.registry.task(task.id).runs]


async def told(engine: Engine, expected: list[int | None], task: Task) -> None:
    """Wait until an event announces a task with these ranks."""
    reached = asyncio.Event()

    def listen(event: Event) -> None:
        if isinstance(event, TaskChanged) and ranks(engine, task) == expected:
            reached.set()

    stop = engine.subscribe(listen)
    if ranks(engine, task) != expected:
        await reached.wait()
    stop()


async def test_runs_are_ranked_when_they_have_ended(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, LARGE, SMALL, SMALL, "sh:exit 1")
        assert ranks(engine, task) == [3, 1, 1, 4]
        first = engine.tasks.summary(task.runs[1])
        assert first.tied == (f"{task.id}-3",)
        assert f"Has the same result as {task.id}-3." in first.reasons
        assert f"As good as {task.id}-3." in first.reasons
        assert engine.tasks.summary(task.runs[3]).reasons[-1] == "Changed nothing."
        assert [one.run for one in engine.rankings.ranking(task.id)] == [
            f"{task.id}-{number}" for number in (2, 3, 1, 4)
        ]


async def test_files_outside_the_place_asked_about_and_those_of_nobody_else_are_told(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        agents = [AgentChoice(one) for one in (SMALL, LARGE, f"{SMALL}; mkdir d; echo x > d/g.txt")]
        place = ((workshop.root / "f.txt", 0, 1),)
        task = await engine.tasks.start(StartRequest(workshop.root, "do it", tuple(agents), (), place))
        for run in task.runs:
            await ended(engine, run.id)
        await engine.tasks.ranked(task.id)
        assert ranks(engine, task) == [1, 3, 2]
        reasons = engine.tasks.summary(engine.registry.run(f"{task.id}-3")).reasons
        assert "Changes 1 file outside the place asked about: d/g.txt." in reasons
        assert "Changes 1 file that no other attempt changes: d/g.txt." in reasons


async def test_clients_are_told_of_ranks_nobody_asked_for(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, LARGE, SMALL)
        await told(engine, [2, 1], task)


async def test_runs_that_have_not_ended_have_no_rank(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, SMALL, "sh:sleep 1000")
        await told(engine, [1, None], task)
        await engine.runs.cancel(f"{task.id}-2")
        await told(engine, [1, 2], task)


async def test_ranks_are_found_again_by_the_next_daemon(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, LARGE, SMALL)
    async with workshop.engine() as engine:
        assert ranks(engine, task) == [None, None]
        await engine.tasks.ranked(task.id)
        assert ranks(engine, task) == [2, 1]


async def test_the_best_run_of_a_file_comes_first_also_after_a_restart(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, LARGE, SMALL)
    async with workshop.engine() as engine:
        file = workshop.root / "f.txt"
        changed = asyncio.Event()
        stop = engine.subscribe(lambda event: changed.set() if isinstance(event, ReviewChanged) else None)
        assert [run.id for run, _ in engine.review.runs_at(file)] == [f"{task.id}-1", f"{task.id}-2"]
        # Whoever shows them is told to look again.
        await changed.wait()
        stop()
        assert [run.id for run, _ in engine.review.runs_at(file)] == [f"{task.id}-2", f"{task.id}-1"]


async def test_a_deleted_run_leaves_its_rank_to_others(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, LARGE, SMALL)
        await engine.tasks.delete(f"{task.id}-2")
        await told(engine, [1], task)
        assert engine.tasks.summary(engine.registry.run(f"{task.id}-1")).reasons == ("No check has judged it.",)
        await engine.tasks.delete(task.id)
        assert engine.rankings.ranking(task.id) == ()


async def test_new_settings_count_when_somebody_asks_next(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, LARGE, SMALL)
        assert ranks(engine, task) == [2, 1]
        workshop.config.write_text("[ranking]\nsize = 0\n")
        await engine.tasks.ranked(task.id)
        assert ranks(engine, task) == [1, 1]
        # With invalid settings the last valid ones stay in effect.
        workshop.config.write_text("[ranking]\nsize = -1\n")
        await engine.tasks.ranked(task.id)
        assert ranks(engine, task) == [1, 1]


async def test_the_snapshots_own_failures_are_nobodys_fault(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, SMALL, LARGE, checks=("grep -q xtwo f.txt", "false"))
        await told(engine, [2, 1], task)
        await engine.tasks.ranked(task.id)
        reasons = engine.tasks.summary(engine.registry.run(f"{task.id}-2")).reasons
        assert reasons[:2] == ("Passes 1 of 2 checks.", "Fails `false`, as the snapshot does.")


# Without an engine: how often values are derived


class Desk:
    """Rankings of one task that the test changes."""

    def __init__(self, task: Task, engine: Engine) -> None:
        self.task: Task | None = task
        self.weights = Weights()
        self.told: list[Event] = []
        self.work: list[asyncio.Task[None]] = []
        self.rankings = Rankings(lambda _: self.task, engine.review.hunks, lambda: self.weights, self.tell, self.own)

    def own(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self.work.append(asyncio.create_task(work))
        return self.work[-1]

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self.rankings.on_event(event)

    async def done(self) -> None:
        await asyncio.gather(*self.work)
        self.work.clear()


async def test_what_is_the_same_is_told_once_and_derived_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAUSE_SECONDS", 0)
    derived = 0

    def counted(attempts: list[Candidate], weights: Weights, baseline: tuple[Check, ...]) -> tuple[Ranked, ...]:
        nonlocal derived
        derived += 1
        return rank(attempts, weights, baseline)

    monkeypatch.setattr(service, "rank", counted)
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, LARGE, SMALL)
        desk = Desk(task, engine)
        derived = 0
        for _ in range(20):
            desk.rankings.on_event(RunChanged(task.runs[0], RunState.RUNNING))
        await desk.done()
        assert derived == 1
        assert [type(event) for event in desk.told] == [TaskChanged, ReviewChanged]
        await desk.rankings.settled(task.id)
        assert derived == 1
        desk.rankings.on_event(RunChanged(task.runs[0], RunState.FINISHED))
        await desk.done()
        assert (derived, len(desk.told)) == (2, 2)
        # An agent's changes while it works do not change ranks.
        running = task.runs[0].__class__("k3f-1", task.id, "a", None, RunState.RUNNING)
        desk.rankings.on_event(RunChanged(running, RunState.RUNNING))
        assert desk.work == []
        desk.task = None
        desk.rankings.on_event(TaskChanged(task, deleted=True))
        assert desk.rankings.get(task.runs[0]) is None


async def test_a_judges_opinion_counts_when_it_comes(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, "sh:sed -i s/two/2/ f.txt", "sh:sed -i s/two/II/ f.txt")
        desk = Desk(task, engine)
        await desk.rankings.settled(task.id)
        assert [one.rank for one in desk.rankings.ranking(task.id)] == [1, 1]
        second = task.runs[1]
        await desk.rankings.think(task.id, {second.id: Opinion(1.0, "It is \x1b[31mclear")})
        ranked = desk.rankings.ranking(task.id)
        assert [one.run for one in ranked] == [second.id, task.runs[0].id]
        assert ranked[0].reasons[-1] == "The judge says: It is clear."
        await desk.done()


async def test_a_bug_in_ranking_harms_nothing(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(service, "rank", broken)
    async with workshop.engine() as engine:
        task = await finished(workshop, engine, SMALL)
        assert ranks(engine, task) == [None]


async def test_agreement_is_by_whole_files_where_there_are_too_many(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        same = "echo x > g.txt"
        task = await finished(workshop, engine, f"{SMALL}; {same}", f"sh:{same}", f"{LARGE}; {same}")
        hunks = engine.review.hunks(workshop.root)
        shared = [one.agreement.shared for one in service.attempts(task, hunks, {})]
        assert shared == [1 / 3, 1.0, 1 / 7]
        monkeypatch.setattr(service, "MANY_FILES", 4)
        assert [one.agreement.shared for one in service.attempts(task, NoHunks(), {})] == shared


class NoHunks:
    def hunks(self, change: FileChange) -> tuple[Hunk, ...]:
        raise AssertionError(f"nobody waits for the hunks of {change.path}")
