"""Test an LLM judge over the wire, and the effect of its answers."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from mux_lsp.engine.state.events import TaskChanged
from tests.support.replaying import agent, call, replaying, turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mux_lsp.core.model import Task
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.state.events import Event
    from tests.integration.engine.conftest import Workshop

ROMAN, DIGIT = "sh:sed -i s/two/II/ f.txt", "sh:sed -i s/two/2/ f.txt"
PREFERS_ROMAN = (
    "\n".join(
        [
            """contains = '+II\\n three\\n", "B"'""",
            turn(call("verdict", better="A", why="It is older.")),
            "[[conversation]]",
            turn(call("verdict", better="B", why="It is older.")),
        ]
    ),
)


def settings(url: str, more: str = "") -> str:
    return agent(url, "reader") + f'[judge]\nagent = "reader"\n{more}\n'


async def judged(engine: Engine, task: Task) -> Task:
    """Wait until an event announces the judge's opinion of a run, and return the task."""
    told = asyncio.Event()

    def listen(event: Event) -> None:
        if isinstance(event, TaskChanged):
            look()

    def look() -> None:
        if any(
            "The judge says" in reason
            for run in engine.registry.task(task.id).runs
            for reason in engine.tasks.summary(run).reasons
        ):
            told.set()

    stop = engine.subscribe(listen)
    look()
    await told.wait()
    stop()
    return engine.registry.task(task.id)


def first(engine: Engine, task: Task) -> str:
    return engine.rankings.ranking(task.id)[0].run


async def test_a_judge_decides_between_those_that_are_alike_once(workshop: Workshop, tmp_path: Path) -> None:
    with replaying(tmp_path, *PREFERS_ROMAN) as url:
        workshop.config.write_text(settings(url))
        async with workshop.engine() as engine:
            task = await judged(engine, await workshop.start(engine, DIGIT, ROMAN))
            assert first(engine, task) == f"{task.id}-2"
            reasons = engine.tasks.summary(task.runs[1]).reasons
            assert f"The judge says: better than {task.id}-1: It is older." in reasons
            assert f"Behind {task.id}-2 for what the judge thinks of it." in engine.tasks.summary(task.runs[0]).reasons
            # What it took counts for the task and the day, and for no agent.
            assert engine.budget.today().tokens > 0
            assert [run.tokens for run in task.runs] == [None, None]
    # The judge is not asked, and paid, again.
    async with workshop.engine() as engine:
        await engine.tasks.ranked(task.id)
        task = await judged(engine, task)
        assert first(engine, task) == f"{task.id}-2"
        await engine.tasks.delete(task.id)
    assert list((workshop.state / "opinions").iterdir()) == []


@pytest.fixture
def not_judged() -> Iterator[asyncio.Event]:
    """Yield an event that is set when the log says that results were not judged."""
    said = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "were not judged" in record.getMessage():
                said.set()

    handler = Listener()
    logging.getLogger("mux_lsp.engine.ranking.llm_judge").addHandler(handler)
    yield said
    logging.getLogger("mux_lsp.engine.ranking.llm_judge").removeHandler(handler)


async def test_a_judge_is_asked_nothing_beyond_a_limit(
    workshop: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture, not_judged: asyncio.Event
) -> None:
    with replaying(tmp_path, *PREFERS_ROMAN) as url:
        # The limit allows one answer.
        workshop.config.write_text(settings(url, "[limits]\ntask_tokens = 1"))
        async with workshop.engine() as engine:
            task = await workshop.start(engine, DIGIT, ROMAN)
            await not_judged.wait()
            (told,) = (record.getMessage() for record in caplog.records if "were not judged" in record.getMessage())
            assert f"the limit of 1 tokens for {task.id} is spent" in told
            one = engine.budget.today().tokens
            assert one > 0
            await engine.tasks.ranked(task.id)
        not_judged.clear()
        async with workshop.engine() as engine:
            await engine.tasks.ranked(task.id)
            await not_judged.wait()
            assert engine.budget.today().tokens == one, "nothing more was asked"


async def test_a_judge_that_cannot_be_asked_harms_nothing(
    workshop: Workshop, caplog: pytest.LogCaptureFixture, not_judged: asyncio.Event
) -> None:
    workshop.config.write_text(
        '[agents.locked]\nkind = "anthropic"\napi_key_command = "false"\n[judge]\nagent = "locked"\n'
    )
    async with workshop.engine() as engine:
        task = await workshop.start(engine, DIGIT, ROMAN)
        await not_judged.wait()
        assert [engine.tasks.summary(run).rank for run in engine.registry.task(task.id).runs] == [1, 1]
    assert f"the results of {task.id} were not judged" in caplog.text
