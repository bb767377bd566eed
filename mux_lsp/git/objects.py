"""Read objects by name through a persistent `git cat-file --batch`."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from mux_lsp.errors import GitError
from mux_lsp.git.command import start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import IO

    from git.cmd import Git


IDLE_SECONDS = 600.0
"""Seconds after which an idle process ends. A daemon that runs for weeks opens many repositories."""


class CatFile:
    """A reader of one object store. Thread-safe: one request at a time. A process that died is restarted."""

    def __init__(self, git_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        """`environment` has further variables for git."""
        self._git_dir = git_dir
        self._environment = environment or {}
        self._lock = threading.Lock()
        self._process: Git.AutoInterrupt | None = None
        self._alarm: threading.Timer | None = None
        self._asked = False
        """True if a request was made since the alarm was set."""

    def read(self, name: str) -> tuple[str, bytes] | None:
        """Return the type and content of the object `name` (or `commit:path`), or None if it does not exist."""
        if "\n" in name:
            raise ValueError(name)
        with self._lock:
            for last_try in (False, True):
                try:
                    return self._ask(name)
                except (OSError, EOFError) as error:
                    self._end()
                    if last_try:
                        raise GitError(f"git cat-file ended while it read {name} in {self._git_dir}.") from error
        return None

    def close(self) -> None:
        """End the process. A later read starts another."""
        with self._lock:
            self._end()

    def _ask(self, name: str) -> tuple[str, bytes] | None:
        self._asked = True
        if self._process is None:
            self._process = start(
                ["cat-file", "--batch"],
                folder=self._git_dir,
                git_dir=self._git_dir,
                extra_environment=self._environment,
            )
            self._set_alarm()
        questions: IO[bytes] = self._process.stdin
        answers: IO[bytes] = self._process.stdout
        questions.write(_encoded(name) + b"\n")
        questions.flush()
        header = answers.readline()
        if not header:
            raise EOFError
        words = header.split()
        if len(words) != 3 or words[-1] in {b"missing", b"ambiguous"}:
            return None
        size = int(words[2])
        content = answers.read(size + 1)
        if len(content) != size + 1:
            raise EOFError
        return words[1].decode(), content[:-1]

    def _set_alarm(self) -> None:
        self._asked = False
        self._alarm = threading.Timer(IDLE_SECONDS, self._ring)
        self._alarm.daemon = True
        self._alarm.start()

    def _ring(self) -> None:
        with self._lock:
            if threading.current_thread() is not self._alarm:
                return  # the process for which it was set has ended
            if self._asked:
                self._set_alarm()
            else:
                self._end()

    def _end(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        process, self._process = self._process, None
        if process is not None:
            end(process)


def read_many(git_dir: Path, names: Sequence[str]) -> Iterator[bytes | None]:
    """Yield the content of many objects, read by a separate process so that no other reader waits. Raises GitError."""
    process = start(["cat-file", "--batch"], folder=git_dir, git_dir=git_dir)
    questions: IO[bytes] = process.stdin
    answers: IO[bytes] = process.stdout
    asked = 0
    try:
        for number in range(len(names)):
            if number == asked - _AHEAD // 2 or asked == 0:
                questions.write(b"".join(_encoded(name) + b"\n" for name in names[asked : number + _AHEAD]))
                questions.flush()
                asked = number + _AHEAD
            words = answers.readline().split()
            if not words:
                raise GitError(f"git cat-file ended while it read objects in {git_dir}.")
            yield answers.read(int(words[2]) + 1)[:-1] if len(words) == 3 else None
    except OSError as error:
        raise GitError(f"git cat-file ended while it read objects in {git_dir}: {error}.") from error
    finally:
        end(process)


_AHEAD = 500
"""Maximum number of names that are requested ahead of the answers. They fit into a pipe, so neither side blocks."""


def end(process: Git.AutoInterrupt) -> None:
    """End a git that was started with pipes."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    # It ends by itself at the end of its pipes. GitPython's wait would raise for a process that was killed.
    if process.proc is not None:
        for stream in (process.proc.stdout, process.proc.stderr):
            if stream is not None:
                stream.close()
        process.proc.wait()


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
