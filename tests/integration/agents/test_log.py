"""Test reading the output of agents, and notifications of its growth."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from mux_lsp.agents.log import Growth, read_log, watch_growth
from mux_lsp.agents.process import end, start, wait
from tests.integration.agents.conftest import ENVIRONMENT

if TYPE_CHECKING:
    from pathlib import Path


MOST = 1_000_000


def _mark(folder: Path) -> dict[str, str]:
    # The process table of the whole machine is searched for the mark, including other workers' tests: so it is unique.
    return {"MUX_RUN": "k3f-1", "MUX_WORKTREE": str(folder)}


def test_log_is_read_piece_by_piece(tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"one\ntwo\xff\n")
    assert read_log(tmp_path, "stdout", 0, 4) == (b"one\n", 4)
    assert read_log(tmp_path, "stdout", 4, 100) == (b"two\xff\n", 9)
    assert read_log(tmp_path, "stdout", 9, 100) == (b"", 9)
    assert read_log(tmp_path, "stdout", 50, 100) == (b"", 50)
    assert read_log(tmp_path, "stderr", 0, 100) == (b"", 0)


async def test_growth_of_all_runs_is_told(tmp_path: Path) -> None:
    """This includes a run that begins after the watch."""
    old = tmp_path / "k3f-1"
    old.mkdir()
    (old / "stdout").write_text("before\n")
    wanted = {Growth("k3f-1", "stdout"), Growth("k3f-1", "stderr"), Growth("b2c-1", "stdout")}
    seen: set[Growth] = set()
    heard = asyncio.Event()

    async def listen() -> None:
        async with aclosing(watch_growth(tmp_path, lambda: MOST)) as told:
            async for growths in told:
                seen.update(growths)
                heard.set()

    async def until(growth: Growth, script: str, folder: Path) -> None:
        # An agent prints lines until it is noticed; output from before the watch began may go unnoticed.
        process = start(
            ["sh", "-c", script],
            folder=tmp_path,
            environment=ENVIRONMENT,
            run_folder=folder,
            mark=_mark(folder),
        )
        while growth not in seen:
            heard.clear()
            await heard.wait()
        await end(process, _mark(folder), 0)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        line = "while :; do echo x; sleep 0.05; done"
        await until(Growth("k3f-1", "stdout"), line, old)
        await until(Growth("k3f-1", "stderr"), f"({line}) >&2", old)
        new = tmp_path / "b2c-1"
        new.mkdir()
        await until(Growth("b2c-1", "stdout"), line, new)
        listening.cancel()
    assert seen >= wanted
    assert {growth.run for growth in seen} == {"k3f-1", "b2c-1"}


async def test_what_is_in_a_folder_from_its_first_moment_is_told(tmp_path: Path) -> None:
    """No change in the folder triggers the watch."""
    made, runs = tmp_path / "made", tmp_path / "runs"
    made.mkdir()
    (made / "stdout").write_text("begun\n")
    (runs / "k3f-1").mkdir(parents=True)
    async with asyncio.timeout(20), aclosing(watch_growth(runs, lambda: MOST)) as told:
        process = start(
            ["sh", "-c", "while :; do echo x; sleep 0.05; done"],
            folder=tmp_path,
            environment=ENVIRONMENT,
            run_folder=runs / "k3f-1",
            mark=_mark(tmp_path),
        )
        await anext(told)
        made.rename(runs / "b2c-1")
        async for growths in told:
            if Growth("b2c-1", "stdout") in growths:
                break
        await end(process, _mark(tmp_path), 0)


async def test_watch_ends_when_it_is_closed_and_can_begin_again(tmp_path: Path) -> None:
    (tmp_path / "k3f-1").mkdir()
    for _ in range(3):
        async with asyncio.timeout(20), aclosing(watch_growth(tmp_path, lambda: MOST)) as told:
            assert await anext(told) == {Growth("k3f-1", "stdout"), Growth("k3f-1", "stderr")}


async def test_nothing_printed_is_missing_after_the_end(tmp_path: Path) -> None:
    process = start(
        ["sh", "-c", "seq 20000"],
        folder=tmp_path,
        environment=ENVIRONMENT,
        run_folder=tmp_path,
        mark=_mark(tmp_path),
    )
    assert await wait(process, tmp_path) == 0
    await end(process, _mark(tmp_path), 0)
    collected, offset = b"", 0
    while True:
        data, offset = read_log(tmp_path, "stdout", offset, 1000)
        if not data:
            break
        collected += data
    assert collected.decode().splitlines() == [str(number) for number in range(1, 20001)]


@pytest.mark.parametrize("name", ["exit", "prompt", "transcript"])
async def test_other_files_are_not_growth(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "k3f-1"
    folder.mkdir()
    (folder / name).touch()
    async with asyncio.timeout(20), aclosing(watch_growth(tmp_path, lambda: MOST)) as told:
        await anext(told)
        following = asyncio.ensure_future(anext(told))
        process = start(
            ["sh", "-c", f"while :; do echo x >>{name}; echo y; sleep 0.05; done"],
            folder=folder,
            environment=ENVIRONMENT,
            run_folder=folder,
            mark=_mark(tmp_path),
        )
        assert await following <= {Growth("k3f-1", "stdout"), Growth("k3f-1", "stderr")}
        await end(process, _mark(tmp_path), 0)
