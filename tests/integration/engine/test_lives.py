"""What becomes of runs when something goes wrong on their way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp.agents import process
from mux_lsp.core.model import RunState
from mux_lsp.errors import GitError, MuxError, UsageError
from mux_lsp.git.worktrees import Worktrees
from tests.integration.engine.conftest import Workshop, ended
from tests.support.person import git
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from mux_lsp.engine.engine import Engine


def worktree_of(workshop: Workshop, engine: Engine, run_id: str) -> Path:
    slot = engine.run(run_id).worktree
    assert slot is not None
    return engine.room(workshop.root).worktrees.reopen(slot).folder


async def test_a_worktree_whose_result_could_not_be_taken_is_kept_until_it_can(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        worktrees = engine.room(workshop.root).worktrees

        def full(*_: object) -> None:
            raise GitError("the disk is full")

        monkeypatch.setattr(worktrees, "harvest", full)
        task = await workshop.start(engine, "sh:echo kept > new.txt")
        run = await engine.until(task.runs[0].id, lambda run: run.state.ended)
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
            pids = [engine.run(run.id) for run in task.runs]
            for run in task.runs:
                cancelled = await asyncio.wait_for(engine.cancel(run.id), 20)
                assert cancelled.state is RunState.CANCELLED
                await ended(engine, run.id)
            for run in pids:
                assert run.pid is not None
                assert run.pid_created is not None
                assert not process.is_there(process.Process(run.pid, run.pid_created))


async def test_no_number_is_given_twice(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo x > x", "sh:echo x > x")
        for run in task.runs:
            await ended(engine, run.id)
        await engine.delete(task.runs[1].id)
        again = await engine.retry(task.runs[0].id)
        assert again.id == f"{task.id}-3"
        run = await ended(engine, again.id)
        refs = git(engine.room(workshop.root).shadow.git_dir, "for-each-ref", "--format=%(refname) %(objectname)")
        assert f"refs/mux/results/{run.id} {run.result}" in refs.splitlines()
    async with workshop.engine() as engine:
        await engine.delete(again.id)
        assert (await engine.retry(task.runs[0].id)).id == f"{task.id}-4"
        await ended(engine, f"{task.id}-4")


async def test_retry_and_continue_use_the_settings_as_they_are_now(workshop: Workshop) -> None:
    workshop.config.write_text('[agents.fix]\nkind = "command"\ncommand = "exit 3"\n')
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "fix")
        assert (await ended(engine, task.runs[0].id)).state is RunState.FAILED
        workshop.config.write_text('[agents.fix]\nkind = "command"\ncommand = "cat $MUX_PROMPT_FILE > told"\n')
        again = await engine.retry(task.runs[0].id)
        assert (await ended(engine, again.id)).state is RunState.FINISHED
        await engine.carry_on(again.id, "go on")
        run = await ended(engine, again.id)
        shadow = engine.room(workshop.root).shadow
        assert run.result is not None
        assert shadow.read_at(run.result, "told") == b"go on"


async def test_one_of_two_messages_at_once_is_taken(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:cat $MUX_PROMPT_FILE >> told")
        run_id = task.runs[0].id
        await ended(engine, run_id)
        answers = await asyncio.gather(
            engine.carry_on(run_id, "a"), engine.carry_on(run_id, "b"), engine.delete(run_id), return_exceptions=True
        )
        assert sum(not isinstance(answer, UsageError) for answer in answers) == 1
        if engine.tasks():
            await ended(engine, run_id)


async def test_a_journal_that_cannot_be_written_leaves_nobody_waiting(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.engine() as engine:
        save = engine._journal.save_run

        def fails(*arguments: object) -> None:
            raise MuxError("The journal could not be written: database or disk is full.")

        task = await workshop.start(engine, "sh:true")
        monkeypatch.setattr(engine._journal, "save_run", fails)
        run = await asyncio.wait_for(engine.until(task.runs[0].id, lambda run: run.state.ended), 20)
        assert run.state is RunState.FAILED
        assert "could not be written" in str(run.reason)
        assert not engine.busy()
        monkeypatch.setattr(engine._journal, "save_run", save)


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
        assert engine.tasks()


async def test_an_agent_that_puts_fifos_in_its_run_folder_holds_nobody(workshop: Workshop) -> None:
    nasty = 'cd "$(dirname "$MUX_PROMPT_FILE")" && for f in prompt stdout stderr; do rm -f $f; mkfifo $f; done'
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:{nasty}")
        run_id = task.runs[0].id
        await asyncio.wait_for(engine.until(run_id, lambda run: run.state.ended), 20)
        await ended(engine, run_id)
        await asyncio.wait_for(engine.carry_on(run_id, "again"), 20)
        await asyncio.wait_for(ended(engine, run_id), 20)


async def test_a_message_is_never_written_through_a_link(workshop: Workshop, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:ln -sf {precious} $MUX_PROMPT_FILE")
        run_id = task.runs[0].id
        await ended(engine, run_id)
        await engine.carry_on(run_id, "overwritten")
        await ended(engine, run_id)
    assert precious.read_text() == "mine"
