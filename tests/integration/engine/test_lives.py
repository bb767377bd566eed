"""Test how runs end when something goes wrong on their way."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from mux_lsp.agents import process
from mux_lsp.agents.events import Event, Started
from mux_lsp.agents.presets import backend
from mux_lsp.core.model import RunState
from mux_lsp.engine.review.diff_stats import DiffStats
from mux_lsp.engine.runs.host import RunHost
from mux_lsp.engine.state.clock import SET_BACK, Clock
from mux_lsp.engine.state.events import RunOutput
from mux_lsp.errors import GitError, MuxError, UsageError
from mux_lsp.git.worktrees import Worktree, Worktrees
from tests.integration.engine.conftest import Workshop, ended
from tests.support.home import wait_for_exit
from tests.support.person import git
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.engine import Engine


def worktree_of(workshop: Workshop, engine: Engine, run_id: str) -> Path:
    slot = engine.registry.run(run_id).worktree
    assert slot is not None
    return engine.repositories.get(workshop.root).worktrees.reopen(slot).folder


async def test_a_worktree_whose_result_could_not_be_taken_is_kept_until_it_can(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        worktrees = engine.repositories.get(workshop.root).worktrees

        def full(*_: object) -> None:
            raise GitError("the disk is full")

        monkeypatch.setattr(worktrees, "harvest", full)
        task = await workshop.start(engine, "sh:echo kept > new.txt")
        run = await engine.runs.until(task.runs[0].id, lambda run: run.state.ended)
        assert (run.state, run.reason, run.files) == (RunState.FAILED, "the disk is full", ())
        assert (worktree_of(workshop, engine, run.id) / "new.txt").read_text() == "kept\n"
    monkeypatch.undo()
    async with workshop.engine() as engine:
        run = await ended(engine, run.id)
        assert [change.path for change in run.files] == ["new.txt"]


async def test_a_run_whose_agent_cannot_be_started_gives_its_worktree_back(workshop: Workshop) -> None:
    workshop.config.write_text('[agents.gone]\nkind = "command"\ncommand = ["no-such-agent"]\n')
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "gone")
        run = await ended(engine, task.runs[0].id)
        assert run.state is RunState.FAILED
        assert "no-such-agent" in str(run.reason)


async def test_what_checks_leave_behind_is_no_part_of_the_result(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo x > x", checks=("echo y > y",))
        run = await ended(engine, task.runs[0].id)
        assert [change.path for change in run.files] == ["x"]


async def test_agents_taken_up_do_not_wait_for_a_place(workshop: Workshop, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, *[f"sh:{arrived.give}; {go.take}"] * 2)
            await arrived.happened(len(task.runs))
        workshop.config.write_text("[runs]\nconcurrent = 1\ngrace_seconds = 0.1\n")
        async with workshop.engine() as engine:
            pids = [engine.registry.run(run.id) for run in task.runs]
            for run in task.runs:
                cancelled = await asyncio.wait_for(engine.runs.cancel(run.id), 20)
                assert cancelled.state is RunState.CANCELLED
                await ended(engine, run.id)
            for run in pids:
                assert run.pid is not None
                assert run.pid_created is not None
                assert not process.is_there(process.Process(run.pid, run.pid_created))


@pytest.mark.parametrize("when", ["at work", "at its end"])
async def test_an_agent_that_the_last_daemon_did_not_come_to_note_is_not_started_twice(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    emit = RunHost.emit

    def forgetful(host: RunHost, event: Event, offset: int | None = None) -> None:
        if not isinstance(event, Started):
            emit(host, event, offset)

    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        monkeypatch.setattr(RunHost, "emit", forgetful)
        async with workshop.engine() as engine:
            task = await workshop.start(engine, f"sh:echo x >> x; {arrived.give}; {go.take}; echo done")
            run = task.runs[0]
            await arrived.happened()
            assert engine.registry.run(run.id).pid is None
            folder = engine.files.run_folder(run.id)
        monkeypatch.undo()
        pid = int((folder / "supervisor").read_text())
        if when == "at its end":
            go.happens()
            assert await asyncio.to_thread(wait_for_exit, psutil.Process(pid), 20)
        async with workshop.engine() as engine:
            if when == "at work":
                assert (await engine.runs.until(run.id, lambda run: run.pid is not None)).pid == pid
                go.happens()
            run = await ended(engine, run.id)
            assert (run.state, (folder / "stdout").read_text()) == (RunState.FINISHED, "done\n")
            assert run.result is not None
            assert engine.repositories.get(workshop.root).shadow.read_at(run.result, "x") == b"x\n"


async def test_an_agent_that_is_cancelled_right_before_it_begins_ends_all_the_same(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "codex"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    cancel, put_down = backend.PresetBackend.cancel, backend._put_down
    about_to_begin, go = threading.Event(), threading.Event()

    def slow(*given: Any) -> None:
        about_to_begin.set()
        go.wait()
        put_down(*given)

    async def cancelled(*given: Any) -> None:
        await cancel(*given)
        go.set()

    monkeypatch.setattr(backend, "_put_down", slow)
    monkeypatch.setattr(backend.PresetBackend, "cancel", cancelled)
    workshop.config.write_text("[runs]\ngrace_seconds = 0.1\n")
    async with workshop.engine() as engine, asyncio.timeout(20):
        run_id = (await workshop.start(engine, "codex")).runs[0].id
        await asyncio.to_thread(about_to_begin.wait)
        assert (await engine.runs.cancel(run_id)).state is RunState.CANCELLED
        run = await ended(engine, run_id)
        assert run.pid is not None
        assert run.pid_created is not None
        assert not process.is_there(process.Process(run.pid, run.pid_created))


async def test_a_name_that_is_not_utf_8_silences_nobody(workshop: Workshop, tmp_path: Path) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            told = asyncio.Event()

            def listen(event: object) -> None:
                if isinstance(event, RunOutput) and "hello" in event.text:
                    told.set()

            engine.subscribe(listen)
            bad = """touch "$(dirname "$MUX_PROMPT_FILE")/$(printf '\\377')" """
            task = await workshop.start(engine, f"sh:{bad}; {arrived.give}; {go.take}; echo hello; {go.take}")
            await arrived.happened()
            go.happens()
            async with asyncio.timeout(20):
                await told.wait()
            go.happens()
            await ended(engine, task.runs[0].id)


async def test_no_number_is_given_twice(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo x > x", "sh:echo x > x")
        for run in task.runs:
            await ended(engine, run.id)
        await engine.tasks.delete(task.runs[1].id)
        again = await engine.tasks.retry(task.runs[0].id)
        assert again.id == f"{task.id}-3"
        run = await ended(engine, again.id)
        refs = git(
            engine.repositories.get(workshop.root).shadow.git_dir, "for-each-ref", "--format=%(refname) %(objectname)"
        )
        assert f"refs/mux/results/{run.id} {run.result}" in refs.splitlines()
    async with workshop.engine() as engine:
        await engine.tasks.delete(again.id)
        assert (await engine.tasks.retry(task.runs[0].id)).id == f"{task.id}-4"
        await ended(engine, f"{task.id}-4")


async def test_a_retry_that_was_cut_off_takes_the_place_of_no_other(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        run = (await workshop.start(engine, "sh:echo x > x")).runs[0]
        await ended(engine, run.id)

        def killed(*_: object) -> None:
            raise MuxError("killed")

        for half in ("save_task", "save_run"):
            with monkeypatch.context() as patch:
                patch.setattr(engine._ground.journal, half, killed)
                with pytest.raises(MuxError, match="killed"):
                    await engine.tasks.retry(run.id)
    async with workshop.engine() as engine:
        known = [run.id for run in engine.registry.task(run.task).runs]
        assert (await engine.tasks.retry(run.id)).id not in known
        for one in engine.registry.task(run.task).runs:
            await ended(engine, one.id)


async def test_retry_and_continue_use_the_settings_as_they_are_now(workshop: Workshop) -> None:
    workshop.config.write_text('[agents.fix]\nkind = "command"\ncommand = "exit 3"\n')
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "fix")
        assert (await ended(engine, task.runs[0].id)).state is RunState.FAILED
        workshop.config.write_text('[agents.fix]\nkind = "command"\ncommand = "cat $MUX_PROMPT_FILE > told"\n')
        again = await engine.tasks.retry(task.runs[0].id)
        assert (await ended(engine, again.id)).state is RunState.FINISHED
        await engine.tasks.carry_on(again.id, "go on")
        run = await ended(engine, again.id)
        shadow = engine.repositories.get(workshop.root).shadow
        assert run.result is not None
        assert shadow.read_at(run.result, "told") == b"go on"


async def test_one_of_two_messages_at_once_is_taken(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:cat $MUX_PROMPT_FILE >> told")
        run_id = task.runs[0].id
        await ended(engine, run_id)
        answers = await asyncio.gather(
            engine.tasks.carry_on(run_id, "a"),
            engine.tasks.carry_on(run_id, "b"),
            engine.tasks.delete(run_id),
            return_exceptions=True,
        )
        assert sum(not isinstance(answer, UsageError) for answer in answers) == 1
        if engine.registry.tasks():
            await ended(engine, run_id)


async def test_a_journal_that_cannot_be_written_leaves_nobody_waiting(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        save = engine._ground.journal.save_run

        def fails(*arguments: object) -> None:
            raise MuxError("The journal could not be written: database or disk is full.")

        task = await workshop.start(engine, "sh:true")
        monkeypatch.setattr(engine._ground.journal, "save_run", fails)
        run = await asyncio.wait_for(engine.runs.until(task.runs[0].id, lambda run: run.state.ended), 20)
        assert run.state is RunState.FAILED
        assert "could not be written" in str(run.reason)
        assert not engine.busy()
        monkeypatch.setattr(engine._ground.journal, "save_run", save)


async def test_a_slot_that_cannot_be_removed_does_not_keep_the_daemon_from_starting(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:true")
        await ended(engine, task.runs[0].id)

    def fails(*_: object) -> None:
        raise OSError("File name too long")

    monkeypatch.setattr(Worktrees, "sweep", fails)
    async with workshop.engine() as engine:
        assert engine.registry.tasks()


async def test_an_agent_that_puts_fifos_in_its_run_folder_holds_nobody(workshop: Workshop) -> None:
    nasty = 'cd "$(dirname "$MUX_PROMPT_FILE")" && for f in prompt stdout stderr; do rm -f $f; mkfifo $f; done'
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:{nasty}")
        run_id = task.runs[0].id
        await asyncio.wait_for(engine.runs.until(run_id, lambda run: run.state.ended), 20)
        await ended(engine, run_id)
        await asyncio.wait_for(engine.tasks.carry_on(run_id, "again"), 20)
        await asyncio.wait_for(ended(engine, run_id), 20)


async def test_a_message_is_never_written_through_a_link(workshop: Workshop, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:ln -sf {precious} $MUX_PROMPT_FILE")
        run_id = task.runs[0].id
        await ended(engine, run_id)
        await engine.tasks.carry_on(run_id, "overwritten")
        await ended(engine, run_id)
    assert precious.read_text() == "mine"


async def test_the_result_that_a_run_has_outlives_being_brought_up_to_date(workshop: Workshop) -> None:
    """This includes an agent that then changes nothing, and a daemon killed before the new result is on record."""
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo x > x")
        first = await ended(engine, task.runs[0].id)
        (workshop.root / "x").write_text("x\n")
        await engine.tasks.carry_on(first.id, "go on", ())
        again = await ended(engine, first.id)
        store = engine.repositories.get(workshop.root).shadow.git_dir
        git(store, "gc", "--quiet", "--prune=now")
        for result in (first.result, again.result):
            assert result is not None
            assert git(store, "show", f"{result}:x") == "x\n"
        await engine.tasks.delete(task.id)
        assert task.id not in git(store, "for-each-ref")


async def test_a_run_that_ends_while_its_task_is_deleted_gives_its_worktree_back_first(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release, may = Worktrees.release, {"1": threading.Event(), "2": threading.Event()}

    def held(worktrees: Worktrees, worktree: Worktree) -> None:
        may[str(worktree.run_id)[-1]].wait()
        release(worktrees, worktree)

    monkeypatch.setattr(Worktrees, "release", held)
    with signals(tmp_path / "signals", "go") as (go,):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, "sh:true", f"sh:{go.take}")
            one, other = (run.id for run in task.runs)
            await engine.runs.until(one, lambda run: run.state.ended)
            deleting = asyncio.create_task(engine.tasks.delete(task.id))
            go.happens(1)
            await engine.runs.until(other, lambda run: run.state.ended)
            first = engine.runs.active[one].task
            may["1"].set()
            await asyncio.wait({first})
            may["2"].set()
            assert await deleting == (one, other)
    assert "a bug" not in caplog.text


async def test_a_run_that_is_deleted_while_it_is_brought_up_to_date_is_said_to_be_gone(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo x > x")
        run = await ended(engine, task.runs[0].id)
        loop = asyncio.get_running_loop()

        def read(_results: object, base: str, result: str, count: object) -> tuple[tuple[()], int]:
            asyncio.run_coroutine_threadsafe(engine.tasks.delete(run.id), loop).result()
            return (), 0

        monkeypatch.setattr(DiffStats, "read", read)
        with pytest.raises(UsageError, match=f"There is no run '{run.id}'"):
            await engine.tasks.carry_on(run.id, "go on", ())


@pytest.mark.parametrize("over_the_end_of_a_daemon", [False, True])
async def test_a_clock_that_is_set_back_gives_no_negative_times(
    workshop: Workshop, tmp_path: Path, over_the_end_of_a_daemon: bool
) -> None:
    wall = [1_800_000_000.0]

    def clock() -> Clock:
        return Clock(lambda: wall[0])

    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine(clock()) as engine:
            task = await workshop.start(engine, f"sh:{arrived.give}; {go.take}")
            await arrived.happened()
            wall[0] -= 7200
            if not over_the_end_of_a_daemon:
                go.happens()
                run = await ended(engine, task.runs[0].id)
        if over_the_end_of_a_daemon:
            async with workshop.engine(clock()) as engine:
                go.happens()
                run = await ended(engine, task.runs[0].id)
        assert run.state is RunState.FINISHED
        assert run.started is not None and run.finished is not None and run.work_seconds is not None
        assert 0 <= run.finished - run.started < 100
        assert 0 <= run.work_seconds < 100
        assert run.reason == (SET_BACK if over_the_end_of_a_daemon else None)


async def test_an_engine_that_has_nothing_to_do_any_more_says_so(workshop: Workshop) -> None:
    """A check of the snapshot may be the last work and change no run; a daemon that goes idle waits for its end."""
    async with workshop.engine() as engine:
        idle = asyncio.Event()
        engine.subscribe(lambda _: None if engine.busy() else idle.set())
        task = await workshop.start(engine, "sh:true", checks=("exec sleep 1000",))
        await engine.runs.until(task.runs[0].id, lambda run: run.state is RunState.CHECKING)
        await engine.runs.cancel(task.runs[0].id)
        idle.clear()
        if engine.busy():
            await idle.wait()
        assert not engine.busy()
