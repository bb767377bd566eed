"""Start child processes, and offer the one way to end them (`termination`).

A child gets a session of its own under a small supervisor (`/bin/sh`), which records the exit status on disk. So a
child lives through the end of the daemon, and the next daemon learns how it went. On Linux what loses its parent below
the supervisor becomes its child: as long as the command runs, the parents of whatever it has started lead to it.

POSIX only. On Windows `start` refuses in words: there are no sessions there, no `/bin/sh` and no exit events for the
event loop; an agent would have to run in a job object, which nothing here does yet.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from mux_lsp.agents import children
from mux_lsp.agents.children import sessions
from mux_lsp.agents.exit_events import wait_until_gone
from mux_lsp.agents.files import open_to_append, open_to_read
from mux_lsp.agents.process_records import EXIT, STDERR, STDOUT, clear_records, find_orphan, read_exit
from mux_lsp.agents.process_table import Process, is_there
from mux_lsp.agents.termination import end
from mux_lsp.errors import AgentError
from mux_lsp.faults import fault
from mux_lsp.orphans import adopt_orphans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

__all__ = [
    "EXIT",
    "STDERR",
    "STDOUT",
    "Pipes",
    "Process",
    "clear_records",
    "end",
    "find_orphan",
    "is_there",
    "read_exit",
    "sessions",
    "start",
    "start_with_pipes",
    "wait",
]  # fmt: skip


# The command runs in the foreground; whatever ends it, its status is then written by the shell itself in one write.
# Before it begins the shell says who it is: the daemon may be killed before it has noted that anywhere.
# No variable is set, since one that the person exports would change for the command, and no other program is called,
# since `end` could hit it. A signal sent to the whole group must not end the supervisor before its command, and a
# trap (unlike ignoring it) leaves the signal's meaning for the command alone.
_SUPERVISOR: Final = r"""trap : HUP INT QUIT TERM; printf '%s\n' "$$" >"$0/supervisor"
"$@"; set -- "$?"; printf '%s\n' "$1" >"$0/exit"; exit "$1" """


def start(  # noqa: PLR0913  # what a process is made of, by name
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    run_folder: Path,
    mark: Mapping[str, str],
    output: str = STDOUT,
    input: Path | None = None,
    largest_file: int | None = None,
) -> Process:
    """Start a command in `folder`, with its output appended to files in `run_folder`.

    The environment is `environment` and over it `mark`, by which `end` finds every process of the run again. `output`
    names the file for its standard output; `input` is a file that it finds on its standard input, None for nothing.
    Both folders must exist. `wait` gives the exit status, `end` must follow it in any case.

    `largest_file` is the soft RLIMIT_FSIZE of the command and all that it starts, in bytes: the last bound of what it
    prints while no daemon keeps its output in bounds (see `bounded`). The output is a file that it writes itself, so
    the limit cannot be of the output alone: all that was ever printed counts, and so does any other file, sparse ones
    by their length. A program that copied the output would need no such limit, but would have to live as long as the
    command, which would die of SIGPIPE with it. So the limit is large (databases make sparse files of tens of
    gigabytes), and soft: a command that needs larger files may raise it for itself.

    Raises AgentError where the command cannot be found or started. A script whose interpreter is missing starts, and
    ends with status 126 or 127 and the shell's words in `stderr`.
    """
    with contextlib.ExitStack() as files:
        streams = _Streams(
            subprocess.DEVNULL if input is None else files.enter_context(open_to_read(input)),
            files.enter_context(open_to_append(run_folder / output)),
        )
        child = _start(arguments, folder, {**environment, **mark}, run_folder, streams, largest_file)
    return children.add(child, mark)


@dataclass(frozen=True, slots=True)
class Pipes:
    """Our ends of a child's standard streams. Leaving the context closes them."""

    input: BinaryIO
    """To write what the child reads."""
    output: BinaryIO
    """To read what the child writes."""

    def __enter__(self) -> Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        self.input.close()
        self.output.close()


