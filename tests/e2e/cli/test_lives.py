"""Test `log`, `cancel`, `delete`, `retry`, `continue`, `list`, `show`: a task from its start to its end."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp.protocol import DeleteResult, RunResult, TaskListResult, TaskResult

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.cli.terminal import Terminal


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Return a pipe for which an agent can wait: `read word < FIFO` goes on when the test writes."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def started(terminal: Terminal, *arguments: str) -> str:
    """Start a task without waiting and return its id."""
    return str(json.loads(terminal.ok("run", "x", *arguments, "--no-wait", "--json"))["task"]["id"])


def test_the_log_has_both_streams(terminal: Terminal) -> None:
    run = terminal.run("x", "-a", "sh:echo out; echo err >&2; printf 'no end'")["id"]
    assert terminal.ok("log", run) == "out\nno end"
    assert terminal.ok("log", run, "--stderr") == "err\n"


def test_the_log_of_a_talkative_agent_is_whole(terminal: Terminal) -> None:
    run = terminal.run("x", "-a", "sh:seq 100000")["id"]
    assert terminal.ok("log", run) == "".join(f"{number}\n" for number in range(1, 100_001))


def test_the_log_follows_until_the_run_has_ended(terminal: Terminal, fifo: Path) -> None:
    task = started(terminal, "-a", f'sh:echo one; read word < {fifo}; echo "$word"; read word < {fifo}; echo "$word"')
    # The test keeps one end open: the agent's second read must not meet the end of the first word's writer.
    with terminal.on_screen("log", task, "--follow") as screen, os.fdopen(os.open(fifo, os.O_RDWR), "wb", 0) as words:
        screen.wait_for("one")
        words.write(b"two\n")
        screen.wait_for("two")
        words.write(b"three\n")
        assert screen.end() == 0
    assert screen.shown.split() == [b"one", b"two", b"three"]


def test_ctrl_c_ends_following_a_log_and_nothing_else(terminal: Terminal, fifo: Path) -> None:
    task = started(terminal, "-a", f"sh:echo one; read word < {fifo}")
    with terminal.on_screen("log", task, "-f") as screen:
        screen.wait_for("one")
        screen.type("\x03")
        assert screen.end() == 130
    assert terminal.json("show", task)["task"]["state"] == "running"
    terminal.ok("cancel", task)


def test_a_person_hears_that_there_is_nothing_to_print(terminal: Terminal) -> None:
    run = f"{terminal.run('x', '-a', 'sh:echo out of cheese >&2; exit 3')['id']}-1"
    assert terminal.ok("log", run) == ""
    with terminal.on_screen("log", run) as screen:
        screen.wait_for(f"There is nothing to print; `mux-lsp log {run} --stderr` has the other of its outputs.")
        assert screen.end() == 0


def test_cancel_keeps_what_was_done(terminal: Terminal, fifo: Path) -> None:
    task = started(
        terminal, "-a", f"sh:echo more >> notes.txt; echo ready; read word < {fifo}", "-a", f"sh:read w < {fifo}"
    )
    with terminal.on_screen("log", f"{task}-1", "-f") as screen:
        screen.wait_for("ready")
        run = RunResult.model_validate(terminal.json("cancel", f"{task}-1")).run
        assert run.state == "cancelled"
        assert screen.end() == 0
    assert [file.path for file in run.files] == ["notes.txt"]
    assert "+more" in terminal.ok("diff", f"{task}-1")
    assert terminal.json("show", f"{task}-2")["run"]["state"] == "running"

    assert "cancelled" in terminal.ok("cancel", task)
    ended = TaskResult.model_validate(terminal.json("cancel", task)).task
    assert (ended.state, [run.state for run in ended.runs]) == ("ended", ["cancelled", "cancelled"])


def test_delete_waits_for_the_end_and_forgets(terminal: Terminal, fifo: Path) -> None:
    task = started(terminal, "-a", f"sh:read word < {fifo}", "-a", "sh:true")
    done = terminal("delete", task)
    assert done.status == 2
    assert f"mux-lsp cancel {task}-1" in done.err
    terminal.ok("cancel", task)
    assert DeleteResult.model_validate(terminal.json("delete", f"{task}-2")).deleted == [f"{task}-2"]
    assert [run["id"] for run in terminal.json("show", task)["task"]["runs"]] == [f"{task}-1"]
    assert terminal.ok("delete", task) == f"Deleted {task}-1.\n"
    assert terminal("show", task).status == 2
    assert terminal.ok("list") == "No tasks in this repository; --all lists those of every one.\n"


def test_retry_is_a_new_run(terminal: Terminal) -> None:
    task = terminal.run("x", "-a", 'sh:echo "$MUX_RUN" >> notes.txt')["id"]
    out = terminal.ok("retry", f"{task}-1")
    assert out.startswith(f"{task}-2 started.\n")
    assert f"+{task}-2" in terminal.ok("diff", f"{task}-2")
    assert f"+{task}-1" in terminal.ok("diff", f"{task}-1")
    assert len(TaskResult.model_validate(terminal.json("show", task)).task.runs) == 2


def test_continue_goes_on_from_the_result(terminal: Terminal) -> None:
    agent = 'sh:tail -n 1 notes.txt; cat "$MUX_PROMPT_FILE" >> notes.txt; echo >> notes.txt'
    task = terminal.run("first", "-a", agent)["id"]
    out = terminal.ok("continue", f"{task}-1", "second")
    assert "finished" in out
    patch = terminal.ok("diff", f"{task}-1")
    assert "+first" in patch
    assert "+second" in patch
    assert "first" in terminal.ok("log", f"{task}-1")


@pytest.mark.parametrize("command", [["retry"], ["continue"]])
def test_again_has_the_exit_status_of_the_run(command: list[str], terminal: Terminal) -> None:
    task = terminal.run("x", "-a", "sh:exit 5")["id"]
    message = ["go on"] if command == ["continue"] else []
    done = terminal(*command, f"{task}-1", *message)
    assert done.status == 1
    assert "exit status 5" in done.out


def test_list_and_show(terminal: Terminal) -> None:
    assert terminal.ok("list") == "No tasks in this repository; --all lists those of every one.\n"
    first = terminal.run("First\nand more.", "-a", "sh:true", "-a", "sh:exit 3")["id"]
    second = terminal.run("Second.", "-a", "sh:echo x >> notes.txt", "--check", "false")["id"]
    assert [task.id for task in TaskListResult.model_validate(terminal.json("list")).tasks] == [first, second]
    header, one, two = terminal.ok("list").splitlines()
    assert header.split() == ["TASK", "AGE", "STATE", "RUNS", "PROMPT"]
    assert one.split()[0] == first
    assert "1 finished, 1 failed" in one
    assert one.endswith("  First")
    assert two.endswith("  Second.")

    shown = terminal.ok("show", first)
    assert shown.startswith(f"{first}  First\n")
    assert str(terminal.folder) in shown
    assert "exit status 3" in shown
    assert f"mux-lsp log {first}-2 --stderr" in shown

    shown = terminal.ok("show", f"{second}-1")
    assert "check failed" in shown
    assert ": false\n" in shown
    assert "notes.txt  modified, +1 -0\n" in shown
    assert "pending" in shown
    assert "line 21" in shown
    assert "+ x\n" in shown
    RunResult.model_validate(terminal.json("show", f"{second}-1"))
