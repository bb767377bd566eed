"""Test the origin of accepted lines in the terminal: `log --accepted` and `show`."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.cli.conftest import LINES

if TYPE_CHECKING:
    from tests.e2e.cli.terminal import Terminal

ME = getpass.getuser()
TEN = "sh:sed -i 's/^line 10$/LINE TEN/' notes.txt"
AND_MORE = f"{TEN}; sed -i 15d notes.txt; printf 'a\\nb\\n' > src/made.txt"
PROMPT = "Shout at line ten.\nAnd mind the others."


@pytest.fixture
def accepted(terminal: Terminal) -> str:
    """Accept one of two agreeing runs as a whole, and return it."""
    task = terminal.run(PROMPT, "-a", TEN, "-a", AND_MORE)
    run: str = task["runs"][1]["id"]
    terminal.ok("accept", run)
    return run


def without_times(printed: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", printed)


def test_show_tells_of_a_line_below_what_was_typed(terminal: Terminal, accepted: str) -> None:
    notes = terminal.folder / "notes.txt"
    notes.write_text("typed\nabove\n" + notes.read_text())
    first = accepted.replace("-2", "-1")
    shown = f"""\
notes.txt:12  {accepted}  sh:sed -i 's/^line 10$/LINE…
  accepted WHEN by {ME} in mux-lsp command line
  2 of 2 runs made it: {first} too
  - line 10
  + LINE TEN
  prompt:
    Shout at line ten.
    And mind the others.
"""
    assert without_times(terminal.ok("show", "notes.txt:12")) == shown
    assert without_times(terminal.ok("show", "notes.txt:3-14")) == shown
    assert without_times(terminal.at(terminal.folder / "src").ok("show", "../notes.txt:12")) == shown
    assert terminal.ok("show", "notes.txt:13-15") == (
        "Nothing accepted stands at lines 13-15 of notes.txt; `mux-lsp log --accepted notes.txt` has all of the file.\n"
    )
    # A deletion is shown for both lines around it.
    assert "- line 15\n" in terminal.ok("show", "notes.txt:17")
    assert terminal.ok("show", "./src/new.txt") == "Nothing that agents made was accepted in src/new.txt.\n"
    missing = terminal("show", "src/cart.py:abc")
    assert (missing.status, missing.out) == (2, "")
    assert missing.err == "There is no file src/cart.py:abc; `mux-lsp log --accepted` has all that was accepted.\n"
    [one] = terminal.json("show", "notes.txt:12")["acceptances"]
    assert (one["run"], one["prompt"], one["range"]["start"]["line"]) == (accepted, PROMPT, 11)


def test_history_outlives_the_task_and_the_lines(terminal: Terminal, accepted: str) -> None:
    task = accepted.partition("-")[0]
    terminal.ok("delete", task)
    assert "notes.txt:10" in terminal.ok("show", "notes.txt:10")
    (terminal.folder / "src" / "made.txt").write_text("b\nc\n")
    assert "src/made.txt:1  " in terminal.ok("show", "src/made.txt")
    assert "(changed since)" in terminal.ok("show", "src/made.txt:1")
    (terminal.folder / "src" / "made.txt").unlink()
    assert "(not there now)" in terminal.ok("show", "src/made.txt")

    table = without_times(terminal.ok("log", "--accepted")).splitlines()
    assert re.split(r"  +", table[0]) == ["WHEN", "WHO", "RUN", "AGENT", "WHERE", "PROMPT"]
    assert sorted(re.split(r"  +", line)[4:] for line in table[1:]) == [
        ["notes.txt:10", "Shout at line ten."],
        ["notes.txt:15", "Shout at line ten."],
        ["src/made.txt:1-2", "Shout at line ten."],
    ]
    assert {tuple(re.split(r"  +", line)[:3]) for line in table[1:]} == {("WHEN", ME, accepted)}
    of_file = terminal.ok("log", "--accepted", "src/made.txt").splitlines()
    assert (len(of_file), "not there now" in of_file[1]) == (2, True)
    assert len(terminal.json("log", "--accepted", "notes.txt:10")["acceptances"]) == 1


def test_nothing_to_tell(terminal: Terminal) -> None:
    assert terminal.ok("log", "--accepted") == "Nothing that agents made was accepted in this repository.\n"
    assert terminal.ok("log", "--accepted", "notes.txt") == "Nothing that agents made was accepted in notes.txt.\n"
    assert terminal.ok("show", "gone.txt:3") == (
        "Nothing accepted stands at line 3 of gone.txt; `mux-lsp log --accepted gone.txt` has all of the file.\n"
    )


def test_an_id_wins_over_a_file_of_its_name(terminal: Terminal) -> None:
    task = terminal.run("x", "-a", TEN)["id"]
    for name in (task, f"{task}-1"):
        (terminal.folder / name).write_text("a file\n")
        assert f"{task}-1  sh:sed" in terminal.ok("show", name)
    (terminal.folder / "readme").write_text("a file\n")
    assert terminal.ok("show", "readme") == "Nothing that agents made was accepted in readme.\n"
    assert terminal.ok("show", f"./{task}") == f"Nothing that agents made was accepted in {task}.\n"
    (terminal.folder / "odd:7").write_text("a file\n")
    assert terminal.ok("show", "odd:7") == "Nothing that agents made was accepted in odd:7.\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("show", "nothing"), "There is no task 'nothing'"),
        (("show", "src/"), "src/ is a folder: name a file."),
        (("show", "notes.txt:0"), "lines are counted from 1"),
        (("show", "notes.txt:5-4"), "lines are counted from 1"),
        (("show", "notes.txt", "-f"), "notes.txt is no task or run"),
        (("log",), "log takes a RUN, or --accepted."),
        (("log", "x", "--json"), "--json goes with --accepted"),
        (("log", "--accepted", "-f"), "do not go with it"),
    ],
)
def test_what_cannot_be_asked(terminal: Terminal, arguments: tuple[str, ...], complaint: str) -> None:
    done = terminal(*arguments)
    assert (done.status, done.raw) == (2, b"")
    assert complaint in done.err


def test_what_an_agent_wrote_cannot_drive_the_terminal(terminal: Terminal) -> None:
    nasty = "sh:printf '\\033[31mred\\007\\n' >> notes.txt; printf x > \"$(printf 'a\\033[2Jb')\""
    run = terminal.run("say \x1b[1m\u202e", "-a", nasty)["runs"][0]["id"]
    terminal.ok("accept", run)
    printed = terminal.ok("log", "--accepted") + terminal.ok("show", "notes.txt") + terminal.ok("show", "a\x1b[2Jb")
    assert "\\x1b[31mred\\x07" in printed
    assert "a\\x1b[2Jb" in printed
    assert "say \\x1b[1m\\u202e" in printed
    assert not set(printed) & {"\x1b", "\x07", "\u202e"}
    assert LINES[1] in (terminal.folder / "notes.txt").read_text()
