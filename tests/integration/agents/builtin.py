"""Run the built-in agent with its real loop and tools against a scripted model."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from mux_lsp.agents.backend import Attempt, Decision, Outcome
from mux_lsp.agents.builtin.api import Api
from mux_lsp.agents.builtin.conversation import CONVERSATION
from mux_lsp.agents.builtin.loop import BuiltinBackend, TurnLimits
from mux_lsp.agents.events import Event, Final, ToolResult
from mux_lsp.agents.replay import messages_api, script
from mux_lsp.agents.replay.http1 import chunk
from mux_lsp.agents.replay.http_server import Exchange, listen
from mux_lsp.agents.replay.server import _Player
from tests.support.replaying import DONE, turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from mux_lsp.core.permissions import PermissionRequest

KEY = "sk-canary-in-the-environment"
WAIT_SECONDS = 20.0
NO_LIMITS = TurnLimits()


@dataclass(frozen=True)
class Refusal:
    """An answer with which a server refuses a request."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    async def answer(self, exchange: Exchange) -> None:
        error = {"type": "error", "error": {"type": "invalid_request_error", "message": self.message}}
        await exchange.whole(self.status, json.dumps(error).encode(), self.headers)


@dataclass(frozen=True)
class Stream:
    """An answer as a stream of events that no script can express."""

    events: tuple[Mapping[str, Any], ...]

    async def answer(self, exchange: Exchange) -> None:
        await exchange.begin_stream(200, {})
        for event in self.events:
            await exchange.send(chunk(messages_api.event(dict(event))))
        await exchange.end_stream()


@dataclass
class Stage:
    """One run, with the events and requests that it emits."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    asked: list[PermissionRequest] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The requests that the server received."""
    decision: Decision = field(default_factory=lambda: Decision(True))
    settings: dict[str, Any] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def worktree(self) -> Path:
        return self.folder / "slot" / "project"

    def emit(self, event: Event, offset: int | None = None) -> None:
        self.events.append(event)
        self.heard.set()

    async def ask(self, request: PermissionRequest) -> Decision:
        self.asked.append(request)
        return self.decision

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def until(self, kind: type[Any]) -> None:
        """Wait until an event of that kind has come."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not any(isinstance(event, kind) for event in self.events):
                self.heard.clear()
                await self.heard.wait()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def results(self) -> list[str]:
        """The results of the tools, those that failed with a `!` in front."""
        return [("" if one.ok else "!") + one.text for one in self.of(ToolResult)]

    @property
    def attempt(self) -> Attempt:
        return Attempt(
            "k3f-1", "k3f", "Do it.", self.folder, self.worktree, self.worktree, self.folder / "run", port=4000
        )

    def backend(self, url: str, limits: TurnLimits = NO_LIMITS) -> BuiltinBackend:
        async def key() -> str:
            return KEY

        def api(model: str | None) -> Api:
            given = {"stall": 0.3, **self.settings}
            return Api(given.pop("model", "claude-sonnet-5-5"), url, key, wait=self.wait, **given)

        return BuiltinBackend(api, limits, frozenset({"WHERE_THE_MODEL_IS"}))

    async def play(
        self, text: str, limits: TurnLimits = NO_LIMITS, *, first: Iterable[Refusal | Stream] = (), **changes: Any
    ) -> Outcome:
        """Run the attempt against a model with these first answers and then this script. Return its outcome."""
        async with self.playing(text, first) as url:
            return await self.backend(url, limits).attempt(replace(self.attempt, **changes), self)

    @asynccontextmanager
    async def playing(self, text: str, first: Iterable[Refusal | Stream] = ()) -> AsyncIterator[str]:
        """Serve the model and yield its address."""
        player = _Player(script.parse(text, "play.toml"))
        left = list(first)

        async def answer(exchange: Exchange) -> None:
            self.requests.append(json.loads(exchange.body))
            await (left.pop(0) if left else player).answer(exchange)

        async with listen(answer) as url:
            yield url

    def conversation(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "run" / CONVERSATION).read_text().splitlines()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    stage.worktree.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (stage.worktree / "a.py").write_text("one = 1\ntwo = 2\n")
    return stage


def play(*turns: str) -> str:
    return "[[conversation]]\n" + "".join(turns)


async def results_of(stage: Stage, *calls: str) -> list[str]:
    """Return the results of these calls, each made in an answer of its own."""
    assert await stage.play(play(*map(turn, calls), DONE)) == Outcome(0)
    assert stage.of(Final) == [Final("It is done.")]
    return stage.results


def is_of(process: psutil.Process, stage: Stage) -> bool:
    """Return whether a process belongs to the run and is alive."""
    try:
        marked = process.environ().get("MUX_WORKTREE") == str(stage.worktree)
        return marked and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
