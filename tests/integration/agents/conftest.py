"""Provide a run's folders, and agents that signal when they are ready, so that no test waits by the clock."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from mux_lsp.agents.process import Process, end, start
from mux_lsp.agents.process_table import read_table
from tests.integration.agents.builtin import stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["stage"]

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])}


@dataclass
class RunFixture:
    """One run in a temporary folder. `ready` is a named pipe; `said` returns what is written there."""

    worktree: Path
    folder: Path
    ready: Path
    mark: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    def start(self, script: str) -> Process:
        """Start a shell script as the run's agent. `$READY` is the named pipe."""
        process = start(
            ["/bin/sh", "-c", script],
            folder=self.worktree,
            environment={**ENVIRONMENT, "READY": str(self.ready)},
            run_folder=self.folder,
            mark=self.mark,
        )
        self.processes.append(process)
        return process

    def start_from_another_daemon(self, script: str) -> Process:
        """Start it like `start`, from a Python process that is killed as soon as the agent has started."""
        program = (
            "import json, os, sys; from pathlib import Path; from mux_lsp.agents.process import start\n"
            "script, worktree, folder, mark = sys.argv[1:]\n"
            "process = start(['/bin/sh', '-c', script], folder=Path(worktree), environment=dict(os.environ),\n"
            "                run_folder=Path(folder), mark=json.loads(mark))\n"
            "print(json.dumps([process.pid, process.created]), flush=True)\n"
            "sys.stdin.read()\n"
        )
        daemon = subprocess.Popen(
            [sys.executable, "-c", program, script, str(self.worktree), str(self.folder), json.dumps(self.mark)],
            env={**ENVIRONMENT, "READY": str(self.ready)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with daemon:
            assert daemon.stdout is not None
            pid, created = json.loads(daemon.stdout.readline())
            daemon.send_signal(signal.SIGKILL)
        process = Process(pid, created)
        self.processes.append(process)
        return process

    async def said(self) -> list[str]:
        """Wait until the agent writes to its `$READY`, and return the words."""
        return (await asyncio.to_thread(self.ready.read_text)).split()

    async def end(self, process: Process | None, grace: float = 5) -> tuple[int, ...]:
        """End the run as its backend does."""
        return await end(process, self.mark, grace, run_folder=self.folder)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[RunFixture]:
    worktree, folder, ready = tmp_path / "work tree", tmp_path / "k3f-1", tmp_path / "ready"
    worktree.mkdir()
    folder.mkdir()
    os.mkfifo(ready)
    fixture = RunFixture(worktree, folder, ready, {"MUX_RUN": "k3f-1", "MUX_WORKTREE": str(worktree)})
    yield fixture
    for process in fixture.processes:
        await fixture.end(process, grace=0)


class Bystanders(Protocol):
    """A function that starts a process of no run, in a session of its own."""

    def __call__(
        self, *command: str, folder: Path | None = None, stdin: int = subprocess.DEVNULL, **environment: str
    ) -> subprocess.Popen[bytes]: ...


@pytest.fixture
def bystanders() -> Iterator[Bystanders]:
    """Yield a function that starts processes of no run. They end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def bystander(
        *command: str, folder: Path | None = None, stdin: int = subprocess.DEVNULL, **environment: str
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**ENVIRONMENT, **environment},
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield bystander
    for process in started:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


@pytest.fixture
def orphans_are_ours() -> Iterator[None]:
    """Make orphans children of the test, not of the system's first process, which reaps them at any time."""
    if sys.platform != "linux":
        pytest.skip("only Linux has subreapers")
    set_child_subreaper = 36  # prctl(2)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(set_child_subreaper, 1, 0, 0, 0) == 0
    yield
    assert prctl(set_child_subreaper, 0, 0, 0, 0) == 0


def is_alive(pid: int) -> bool:
    """Return whether a process is alive. One that waits to be reaped is not."""
    return pid in read_table({})
