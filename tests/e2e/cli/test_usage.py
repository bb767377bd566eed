"""Test that a usage error is answered with one sentence and status 2, and has no effect."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.cli.terminal import Terminal


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "zzz"], "no task 'zzz'"),
        (["show", "zzz-1"], "no run 'zzz-1'"),
        (["log", "zzz-1"], "no run 'zzz-1'"),
        (["diff", "zzz-1"], "no run 'zzz-1'"),
        (["diff", "zzz-1", "a.txt"], "no run 'zzz-1'"),
        (["accept", "zzz"], "no task 'zzz'"),
        (["accept", "zzz-1"], "no run 'zzz-1'"),
        (["reject", "zzz-1"], "no run 'zzz-1'"),
        (["compare", "zzz"], "no task 'zzz'"),
        (["cancel", "zzz"], "no task 'zzz'"),
        (["cancel", "zzz-1"], "no run 'zzz-1'"),
        (["delete", "zzz"], "no task 'zzz'"),
        (["retry", "zzz-1"], "no run 'zzz-1'"),
        (["continue", "zzz-1", "more"], "no run 'zzz-1'"),
        (["continue", "zzz-1", " "], "prompt is empty"),
        (["run", "  ", "-a", "sh:true"], "prompt is empty"),
        (["run", "x"], "agent"),
        (["run", "x", "-a", "nobody"], "nobody"),
        (["run", "x", "-a", "no body"], "'no body' is not an agent"),
        (["run", "x", "-a", "sh:true*501"], "1 to 500"),
        (["run", "x", "-a", "sh: "], "no command"),
        (["run", "x", "-a", "sh:true", "--context", "none.py:3"], "there is no file"),
        (["run", "x", "-a", "sh:true", "--context", "notes.txt:3-2"], "lines are counted from 1"),
        (["show", "\x1b[2J"], "no task"),
        (["log", "\x1b[2J-1"], "no run"),
        (["accept", "zzz-1", "\x1b[2J"], "no run"),
    ],
)
def test_usage_errors(arguments: list[str], said: str, terminal: Terminal) -> None:
    done = terminal(*arguments)
    assert (done.status, done.raw) == (2, b""), done
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert "\x1b" not in done.err
    assert done.err[0].isupper() or done.err.startswith(("'", "--"))
    assert done.err.endswith(".\n")
    if arguments[0] == "run":
        assert terminal.json("list") == {"tasks": []}


def test_not_a_repository(terminal: Terminal) -> None:
    outside = terminal.at(terminal.folder.parent)
    for done in (outside("run", "x", "-a", "sh:true"), terminal("run", "x", "-a", "sh:true", "-C", "..")):
        assert (done.status, done.raw) == (2, b"")
        assert len(done.err.splitlines()) == 1
        assert "git" in done.err


def test_unknown_hunk_and_path(terminal: Terminal) -> None:
    run = terminal.run("x", "-a", "sh:echo x >> notes.txt")["runs"][0]["id"]
    for arguments in (
        ["accept", run, "--hunk", "0123456789"],
        ["accept", run, "elsewhere.txt"],
        ["accept", run, "notes.txt", "--hunk", "0123456789"],
        ["reject", run, "--hunk", "0123456789"],
        ["reject", run, "elsewhere.txt"],
    ):
        done = terminal(*arguments)
        assert (done.status, done.raw) == (2, b""), arguments
        assert len(done.err.splitlines()) == 1
    assert not (terminal.folder / "notes.txt").read_text().endswith("x\n")


def test_a_folder_that_is_gone(terminal: Terminal) -> None:
    gone = terminal.folder.parent / "gone"
    gone.mkdir()
    script = f'rmdir {gone}; exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *terminal.home.command("list")],
        cwd=gone,
        env=terminal.home.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "The current folder does not exist any more: change to another one.\n"
