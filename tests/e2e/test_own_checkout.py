"""Test with this project's own checkout as the input, and a real tool as the agent."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.client import connected
from tests.support.home import IsolatedHome, mux_home
from tests.support.person import fingerprint, git

__all__ = ["mux_home"]

RUFF = Path(sys.executable).parent / "ruff"
CHECKOUT = Path(__file__).parents[2]
FILE = "mux_lsp/paths.py"


def passes(root: Path, path: str) -> bool:
    """Return whether ruff finds nothing in a file, by the project's own rules."""
    done = subprocess.run([RUFF, "check", "--no-cache", path], cwd=root, capture_output=True, check=False)
    return done.returncode == 0


async def test_ruff_mends_what_was_just_typed(mux_home: IsolatedHome, tmp_path: Path) -> None:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("the tests do not run from a git checkout")
    git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(CHECKOUT), "mux-lsp")
    root = tmp_path / "mux-lsp"
    file = root / FILE
    clean = file.read_text()
    assert passes(root, FILE)
    # Two uncommitted findings that ruff fixes by itself.
    future = "from __future__ import annotations\n"
    file.write_text(
        clean.replace(future, future + "\nimport zipapp\n", 1) + "\n\ndef numbers():\n    return list(range(3))[::]  \n"
    )
    typed = file.read_text()
    assert not passes(root, FILE)
    before = fingerprint(root / ".git")

    async with connected(mux_home, root) as client:
        ruff = shlex.quote(os.fspath(RUFF))
        run = await client.run(
            f"{ruff} check --no-cache --fix --exit-zero .", checks=(f"{ruff} check --no-cache {FILE}",)
        )
        assert (run["state"], [check["state"] for check in run["checks"]]) == ("finished", ["passed"])
        assert FILE in {file["path"] for file in run["files"]}
        assert "fixed" in await client.log(run["id"])
        unused, *others = [item for item in await client.review(run["id"]) if item["path"] == FILE]
        assert "import zipapp\n" in unused["removed"]
        assert "import zipapp" not in unused["added"]
        assert file.read_text() == typed, "nothing is written before it is accepted"
        hunks = [item["hunk"] for item in (unused, *others)]
        answer = await client.command("mux.hunk.accept", run=run["id"], hunks=hunks)
        assert answer["files"] == [FILE]
    assert passes(root, FILE)
    assert "import zipapp" not in file.read_text()
    assert "def numbers():" in file.read_text()
    assert fingerprint(root / ".git") == before
