"""Test a command agent: its input, the report of its end, cancelling, and resuming by a later daemon."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.agents.backend import Attempt, Outcome
from mux_lsp.agents.command import CommandBackend
from mux_lsp.agents.events import Started
from mux_lsp.agents.process import Process
from mux_lsp.errors import AgentError, UsageError
from tests.integration.agents.conftest import is_alive

if TYPE_CHECKING:
    from mux_lsp.agents.backend import Backend, Decision
    from mux_lsp.agents.events import Event
    from mux_lsp.core.permissions import PermissionRequest

PERSON = {
    "PATH": os.environ["PATH"],
    "HOME": "/home/person",
    "GIT_DIR": "/home/person/repository/.git",
    "MUX_LSP_HOME": "/x",
}


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    worktree = tmp_path / "worktrees" / "1" / "repository"
    (worktree / "sub").mkdir(parents=True)
    return Attempt(
        run="k3f-1",
        task="k3f",
        prompt="make it\n$(touch pwned) \"fast\" & 'good'",
        repository=Path("/home/person/repository"),
        worktree=worktree,
        folder=worktree / "sub",
        run_folder=tmp_path / "runs" / "k3f-1",
        port=20_010,
    )


def backend(command: str | list[str], **environment: str) -> Backend:
    return CommandBackend(command, environment=environment, grace=5, person=PERSON)


class Watcher:
    """A host that takes the agent's start, and is never asked."""

    def __init__(self) -> None:
        self.started: asyncio.Future[Started] = asyncio.get_running_loop().create_future()

    def emit(self, event: Event, offset: int | None = None) -> None:
        assert offset is None
        assert isinstance(event, Started)
        self.started.set_result(event)

    async def ask(self, request: PermissionRequest) -> Decision:
        raise AssertionError(request)


def output(attempt: Attempt) -> str:
    return (attempt.run_folder / "stdout").read_text()


async def test_agent_is_told_where_it_is_and_what_to_do(attempt: Attempt) -> None:
    attempt = replace(attempt, model="big", environment={"EXTRA": "from the engine"})
    outcome = await backend("env -0", SETTING="from config").attempt(attempt, Watcher())
    assert outcome == Outcome(0, None)
    told = dict(entry.split("=", 1) for entry in output(attempt).split("\0") if entry)
    assert {name: value for name, value in told.items() if name not in {"_", "SHLVL", "PATH"}} == {
        "HOME": "/home/person",
        "PWD": str(attempt.folder),
        "SETTING": "from config",
        "EXTRA": "from the engine",
        "MUX_TASK": "k3f",
        "MUX_RUN": "k3f-1",
        "MUX_WORKTREE": str(attempt.worktree),
        "MUX_REPOSITORY": "/home/person/repository",
        "MUX_PROMPT_FILE": str(attempt.run_folder / "prompt"),
        "MUX_PORT": "20010",
        "MUX_MODEL": "big",
        "MUX_LSP_HOME": "/x",
    }


@pytest.mark.parametrize(
    "command", ["printf %s {prompt}", "cat {prompt_file}", ["printf", "%s", "{prompt}"], ["cat", "{prompt_file}"]]
)
async def test_prompt_arrives_as_it_was_written(attempt: Attempt, command: str | list[str]) -> None:
    assert await backend(command).attempt(attempt, Watcher()) == Outcome(0, None)
    assert output(attempt) == attempt.prompt
    assert list(attempt.folder.iterdir()) == []


async def test_prompt_with_half_a_character(attempt: Attempt) -> None:
    await backend("printf %s {prompt}").attempt(replace(attempt, prompt="a\ud800b"), Watcher())
    assert output(attempt) == "a?b"


async def test_prompt_that_no_command_line_can_hold(attempt: Attempt) -> None:
    with pytest.raises(UsageError, match="NUL"):
        await backend("tool {prompt}").attempt(replace(attempt, prompt="a\0b"), Watcher())
    long = replace(attempt, prompt="word " * 1_000_000)
    with pytest.raises(AgentError, match="prompt_file"):
        await backend("tool {prompt}").attempt(long, Watcher())
    assert await backend("wc -c <{prompt_file}").attempt(long, Watcher()) == Outcome(0, None)
    assert output(attempt).strip() == "5000000"


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        ("exit 2", Outcome(2, "ended with exit status 2")),
        ("no-such-tool", Outcome(127, "ended with exit status 127 (a command was not found)")),
        ("kill -KILL $$", Outcome(137, "ended with exit status 137 (SIGKILL)")),
    ],
)
async def test_agent_that_ends_badly(attempt: Attempt, command: str, outcome: Outcome) -> None:
    assert await backend(command).attempt(attempt, Watcher()) == outcome


async def test_agent_that_is_not_there(attempt: Attempt) -> None:
    with pytest.raises(AgentError, match="'no-such-tool' was not found on PATH"):
        await backend(["no-such-tool", "{prompt}"]).attempt(attempt, Watcher())


async def test_cancel_ends_agent_and_attempt(attempt: Attempt) -> None:
    ready = attempt.worktree / "ready"
    os.mkfifo(ready)
    watcher = Watcher()
    agent = backend(f"setsid sleep 1000 & sh -c 'echo up >\"{ready}\"; exec sleep 1000'")
    working = asyncio.ensure_future(agent.attempt(attempt, watcher))
    event = await watcher.started
    await asyncio.to_thread(ready.read_text)
    await agent.cancel(attempt, event.process)
    assert await working == Outcome(143, "ended with exit status 143 (SIGTERM)")
    assert not is_alive(event.process.pid)


async def test_daemon_that_goes_leaves_the_agent_to_the_next_one(attempt: Attempt) -> None:
    go_on = attempt.worktree / "go on"
    os.mkfifo(go_on)
    watcher = Watcher()
    first = asyncio.ensure_future(backend(f"read line <'{go_on}'; echo $line; exit 6").attempt(attempt, watcher))
    event = await watcher.started
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.ensure_future(backend("not looked at").resume(attempt, event.process, watcher))
    await asyncio.to_thread(go_on.write_text, "went on\n")
    assert await second == Outcome(6, "ended with exit status 6")
    assert output(attempt) == "went on\n"


async def test_resume_of_an_agent_that_the_machine_took_down(attempt: Attempt) -> None:
    attempt.run_folder.mkdir(parents=True)
    outcome = await backend("tool").resume(attempt, Process(2**22 - 1, 1.0), Watcher())
    assert outcome.exit_status is None
    assert "not recorded" in (outcome.reason or "")


async def test_agent_that_could_not_be_noted_is_ended(attempt: Attempt) -> None:
    class Failing(Watcher):
        def emit(self, event: Event, offset: int | None = None) -> None:
            super().emit(event, offset)
            raise OSError("disk full")

    watcher = Failing()
    with pytest.raises(OSError, match="disk full"):
        await CommandBackend("sleep 1000", grace=0).attempt(attempt, watcher)
    assert not is_alive(watcher.started.result().process.pid)
