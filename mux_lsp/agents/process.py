"""Start child processes, and wait for them. `termination.end` is the only way to end one.

A child gets a session of its own under a small supervisor (`/bin/sh`), which records the exit status on disk. So a
child survives the end of the daemon, and the next daemon can read its exit status. On Linux, processes that lose their
parent below the supervisor become its children: as long as the command runs, the supervisor is an ancestor of all that
the command has started.

POSIX only. On Windows `start` raises an error: Windows has no sessions, no `/bin/sh` and no exit events for the event
loop. An agent would have to run in a job object, which is not implemented.
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


# The command runs in the foreground. However it ends, the shell itself then writes its status in one write.
# The shell first records its own number: the daemon may be killed before it has recorded it anywhere.
# No variable is set, since an exported variable of the same name would change for the command, and no other program is
# called, since `end` could kill it. A signal sent to the whole group must not end the supervisor before its command. A
# trap does that and, unlike ignoring the signal, leaves its default effect for the command.
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

    The environment is `environment`, overridden by `mark`, which identifies every process of the run for `end`.
    `output` names the file for its standard output. `input` is the file for its standard input; None for an empty one.
    Both folders must exist. Call `wait` for the exit status, and always `end` afterwards.

    `largest_file` is the soft RLIMIT_FSIZE in bytes of the command and all processes it starts. It bounds the output
    while no daemon trims it (see `bounded`). The command writes the output file itself, so the limit cannot apply to
    the output alone: it counts all that was ever printed, and applies to every other file, to sparse ones by their
    length. A program that copied the output would need no such limit, but would have to live as long as the command,
    which would die of SIGPIPE with it. So the limit is large (databases make sparse files of tens of gigabytes), and
    soft: a command that needs larger files can raise it for itself.

    Raises AgentError if the command cannot be found or started. A script whose interpreter is missing starts, and ends
    with status 126 or 127 and the shell's message in `stderr`.
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
    """The daemon's ends of a child's standard streams. Leaving the context closes them."""

    input: BinaryIO
    """The child's standard input, to write to."""
    output: BinaryIO
    """The child's standard output, to read from."""

    def __enter__(self) -> Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        self.input.close()
        self.output.close()


@dataclass(frozen=True, slots=True)
class _Streams:
    """The standard streams of a child: files, or constants of `subprocess` such as PIPE."""

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
    """Start a command whose standard input and output are pipes, which the caller owns. Otherwise like `start`.

    Its standard error goes to the file as for any command, so it need not be read.
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
                # Between fork and exec this makes a single system call, and takes no lock.
                preexec_fn=adopt_orphans if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise AgentError(
                    f"The command line of {arguments[0]!r} is too long for this system. "
                    "Let the agent read its prompt from a file: use {prompt_file} in place of {prompt}."
                ) from error
            raise AgentError(f"{arguments[0]!r} could not be started in {folder}: {error.strerror}.") from error
        except ValueError as error:  # a NUL in an argument, or a variable name that contains =
            raise AgentError(f"{arguments[0]!r} could not be started: {error}.") from error
    fault("process.started")
    return child


def _limiting(largest_file: int | None) -> str:
    """Return the shell code that sets RLIMIT_FSIZE, in blocks of 512 bytes, at most the daemon's own limit."""
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
    """Wait until a process that `start` returned has ended, in this daemon or an earlier one. Return its exit status.

    It is 128 + n for a command that signal n ended. None if nothing was recorded: the machine went down, the disk was
    full, or the supervisor was killed.
    """
    if is_there(process):
        children.remember(process)
        await wait_until_gone([process], None)
    return read_exit(run_folder)


def _find(name: str, folder: Path, search: str) -> str:
    """Return the program that `name` means to a command run in `folder`, as a shell would find it, except builtins."""
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