@dataclass(frozen=True, slots=True)
class _Streams:
    """What a child gets: files, or one of subprocess' own numbers."""

    input: BinaryIO | int
    output: BinaryIO | int


def start_with_pipes(  # noqa: PLR0913  # as `start`
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    run_folder: Path,
    mark: Mapping[str, str],
    largest_file: int | None = None,
) -> tuple[Process, Pipes]:
    """As `start`, for a command that is spoken with: its standard input and output are pipes, which are the caller's.

    Its standard error goes to the file like any command's, so that nobody has to drain it.
    """
    streams = _Streams(subprocess.PIPE, subprocess.PIPE)
    child = _start(arguments, folder, {**environment, **mark}, run_folder, streams, largest_file)
    assert child.stdin is not None and child.stdout is not None  # noqa: S101  # both were asked for
    return children.add(child, mark), Pipes(cast("BinaryIO", child.stdin), cast("BinaryIO", child.stdout))


def _start(  # noqa: PLR0913, PLR0917  # as those above, which name them
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    run_folder: Path,
    streams: _Streams,
    largest_file: int | None,
) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        raise AgentError("Command agents need a POSIX system: on Windows, run mux-lsp inside WSL.")
    program = _find(arguments[0], folder, environment.get("PATH", os.defpath))
    clear_records(run_folder)
    with open_to_append(run_folder / STDERR) as errors:
        try:
            fault("process.begins")
            child = subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    _limiting(largest_file) + _SUPERVISOR,
                    str(run_folder.absolute()),
                    program,
                    *arguments[1:],
                ],
                cwd=folder,
                env=environment,
                bufsize=0,
                stdin=streams.input,
                stdout=streams.output,
                stderr=errors,
                start_new_session=True,
                # Python runs next to nothing between fork and exec here: one call of the kernel, without a lock.
                preexec_fn=adopt_orphans if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise AgentError(
                    f"The command line of {arguments[0]!r} is too long for this system. "
                    "Let the agent read its prompt from a file: use {prompt_file} in place of {prompt}."
                ) from error
            raise AgentError(f"{arguments[0]!r} could not be started in {folder}: {error.strerror}.") from error
        except ValueError as error:  # a NUL among the arguments, or a name with = in the environment
            raise AgentError(f"{arguments[0]!r} could not be started: {error}.") from error
    fault("process.started")
    return child


def _limiting(largest_file: int | None) -> str:
    """The shell's words that set RLIMIT_FSIZE, in its blocks of 512 bytes; never above what holds for the daemon."""
    if largest_file is None or sys.platform == "win32":
        return ""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return (
        ""
        if soft != resource.RLIM_INFINITY and soft <= largest_file
        else f"ulimit -S -f {largest_file // 512} 2>/dev/null; "
    )


async def wait(process: Process, run_folder: Path) -> int | None:
    """Wait until a process that `start` gave has ended, in this daemon or an earlier one, and give its exit status.

    128 + n for a command that signal n ended. None where nothing was recorded: the machine went down under it, the
    disk was full, or somebody killed the supervisor.
    """
    if is_there(process):
        children.remember(process)
        await wait_until_gone([process], None)
    return read_exit(run_folder)


def _find(name: str, folder: Path, search: str) -> str:
    """The program that `name` means to a command run in `folder`, as a shell would find it but without its builtins."""
    places = [""] if "/" in name else search.split(os.pathsep)
    files = [file for place in places if (file := folder / place / name).is_file()]
    for file in files:
        if os.access(file, os.X_OK):
            return str(file)
    if files:
        raise AgentError(
            f"The agent's command {files[0]} is not executable. Run `chmod +x` on it, or name another one."
        )
    where = f"in {folder}" if "/" in name else "on PATH"
    raise AgentError(f"The agent's command {name!r} was not found {where}. Install it, or correct it in config.toml.")
