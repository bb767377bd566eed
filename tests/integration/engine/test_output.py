"""Test that output of agents, checks and set-ups stays within its disk limit, with a daemon watching or without."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mux_lsp.core.model import CheckState, RunState
from mux_lsp.engine.runs.log import LogPiece
from mux_lsp.engine.state.events import RunOutput
from tests.integration.engine.conftest import Workshop, ended
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.state.events import Event

MOST = 1_000_000
LOUD = "seq 3000000"
"""Print 22 megabytes."""

SETTINGS = "[runs]\noutput_mb = 1\n"


def room(*files: Path) -> int:
    return max(file.stat().st_blocks * 512 for file in files)


async def lines(engine: Engine, run_id: str, *, check: int | None = None, setup: bool = False) -> list[str]:
    text, offset, position = "", -1, 0
    while position != offset:
        offset = position
        piece = LogPiece("stdout", offset, 1_000_000, check, setup=setup)
        printed, position, _ = await engine.logs.read(run_id, piece, follow=False)
        text += printed
    return text.splitlines()


def check_lines(got: list[str], last: str = "3000000") -> None:
    assert (got[0], got[-1]) == ("1", last)
    assert [line for line in got if "were left out here (output_mb under [runs])" in line]
    assert not any("\u2400" in line for line in got), "no reader sees the hole"


async def test_of_an_agent_at_work_and_at_its_end(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text(SETTINGS)
    told = asyncio.Event()

    def hear(event: Event) -> None:
        if isinstance(event, RunOutput) and event.text.endswith("3000000\n"):
            told.set()

    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            engine.subscribe(hear)
            task = await workshop.start(engine, f"sh:{LOUD}; {arrived.give}; {go.take}; echo end")
            run_id = task.runs[0].id
            await arrived.happened()
            await told.wait()
            file = engine.files.run_folder(run_id) / "stdout"
            assert room(file) <= MOST
            check_lines(await lines(engine, run_id))
            go.happens()
            assert (await ended(engine, run_id)).state is RunState.FINISHED
            assert room(file) <= MOST
            check_lines(await lines(engine, run_id), "end")


async def test_of_an_agent_that_printed_while_there_was_no_daemon(workshop: Workshop, tmp_path: Path) -> None:
    workshop.config.write_text(SETTINGS)
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with workshop.engine() as engine:
            task = await workshop.start(engine, f"sh:{arrived.give}; {go.take}; {LOUD}; {arrived.give}")
            await arrived.happened()
        go.happens()
        await arrived.happened()
        async with workshop.engine() as engine:
            run = await ended(engine, task.runs[0].id)
            assert run.state is RunState.FINISHED
            assert room(engine.files.run_folder(run.id) / "stdout") <= MOST
            check_lines(await lines(engine, run.id))


async def test_the_last_bound_ends_an_agent_in_words(workshop: Workshop) -> None:
    workshop.config.write_text("[runs]\noutput_mb = 1\nlargest_file_mb = 2\n")
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo x > new.txt; exec yes")
        run = await ended(engine, task.runs[0].id)
        assert run.state is RunState.FAILED
        assert "largest_file_mb under [runs] in config.toml" in str(run.reason)
        assert [change.path for change in run.files] == ["new.txt"]
        assert (engine.files.run_folder(run.id) / "stdout").stat().st_size <= 2 * MOST


async def test_of_checks_and_set_ups(workshop: Workshop) -> None:
    workshop.config.write_text(f'{SETTINGS}[[repository]]\npath = "{workshop.root}"\nsetup = ["{LOUD}"]\n')
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:echo x > new.txt", checks=(LOUD,))
        run = await ended(engine, task.runs[0].id)
        assert [check.state for check in run.checks] == [CheckState.PASSED]
        check_lines(await lines(engine, run.id, check=0))
        said = await lines(engine, run.id, setup=True)
        assert said[:2] == [f"$ {LOUD}", "1"]
        assert said[-1] == "3000000"
        outputs = [*engine.files.run_folder(run.id).rglob("stdout"), *workshop.state.glob("repos/*/setups/*/stdout")]
        assert len(outputs) >= 2
        assert room(*outputs) <= MOST
