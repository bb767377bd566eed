"""Test the built-in agent from the terminal: start, permission requests, messages, transcripts."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.home import isolated_home
from tests.support.replaying import CHANGE, DONE, agent, call, replaying, text, turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.cli.terminal import Terminal
    from tests.support.home import IsolatedHome


@pytest.fixture
def home() -> Iterator[IsolatedHome]:
    """Yield a separate home for each test: the daemon reads its environment once."""
    with isolated_home() as home:
        yield home


def test_a_run_that_needs_leave_says_so_and_goes_on_with_it(
    terminal: Terminal, tmp_path: Path, home: IsolatedHome
) -> None:
    command = turn(call("run_command", command="touch allowed"))
    with replaying(tmp_path, command, command, DONE) as url:
        home.write_config(agent(url))
        with subprocess.Popen(
            home.command("run", "Do it", "-a", "built*3"), cwd=terminal.folder, env=home.environment(),
            stdout=subprocess.PIPE, text=True,
        ) as watching:  # fmt: skip
            assert watching.stdout is not None
            lines = iter(watching.stdout.readline, "")
            waiting = {line.split()[0] for line in (next_with(lines, "waiting:") for _ in range(3))}
            assert len(waiting) == 3
            (task,) = terminal.json("list")["tasks"]
            assert {run["state"] for run in task["runs"]} == {"waiting"}
            listed = terminal.ok("list")
            assert "3 waiting" in listed
            # One request for all three.
            (hint,) = re.findall(r"^  mux-lsp allow (ask\w+) .* mux-lsp refuse ", listed, re.MULTILINE)
            assert "ask for leave: Run `touch allowed`" in listed
            assert f"mux-lsp allow {hint}" in terminal.ok("show", f"{task['id']}-2")
            allowed = terminal.ok("allow", task["id"], "--task")
            assert allowed.startswith("Allowed in this task: touch allowed (")
            rest = "".join(lines)
        assert watching.returncode == 0
        assert rest.count("It is done.") == 3
    done = terminal("allow", task["id"])
    assert done.status == 2
    assert "waits for an answer" in done.err


def next_with(lines: Iterator[str], words: str) -> str:
    return next(line for line in lines if words in line)


def test_refused_and_allowed_for_good(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    refused = turn(
        text("Then not."), more='expect = { result_contains = "They say: too dear", result_is_error = true }'
    )
    with replaying(tmp_path, turn(call("run_command", command="echo buy; echo it")), refused) as url:
        home.write_config(agent(url))
        task = start_and_wait_for_question(terminal)
        said = terminal.ok("refuse", f"{task}-1", "too dear")
        assert said == f"Refused: echo buy; echo it ({task}-1)\n"
        assert "finished" in terminal.ok("show", f"{task}-1", "--follow")
    allowed = turn(text("So be it."), more='expect = { result_contains = "buy", result_is_error = false }')
    with replaying(tmp_path, turn(call("run_command", command="echo buy; echo it")), allowed) as url:
        home.write_config(agent(url))
        task = start_and_wait_for_question(terminal)
        terminal.ok("allow", f"{task}-1", "--always")
        assert "finished" in terminal.ok("show", f"{task}-1", "--follow")
        terminal.ok("stop")
        # The permission is stored, also for the next daemon.
        assert terminal.run("Do it", "-a", "built")["runs"][0]["state"] == "finished"


def test_all_of_a_command_is_shown_to_who_is_asked(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    """A shell also runs invisible characters, text after a comment's end, and text far to the right."""
    command = f"ls # {'x' * 300}\n true \x1b];echo evil;\x07"
    with replaying(tmp_path, turn(call("run_command", command=command)), DONE) as url:
        home.write_config(agent(url))
        task = start_and_wait_for_question(terminal)
        asked = terminal.ok("list")
        assert f"    ls # {'x' * 300}\n     true \u241b];echo evil;\u2407\n" in asked
        assert "Run `ls # xxx" in asked
        terminal.ok("refuse", f"{task}-1")
        terminal("show", task, "--follow")


def start_and_wait_for_question(terminal: Terminal) -> str:
    with subprocess.Popen(
        terminal.home.command("run", "Do it", "-a", "built"), cwd=terminal.folder, env=terminal.home.environment(),
        stdout=subprocess.PIPE, text=True,
    ) as watching:  # fmt: skip
        assert watching.stdout is not None
        line = next_with(iter(watching.stdout.readline, ""), "waiting:")
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()
    return line.partition("-")[0]


