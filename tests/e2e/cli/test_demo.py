"""The demonstration is true, quick, and finds out when something is not as it claims."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def demo(home: Path, *arguments: str) -> tuple[int, str, str]:
    """Run it as a person with nothing but this home, and in a temporary folder that can be looked at."""
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
    """A home whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as folder:
        (Path(folder) / "tmp").mkdir()
        yield Path(folder)


@pytest.mark.parametrize("arguments", [[], ["--accept", "ceil"]])
def test_the_demo_shows_what_it_claims(arguments: list[str], person: Path) -> None:
    begun = time.monotonic()
    status, out, err = demo(person, *arguments)
    assert (status, err) == (0, "")
    assert time.monotonic() - begun < 20
    steps = [
        "FAILED",
        "$ mux-lsp run ",
        "ceil: the check passed",
        "$ mux-lsp diff ",
        "plus-one: the check failed",
        "3 of 3",
        "--hunk",
        "\nOK\n",
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
    assert err == ("The demonstration is not as it claims: it is not true that the test passes in your working tree.\n")
    assert "Your .git" not in out
    assert [path.name for path in person.rglob("*")] == ["tmp"]


def test_keep_leaves_the_folder(person: Path) -> None:
    status, out, _ = demo(person, "--keep")
    assert status == 0
    [folder] = (person / "tmp").iterdir()
    assert str(folder) in out
    assert (folder / "shop" / "pages.py").exists()
