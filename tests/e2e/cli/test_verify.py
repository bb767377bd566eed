"""Test verifying in the terminal, and the display of checks and of runs that tampered with them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.cli.terminal import Terminal, files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome

CHECK = "grep -qx 'line 2 fixed' notes.txt"
NO_BAD = "! grep -n bad notes.txt"
GOOD = "sed -i 's/^line 2$/line 2 fixed/' notes.txt"
BAD = "sed -i 's/^line 9$/bad/' notes.txt"


@pytest.fixture
def two(terminal: Terminal) -> tuple[str, str]:
    """Return two runs of a task: a correct one and one that breaks something."""
    task = terminal.run("fix it", "-a", f"sh:{GOOD}", "-a", f"sh:{BAD}", "--check", CHECK, "--check", NO_BAD)
    first, second = task["runs"]
    return first["id"], second["id"]


def test_a_mix_is_verified_before_and_after(terminal: Terminal, two: tuple[str, str]) -> None:
    good, bad = two
    before = files(terminal.folder)
    done = terminal("verify")
    assert (done.status, done.err) == (1, "")
    assert "Your files as they are: 1 of 2 checks passed" in done.out
    assert terminal.ok("verify", good).startswith(f"Your files with {good}: passed")
    done = terminal("verify", bad, "notes.txt")
    assert done.status == 1
    assert f"Your files with {bad} in notes.txt: 0 of 2 checks passed" in done.out
    assert "    9:bad\n" in done.out
    assert files(terminal.folder) == before
    terminal.ok("accept", good)
    assert "Your files as they are: passed" in terminal.ok("verify")
    terminal.ok("accept", bad)
    done = terminal("verify", "--check", NO_BAD, "--json")
    answer = json.loads(done.raw)
    assert (done.status, answer["verdict"]["passed"], answer["printed"]) == (1, False, ["9:bad\n"])


def test_one_hunk_is_verified(terminal: Terminal) -> None:
    run = terminal.run("fix", "-a", f"sh:{GOOD}; {BAD}", "--check", CHECK, "--check", NO_BAD)["runs"][0]["id"]
    shown = terminal.ok("show", run)
    fixed = next(line.split()[0] for line in shown.splitlines() if "+ line 2 fixed" in line)
    assert terminal("verify", run).status == 1
    assert f"Your files with 1 change of {run}: passed" in terminal.ok("verify", run, "--hunk", fixed)
    assert terminal("verify", run, "--hunk", "nonsense").status == 2
    assert terminal("verify", "--hunk", fixed).status == 2


def test_what_collides_is_refused_as_accept_refuses_it(terminal: Terminal, two: tuple[str, str]) -> None:
    notes = terminal.folder / "notes.txt"
    notes.write_text(notes.read_text().replace("line 2\n", "mine\n"))
    done = terminal("verify", two[0])
    assert (done.status, done.out) == (3, "")
    assert "notes.txt:2" in done.err


def test_the_status_has_the_last_verdict(terminal: Terminal, two: tuple[str, str]) -> None:
    terminal("verify", two[0])
    assert f"{terminal.folder}: Your files with {two[0]} passed" in terminal.ok("status")
    (terminal.folder / "other.txt").write_text("new\n")
    (line,) = [line for line in terminal.ok("status").splitlines() if str(terminal.folder) in line and "passed" in line]
    assert line.endswith("; the text has changed since")


def test_a_verdict_outlives_the_daemon(terminal: Terminal) -> None:
    terminal.ok("verify", "--check", "true")
    terminal.ok("stop")
    terminal.ok("list")
    assert f"{terminal.folder}: Your files as they are passed" in terminal.ok("status")
    (terminal.folder / "other.txt").write_text("new\n")
    assert "the text has changed since" in terminal.ok("status")


def test_without_a_check_it_says_how_to_name_one(terminal: Terminal) -> None:
    done = terminal("verify")
    assert done.status == 2
    assert "mux-lsp verify --check COMMAND" in done.err


def test_failures_of_the_snapshot_are_not_blamed_and_a_cheat_is_told(terminal: Terminal) -> None:
    (terminal.folder / "tests").mkdir()
    (terminal.folder / "tests" / "test_notes.sh").write_text("echo old test; grep -qx 'line 2 fixed' notes.txt\n")
    run = "sh tests/test_notes.sh"
    cheat = "echo 'echo new test' > tests/test_notes.sh"
    task = terminal.run(
        "fix it", "-a", "sh:true", "-a", f"sh:{GOOD}", "-a", f"sh:{cheat}", "--check", run, "--check", "false"
    )
    idle, right, cheating = (one["id"] for one in task["runs"])
    shown = terminal.ok("show", idle)
    assert "check failed (before too) after" in shown
    assert "It changed" not in shown
    assert "check passed after" in terminal.ok("show", right)
    shown = terminal.ok("show", cheating)
    assert (
        "It changed what judges it: tests/test_notes.sh\n  With that as it was:\n  check failed (before too)" in shown
    )
    assert terminal.ok("log", cheating, "--check", "1") == "new test\n"
    assert terminal.ok("log", cheating, "--check", "1", "--restored") == "old test\n"
    assert terminal.ok("log", cheating, "--check", "1", "--baseline") == "old test\n"
    assert terminal("log", right, "--check", "1", "--restored").status == 2
    assert terminal("log", right, "--baseline").status == 2


def test_ctrl_c_ends_it_and_all_that_it_started(terminal: Terminal, home: IsolatedHome, tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    os.mkfifo(arrived)
    command = home.command("verify", "--check", f"echo $$ > {arrived}; sleep 1000")
    process = subprocess.Popen(command, cwd=terminal.folder, env=home.environment(), stderr=subprocess.PIPE)
    pid = int(arrived.read_text())
    watched = os.pidfd_open(pid)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    ended(watched)
    os.close(watched)


def ended(descriptor: int) -> None:
    """Wait for the end of a process. The test's own time limit bounds the wait."""
    import select

    select.select([descriptor], [], [])


def test_what_the_checks_of_the_first_verdict_printed_is_kept(terminal: Terminal, home: IsolatedHome) -> None:
    (printed,) = json.loads(terminal("verify", "--check", "echo why; false", "--json").raw)["printed"]
    assert printed == "why\n"
    store = next((home.folder / "state/repos").glob("*/verify/verdict.json")).parent.parent / "shadow.git"
    live = json.loads((store.parent / "verify/verdict.json").read_text())["live"]["commit"]
    named = ["git", "-C", str(store), "for-each-ref", "--contains", live, "refs/mux/snapshots"]
    assert subprocess.run(named, capture_output=True, check=True).stdout, "its tree stays, to be compared with"
