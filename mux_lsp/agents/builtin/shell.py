"""Run a model's commands in its worktree: within a time limit, or in the background."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp.agents import process
from mux_lsp.agents.bounded import read_around
from mux_lsp.agents.command import explain, mark
from mux_lsp.agents.environment import keyless
from mux_lsp.agents.files import open_to_read
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mux_lsp.agents.backend import Attempt
    from mux_lsp.agents.process_table import Process

HEAD: Final = 10_000
TAIL: Final = 20_000
"""Maximum number of bytes of a command's output that a model reads, from its start and from its end."""

_PLAIN: Final = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat", "GIT_EDITOR": "true"}
"""Settings for programs whose output goes to no terminal: no pager, no editor, no colours."""


@dataclass(slots=True)
class ShellCommand:
    """A command that is running or has ended."""

    id: str
    line: str
    folder: Path
    """The folder of its output."""
    child: Process
    waiting: asyncio.Task[int | None]
    read: int = 0
    """The number of bytes of its output that the model has read."""


@dataclass(slots=True)
class Shell:
    """The commands of one attempt."""

    attempt: Attempt
    secrets: frozenset[str]
    """Names of environment variables that no child gets, in addition to those that look like a secret."""
    grace: float
    """Seconds between SIGTERM and SIGKILL."""
    _commands: dict[str, ShellCommand] = field(default_factory=dict)
    _number: int = 0

    async def run(self, line: str, timeout: float) -> tuple[bool, str]:
        """Run a command for at most `timeout` seconds. Return whether it succeeded, and its output for the model."""
        command = self._start(line)
        in_time = False
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(command.waiting)
            in_time = True
        except TimeoutError:
            pass
        finally:
            await self._end(command)
            del self._commands[command.id]
        status = command.waiting.result() if command.waiting.done() and not command.waiting.cancelled() else None
        output = _output(command.folder, 0)[0]
        if not in_time:
            return False, f"{output}\n[ended after {timeout:.0f} seconds: it had not finished]"
        return status == 0, output if status == 0 else f"{output}\n[{explain(status)}]"

    def start(self, line: str) -> str:
        """Start a command in the background. Return its id."""
        return self._start(line).id

    def output(self, command_id: str) -> str:
        """Return a background command's output since the last call, and whether it is still running."""
        command = self._known(command_id)
        output, command.read = _output(command.folder, command.read)
        if not command.waiting.done():
            return f"{output}\n[still at work]"
        return f"{output}\n[{explain(command.waiting.result()) or 'ended with exit status 0'}]"

    async def stop(self, command_id: str) -> str:
        """End a background command and all processes it started. Return the rest of its output."""
        command = self._known(command_id)
        await self._end(command)
        return f"{_output(command.folder, command.read)[0]}\n[stopped]"

    async def close(self) -> None:
        """End all commands that are still running."""
        for command in list(self._commands.values()):
            await self._end(command)

    def environment(self) -> Mapping[str, str]:
        """Return the environment of a program that a model runs, with the mark by which it is ended with the run."""
        ours = {"MUX_TASK": self.attempt.task, "MUX_REPOSITORY": str(self.attempt.repository)}
        if self.attempt.port is not None:
            ours["MUX_PORT"] = str(self.attempt.port)
        person = keyless(os.environ, self.attempt.folder, self.secrets)
        return {**person, **_PLAIN, **ours, **self.attempt.environment, **mark(self.attempt.run, self.attempt.worktree)}

    def _known(self, command_id: str) -> ShellCommand:
        command = self._commands.get(command_id)
        if command is None:
            known = ", ".join(self._commands) or "none was started in the background"
            raise UsageError(
                f"There is no command {command_id!r} ({known}). One from before mux-lsp was stopped has been ended."
            )
        return command

    def _start(self, line: str) -> ShellCommand:
        if "\0" in line:
            raise UsageError("A command cannot hold a NUL character.")
        folder = None
        while folder is None or folder.exists():
            # Numbers continue after those of an earlier turn or a killed daemon.
            self._number += 1
            folder = self.attempt.run_folder / f"command-{self._number}"
        folder.mkdir(mode=0o700, parents=True)
        name = f"c{self._number}"
        child = process.start(
            # One stream for both, which keeps the order in which they were printed.
            ["/bin/sh", "-c", f"exec 2>&1\n{line}"],
            folder=self.attempt.folder,
            environment=self.environment(),
            run_folder=folder,
            mark=self._mark(name),
            largest_file=self.attempt.largest_file,
        )
        waiting = asyncio.create_task(process.wait(child, folder))
        command = self._commands[name] = ShellCommand(name, line, folder, child, waiting)
        return command

    async def _end(self, command: ShellCommand) -> None:
        await process.end(command.child, self._mark(command.id), self.grace, run_folder=command.folder)
        with contextlib.suppress(asyncio.CancelledError):
            if not command.waiting.done():
                await command.waiting

    def _mark(self, name: str) -> dict[str, str]:
        return {**mark(self.attempt.run, self.attempt.worktree), "MUX_COMMAND": name}


def _output(folder: Path, offset: int) -> tuple[str, int]:
    """Return the output from an offset on, without its middle if it is long, and the offset to continue from."""
    try:
        with open_to_read(folder / process.STDOUT) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(offset)
            if size - offset <= HEAD + TAIL:
                return file.read(HEAD + TAIL).decode("utf-8", "replace"), size
            head, _ = read_around(file, offset, HEAD)
            file.seek(size - TAIL)
            tail = file.read(TAIL)
    except OSError:
        return "", offset
    left_out = size - offset - HEAD - TAIL
    return (
        f"{head.decode('utf-8', 'replace')}\n[… {left_out:,} bytes left out …]\n{tail.decode('utf-8', 'replace')}",
        size,
    )
