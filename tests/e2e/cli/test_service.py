"""Test `agents`, `status`, `stop`, `doctor`: mux-lsp itself."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp.protocol import AgentListResult, StatusResult
from tests.support.home import isolated_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.cli.terminal import Terminal
    from tests.support.home import IsolatedHome


@pytest.fixture
def home() -> Iterator[IsolatedHome]:
    """Yield a separate home for each test here: they start and stop the daemon."""
    with isolated_home() as home:
        yield home


def test_status_starts_nothing(terminal: Terminal) -> None:
    assert terminal.ok("status") == "The daemon is not running. Whatever needs it starts it.\n"
    assert terminal.json("status") is None
    assert terminal.home.processes() == []


def test_status_and_stop(terminal: Terminal) -> None:
    terminal.run("x", "-a", "sh:echo x >> notes.txt")
    status = StatusResult.model_validate(terminal.json("status"))
    [repository] = status.repositories
    assert status.unfinished_runs == 0
    assert repository.disk_bytes > 0
    shown = terminal.ok("status")
    assert f"pid {status.pid}" in shown
    assert "0 unfinished runs" in shown
    assert str(terminal.folder) in shown
    assert terminal.ok("stop") == "The daemon has ended.\n"
    assert terminal.ok("stop") == "No daemon was running.\n"
    assert len(terminal.json("list")["tasks"]) == 1  # the next daemon has the data of the last


def test_a_home_may_be_named_from_where_one_is(terminal: Terminal) -> None:
    done = subprocess.run(
        terminal.home.command("run", "x", "-a", "sh:echo x >> notes.txt"),
        cwd=terminal.folder,
        env=terminal.home.environment(MUX_LSP_HOME=os.path.relpath(terminal.home.folder, terminal.folder)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert len(terminal.json("list")["tasks"]) == 1


def test_agents(terminal: Terminal) -> None:
    shown = terminal.ok("agents")
    assert str(terminal.home.paths.config_file) in shown
    assert "sh:COMMAND" in shown
    terminal.ok("stop")
    terminal.home.write_config(
        '[agents.fixer]\nkind = "command"\ncommand = "echo fixed >> notes.txt"\n[defaults]\nagents = ["fixer*2"]\n'
    )
    answer = AgentListResult.model_validate(terminal.json("agents"))
    assert [(agent.name, agent.kind) for agent in answer.agents if agent.configured] == [("fixer", "command")]
    assert {"anthropic", "claude", "codex", "gemini"} <= {agent.name for agent in answer.agents if not agent.configured}
    shown = terminal.ok("agents")
    assert "echo fixed >> notes.txt" in shown
    assert "Without -a a task goes to fixer*2." in shown
    task = terminal.run("x")
    assert [run["agent"] for run in task["runs"]] == ["fixer", "fixer"]


def test_bad_configuration_is_named(terminal: Terminal) -> None:
    terminal.home.write_config('[agents.fixer]\nkind = "command"\ncomand = "true"\n')
    done = terminal("agents")
    assert done.status in {1, 2}
    assert f"{terminal.home.paths.config_file}: agents.fixer.comand: is not a setting" in done.err


def test_doctor(terminal: Terminal) -> None:
    findings = {finding["name"]: finding for finding in json.loads(terminal.ok("doctor", "--json"))}
    assert {name: finding["state"] for name, finding in findings.items() if finding["state"] == "bad"} == {}
    assert "answers (pid " in findings["daemon"]["detail"]
    assert terminal.home.paths.log in terminal.ok("doctor")


def test_doctor_says_what_to_do(terminal: Terminal) -> None:
    terminal.home.write_config("nonsense = 1\nfolly = 2\n")
    done = terminal("doctor")
    assert done.status == 1
    [place] = [number for number, line in enumerate(done.out.splitlines()) if line.startswith("BAD   configuration")]
    first, second = done.out.splitlines()[place : place + 2]
    assert "nonsense: is not a setting" in first
    assert "folly: is not a setting" in second
    assert first.index(str(terminal.home.folder)) == second.index(str(terminal.home.folder))
