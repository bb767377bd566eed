"""Provide fixtures: one VS Code server and one browser for all tests, a window and a repository for each."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import extension, python_extension, vscode
from tests.support.home import isolated_home
from tests.support.isolation import CACHE
from tests.support.person import make_repository, text_of
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil
    from playwright.sync_api import BrowserContext

    from tests.support.home import IsolatedHome

SCREENSHOTS = CACHE / "vscode" / "screenshots"
"""Pictures of each window at the end of its test."""

SETTINGS = vscode.SETTINGS | {
    # A unique colour, to find the extension's marks on the canvas of the overview ruler.
    "workbench.colorCustomizations": {"editorOverviewRuler.modifiedForeground": "#ff00fe"},
    "scm.diffDecorations": "none",
}

FILES = {
    "notes.txt": text_of(range(1, 11)),
    "old.txt": "one\ntwo\nthree\nfour\nfive\n",
    "src/app.py": "def greet(name):\n    print('hello ' + name)\n",
    "todo.cfg": "[numbers]\n# TODO: add two numbers\n",
    "data.json": '{"a": 1 "b": 2}\n',
}


@dataclass(frozen=True, slots=True)
class Desk:
    """The server, the home and the browser that all windows share."""

    url: str
    home: IsolatedHome
    browser: BrowserContext
    program: Path
    """The path of `mux-lsp`, on the `PATH` of all processes that VS Code starts."""
    settings: Path
    """The person's settings."""
    python: str = sys.executable

    def set(self, **more: object) -> None:
        """Add settings to the usual ones, for windows opened from now on."""
        self.settings.write_text(json.dumps(SETTINGS | more))

    def install(self) -> None:
        """Write the program `mux-lsp`."""
        vscode.put_program(self.program)

    def tool(self, name: str, script: str) -> Path:
        """Write another program beside it, a shell script. Return its path."""
        path = self.program.with_name(name)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def daemon(self) -> list[psutil.Process]:
        """Return the processes of the daemon and of the bridges, without VS Code's own."""
        return [process for process in self.home.processes() if "mux_lsp" in process.cmdline()]

    def window(self, folder: Path | None) -> Workbench:
        return Workbench(self.browser.new_page(), self.url, folder)


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    programs = folder / "bin"
    programs.mkdir()
    package, python = extension.package(), python_extension.package(folder)
    with isolated_home() as home:
        environment = home.environment(HOME=str(home.folder))
        others = [one for one in environment["PATH"].split(":") if not (Path(one) / "mux-lsp").exists()]
        environment["PATH"] = ":".join([str(programs), *others])
        with (
            vscode.serving(folder / "server", json.dumps(SETTINGS), environment, package, python) as url,
            vscode.browsing() as browser,
        ):
            one = Desk(url, home, browser, programs / "mux-lsp", folder / "server" / "user" / "User" / "settings.json")
            one.install()
            yield one


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", FILES)


@pytest.fixture
def window(desk: Desk, root: Path, request: pytest.FixtureRequest) -> Iterator[Workbench]:
    """Yield a window on the repository, connected to the daemon."""
    one = desk.window(root)
    try:
        one.connected()
        yield one
    finally:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        one.page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
        one.page.close()
