"""Test `run`: from a prompt to results, on a dirty tree, for a script and for a person."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp.protocol import TaskResult
from tests.e2e.cli.terminal import files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.cli.terminal import Terminal

EDIT = "sh:sed -i 's/^line 10$/LINE TEN/' notes.txt"


def test_three_runs_on_a_dirty_tree(terminal: Terminal) -> None:
    before = files(terminal.folder)
    agent = 'sh:cat notes.txt src/app.txt src/new.txt; echo "$MUX_RUN" >> notes.txt*3'
    done = terminal("run", "Sign it.", "-a", agent, "--check", "grep -q -e -2 notes.txt", "--json")

    assert (done.status, done.err) == (0, "")
    task = TaskResult.model_validate_json(done.raw).task
    assert task.state == "ended"
    assert task.prompt == "Sign it."
    assert [run.id for run in task.runs] == [f"{task.id}-{number}" for number in (1, 2, 3)]
    assert [run.state for run in task.runs] == ["finished"] * 3
    assert [[check.state for check in run.checks] for run in task.runs] == [["failed"], ["passed"], ["failed"]]
    assert [[(file.path, file.added, file.removed) for file in run.files] for run in task.runs] == [
        [("notes.txt", 1, 0)]
    ] * 3
    # They started from the person's complete working state.
    for run in task.runs:
        log = terminal.ok("log", run.id)
        assert log.startswith("line 1 unstaged\nline 2\n")
        assert log.endswith("one\ntwo staged\nthree\nuntracked\n")
    assert files(terminal.folder) == before


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["-a", "sh:true"], 0),
        (["-a", "sh:exit 4"], 1),
        (["-a", "sh:exit 4", "-a", "sh:true"], 0),
        (["-a", "sh:true", "--check", "true"], 0),
        (["-a", "sh:true", "--check", "true", "--check", "false"], 1),
        (["-a", "sh:echo x > good", "-a", "sh:true", "--check", "test -e good"], 0),
        (["-a", "sh:echo x > good; exit 4", "-a", "sh:true", "--check", "test -e good"], 1),
    ],
)
def test_the_exit_status_says_whether_a_run_is_good(arguments: list[str], status: int, terminal: Terminal) -> None:
    assert terminal("run", "x", *arguments).status == status


def test_the_prompt_from_standard_input(terminal: Terminal) -> None:
    terminal.ok("run", "-", "-a", 'sh:cat "$MUX_PROMPT_FILE"', stdin="Say\nthis.\n")
    [task] = terminal.json("list")["tasks"]
    assert task["prompt"] == "Say\nthis.\n"
    assert "Say\nthis.\n" in terminal.ok("log", task["id"])


def test_the_context_is_told_to_the_agent(terminal: Terminal) -> None:
    places = ["--context", "app.txt:2-3", "--context", "../notes.txt"]
    task = terminal.at(terminal.folder / "src").run("x", "-a", 'sh:cat "$MUX_PROMPT_FILE"', *places)
    told = terminal.ok("log", task["id"])
    # Paths are relative to the agent's folder.
    assert "app.txt, lines 2-3" in told
    assert "../notes.txt" in told


def test_agents_start_in_the_folder_that_is_opened(terminal: Terminal) -> None:
    task = terminal.run("x", "-C", "src", "-a", "sh:cat app.txt")
    assert terminal.ok("log", task["id"]) == "one\ntwo staged\nthree\n"


def test_in_a_pipe_each_change_is_a_line(terminal: Terminal) -> None:
    out = terminal.ok("run", "x", "-a", EDIT, "--check", "true")
    [task] = terminal.json("list")["tasks"]
    id_ = task["id"]
    lines = out.splitlines()
    assert lines[0] == f"{id_} started with 1 run."
    states = [line.split()[1] for line in lines if line.startswith(f"{id_}-1 ")]
    assert [state for state in ("preparing", "running", "checking", "finished") if state in states] == [
        "preparing",
        "running",
        "checking",
        "finished",
    ]
    assert "1 file, +1 -1, checks passed" in out
    assert f"  mux-lsp diff {id_}-1 " in out
    assert f"  mux-lsp accept {id_}-1 " in out
    assert "\x1b" not in out


def test_on_a_terminal_the_table_lives(terminal: Terminal) -> None:
    fifo = terminal.folder.parent / "fifo"
    os.mkfifo(fifo)
    agent = f'sh:echo thinking hard; read word < {fifo}; echo "$word" >> notes.txt'
    with terminal.on_screen("run", "x", "-a", agent) as screen:
        screen.wait_for("thinking hard")
        fifo.write_text("done\n")
        assert screen.end() == 0
    assert b"finished" in screen.shown
    assert b"\nNext:" in screen.shown
    assert b"\x1b[?25h" in screen.shown.rpartition(b"\x1b[?25l")[2]  # the cursor is restored


def test_ctrl_c_leaves_the_runs_going(terminal: Terminal) -> None:
    fifo = terminal.folder.parent / "fifo"
    os.mkfifo(fifo)
    with terminal.on_screen("run", "x", "-a", f"sh:echo ready; cat {fifo} >> notes.txt") as screen:
        screen.wait_for("ready")
        screen.type("\x03")
        assert screen.end() == 130
    [task] = terminal.json("list")["tasks"]
    assert task["state"] == "running"
    assert f"mux-lsp show {task['id']} --follow".encode() in screen.shown
    assert f"mux-lsp cancel {task['id']}".encode() in screen.shown

    with terminal.on_screen("show", task["id"], "--follow") as screen:
        screen.wait_for("running")
        fifo.write_text("more\n")
        assert screen.end() == 0
    assert [file["path"] for file in terminal.json("show", f"{task['id']}-1")["run"]["files"]] == ["notes.txt"]


def test_no_wait_returns_at_once_and_show_waits(terminal: Terminal) -> None:
    fifo = terminal.folder.parent / "fifo"
    os.mkfifo(fifo)
    task = json.loads(terminal.ok("run", "x", "-a", f"sh:cat {fifo} >> notes.txt", "--no-wait", "--json"))["task"]
    assert task["state"] == "running"
    fifo.write_text("more\n")
    out = terminal.ok("show", task["id"], "--follow")
    assert f"{task['id']}-1  " in out
    assert "finished" in out


def test_what_is_left_out_is_named(terminal: Terminal) -> None:
    with (terminal.folder / "large.bin").open("wb") as file:
        file.truncate(21_000_000)
    out = terminal.ok("run", "x", "-a", EDIT)
    [line] = [line for line in out.splitlines() if "large.bin" in line]
    assert line.startswith("  large.bin: ")
    assert "Left out of the snapshot:" in out
    [task] = terminal.json("list")["tasks"]
    assert "large.bin" in terminal.ok("show", task["id"])


HOSTILE = "[red]x[bold]\x1b[2J\x1b]0;owned\x07\u202e"


def test_nothing_an_agent_writes_drives_the_terminal(terminal: Terminal) -> None:
    program = terminal.folder.parent / "hostile.sh"
    program.write_text(f"echo '{HOSTILE}' | tee '{HOSTILE}' >> notes.txt\nprintf '{HOSTILE}'; printf '{HOSTILE}' >&2\n")
    with terminal.on_screen("run", HOSTILE.replace("\x1b", "\x9b"), "-a", f"sh:. {program}") as screen:
        assert screen.end() == 0
    shown = [screen.shown]
    [task] = terminal.json("list")["tasks"]
    run = f"{task['id']}-1"
    for arguments in (
        ["list"],
        ["show", task["id"]],
        ["show", run],
        ["log", run],
        ["log", run, "--stderr"],
        ["diff", run],
        ["compare", task["id"]],
        ["accept", run],
    ):
        with terminal.on_screen(*arguments) as screen:
            assert screen.end() == 0, screen.shown
        shown.append(screen.shown)
    for screenful in shown:
        text = screenful.decode()
        assert "\x1b[2J" not in text
        assert "\x1b]" not in text
        assert "\x07" not in text
        assert "\x9b" not in text
        assert "\u202e" not in text
    assert "[red]x[bold]\\x1b[2J" in shown[3].decode()
    assert (terminal.folder / HOSTILE).exists()


def test_results_of_another_repository_are_listed_apart(terminal: Terminal, tmp_path: Path) -> None:
    task = terminal.run("Only here.", "-a", "sh:true")
    assert f"{task['id']}  " in terminal.ok("list")
    outside = terminal.at(tmp_path)
    assert outside("list").status == 2
    assert task["id"] in [each["id"] for each in outside.json("list", "--all")["tasks"]]
    assert str(terminal.folder) in outside.ok("list", "--all")


def test_a_failed_check_leads_to_what_it_printed(terminal: Terminal) -> None:
    done = terminal("run", "x", "-a", "sh:echo y > y", "--check", "true", "--check", "echo said; echo why >&2; false")
    run = f"{done.out.split()[0]}-1"
    assert done.status == 1
    assert re.search(rf"mux-lsp log {run} --check 2 +why the check failed", done.out)
    assert terminal.ok("log", run, "--check", "2") == "said\nwhy\n"
    assert terminal.ok("log", run, "--check", "2", "--stderr") == "why\n"
    assert terminal.ok("log", run, "--check", "1") == ""
    assert terminal("log", run, "--check", "3").status == 2


def test_no_log_is_offered_of_an_agent_that_did_not_start(terminal: Terminal) -> None:
    terminal.home.write_config('[agents.gone]\nkind = "command"\ncommand = ["no-such-agent"]\n')
    done = terminal("run", "x", "-a", "gone")
    assert done.status == 1
    assert "no-such-agent" in done.out
    assert "Next:" not in done.out
