"""Test discarding and restoring runs, over real git and real agents; and how long discarded runs are kept."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import RunState
from mux_lsp.engine.state.events import ReviewChanged, TaskChanged
from mux_lsp.engine.tasks.discard import DAY
from mux_lsp.errors import GitError, MuxError, UsageError
from mux_lsp.git.worktrees import SlotState
from tests.integration.engine.conftest import Workshop, ended
from tests.support.person import git
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.core.model import Task
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.state.events import Event

ONE, TWO, THREE = (f"sh:echo {word} >> f.txt" for word in ("one", "two", "three"))


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def done(workshop: Workshop, engine: Engine, *agents: str) -> Task:
    """Start a task, wait until its runs have ended, and return it."""
    task = await workshop.start(engine, *agents)
    for run in task.runs:
        await ended(engine, run.id)
    return engine.registry.task(task.id)


def told(engine: Engine) -> list[Event]:
    """Return a list that collects the events from now on."""
    events: list[Event] = []
    engine.subscribe(events.append)
    return events


def discarded(engine: Engine, task: str) -> list[bool]:
    return [run.discarded is not None for run in engine.registry.task(task).runs]


def refs(workshop: Workshop, engine: Engine) -> set[str]:
    return set(
        git(engine.repositories.get(workshop.root).shadow.git_dir, "for-each-ref", "--format=%(refname)").split()
    )


def going(engine: Engine, run_id: str) -> asyncio.Event:
    """Return an event that is set when a run is deleted after this call."""
    forgotten = asyncio.Event()

    def listen(event: Event) -> None:
        if isinstance(event, TaskChanged) and (event.deleted or all(run.id != run_id for run in event.task.runs)):
            forgotten.set()

    engine.subscribe(listen)
    return forgotten


async def test_what_is_thrown_away_is_out_of_review_and_comes_back_as_it_was(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await done(workshop, engine, ONE, TWO, "sh:echo x > other.txt")
        first, second, other = task.runs
        engine.review.reject(second.id, "f.txt", frozenset({"whatever"}))
        file = workshop.root / "f.txt"
        events = told(engine)
        assert await engine.discards.discard(task.id, [first.id]) == (second.id, other.id)
        assert discarded(engine, task.id) == [False, True, True]
        assert [run.id for run, _ in engine.review.runs_at(file)] == [first.id]
        assert [run.id for run in engine.registry.task(task.id).active_runs] == [first.id]
        # One message each, whatever the number of runs; also about files in which only others agree.
        assert [event.paths for event in events if isinstance(event, ReviewChanged)] == [{"f.txt", "other.txt"}]
        assert len([event for event in events if isinstance(event, TaskChanged)]) == 1
        assert await engine.discards.discard(task.id, [first.id]) == ()
    async with workshop.engine() as engine:
        assert discarded(engine, task.id) == [False, True, True]
        assert await engine.discards.restore(second.id) == (second.id,)
        assert await engine.discards.restore(task.id) == (other.id,)
        assert await engine.discards.restore(task.id) == ()
        assert engine.registry.task(task.id) == task
        assert [run.id for run, _ in engine.review.runs_at(file)] == [first.id, second.id]
        assert engine.review.rejections(second.id, "f.txt") == {"whatever"}


async def test_runs_at_work_are_ended_and_their_worktrees_are_free(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[runs]\nconcurrent = 2\ngrace_seconds = 0.1\n")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            work = f"sh:echo begun >> f.txt; {arrived.give}; {go.take}"
            task = await workshop.start(engine, work, work, work)
            await arrived.happened(2)
            await asyncio.wait_for(engine.discards.discard(task.id), 20)
            runs = engine.registry.task(task.id).runs
            assert [run.state for run in runs] == [RunState.CANCELLED] * 3
            assert [len(run.files) for run in runs] == [1, 1, 0]
            assert all(run.worktree is None and run.pid is not None for run in runs[:2])
            assert {slot.state for slot in engine.repositories.get(workshop.root).worktrees.slots()} == {
                SlotState.RELEASED
            }
            assert not engine.busy()


async def test_a_discard_that_was_cut_off_is_brought_to_its_end(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text("[runs]\ngrace_seconds = 0.1\n")
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, f"sh:echo begun >> f.txt; {arrived.give}; {go.take}")
            run_id = task.runs[0].id
            await arrived.happened()
            # As far as a daemon comes that is killed right behind the journal.
            engine.registry.discard([run_id], at := round(time.time(), 3))
        async with workshop.engine() as engine:
            run = await asyncio.wait_for(ended(engine, run_id), 20)
            assert (run.state, run.discarded) == (RunState.CANCELLED, at)


async def test_all_of_them_or_none(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    async with workshop.engine() as engine:
        task = await done(workshop, engine, ONE, TWO)
        append = engine._ground.journal._append

        def fails_at_the_second(name: str, run: str | None, *rest: object) -> object:
            if run == task.runs[1].id:
                raise MuxError("The journal could not be written: disk full.")
            return append(name, run, *rest)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(engine._ground.journal, "_append", fails_at_the_second)
        with pytest.raises(MuxError, match="disk full"):
            await engine.discards.discard(task.id)
        monkeypatch.undo()
        assert discarded(engine, task.id) == [False, False]
    async with workshop.engine() as engine:
        assert discarded(engine, task.id) == [False, False]


async def test_a_worktree_that_could_not_be_given_back_is_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:

        def full(*_: object) -> None:
            raise GitError("the disk is full")

        monkeypatch.setattr(engine.repositories.get(workshop.root).worktrees, "harvest", full)
        task = await workshop.start(engine, ONE)
        run_id = task.runs[0].id
        run = await engine.runs.until(run_id, lambda run: run.state.ended)
        await engine.runs.settled(run_id)
        assert engine.registry.run(run_id).worktree is not None
        monkeypatch.undo()
        await engine.discards.discard(run_id)
        run = engine.registry.run(run_id)
        assert (run.worktree, [change.path for change in run.files]) == (None, ["f.txt"])


async def test_what_a_thrown_away_run_takes_no_part_in(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await done(workshop, engine, ONE, TWO)
        (first, second) = task.runs
        await engine.discards.discard(first.id)
        said = f"{first.id} is discarded; `mux-lsp restore {first.id}` brings it back."
        for refused in (
            engine.tasks.retry(first.id),
            engine.tasks.carry_on(first.id, "go on"),
            engine.tasks.carry_on(first.id, "x", ()),
        ):
            with pytest.raises(UsageError) as error:
                await refused
            assert str(error.value) == said
        with pytest.raises(UsageError, match=f"^{first.id} is one run: what to keep can be said of a task only"):
            await engine.discards.discard(first.id, [second.id])
        with pytest.raises(UsageError, match=f"^{task.id} has no run 'zzz-1' to keep"):
            await engine.discards.discard(task.id, ["zzz-1"])
        assert discarded(engine, task.id) == [True, False]
        await engine.tasks.delete(first.id)
        assert [run.id for run in engine.registry.task(task.id).runs] == [second.id]


# Retention


async def test_what_was_kept_long_enough_goes_with_all_that_it_took(workshop: Workshop) -> None:
    clock = Clock()
    async with workshop.engine() as engine:
        engine.discards._clock = clock
        task = await done(workshop, engine, ONE, TWO, THREE)
        one, two, three = (run.id for run in task.runs)
        await engine.discards.discard(one)
        assert engine.discards.kept_until(engine.registry.run(one)) == clock.now + 14 * DAY
        clock.now += DAY
        await engine.discards.discard(two)
        clock.now += 13 * DAY - 1
        await engine.discards._forget_what_is_over()
        assert [run.id for run in engine.registry.task(task.id).runs] == [one, two, three]
        clock.now += 1
        await engine.discards._forget_what_is_over()
        assert [run.id for run in engine.registry.task(task.id).runs] == [two, three]
        assert f"refs/mux/results/{one}" not in refs(workshop, engine)
        assert f"refs/mux/results/{two}" in refs(workshop, engine)
        assert not engine.files.run_folder(one).exists()
        with pytest.raises(UsageError, match="There is no run"):
            await engine.discards.restore(one)
        # A run that was restored and discarded again is kept for the full time again.
        await engine.discards.restore(two)
        clock.now += 100 * DAY
        await engine.discards._forget_what_is_over()
        assert [run.id for run in engine.registry.task(task.id).runs] == [two, three]
        await engine.discards.discard(task.id)
        clock.now += 14 * DAY
        await engine.discards._forget_what_is_over()
        assert engine.registry.tasks() == ()
        assert not {ref for ref in refs(workshop, engine) if task.id in ref}


async def test_the_alarm_rings_by_itself_and_at_the_start_of_the_next_daemon(workshop: Workshop) -> None:
    workshop.config.write_text(f"[runs]\nretention_days = {0.2 / DAY:.12f}\n")
    async with workshop.engine() as engine:
        task = await done(workshop, engine, ONE, TWO)
        gone = going(engine, task.runs[0].id)
        await engine.discards.discard(task.runs[0].id)
        await asyncio.wait_for(gone.wait(), 20)
        assert [run.id for run in engine.registry.task(task.id).runs] == [task.runs[1].id]
        # The next one goes when the daemon is not there.
        engine.registry.discard([task.runs[1].id], 1.0)
    async with workshop.engine() as engine:
        gone = going(engine, task.runs[1].id)
        if engine.registry.tasks():
            await asyncio.wait_for(gone.wait(), 20)
        assert engine.registry.tasks() == ()


async def test_other_settings_are_for_what_is_thrown_away_already(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await done(workshop, engine, ONE)
        await engine.discards.discard(task.id)
        gone = going(engine, task.runs[0].id)
        workshop.config.write_text("[runs]\nretention_days = 0.0000001\n")
        await engine.configuration.reload()
        await asyncio.wait_for(gone.wait(), 20)
        assert engine.registry.tasks() == ()


async def test_one_that_is_brought_back_at_the_last_moment_stays(workshop: Workshop) -> None:
    clock = Clock()
    async with workshop.engine() as engine:
        discards = engine.discards
        discards._clock = clock
        task = await done(workshop, engine, ONE)
        await discards.discard(task.id)
        clock.now += 15 * DAY
        freeing = asyncio.Event()
        go = asyncio.Event()
        free = discards._free

        async def slowly(run_id: str) -> None:
            freeing.set()
            await go.wait()
            await free(run_id)

        discards._free = slowly
        forgetting = asyncio.create_task(discards._forget_what_is_over())
        await freeing.wait()
        discards._free = free
        await discards.restore(task.id)
        go.set()
        await forgetting
        assert [run.discarded for run in engine.registry.task(task.id).runs] == [None]


async def test_what_cannot_be_forgotten_is_tried_again_later_and_not_at_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    async with workshop.engine() as engine:
        discards = engine.discards
        discards._clock = clock
        task = await done(workshop, engine, ONE)
        await discards.discard(task.id)
        clock.now += 15 * DAY

        async def fails(*_: object) -> None:
            raise MuxError("The journal could not be written: disk full.")

        forget = discards._forget
        discards._forget = fails
        now = asyncio.get_running_loop().time()
        await discards._forget_what_is_over()
        assert discards._alarm is not None
        assert discards._alarm.when() - now > 3000
        discards._forget = forget
        await discards._forget_what_is_over()
        assert engine.registry.tasks() == ()
