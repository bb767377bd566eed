"""Test a real agent over the Agent Client Protocol, with a scripted model, through the real daemon."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.agents.replay import script
from mux_lsp.agents.replay.server import serve
from mux_lsp.daemon.dial import read_record
from tests.support.client import ENDS, connected
from tests.support.npm import install
from tests.support.person import fingerprint, git
from tests.support.runs import processes_of_runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome

# Installing it takes longer than any test.
pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(400)]

KEY = "sk-canary-for-the-model"
COMMAND = "python3 -c 'print(6 * 7)'"
PLAY = f"""
[[conversation]]
contains = "Write the greeting"

[[conversation.turn]]
content = [
  {{ text = "I write it." }},
  {{ tool = "Write", input = {{ file_path = "greeting.txt", content = "hello\\n" }} }},
]

[[conversation.turn]]
content = [{{ tool = "Bash", input = {{ command = {json.dumps(COMMAND)}, description = "Reckon" }} }}]

[[conversation.turn]]
content = [{{ text = "The greeting is there." }}]
usage = {{ input = 100, output = 20 }}

[[conversation.turn]]
expect = {{ user_contains = "Louder" }}
content = [{{ tool = "Write", input = {{ file_path = "loud.txt", content = "HELLO\\n" }} }}]

[[conversation.turn]]
content = [{{ text = "Louder it is." }}]

[[conversation]]
contains = "Reckon"

[[conversation.turn]]
content = [{{ tool = "Bash", input = {{ command = {json.dumps(COMMAND)}, description = "Reckon" }} }}]

[[conversation.turn]]
content = [{{ text = "So I do it in my head." }}]

[[conversation.turn]]
expect = {{ user_contains = "Do it in your head." }}
content = [{{ text = "In my head, as you say." }}]

[[conversation]]
contains = "Take your time"

[[conversation.turn]]
content = [{{ text = "I think about it." }}, {{ text = "For long." }}]
faults = [{{ kind = "stall", after = 5 }}]

[[conversation.turn]]
content = [{{ text = "I went on." }}]

[[conversation.turn]]
content = [{{ text = "I went on." }}]

# Nobody gets so far. But with it no request for a title, which offers no tools, is taken for this conversation.
[[conversation.turn]]
content = [{{ tool = "Bash", input = {{ command = "true" }} }}]
"""


@pytest.fixture
async def project(mux_home: IsolatedHome, tmp_path: Path) -> AsyncIterator[Path]:
    """Yield the repository of a person who has configured the real agent."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.txt").write_text("one\n")
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message=begin")
    before = fingerprint(project / ".git")
    program = install("@agentclientprotocol/claude-agent-acp", "0.101.0", "claude-agent-acp")
    async with serve(script.parse(PLAY, "play.toml")) as url:
        sections = [agent(mode, program, url, tmp_path) for mode in ("acceptEdits", "bypassPermissions")]
        mux_home.write_config("".join(["[runs]\ngrace_seconds = 1\n", *sections]))
        yield project
    assert fingerprint(project / ".git") == before
    assert sorted(path.name for path in project.iterdir()) == [".git", "a.txt"]


@pytest.fixture
async def person(mux_home: IsolatedHome, project: Path) -> AsyncIterator[Client]:
    """Yield that person's editor."""
    async with connected(mux_home, project, ANTHROPIC_API_KEY=KEY) as client:
        yield client


def agent(mode: str, program: Path, url: str, home: Path) -> str:
    """Return the configuration of an agent that is named after its mode."""
    return f"""
        [agents.{mode}]
        kind = "acp"
        command = [{json.dumps(str(program))}]
        mode = "{mode}"
        environment = {{ ANTHROPIC_BASE_URL = {json.dumps(url)}, HOME = {json.dumps(str(home))}, IS_SANDBOX = "1" }}
    """


async def start(person: Client, prompt: str, name: str = "acceptEdits") -> str:
    answer = await person.command("mux.task.start", prompt=prompt, agents=[{"agent": name, "count": 1}], checks=[])
    shape: Json = answer["task"]["runs"][0]
    person.runs.setdefault(shape["id"], shape)
    run: str = shape["id"]
    return run


def asked(person: Client) -> list[Json]:
    """Return the permission requests that the client has received."""
    told = [json.loads(body) for body in person.raw if b'"mux/permissionRequested"' in body]
    return [one["params"]["permission"] for one in told]


