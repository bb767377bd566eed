"""Test folders that vanish or are replaced under runs, between daemons and while agents work. All other runs go on."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from mux_lsp.agents.process import Process, is_there
from mux_lsp.core.model import RunState
from tests.integration.engine.conftest import Workshop, ended
from tests.support.signals import signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mux_lsp.core.model import Run
    from mux_lsp.engine.engine import Engine

REMOVED = "was removed while its run needed it"
REPLACED = "has been replaced by something else"


def slot_of(workshop: Workshop, slot: str = "s1", part: str = "worktrees") -> Path:
    (found,) = workshop.state.glob(f"repos/*/{part}/{slot}")
    return found


async def check_others_go_on(workshop: Workshop, engine: Engine) -> None:
    task = await workshop.start(engine, "sh:echo fine > fine.txt", checks=("test -e fine.txt",))
    run = await ended(engine, task.runs[0].id)
    assert (run.state, run.reason, [change.path for change in run.files]) == (RunState.FINISHED, None, ["fine.txt"])


def check_failed(run: Run, words: str) -> None:
    assert run.state is RunState.FAILED
    assert words in str(run.reason)
    assert "bug" not in str(run.reason)


def remove_worktree(workshop: Workshop) -> None:
    shutil.rmtree(slot_of(workshop) / "project")


def remove_slot(workshop: Workshop) -> None:
    shutil.rmtree(slot_of(workshop))


def remove_record(workshop: Workshop) -> None:
    shutil.rmtree(slot_of(workshop, part="slots"))


def remove_all_worktrees(workshop: Workshop) -> None:
    shutil.rmtree(slot_of(workshop).parent)


def replace_by_file(workshop: Workshop) -> None:
    remove_worktree(workshop)
    (slot_of(workshop) / "project").write_text("a file\n")


def replace_by_link(workshop: Workshop) -> None:
    remove_worktree(workshop)
    (slot_of(workshop) / "project").symlink_to(workshop.root)


def replace_parent_by_link(workshop: Workshop) -> None:
    remove_slot(workshop)
    (workshop.root / "f.txt").write_text("an edit of the person's\n")
    slots = workshop.root.parent
    (next(workshop.state.glob("repos/*/worktrees")) / "s1").symlink_to(slots)


def move_the_persons_there(workshop: Workshop) -> None:
    remove_worktree(workshop)
    workshop.root.rename(slot_of(workshop) / "project")


LOSSES = [
    (remove_worktree, REMOVED),
    (remove_slot, REMOVED),
    (remove_all_worktrees, REMOVED),
    (remove_record, "There is no worktree in slot s1"),
    (replace_by_file, REPLACED),
    (replace_by_link, REPLACED),
    (replace_parent_by_link, REPLACED),
]


@pytest.mark.parametrize(("lose", "words"), LOSSES)
async def test_between_daemons_while_the_agent_works(
    workshop: Workshop, tmp_path: Path, lose: Callable[[Workshop], None], words: str
) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, f"sh:echo new > new.txt; {arrived.give}; {go.take}; echo later > later")
            run_id = task.runs[0].id
            await arrived.happened()
            await engine.runs.until(run_id, lambda run: run.hunks == 1)
        lose(workshop)
        before = sorted(path.name for path in workshop.root.iterdir())
        workshop.config.write_text("[runs]\ngrace_seconds = 0.1\n")
        async with workshop.engine() as engine:
            run = await ended(engine, run_id)
            check_failed(run, words)
            assert [change.path for change in run.files] == ["new.txt"], "what was taken before is kept"
            assert sorted(path.name for path in workshop.root.iterdir()) == before
            await check_others_go_on(workshop, engine)


@pytest.mark.parametrize(("lose", "words"), LOSSES)
async def test_by_the_agent_itself(
    workshop: Workshop, tmp_path: Path, lose: Callable[[Workshop], None], words: str
) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, f"sh:{arrived.give}; {go.take}")
            await arrived.happened()
            if lose is remove_record:
                words = REMOVED
            lose(workshop)
            before = sorted(path.name for path in workshop.root.iterdir())
            go.happens()
            check_failed(run := await ended(engine, task.runs[0].id), words)
            assert run.files == ()
            assert sorted(path.name for path in workshop.root.iterdir()) == before
            await check_others_go_on(workshop, engine)


async def test_the_persons_repository_moved_into_the_place_of_a_worktree_stays_whole(
    workshop: Workshop, tmp_path: Path
) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, f"sh:{arrived.give}; {go.take}")
            await arrived.happened()
            move_the_persons_there(workshop)
            there = slot_of(workshop) / "project"
            (there / "f.txt").write_text("an edit of the person's\n")
            go.happens()
            check_failed(run := await ended(engine, task.runs[0].id), REPLACED)
            assert run.files == ()
            assert (there / "f.txt").read_text() == "an edit of the person's\n"
            assert (there / ".git" / "HEAD").exists()


DEEP = """import os
for _ in range(1200):
    os.mkdir("a-long-name"); os.chdir("a-long-name")
