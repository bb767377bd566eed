"""Play a person at a terminal: commands typed in a repository, through a pipe or on a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.support.person import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.home import IsolatedHome


@dataclass(frozen=True, slots=True)
class Done:
    """The exit status and the output of a command."""

    status: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()


@dataclass(frozen=True, slots=True)
class Terminal:
    """A person in a folder, with an isolated home."""

    home: IsolatedHome
    folder: Path

    def at(self, folder: Path) -> Terminal:
        """Return the same person in another folder."""
        return replace(self, folder=folder)

    def __call__(self, *arguments: str | bytes, stdin: str = "") -> Done:
        """Run `mux-lsp ARGUMENTS` with pipes in place of a terminal."""
        done = subprocess.run(
            [*map(os.fsencode, self.home.command()), *map(os.fsencode, arguments)],
            cwd=self.folder,
            env=self.home.environment(),
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Done(done.returncode, done.stdout, done.stderr.decode())

    def ok(self, *arguments: str | bytes, stdin: str = "") -> str:
        """Run a command that must succeed without any error output, and return its output."""
        done = self(*arguments, stdin=stdin)
        assert (done.status, done.err) == (0, ""), done
        return done.out

    def json(self, *arguments: str | bytes) -> Any:
        """Run a command with `--json` and return the parsed answer."""
        return json.loads(self.ok(*arguments, "--json"))

    def run(self, prompt: str, *arguments: str) -> Any:
        """Start a task, wait for its end, successful or not, and return it."""
        done = self("run", prompt, *arguments, "--json")
        assert done.status in {0, 1}, done
        return json.loads(done.raw)["task"]

    @contextlib.contextmanager
    def on_screen(self, *arguments: str) -> Iterator[Screen]:
        """Run the command on a pseudo-terminal."""
        process, descriptor = pty.fork()
        if process == 0:
            os.chdir(self.folder)
            command = self.home.command(*arguments)
            environment = self.home.environment(TERM="xterm-256color")
            os.execvpe(command[0], command, environment)  # noqa: S606 - there is no shell to be had between the two
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        screen = Screen(process, descriptor)
        try:
            yield screen
        finally:
            screen.close()


class Screen:
    """A command on a pseudo-terminal."""

    def __init__(self, process: int, descriptor: int) -> None:
        self._process = process
        self._descriptor = descriptor
        self._status: int | None = None
        self.shown = b""

    def wait_for(self, text: str) -> None:
        """Read until the text appears. The test's own time limit bounds the wait."""
        while text.encode() not in self.shown:
            assert self._read(), self.shown.decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        return self._status

    def close(self) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process, 9)
            self.end()
        os.close(self._descriptor)

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, 65_536)
        except OSError:  # Linux fails so when no process has the other side open
            return False
        self.shown += data
        return bool(data)


def files(folder: Path) -> dict[str, object]:
    """Return everything in a working tree but its `.git`, with modes, times and digests."""
    return {path: found for path, found in fingerprint(folder).items() if path.partition("/")[0] != ".git"}
