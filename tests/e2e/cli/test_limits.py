"""Test queue and limits from the terminal: messages, stopped runs, and tasks that agents start themselves."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.cli.test_builtin import start_and_wait_for_question
from tests.support.home import isolated_home
from tests.support.replaying import DONE, agent, call, replaying, text, turn
from tests.support.signals import signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.cli.terminal import Terminal
    from tests.support.home import IsolatedHome


@pytest.fixture
def home() -> Iterator[IsolatedHome]:
    """Yield a separate home for each test, since its daily spending starts at zero."""
    with isolated_home() as home:
        yield home


def edit(line: int, tokens: int) -> str:
    """Return a turn of a model that edits a line and costs this many tokens."""
    return turn(
        text(f"I change line {line}."),
        call("edit_file", path="notes.txt", edits=[{"old": f"line {line}\n", "new": f"LINE {line}\n"}]),
        more=f"usage = {{ input = {tokens}, output = 0 }}",
    )


def test_a_run_over_its_budget_is_stopped_with_its_result_kept(
    terminal: Terminal, tmp_path: Path, home: IsolatedHome
) -> None:
    with replaying(tmp_path, edit(5, 850), edit(6, 200), edit(7, 200), DONE) as url:
        home.write_config(agent(url) + "[limits]\nrun_tokens = 1000\n")
        done = terminal("run", "Change lines", "-a", "built")
    assert done.status == 1
    (task,) = terminal.json("list")["tasks"]
    run = task["runs"][0]
    assert run["state"] == "cancelled"
    assert (
        run["reason"] == f"the limit of 1,000 tokens for {run['id']} is spent (1,050 tokens; run_tokens under [limits])"
    )
    where = f"run_tokens under [limits] in {home.folder}/config/config.toml"
    assert f"The limit of 1,000 tokens for {run['id']} is near: 850 tokens is spent ({where})." in done.out
    assert f"Stopped: the limit of 1,000 tokens for {run['id']} is spent (1,050 tokens; {where})." in done.out
    assert "+LINE 5\n" in terminal.ok("diff", run["id"])
    assert "LINE 7" not in terminal.ok("diff", run["id"])
    terminal.ok("accept", run["id"])
    assert "LINE 5\n" in (terminal.folder / "notes.txt").read_text()
    assert "1,050 tokens" in terminal("continue", run["id"], "Go on").err


def test_what_a_day_has_cost_is_known_and_nothing_begins_beyond_it(
    terminal: Terminal, tmp_path: Path, home: IsolatedHome
) -> None:
    assert "spent today: nothing\n" in terminal.ok("run", "x", "-a", "sh:true") + terminal.ok("status")
    with replaying(tmp_path, edit(5, 100_000), DONE) as url:
        home.write_config(agent(url, more='model = "claude-sonnet-4-5"'))
        terminal.ok("run", "Change a line", "-a", "built")
    (spent,) = re.findall(r"spent today: (\$[0-9.]+) and ([0-9,]+) tokens\n", terminal.ok("status"))
    assert float(spent[0][1:]) > 0
    assert int(spent[1].replace(",", "")) >= 100_000
    home.write_config("[limits]\nday_usd = 0.01\nrepository_tokens = 5\n")
    done = terminal("run", "More", "-a", "sh:true")
    assert (done.status, done.out) == (1, "")
    assert "a day in" in done.err
    assert f"repository_tokens under [limits] in {home.folder}/config/config.toml" in done.err
    assert "(the most is $0.0100)" in terminal.ok("status")
    home.write_config("")
    terminal.ok("run", "More", "-a", "sh:true")


def test_a_tasks_own_budget_is_for_all_its_runs(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    done = turn(call("finish", summary="It is done."), more="usage = { input = 1, output = 0 }")
    with replaying(tmp_path, edit(5, 100), edit(6, 100), edit(7, 100), done) as url:
        home.write_config(agent(url) + "[limits]\ntask_tokens = 10\n[runs]\nconcurrent = 1\n")
        said = terminal.ok("run", "Change lines", "-a", "built*3", "--max-tokens", "450")
    assert "its own limit" in said
    (task,) = terminal.json("list")["tasks"]
    assert [run["state"] for run in task["runs"]] == ["finished", "cancelled", "cancelled"]
    assert task["max_tokens"] == 450
    assert task["tokens"] == 501


def test_the_queue_is_told_held_and_ordered(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    home.write_config("[runs]\nconcurrent = 1\n")
    with signals(tmp_path / "signals", "go") as (go,):
        said = terminal.ok("run", "One", "-a", f"sh:{go.take}*2", "--no-wait")
        first = said.split()[0]
        assert said == f"{first} started with 2 runs. 1 of them waits, from place 1 of the queue on.\n"
        other = terminal.json("run", "Two", "-a", "sh:true*2", "--no-wait", "--priority", "-3")["task"]
        assert [run["queue_place"] for run in other["runs"]] == [2, 3]
        assert "place 2 in the queue" in terminal.ok("show", other["id"])
        assert terminal.ok("prioritize", other["id"], "4") == (
            f"{other['id']} has priority 4: 2 runs in the queue, the first at place 1.\n"
        )
        assert terminal.ok("pause", other["id"]) == f"{other['id']} is paused: 2 runs held.\n"
        assert terminal.ok("pause", first) == f"{first} is paused: 1 run held, 1 run at work.\n"
        assert "3 queued" in terminal.ok("status")
        assert "paused" in terminal.ok("list")
        assert terminal("pause", f"{first}-1").status == 2
        go.happens()
        assert "finished" in terminal.ok("show", f"{first}-1", "-f")
        assert {run["state"] for run in terminal.json("show", other["id"])["task"]["runs"]} == {"queued"}
        assert (
            terminal.ok("resume", other["id"]) == f"{other['id']} goes on: 1 run in the queue, the first at place 1.\n"
        )
        terminal.ok("show", other["id"], "-f")
        assert terminal.json("show", first)["task"]["runs"][1]["state"] == "queued"
        go.happens()
        terminal.ok("resume", first)
        terminal.ok("show", first, "-f")
        said = terminal.ok("run", "Three", "-a", "sh:true*3")
        assert "started with 3 runs. 2 of them wait, from place 1 of the queue on." in said


def mux(*arguments: str) -> str:
    """Return `mux-lsp ARGUMENTS` as a shell command."""
    return shlex.join([sys.executable, "-P", "-m", "mux_lsp", *arguments])


@pytest.mark.parametrize("disguise", ["", "env -u MUX_RUN -u MUX_WORKTREE ", "env MUX_RUN=zzz-9 "])
def test_what_an_agent_starts_is_its_own(terminal: Terminal, home: IsolatedHome, disguise: str) -> None:
    home.write_config("[runs]\nconcurrent = 1\n")
    grandchild = f"sh:{mux('run', 'Deeper', '-a', 'sh:true')} 2>&1; true"
    child = f"{disguise}{mux('run', 'Help me', '-a', grandchild)}"
    task = terminal.run("Do it", "-a", f"sh:cd {shlex.quote(str(terminal.folder))} && {child}")
    assert task["runs"][0]["state"] == "finished", terminal.ok("log", task["runs"][0]["id"])
    tasks = terminal.json("list", "--all")["tasks"]
    (started,) = [one for one in tasks if one["prompt"] == "Help me"]
    assert started["parent"] == f"{task['id']}-1"
    assert not [one for one in tasks if one["prompt"] == "Deeper"]
    assert f"The agent of {started['id']}-1 may start no task" in terminal.ok("log", f"{started['id']}-1")
    assert f"by the agent of {task['id']}-1" in terminal.ok("show", started["id"])


def test_an_agent_does_not_answer_for_its_person(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    with replaying(tmp_path, turn(call("run_command", command="touch x")), DONE) as url:
        home.write_config(agent(url))
        asking = start_and_wait_for_question(terminal)
        helper = terminal.run("Help", "-a", f"sh:{mux('allow', asking)} 2>&1; true")
        assert "Only a person can answer that" in terminal.ok("log", helper["runs"][0]["id"])
        terminal.ok("refuse", asking)
        terminal.ok("show", asking, "-f")


def test_an_agent_does_not_end_the_daemon(terminal: Terminal, home: IsolatedHome) -> None:
    run = terminal.run("x", "-a", f"sh:{mux('stop')} 2>&1; true")["runs"][0]["id"]
    assert home.log.count("ending:") == 0
    assert terminal.ok("log", run) == f"only a person can end the mux-lsp daemon, and this was started by {run}\n"


def test_an_agent_has_no_say_in_what_its_person_believes_of_their_files(
    terminal: Terminal, tmp_path: Path, home: IsolatedHome
) -> None:
    assert terminal("verify", "--check", "false").status == 1
    there = shlex.quote(str(terminal.folder))
    own = f"{mux('verify', '--check', 'true')} 2>&1"
    run = terminal.run("x", "-a", f"sh:{own} | tail -n 2; cd {there} && {own}; true")["runs"][0]["id"]
    said = terminal.ok("log", run)
    assert "check passed" in said, "of its own worktree it may"
    assert f"Only a person can verify what is outside the worktree of {run}" in said
    assert re.search(r"files as they are failed", terminal.ok("status"))


@pytest.mark.parametrize("command", [("run", "x", "-a", "sh:true"), ("trust", "--yes"), ("verify", "--check", "true")])
def test_checks_and_set_ups_speak_for_nobody(terminal: Terminal, home: IsolatedHome, command: tuple[str, ...]) -> None:
    (terminal.folder / "mux.toml").write_text('protected = ["judge/"]\n')
    asks = f"{mux(*command)} 2>&1; true"
    where = f'[[repository]]\npath = "{terminal.folder}"\n'
    home.write_config(f"{where}setup = ['''{asks}''']\n")
    run = terminal.run("x", "-a", "sh:true", "--check", asks)["runs"][0]["id"]
    for option in (("--setup",), ("--check", "1", "--baseline")):
        assert re.search(
            r"Checks and set-ups start and decide nothing|Only a person can", terminal.ok("log", run, *option)
        )
    assert "Nothing is trusted" in terminal("trust", "--remove").err
    assert len(terminal.json("list")["tasks"]) == 1
    said = terminal("verify", "--check", f"{mux(*command)} 2>&1; false").out
    assert re.search(r"Checks and set-ups start and decide nothing|Only a person can", said)
