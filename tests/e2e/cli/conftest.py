"""Provide one daemon for the tests of a worker, and a fresh repository with work in progress for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.cli.terminal import Terminal
from tests.support.home import shared_home, worker_home
from tests.support.person import fingerprint, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.home import IsolatedHome

__all__ = ["shared_home", "worker_home"]

LINES = [f"line {number}\n" for number in range(1, 21)]


@pytest.fixture
def home(shared_home: IsolatedHome) -> IsolatedHome:
    """Return the home of a test. Files that depend on the daemon's whole life or on all of its tasks override it."""
    return shared_home


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with every state of a dirty tree: staged, unstaged and untracked work."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "notes.txt").write_text("".join(LINES))
    (root / "src" / "app.txt").write_text("one\ntwo\nthree\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=begin")
    (root / "src" / "app.txt").write_text("one\ntwo staged\nthree\n")
    git(root, "add", "src/app.txt")
    (root / "notes.txt").write_text("".join(["line 1 unstaged\n", *LINES[1:]]))
    (root / "src" / "new.txt").write_text("untracked\n")
    return root


@pytest.fixture
def terminal(home: IsolatedHome, repository: Path) -> Iterator[Terminal]:
    """Yield a terminal in that repository. Assert that its `.git` is the same at the end, byte for byte."""
    before = fingerprint(repository / ".git")
    yield Terminal(home, repository)
    assert fingerprint(repository / ".git") == before
