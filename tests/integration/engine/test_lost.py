"""Folders that vanish or are replaced under runs, between daemons and while agents work. All other runs go on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

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
            await engine.until(run_id, lambda run: run.hunks == 1)
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