open("x", "w").write("x")
"""
"""A tree too deep for any path to reach its end."""

ODD = """import os, socket
open("new\\nline", "w").write("x")
open("n" * 255, "w").write("x")
os.mkfifo("fifo")
socket.socket(socket.AF_UNIX).bind("sock")
os.symlink("loop", "loop")
"""


def python(program: str, tmp_path: Path) -> str:
    file = tmp_path / "program.py"
    file.write_text(program)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(file))}"


async def test_folders_too_deep_to_name_are_left_out_and_named(workshop: Workshop, tmp_path: Path) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:{python(DEEP, tmp_path)}; echo y > y", checks=("true",))
        run = await ended(engine, task.runs[0].id)
        assert (run.state, run.reason, [change.path for change in run.files]) == (RunState.FINISHED, None, ["y"])
        (left,) = run.left_out
        assert left.path.startswith("a-long-name/a-long-name/")
        assert left.reason == "could not be read (File name too long)"
        await check_others_go_on(workshop, engine)


async def test_odd_names_and_things_that_are_no_files(workshop: Workshop, tmp_path: Path) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:{python(ODD, tmp_path)}")
        run = await ended(engine, task.runs[0].id)
        assert (run.state, run.reason) == (RunState.FINISHED, None)
        assert [change.path for change in run.files] == ["loop", "new\nline", "n" * 255]


RUN = '"$(dirname "$MUX_PROMPT_FILE")"'
REPOSITORY = '"$MUX_WORKTREE"/../../..'


@pytest.mark.parametrize(
    ("what", "state", "words"),
    [
        (f"rm -rf {RUN}", RunState.INTERRUPTED, "or the run's folder was removed"),
        (f"rm -rf {RUN}; echo > {RUN}", RunState.INTERRUPTED, "or the run's folder was removed"),
        (f"mkdir {RUN}/exit", RunState.INTERRUPTED, "its exit status was not recorded"),
        (f"rm -rf {RUN}/stdout; mkdir {RUN}/stdout {RUN}/transcript.jsonl", RunState.FINISHED, None),
        (f"echo > {RUN}/check-0", RunState.FINISHED, None),
        (f"echo junk > {REPOSITORY}/slots/s1/index", RunState.FINISHED, None),
        (f"echo junk > {REPOSITORY}/slots/s1/brought", RunState.FAILED, "is damaged: no result can be taken"),
        (f"mkdir {REPOSITORY}/slots/s1/brought", RunState.FAILED, "is damaged: no result can be taken"),
        (f"rm -rf {REPOSITORY}/slots/s1", RunState.FAILED, REMOVED),
        (f"rm -rf {REPOSITORY}/slots/s1; echo > {REPOSITORY}/slots/s1", RunState.FAILED, REPLACED),
        (f"rm -rf {REPOSITORY}/gitdirs/s1; echo > {REPOSITORY}/gitdirs/s1", RunState.FAILED, REPLACED),
        (f"rm -rf {REPOSITORY}/gitdirs", RunState.FINISHED, None),
    ],
)
async def test_an_agent_that_breaks_what_is_kept_of_it(
    workshop: Workshop, caplog: pytest.LogCaptureFixture, what: str, state: RunState, words: str | None
) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:{what}; echo x > x")
        run = await ended(engine, task.runs[0].id)
        assert run.state is state
        assert words is None or words in str(run.reason)
        await check_others_go_on(workshop, engine)
    assert "bug in mux-lsp" not in caplog.text


async def test_a_store_that_was_removed_is_named_and_what_was_made_is_kept(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, f"sh:rm -rf {REPOSITORY}/shadow.git; echo x > x")
        run = await engine.runs.until(task.runs[0].id, lambda run: run.state.ended)
        check_failed(run, "shadow.git was removed")
        made = slot_of(workshop) / "project"
        assert str(made) in str(run.reason)
        assert (made / "x").read_text() == "x\n"


def no_process(*_: object, **__: object) -> None:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def no_file(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@pytest.mark.parametrize(
    ("broken", "error", "words"),
    [
        ("mux_lsp.agents.process.subprocess.Popen", no_process, "Resource temporarily unavailable"),
        ("mux_lsp.git.worktrees.take", no_process, "the system starts no more processes or threads"),
        ("mux_lsp.git.worktrees.take", no_file, "as many files open as it may"),
        ("mux_lsp.agents.command.wait", no_file, "as many files open as it may"),
    ],
)
async def test_what_the_system_cannot_do_is_said_and_no_process_is_left(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    error: Callable[..., None],
    words: str,
) -> None:
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            monkeypatch.setattr(broken, error)
            waits = "" if broken.endswith("take") else f"{arrived.give}; {go.take}"
            task = await workshop.start(engine, f"sh:{waits or 'true'}")
            run = await engine.runs.until(task.runs[0].id, lambda run: run.state.ended)
            check_failed(run, words)
            if run.pid is not None and run.pid_created is not None:
                assert not is_there(Process(run.pid, run.pid_created))
            monkeypatch.undo()
            await check_others_go_on(workshop, engine)
