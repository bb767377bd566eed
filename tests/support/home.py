"""Give every test that starts a daemon a home of its own, and leave no process behind."""

from __future__ import annotations

import os
import select
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp.daemon.client import request_stop
from mux_lsp.paths import Home
from tests.support.runs import processes_of_runs
from tests.support.watchdog import sitecustomize as watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GONE_SECONDS = 10.0

QUICK_PYTEST = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Variables that start pytest without plugins: a check of one small file takes 0.3 seconds with them, 2.7 without."""


@dataclass(frozen=True, slots=True)
class IsolatedHome:
    """A folder for `MUX_LSP_HOME`. Its path is short enough for a socket."""

    folder: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    """Additional environment variables of the processes in this home."""

    @property
    def paths(self) -> Home:
        """The folders and files in the home, for calls within the test's process."""
        return Home(str(self.folder / "config"), str(self.folder / "state"))

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> str:
        """Return the daemon's log."""
        path = Path(self.paths.log)
        return path.read_text() if path.exists() else ""

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment for child processes: the test's own with this home and the given changes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUX_", "GIT_"))}
        made = kept | QUICK_PYTEST | dict(self.extra) | {"MUX_LSP_HOME": str(self.folder)} | changes
        others = [entry for entry in made.get("PYTHONPATH", "").split(os.pathsep) if entry]
        return made | {"PYTHONPATH": os.pathsep.join([watchdog.FOLDER, *others])}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line `mux-lsp ARGUMENTS` with the interpreter that runs the tests."""
        return [sys.executable, "-P", "-m", "mux_lsp", *arguments]

    def write_config(self, toml: str) -> None:
        """Write the person's config.toml."""
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config" / "config.toml").write_text(toml)

    def processes(self) -> list[psutil.Process]:
        """Return every living process that has this home in its environment: daemon, bridges, agents."""
        return [process for process in psutil.process_iter() if _lives_in(process, str(self.folder))]

    def stop(self) -> None:
        """Stop the daemon. Assert that no process of this home is left and that nothing blocked its event loop.

        Any process left is killed.
        """
        try:
            request_stop(GONE_SECONDS, home=self.paths)
        finally:
            left = [process for process in self.processes() if not wait_for_exit(process, GONE_SECONDS)]
            told = [f"{process.pid}: {' '.join(_command(process))}" for process in left]
            for process in left:
                process.kill()
                wait_for_exit(process, GONE_SECONDS)
        assert not told, f"processes outlived the test: {told}\n{self.log}"
        held = self.held()
        assert not held, f"the event loop was held: {held}\n{self.log}"

    def held(self) -> list[str]:
        """Return one line for each time that the daemon's event loop was blocked."""
        path = self.folder / watchdog.FILE
        return path.read_text().splitlines() if path.exists() else []


@contextmanager
def isolated_home() -> Iterator[IsolatedHome]:
    """Yield a fresh home. Afterwards stop its daemon, assert that no process is left, and remove the folder."""
    home = IsolatedHome(Path(tempfile.mkdtemp(prefix="mux-", dir="/tmp")))  # short, for the socket
    try:
        yield home
    finally:
        try:
            home.stop()
        finally:
            shutil.rmtree(home.folder, ignore_errors=True)


@pytest.fixture
def mux_home() -> Iterator[IsolatedHome]:
    with isolated_home() as home:
        yield home


@pytest.fixture(scope="session")
def worker_home() -> Iterator[IsolatedHome]:
    """Yield a home whose daemon lives as long as a worker of the tests: its start and end take two seconds."""
    with isolated_home() as home:
        yield home


@pytest.fixture
def shared_home(worker_home: IsolatedHome) -> Iterator[IsolatedHome]:
    """Yield the worker's home, for a test that has its own repository and does not end the daemon.

    Afterwards reset the settings, and assert that no process of a run is left.
    """
    yield worker_home
    worker_home.write_config("")
    left = [process for process in processes_of_runs(worker_home) if not wait_for_exit(process, GONE_SECONDS)]
    assert not left, f"processes of runs outlived the test: {[_command(process) for process in left]}"


def wait_for_exit(process: psutil.Process, seconds: float) -> bool:
    """Return whether the process ended in time. An unreaped process counts as ended."""
    if not hasattr(os, "pidfd_open"):  # on macOS, where each process is reaped at once
        return not psutil.wait_procs([process], timeout=seconds)[1]
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return bool(ready) or not process.is_running()
    finally:
        os.close(descriptor)


def _lives_in(process: psutil.Process, folder: str) -> bool:
    try:
        return process.environ().get("MUX_LSP_HOME") == folder and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def in_worktrees(state: Path) -> list[int]:
    """Return the processes whose working folder is a hidden worktree below a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            place = process.cwd()
        except psutil.Error:
            continue
        if place.startswith(str(state)) and "/worktrees/" in place:
            found.append(process.pid)
    return found