def test_rules_decide_first_and_deny_wins(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    tried = turn(
        call("run_command", command="echo one"),
        call("run_command", command="echo two"),
        call("write_file", path="secret/x", content="x"),
    )
    with replaying(tmp_path, tried, DONE) as url:
        rules = '[permissions]\nallow = ["run:echo"]\ndeny = ["run:echo two", "write:secret/*"]\n'
        home.write_config(rules + agent(url))
        task = terminal.run("Do it", "-a", "built")
    assert task["runs"][0]["state"] == "finished"
    said = terminal.ok("log", task["runs"][0]["id"])
    assert said.count("✗ Not allowed: A rule of the person's denies this") == 2
    assert not task["runs"][0]["files"]


def test_nobody_there_times_out_to_a_refusal(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    with replaying(tmp_path, turn(call("run_command", command="touch x")), DONE) as url:
        home.write_config("[permissions]\ntimeout_seconds = 0.2\n" + agent(url))
        task = terminal.run("Do it", "-a", "built")
    said = terminal.ok("log", task["runs"][0]["id"])
    assert "✗ Not allowed: Nobody answered within 0.2 seconds, so it is refused." in said


def test_what_it_did_can_be_read(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    hostile = "see ``` [x](command:evil) \x1b]0;title\x07<img src=x>"
    turns = turn(text(hostile), call("read_file", path="src/new.txt"), call("write_file", path="x", content=hostile))
    with replaying(tmp_path, turns, DONE) as url:
        home.write_config(agent(url))
        run = terminal.run("Do it", "-a", "built")["runs"][0]["id"]
    said = terminal.ok("log", run)
    assert said == ("see ``` [x](command:evil) <img src=x>\n▸ read file src/new.txt\n▸ write file x\nIt is done.\n")
    page = terminal.ok("log", run, "--markdown")
    assert "\x1b" not in page
    assert "````text\nsee ``` [x](command:evil) <img src=x>\n````" in page
    assert "**Tool** `read file src/new.txt`" in page
    assert "Result of `read_file`\n\n```text\n1\tuntracked\n```" in page
    assert "Closing words:\n\n```text\nIt is done.\n```" in page
    lines = [json.loads(line) for line in terminal.ok("log", run, "--json-lines").splitlines()]
    assert [line["kind"] for line in lines] == [
        "prompt", "usage", "text", "tool_call", "tool_result", "tool_call", "file_touched", "tool_result", "usage",
        "final",
    ]  # fmt: skip
    assert lines[2]["text"] == hostile


def test_it_can_be_read_while_it_works(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    waits = turn(text("\x1b[2JAnd now \x9b2J I think."), more='faults = [{ kind = "stall", after = 1 }]')
    with replaying(tmp_path, turn(call("read_file", path="src/new.txt")), waits) as url:
        home.write_config(agent(url))
        terminal.ok("run", "Do it", "-a", "built", "--no-wait")
        run = f"{terminal.json('list')['tasks'][0]['id']}-1"
        with subprocess.Popen(
            home.command("log", run, "--json-lines", "--follow"), cwd=terminal.folder, env=home.environment(),
            stdout=subprocess.PIPE, text=True,
        ) as following:  # fmt: skip
            assert following.stdout is not None
            told = [json.loads(following.stdout.readline())["kind"] for _ in range(4)]
            # The model has sent nothing since, and will not.
            assert told == ["prompt", "usage", "tool_call", "tool_result"]
            assert "Result of `read_file`\n\n```text\n1\tuntracked\n```" in terminal.ok("log", run, "--markdown")
            terminal.ok("cancel", run)
            # The tokens that it had read by then are charged.
            assert [json.loads(line)["kind"] for line in following.stdout] == ["usage"]
        assert following.returncode == 0


def test_a_further_message(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    more = turn(
        call("edit_file", path="notes.txt", edits=[{"old": "line 9\n", "new": "NINE\n"}]),
        more='expect = { user_contains = "And line nine" }',
    )
    with replaying(tmp_path, CHANGE, DONE, more, DONE) as url:
        home.write_config(agent(url))
        run = terminal.run("Do it", "-a", "built")["runs"][0]["id"]
        assert "finished" in terminal.ok("continue", run, "And line nine")
    patch = terminal.ok("diff", run)
    assert "+LINE FIVE" in patch
    assert "+NINE" in patch
    assert "### Message\n\n```text\nAnd line nine\n```" in terminal.ok("log", run, "--markdown")


def test_a_session_is_recorded_and_replayed(terminal: Terminal, tmp_path: Path, home: IsolatedHome) -> None:
    file = tmp_path / "kept.toml"
    with (
        replaying(tmp_path, CHANGE, DONE) as upstream,
        serving(home, "record", str(file), "--upstream", upstream) as url,
    ):
        home.write_config(agent(url))
        terminal.run("Change line five", "-a", "built")
    with serving(home, "replay", str(file)) as url:
        home.write_config(agent(url))
        again = terminal.run("Change line five", "-a", "built")["runs"][0]
    assert (again["state"], again["added"], again["removed"]) == ("finished", 1, 1)


@contextlib.contextmanager
def serving(home: IsolatedHome, *arguments: str) -> Iterator[str]:
    """Run a command that serves until it is terminated. Yield the address that it prints."""
    with subprocess.Popen(
        home.command(*arguments), env=home.environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