async def question_of(person: Client, run: str) -> Json:
    """Wait for the agent's permission request and return it. Fail if the run ends before."""
    await person.until(lambda: asked(person) or person.runs[run]["state"] in ENDS, "the question")
    assert asked(person), person.runs[run]["reason"]
    return asked(person)[0]


async def ended(person: Client, run: str) -> Json:
    return (await person.ended(run.partition("-")[0]))[0]


async def test_a_task_from_end_to_end_and_a_further_message(person: Client, mux_home: IsolatedHome) -> None:
    run = await start(person, "Write the greeting.")
    question = await question_of(person, run)
    assert (question["tool"], question["subject"], question["runs"]) == ("run", COMMAND, [run])
    assert (await person.reaches(run, "waiting"))["reason"] == f"asks for leave: Run `{COMMAND}`"
    await person.command("mux.permission.reply", id=question["id"], answer="once")
    shape = await ended(person, run)
    assert (shape["state"], shape["reason"]) == ("finished", None)
    assert [file["path"] for file in shape["files"]] == ["greeting.txt"]
    assert shape["tokens"] > 100
    assert shape["cost_usd"] > 0
    log = await person.log(run)
    for words in ("I write it.", "▸ Write greeting.txt", f"▸ {COMMAND}", "The greeting is there."):
        assert words in log
    assert "42" in (mux_home.state / "runs" / run / "transcript.jsonl").read_text()

    await person.command("mux.run.continue", run=run, message="Louder.")
    await person.reaches(run, "running")
    shape = await ended(person, run)
    assert (shape["state"], shape["reason"]) == ("finished", None)
    assert sorted(file["path"] for file in shape["files"]) == ["greeting.txt", "loud.txt"]
    assert "Louder it is." in await person.log(run)
    kept = [path for path in mux_home.folder.rglob("*") if path.is_file()]
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []
    assert processes_of_runs(mux_home) == []


async def test_refused_with_words(person: Client) -> None:
    run = await start(person, "Reckon.")
    await question_of(person, run)
    await person.command("mux.run.continue", run=run, message="Do it in your head.")
    shape = await ended(person, run)
    assert (shape["state"], shape["reason"]) == ("finished", None)
    log = await person.log(run)
    assert f"Refused: Run `{COMMAND}`" in log
    assert "✗ User refused permission to run tool\n" in log
    assert "42" not in log
    assert log.endswith("In my head, as you say.\n")


async def speaking(person: Client) -> str:
    """Start a run, wait until its agent is in the middle of a sentence, and return it."""
    run = await start(person, "Take your time.")

    def speaks() -> Any:
        return "I think" in person.output.get((run, "stdout"), "")

    await person.until(speaks, "its first words")
    return run


async def test_cancelled_in_the_middle_and_sent_on(person: Client, mux_home: IsolatedHome) -> None:
    run = await speaking(person)
    assert processes_of_runs(mux_home) != []
    await person.command("mux.run.cancel", run=run)
    assert processes_of_runs(mux_home) == []
    assert (await ended(person, run))["state"] == "cancelled"
    await person.command("mux.run.continue", run=run, message="Go on.")
    await person.reaches(run, "running")
    shape = await ended(person, run)
    assert (shape["state"], shape["reason"]) == ("finished", None)
    log = await person.log(run)
    assert log.endswith("I went on.\n")
    assert "begins anew" not in log
    told = [json.loads(line) for line in (await person.log(run, "transcript")).splitlines()]
    assert len({one["id"] for one in told if one["kind"] == "session"}) == 1
    assert processes_of_runs(mux_home) == []


async def test_its_permissions_are_not_to_be_bypassed(person: Client) -> None:
    run = await start(person, "Write the greeting.", "bypassPermissions")
    shape = await ended(person, run)
    assert shape["state"] == "failed"
    assert shape["reason"].startswith("The agent has no mode 'bypassPermissions'. It offers: default, acceptEdits")


async def test_goes_on_after_its_daemon_was_killed(mux_home: IsolatedHome, project: Path) -> None:
    async with connected(mux_home, project, ANTHROPIC_API_KEY=KEY) as person:
        run = await speaking(person)
        record = read_record(mux_home.paths)
        assert record is not None
        os.kill(record["pid"], signal.SIGKILL)
    async with connected(mux_home, project, ANTHROPIC_API_KEY=KEY) as later:
        shape = await ended(later, run)
        assert (shape["state"], shape["reason"]) == ("finished", None)
        log = await later.log(run)
        assert "mux-lsp was stopped while the agent worked. It is told so, and goes on." in log
        assert "I went on." in log
    assert processes_of_runs(mux_home) == []
