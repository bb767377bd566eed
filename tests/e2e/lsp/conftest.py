"""Provide fixtures: one daemon for all tests of this folder, and a new real repository for each test."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.lsp.connecting import connect, quit_politely
from tests.support.home import isolated_home, mux_home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.e2e.lsp.client import Editor
    from tests.support.home import IsolatedHome

__all__ = ["mux_home"]

NUMBERS = "".join(f"line {number}\n" for number in range(1, 21))
"""The text of `numbers.txt` in the first commit of every test repository."""

BY_NUMBER = "[ranking]\nagreement = 0\nsize = 0\ntime = 0\n"
"""Settings that order runs by their number in all menus. Ranks have separate tests."""


@pytest.fixture(scope="session")
def home() -> Iterator[IsolatedHome]:
    """Yield a home whose daemon lives as long as the tests. No process of an agent may outlive them."""
    with isolated_home() as made:
        made.write_config(BY_NUMBER)
        yield made
        assert "Traceback" not in made.log, made.log


@contextmanager
def configured(home: IsolatedHome, toml: str) -> Iterator[None]:
    """Change the daemon's settings within the context."""
    home.write_config(toml)
    yield
    home.write_config(BY_NUMBER)


def git(folder: Path, *arguments: str, input: str | None = None) -> str:
    """Run plain git, as a person does."""
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, input=input, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with one commit of `numbers.txt`."""
    root = (tmp_path / "repository").resolve()
    root.mkdir()
    (root / "numbers.txt").write_text(NUMBERS)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


@pytest.fixture
async def join(home: IsolatedHome, repository: Path) -> AsyncIterator[Callable[..., Awaitable[Editor]]]:
    """Yield a function that connects clients to the shared daemon, with the test's repository. Quit them at the end."""
    joined: list[Editor] = []

    async def one(name: str = "test editor", folder: Path = repository, **able: Any) -> Editor:
        editor = await connect(home, folder, name, **able)
        joined.append(editor)
        return editor

    yield one
    for editor in joined:
        if not editor.stopped:
            await quit_politely(editor)


@pytest.fixture
async def editor(join: Callable[..., Awaitable[Editor]]) -> Editor:
    """Return a full-featured editor."""
    return await join()
