"""Provide fixtures: Neovims with the plugin, a real daemon and a screen."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.e2e.neovim.person import Person
from tests.support import neovim_versions
from tests.support.home import isolated_home
from tests.support.person import make_repository, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.home import IsolatedHome
    from tests.support.neovim_versions import Installed

    Open = Callable[..., Person]

PROGRAM = """\
def greet(name):
    print("hello " + name)


def leave(name):
    print("bye " + name)
"""

SHOUTER = """\
[defaults]
agents = ["shouter"]

[agents.shouter]
kind = "command"
command = 'sed -i "s/^line 4$/$(cat "$MUX_PROMPT_FILE" | tr -d "\\n" | cut -c1-20)/" notes.txt'
"""


@pytest.fixture(scope="module")
def home() -> Iterator[IsolatedHome]:
    """Yield the home of the daemon that the tests of a file share, with the program `mux-lsp`."""
    with isolated_home() as home:
        program = home.folder / "mux-lsp"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(home.command())} "$@"\n')
        program.chmod(0o755)
        yield home


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on the newest Neovim, and on the others if it is marked; `make soak` runs each test on all."""
    if "nvim" in metafunc.fixturenames:
        newest, *others = neovim_versions.VERSIONS
        marks = [] if metafunc.definition.get_closest_marker("both_neovims") else [pytest.mark.soak]
        versions = [newest, *(pytest.param(other, marks=marks) for other in others)]
        metafunc.parametrize("nvim", versions, indirect=True)


@pytest.fixture
def nvim(request: pytest.FixtureRequest) -> Installed:
    """Return each supported version of Neovim."""
    version: str = request.param
    return neovim_versions.installed(version)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with a text and a program."""
    return make_repository(tmp_path / "project", {"notes.txt": text_of(range(1, 11)), "greet.py": PROGRAM})


@pytest.fixture
def start(home: IsolatedHome, root: Path, nvim: Installed) -> Iterator[Open]:
    """Open a Neovim with the plugin on a file of the repository. `settings` is Lua, for `vim.g.mux`."""
    with ExitStack() as stack:

        def one(file: str | None = "notes.txt", settings: str = "{ keymaps = true }", **environment: str) -> Person:
            return stack.enter_context(Person.at(home, root, nvim, file, settings, environment))

        yield one


@pytest.fixture
def person(start: Open) -> Person:
    """Return a person with `notes.txt` open and attached."""
    one = start()
    one.attached()
    return one


@pytest.fixture
def shouting(home: IsolatedHome) -> None:
    """Configure a default agent that writes the start of the prompt into line 4."""
    home.write_config(SHOUTER)
