"""Provide an engine in this process, over real git, a real journal and real agents."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import AgentChoice
from mux_lsp.engine.engine import Engine
from mux_lsp.engine.tasks.request import StartRequest
from tests.support.person import make_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.state.clock import Clock


class Workshop:
    """A repository, and the engines that serve it one after another."""

    def __init__(self, folder: Path) -> None:
        self.root = make_repository(folder / "project", {"f.txt": "one\ntwo\nthree\n"})
        self.state = folder / "state"
        self.state.mkdir()
        self.config = folder / "config.toml"

    @asynccontextmanager
    async def engine(self, clock: Clock | None = None) -> AsyncIterator[Engine]:
        """An engine, open; closed as a daemon closes it, so that agents at work go on."""
        async with Engine.open(self.state, self.config, clock) as engine:
            yield engine

    async def start(self, engine: Engine, *agents: str, checks: tuple[str, ...] = ()) -> Task:
        """Start a task with a run of each agent and return it."""
        choices = tuple(AgentChoice(agent) for agent in agents)
        return await engine.tasks.start(StartRequest(self.root, "do it", choices, checks))


async def ended(engine: Engine, run_id: str) -> Run:
    """A run when it has ended and given its worktree back."""
    return await engine.runs.until(run_id, lambda run: run.state.ended and run.worktree is None)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)
