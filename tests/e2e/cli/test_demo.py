"""Test that the demonstration is true and quick, and that it detects when something is not as it claims."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def demo(home: Path, *arguments: str) -> tuple[int, str, str]:
    """Run it as a person with nothing but this home, with an inspectable temporary folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mux_lsp", "demo", *arguments],
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(home / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def person() -> Iterator[Path]:
    """Yield a home whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as folder:
        (Path(folder) / "tmp").mkdir()
        yield Path(folder)


ROOT = Path(__file__).parents[3]

TAKEN_WHOLE = "$ mux-lsp accept TASK-1 Accepted 2 changes in pages.py. 1 change was there already."
"""The answer for the whole rest of a run, which the demonstration accepts hunk by hunk."""


def pieces(session: str) -> list[str]:
    """Return each command with its output, and each part of that, independent of task, time and width."""
    started = re.search(r"(\w+) started with 3 runs", session)
    assert started is not None
    plain = re.sub(r"\d+\.\d+s", "TIME", session.replace(started[1], "TASK").replace("'", "").replace("\\\n", ""))
    return [" ".join(piece.split()) for piece in re.split(r"\n\n|\n(?=\$ )", plain)]


def shows(out: str, piece: str) -> bool:
    """Return whether the piece was printed; `…` stands for the end of a line that was cut."""
    return re.search(re.escape(piece).replace("…", ".*?"), out) is not None


def test_the_sessions_of_the_documents_are_the_demos(person: Path) -> None:
    status, out, _ = demo(person)
    assert status == 0
    shown = " ".join(pieces(out))
    for document, begins, ends, commands in (
        ("README.md", "## A session", "## Two commands", 3),
        ("mux_lsp/docs/getting-started.md", "This is a real session", "## Commands", 6),
    ):
        text = (ROOT / document).read_text(encoding="utf-8")
        session = text.partition(begins)[2].partition(ends)[0]
        told = pieces("\n\n".join(re.findall(r"(?s)```\n(.*?)```", session)))
        assert sum(piece.startswith("$ ") for piece in told) == commands
        for piece in told:
            assert shows(shown, piece) or piece == TAKEN_WHOLE, piece


@pytest.mark.parametrize("arguments", [[], ["--accept", "ceil"]])
def test_the_demo_shows_what_it_claims(arguments: list[str], person: Path) -> None:
    status, out, err = demo(person, *arguments)
    assert (status, err) == (0, "")
    steps = [
        "FAILED",
        "$ mux-lsp run ",
        "Why:",
        "Passes the check.",
        "Fails `python3 -m unittest -q`",
        "Passes only with its own version of test_pages.py.",
        "ceil:\n$ mux-lsp diff ",
        "plus-one:\n$ mux-lsp diff ",
        "2 of 3",
        "$ mux-lsp verify ",
        ": passed, in ",
        "--hunk",
        "\nOK\n",
        "$ mux-lsp discard ",
        "before ",
        "after ",
        "mux-lsp run ",
    ]
    place = 0
    for step in steps:
        place = out.index(step, place)
    before, after = (line.split()[1:] for line in out.splitlines() if line.startswith(("before  ", "after   ")))
    assert before == after
    assert [path.name for path in person.rglob("*")] == ["tmp"]  # nothing is left, and nothing was put elsewhere


def test_the_wrong_agent_is_found_out(person: Path) -> None:
    status, out, err = demo(person, "--accept", "plus-one")
    assert status == 1
    assert err == (
        "The demonstration is not as it claims: "
        "it is not true that your files pass the check with what plus-one changed.\n"
    )
    assert "Your .git" not in out
    assert [path.name for path in person.rglob("*")] == ["tmp"]


def test_keep_leaves_the_folder(person: Path) -> None:
    status, out, _ = demo(person, "--keep")
    assert status == 0
    [folder] = (person / "tmp").iterdir()
    assert str(folder) in out
    assert (folder / "shop" / "pages.py").exists()


def test_it_leaves_the_decisions_to_the_person(person: Path) -> None:
    """An agent of theirs may not start it, just as it may not accept."""
    command = [sys.executable, "-P", "-m", "mux_lsp", "demo"]
    kept = {"HOME": str(person), "PATH": os.environ["PATH"], "TMPDIR": str(person / "tmp"), "CLAUDECODE": "1"}
    done = subprocess.run(command, cwd=person, env=kept, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the demonstration decides in your place, and Claude Code has started it: run `mux-lsp demo` yourself" in (
        " ".join(done.stderr.split())
    )
    assert not [*(person / "tmp").iterdir()]
