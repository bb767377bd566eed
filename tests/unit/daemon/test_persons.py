"""Test that the tests play a person, even if a coding agent has started them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mux_lsp.daemon.admission import agent_around

ROOT = Path(__file__).parents[3]


def test_the_tests_are_a_persons() -> None:
    assert agent_around() is None


@pytest.mark.parametrize(("chosen", "status", "said"), [("persons", 0, "1 passed"), ("nothing", 5, "1 deselected")])
def test_an_agent_may_start_them(chosen: str, status: int, said: str) -> None:
    one = f"{__file__}::{test_the_tests_are_a_persons.__name__}"  # and never this one, which would recurse endlessly
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-q", "-k", chosen, one]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TESTS_"))}
    done = subprocess.run(
        command, env={**kept, "CLAUDECODE": "1"}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (status, ""), done
    assert said in done.stdout
