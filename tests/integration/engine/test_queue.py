"""Test many runs and few slots: which run works when, the events about the queue, and runs that end early."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import AgentChoice, RunState
from mux_lsp.engine.state.events import LimitReached, QueueChanged, RunChanged
from mux_lsp.engine.tasks.request import StartRequest
from mux_lsp.errors import MuxError, UsageError
from tests.integration.engine.conftest import Workshop, ended
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from mux_lsp.core.model import Run, Snapshot, Task
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.state.events import Event


async def start(workshop: Workshop, engine: Engine, agent: str, count: int = 1, **more: Any) -> Task:
    return await engine.tasks.start(StartRequest(workshop.root, "do it", (AgentChoice(agent, count),), **more))


async def all_ended(engine: Engine, task: Task) -> list[Run]:
    return [await ended(engine, run.id) for run in engine.registry.task(task.id).runs]


def queue_of(engine: Engine) -> list[str]:
    """The runs that wait, by their place."""
    runs = [run for task in engine.registry.tasks() for run in task.runs]
    places = {engine.tasks.summary(run).queue_place: run.id for run in runs}
    return [str(places[place]) for place in range(1, len([place for place in places if place is not None]) + 1)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("each", "hurry"), [(10, 10), pytest.param(40, 34, marks=pytest.mark.soak)])
async def test_many_runs_are_fair_within_their_limits_and_told_sparingly(
    workshop: Workshop, tmp_path: Path, each: int, hurry: int
) -> None:
    workshop.config.write_text(
        '[runs]\nconcurrent = 6\nlimits = { slow = 2 }\n[agents.slow]\nkind = "command"\ncommand = "true"\n'
    )
    states: dict[str, RunState] = {}
    at_once: list[Counter[str]] = []
    order: list[str] = []
    told: list[QueueChanged] = []

    def listen(event: Event) -> None:
        if isinstance(event, QueueChanged):
            told.append(event)
        if isinstance(event, RunChanged):
            states[event.run.id] = event.run.state
            working = {RunState.PREPARING, RunState.RUNNING}
            at_once.append(Counter(run[:3] for run, state in states.items() if state in working))
            if event.run.state is RunState.PREPARING and event.previous is RunState.QUEUED:
                order.append(event.run.id)

    async with workshop.engine() as engine:
        engine.subscribe(listen)
        with signals(tmp_path / "signals", "go") as (go,):
            first = await start(workshop, engine, f"sh:{go.take}", 6)
            tasks = [await start(workshop, engine, agent, each) for agent in ("sh:true", "sh:true", "sh:true", "slow")]
            urgent = await start(workshop, engine, "sh:true", hurry, priority=5)
            assert len(queue_of(engine)) == 4 * each + hurry
            assert queue_of(engine)[:hurry] == [run.id for run in urgent.runs]
            assert queue_of(engine)[hurry : hurry + 4] == [f"{task.id}-1" for task in tasks]
            go.happens(6)
            for task in (first, urgent, *tasks):
                for run in await all_ended(engine, task):
                    assert (run.state, run.reason) == (RunState.FINISHED, None)
        assert engine.registry.tasks()[0].id == first.id
    assert max(counts.total() for counts in at_once) <= 6
    assert max(counts[tasks[3].id] for counts in at_once) <= 2
    begun = [run[:3] for run in order]
    others = 6 + hurry
    assert set(begun[6:others]) == {urgent.id}
    # Between three of the same priority no task is ahead by more than a turn, until one has no runs left.
    for until in range(others, others + 5 * each // 2):
        ahead = Counter(begun[others:until])
        assert max(ahead[task.id] for task in tasks[:3]) - min(ahead[task.id] for task in tasks[:3]) <= 1
    assert len(told) <= others + 4 * each
    assert told[-1].runs == ()


async def test_a_pause_keeps_what_is_queued_and_only_that(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[runs]\nconcurrent = 1\n")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await start(workshop, engine, f"sh:{arrived.give}; {go.take}", 2)
            await arrived.happened()
            assert engine.tasks.pause(task.id).paused
            assert queue_of(engine) == []
            other = await start(workshop, engine, "sh:true")
            go.happens()
            assert (await ended(engine, task.runs[0].id)).state is RunState.FINISHED
            assert (await ended(engine, other.runs[0].id)).state is RunState.FINISHED
            assert engine.registry.run(task.runs[1].id).state is RunState.QUEUED
            assert not engine.busy(), "the daemon may end over a pause"
        async with workshop.engine() as engine:
            assert engine.registry.task(task.id).paused
            assert (await engine.runs.cancel(task.runs[1].id)).state is RunState.CANCELLED
            again = await engine.tasks.retry(task.runs[1].id)
            assert engine.registry.run(again.id).state is RunState.QUEUED
            engine.tasks.resume(task.id)
            await arrived.happened()
            go.happens()
            assert (await ended(engine, again.id)).state is RunState.FINISHED


async def test_the_next_daemon_has_the_queue_as_it_was(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[runs]\nconcurrent = 1\n")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            agent = f"sh:{arrived.give}; {go.take}"
            tasks = [await start(workshop, engine, agent, count) for count in (3, 2, 2, 2)]
            for _ in range(2):
                await arrived.happened()
                go.happens()
            await arrived.happened()
            engine.tasks.prioritize(tasks[3].id, 7)
            engine.tasks.pause(tasks[2].id)
            before = queue_of(engine)
            assert before == [f"{tasks[3].id}-1", f"{tasks[3].id}-2", *before[2:]]
            assert not any(run.startswith(tasks[2].id) for run in before)
            assert len(before) == 5
        async with workshop.engine() as engine:
            assert queue_of(engine) == before
            engine.tasks.resume(tasks[2].id)
            assert len(queue_of(engine)) == 6
            go.happens(7)
            for task in tasks:
                for run in await all_ended(engine, task):
                    assert run.state is RunState.FINISHED


async def test_a_changed_limit_holds_from_the_next_start_on(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[runs]\nconcurrent = 1\n")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await start(workshop, engine, f"sh:{arrived.give}; {go.take}", 3)
            await arrived.happened()
            workshop.config.write_text("[runs]\nconcurrent = 4\n")
            await start(workshop, engine, "sh:true")
            await arrived.happened(2)
            go.happens(3)
            await all_ended(engine, task)


async def test_enough_that_agree_end_the_rest(workshop: Workshop, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "arrived", "go", "never") as (arrived, go, never):
        hangs = f"{arrived.give}; echo part >> f.txt; {never.take}"
        agent = f"sh:case $MUX_RUN in *-1|*-3) {go.take}; echo right > f.txt;; *) {hangs};; esac"
        async with workshop.engine() as engine:
            task = await start(workshop, engine, agent, 4, stop_after=2, checks=("test -e f.txt",))
            await arrived.happened(2)
            go.happens(2)
            runs = await all_ended(engine, task)
            why = f"enough: {task.id}-1, {task.id}-3 have the same good result"
            assert [run.state for run in runs[::2]] == [RunState.FINISHED] * 2
            assert [(run.state, run.reason) for run in runs[1::2]] == [(RunState.CANCELLED, why)] * 2
            assert [change.path for change in runs[3].files] == ["f.txt"], "its result is kept"


async def test_those_that_fail_their_checks_are_not_enough(workshop: Workshop) -> None:
    workshop.config.write_text("[defaults]\nstop_after = 1\n[runs]\nconcurrent = 1\n")
    async with workshop.engine() as engine:
        agent = "sh:case $MUX_RUN in *-1) echo x > f.txt;; *-2) ;; *) echo right > f.txt;; esac"
        task = await start(workshop, engine, agent, 4, checks=("! grep -q x f.txt",))
        runs = await all_ended(engine, task)
        assert [run.state for run in runs] == [RunState.FINISHED] * 3 + [RunState.CANCELLED]


async def test_a_run_that_hangs_is_ended_and_its_result_kept(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[limits]\nrun_seconds = 0.5\n[runs]\ngrace_seconds = 0.1\n")
    with signals(tmp_path / "signals", "go") as (go,):
        async with workshop.engine() as engine:
            task = await start(workshop, engine, f"sh:echo some > new.txt; {go.take}")
            run = await ended(engine, task.runs[0].id)
            assert (run.state, run.reason) == (
                RunState.CANCELLED,
                "it was not done after 0.5 s (run_seconds under [limits])",
            )
            assert [change.path for change in run.files] == ["new.txt"]


async def test_a_run_that_hangs_is_ended_by_a_later_daemon_too(workshop: Workshop, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await start(workshop, engine, f"sh:{arrived.give}; {go.take}")
            await arrived.happened()
        workshop.config.write_text("[limits]\nrun_seconds = 0.5\n[runs]\ngrace_seconds = 0.1\n")
        async with workshop.engine() as engine, asyncio.timeout(20):
            run = await ended(engine, task.runs[0].id)
            assert (run.state, run.reason) == (
                RunState.CANCELLED,
                "it was not done after 0.5 s (run_seconds under [limits])",
            )


async def test_a_spent_limit_ends_what_waits_and_lets_nothing_begin(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[limits]\nday_tokens = 1000\n[runs]\nconcurrent = 1\n")
    told: list[LimitReached] = []
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            engine.subscribe(lambda event: told.append(event) if isinstance(event, LimitReached) else None)
            task = await start(workshop, engine, f"sh:echo some > new.txt; {arrived.give}; {go.take}", 2)
            await arrived.happened()
            engine.registry.advance(task.runs[0].id, tokens=900)
            engine.registry.advance(task.runs[0].id, tokens=1100)
            runs = await all_ended(engine, task)
            assert [run.state for run in runs] == [RunState.CANCELLED] * 2
            assert {run.reason for run in runs} == {
                "the limit of 1,000 tokens a day is spent (1,100 tokens; day_tokens under [limits])"
            }
            assert [change.path for change in runs[0].files] == ["new.txt"]
            assert [event.stopped for event in told] == [False, True]
        async with workshop.engine() as engine:
            for again in (start(workshop, engine, "sh:true"), engine.tasks.retry(task.runs[0].id)):
                with pytest.raises(MuxError, match=f"Nothing new begins.*in {workshop.config}"):
                    await again
            with pytest.raises(MuxError, match="Nothing new begins"):
                await engine.tasks.carry_on(task.runs[0].id, "go on")
            await engine.tasks.delete(task.id)
            assert engine.budget.today(str(workshop.root)).tokens == 1100, "what is deleted was paid all the same"


async def test_the_runs_that_an_agent_has_started_end_with_it(workshop: Workshop, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            agent = f"sh:{arrived.give}; {go.take}"
            parent = await start(workshop, engine, agent)
            child = await start(workshop, engine, agent, 2, parent=parent.runs[0].id)
            await arrived.happened(3)
            await engine.runs.cancel(parent.runs[0].id)
            for run in await all_ended(engine, child):
                why = f"{parent.runs[0].id}, whose agent had started it, was ended"
                assert (run.state, run.reason) == (RunState.CANCELLED, why)


async def test_an_agent_that_waits_for_its_own_agents_does_not_keep_them_waiting(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.config.write_text("[runs]\nconcurrent = 1\n")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            parent = await start(workshop, engine, f"sh:{arrived.give}; {go.take}")
            await arrived.happened()
            child = await start(workshop, engine, "sh:true", 2, parent=parent.runs[0].id)
            await asyncio.wait_for(all_ended(engine, child), 30)
            go.happens()
            await all_ended(engine, parent)


async def test_an_agent_that_is_ended_while_it_starts_a_task_has_started_none(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            parent = (await start(workshop, engine, f"sh:{arrived.give}; {go.take}")).runs[0].id
            await arrived.happened()
            looking, look = threading.Event(), threading.Event()
            shadow = engine.repositories.get(workshop.root).shadow
            snapshot = shadow.snapshot

            def slow(*given: Any) -> Snapshot:
                looking.set()
                look.wait()
                return snapshot(*given)

            monkeypatch.setattr(shadow, "snapshot", slow)
            starting = asyncio.create_task(start(workshop, engine, "sh:true", parent=parent))
            await asyncio.to_thread(looking.wait)
            await engine.runs.cancel(parent)
            look.set()
            with pytest.raises(UsageError, match="has ended: its agent can start nothing more"):
                await starting
            assert [task.parent for task in engine.registry.tasks()] == [None]
            refs = shadow.git(["for-each-ref", "--format=%(refname)", "refs/mux/snapshots"]).decode().split()
            assert refs == [f"refs/mux/snapshots/{engine.registry.tasks()[0].id}"]


async def test_tasks_that_an_agent_starts_at_once_are_counted_together(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[limits]\nruns = 3\n")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            parent = (await start(workshop, engine, f"sh:{arrived.give}; {go.take}")).runs[0].id
            await arrived.happened()
            tries = [start(workshop, engine, "sh:true", parent=parent) for _ in range(5)]
            begun = await asyncio.gather(*tries, return_exceptions=True)
            assert sum(isinstance(one, MuxError) for one in begun) == 3
            assert sum(len(task.runs) for task in engine.registry.tasks()) == 3
            await engine.runs.cancel(parent)
