"""Test that cancels, limits and discards are on record before a process is ended: a killed daemon forgets none."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mux_lsp import faults
from mux_lsp.core.model import AgentChoice, Run, RunState
from mux_lsp.engine.tasks.request import StartRequest
from mux_lsp.errors import MuxError
from mux_lsp.store.journal import Journal
from tests.integration.engine.conftest import Workshop, ended
from tests.support.signals import Signal, signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mux_lsp.engine.engine import Engine


class KilledError(BaseException):
    """The daemon was killed here."""


@contextmanager
def killed_at(point: str) -> Iterator[asyncio.Event]:
    """Kill the daemon at the first pass of a point. Yield an event that is set then."""
    passed = asyncio.Event()

    def plan(name: str, _: int) -> None:
        if name == point:
            passed.set()
            raise KilledError

    faults.install(plan)
    try:
        yield passed
    finally:
        faults.install(None)


@pytest.fixture
def said(tmp_path: Path) -> Iterator[tuple[Signal, Signal]]:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        yield arrived, go


def at_work(said: tuple[Signal, Signal]) -> str:
    return f"sh:echo x > new.txt; {said[0].give}; {said[1].take}; echo y > more.txt"


def check_cancelled(run: Run, reason: str | None) -> None:
    assert (run.state, run.reason) == (RunState.CANCELLED, reason)
    assert [change.path for change in run.files] == ["new.txt"]


async def test_by_its_person_with_what_its_agent_has_started(workshop: Workshop, said: tuple[Signal, Signal]) -> None:
    async with workshop.engine() as engine:
        parent = await workshop.start(engine, at_work(said))
        await said[0].happened()
        child = await engine.tasks.start(
            StartRequest(workshop.root, "do it", (AgentChoice(at_work(said)),), (), parent=parent.runs[0].id)
        )
        await said[0].happened()
        with killed_at("cancel.noted"), pytest.raises(KilledError):
            await engine.runs.cancel(parent.runs[0].id)
        assert not engine.registry.run(child.runs[0].id).state.ended
    async with workshop.engine() as engine:
        check_cancelled(await ended(engine, parent.runs[0].id), None)
        words = f"{parent.runs[0].id}, whose agent had started it, was ended"
        check_cancelled(await ended(engine, child.runs[0].id), words)


async def test_all_of_a_task(workshop: Workshop, said: tuple[Signal, Signal]) -> None:
    workshop.config.write_text("[runs]\nconcurrent = 2\n")
    async with workshop.engine() as engine:
        task = await workshop.start(engine, *[at_work(said)] * 3)
        await said[0].happened(2)
        with killed_at("cancel.noted"), pytest.raises(KilledError):
            await engine.runs.cancel_task(task.id)
    async with workshop.engine() as engine:
        runs = [await ended(engine, run.id) for run in task.runs]
        assert [run.state for run in runs] == [RunState.CANCELLED] * 3
        assert sorted(len(run.files) for run in runs) == [0, 1, 1]


async def test_by_a_limit(workshop: Workshop, said: tuple[Signal, Signal]) -> None:
    workshop.config.write_text("[limits]\nrun_seconds = 0.5\n")
    with killed_at("cancel.noted") as passed:
        async with workshop.engine() as engine:
            task = await workshop.start(engine, at_work(said))
            await said[0].happened()
            await passed.wait()
    workshop.config.write_text("")
    async with workshop.engine() as engine:
        run = await ended(engine, task.runs[0].id)
        check_cancelled(run, "it was not done after 0.5 s (run_seconds under [limits])")


async def test_thrown_away(workshop: Workshop, said: tuple[Signal, Signal]) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, *[at_work(said)] * 2)
        await said[0].happened(2)
        with killed_at("cancel.noted"), pytest.raises(KilledError):
            await engine.discards.discard(task.id)
    async with workshop.engine() as engine:
        for run in task.runs:
            check_cancelled(await ended(engine, run.id), None)
            assert engine.registry.run(run.id).discarded is not None


async def test_the_agent_that_ended_while_there_was_no_daemon_was_cancelled(
    workshop: Workshop, said: tuple[Signal, Signal]
) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:echo x > new.txt; {said[0].give}; {said[1].take}; exit 3")
        await said[0].happened()
        with killed_at("cancel.noted"), pytest.raises(KilledError):
            await engine.runs.cancel(task.runs[0].id)
        said[1].happens()
    async with workshop.engine() as engine:
        check_cancelled(await ended(engine, task.runs[0].id), None)


async def test_continued_later_it_is_cancelled_no_more(workshop: Workshop, said: tuple[Signal, Signal]) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, at_work(said))
        run_id = task.runs[0].id
        await said[0].happened()
        await engine.runs.cancel(run_id)
        await engine.tasks.carry_on(run_id, "go on")
        await said[0].happened()
    async with workshop.engine() as engine:
        said[1].happens()
        assert (await ended(engine, run_id)).state is RunState.FINISHED


async def test_a_full_disk_refuses_nobody(
    workshop: Workshop, said: tuple[Signal, Signal], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MuxError("the disk is full")

    async with workshop.engine() as engine:
        task = await workshop.start(engine, at_work(said))
        await said[0].happened()
        monkeypatch.setattr(Journal, "request_cancel", full)
        await engine.runs.cancel(task.runs[0].id)
        check_cancelled(await ended(engine, task.runs[0].id), None)


async def test_all_or_none_are_on_record(workshop: Workshop, said: tuple[Signal, Signal]) -> None:
    def requested(engine: Engine) -> list[bool]:
        return [run.cancel_requested for run in engine.registry.task(task.id).runs]

    async with workshop.engine() as engine:
        task = await workshop.start(engine, *[at_work(said)] * 2)
        await said[0].happened(2)
    with Journal(workshop.state / "mux.db") as journal:
        with pytest.raises(MuxError):
            journal.request_cancel({task.runs[0].id: None, "none-1": None})
        assert not journal.run(task.runs[0].id).cancel_requested
        journal.request_cancel({run.id: "an \udc80 odd reason" for run in task.runs})
        assert [journal.run(run.id).cancel_reason for run in task.runs] == ["an \udc80 odd reason"] * 2
    async with workshop.engine() as engine:
        assert requested(engine) == [True, True]
        for run in task.runs:
            await ended(engine, run.id)
