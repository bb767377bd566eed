"""Fork children from processes that have everything imported: a point takes milliseconds, not a second's start.

A zygote has one thread, and forks a child for each action. So a child may start threads, an event loop and git, and may
be ended anywhere by `os._exit(9)`, which to all other processes looks like `kill -9`.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

Json = dict[str, Any]

SECONDS = 100.0
"""Maximum seconds for a child. Then it ends itself, and logs where it was."""


class Zygote:
    """A running zygote. `work` is a folder for the log of its children."""

    def __init__(self, work: Path) -> None:
        self.log = work / "child.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUX_", "GIT_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crash.zygote", str(self.log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(work)},
        )

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, what: str, **said: Any) -> tuple[int, Json]:
        """Let a child act. Return its exit status and its answer, which is empty if it was killed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **said}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the zygote has ended: {self.log.read_text() if self.log.exists() else ''}"
        status, answer = json.loads(line)
        return status, answer


def main(log: Path) -> None:
    """Fork a child for each line of standard input, and report how each ended."""
    from mux_lsp.git.command import git
    from mux_lsp.lsp.wire.server import _converter
    from tests.faults.crash import acting

    git(["version"], folder=log.parent)  # looks up git's version once for all children
    _converter()  # all sessions share it; making it takes each child 0.03 s
    gc.collect()
    gc.freeze()  # otherwise a collection in a child would write to all memory, which the system then copies
    for line in sys.stdin.buffer:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _child(json.loads(line), writing, log, acting.act)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps([status, json.loads(answer or b"{}")]) + "\n")
        sys.stdout.flush()


def _child(said: Json, answer_to: int, log: Path, act: Any) -> None:
    """Act, and end the process. Does not return."""
    status = 1
    try:
        printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((nothing, printed, printed)):
            os.dup2(descriptor, number)
        faulthandler.dump_traceback_later(SECONDS, exit=True, file=2)
        answer = json.dumps(act(**said)).encode()
        with os.fdopen(answer_to, "wb") as pipe:
            pipe.write(answer)
        status = 0
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
