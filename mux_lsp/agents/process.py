"""The one way to start and to end a child process.

A child gets a session of its own under a small supervisor (`/bin/sh`), which records the exit status on disk. So a
child lives through the end of the daemon, and the next daemon learns how it went. On Linux what loses its parent below
the supervisor becomes its child: as long as the command runs, the parents of whatever it has started lead to it.

POSIX only. On Windows `start` refuses in words: there are no sessions there, no `/bin/sh` and no exit events for the
event loop; an agent would have to run in a job object, which nothing here does yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from mux_lsp.agents.files import open_to_append, open_to_read, remove
from mux_lsp.agents.process_table import Process, ancestors, created_at, is_there, members, read_table
from mux_lsp.errors import AgentError
from mux_lsp.faults import fault
from mux_lsp.orphans import adopt_orphans

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
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

STDOUT: Final = "stdout"
STDERR: Final = "stderr"
EXIT: Final = "exit"
_SUPERVISED_BY: Final = "supervisor"
"""The names of a child's files in its run's folder."""

# The command runs in the foreground; whatever ends it, its status is then written by the shell itself in one write.
# Before it begins the shell says who it is: the daemon may be killed before it has noted that anywhere.
# No variable is set, since one that the person exports would change for the command, and no other program is called,
# since `end` could hit it. A signal sent to the whole group must not end the supervisor before its command, and a
# trap (unlike ignoring it) leaves the signal's meaning for the command alone.
_SUPERVISOR: Final = r"""trap : HUP INT QUIT TERM; printf '%s\n' "$$" >"$0/supervisor"
"$@"; set -- "$?"; printf '%s\n' "$1" >"$0/exit"; exit "$1" """

EXIT_BYTES: Final = 20
"""More than any exit status takes, or the number of a process."""

_AT_ONCE: Final = 100
"""How many processes are waited for at a time: each takes a file descriptor."""

_FREEZE_ROUNDS: Final = 100
"""How often to look for more while stopping them. A second look finds what was forked in the moment of the first."""

_KILL_SECONDS: Final = 5.0
"""How long killed processes may take to be gone. Only one stuck in the kernel takes longer."""

_RECORD_SECONDS: Final = 1.0
"""How long a supervisor may take to record the status of its command."""

_names: dict[Process, str] = {}
"""The runs, checks and set-ups of those that this daemon has started and not swept yet."""

_known: dict[Process, subprocess.Popen[bytes] | None] = {}
"""Those that this daemon has started, or has seen end, and has not swept by `end` yet.

A child of ours stays unreaped until then: so its number, which is its session's too, cannot pass to another process.
"""


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
    return _noted(child, mark)


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
    return _noted(child, mark), Pipes(cast("BinaryIO", child.stdin), cast("BinaryIO", child.stdout))


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


def sessions() -> dict[int, str]:
    """The sessions that the supervisors of this daemon's children lead, with the name of the run of each."""
    return {process.pid: name for process, name in [*_names.items()]}


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


def _noted(child: subprocess.Popen[bytes], mark: Mapping[str, str]) -> Process:
    created = created_at(child.pid)
    assert created is not None, "an unreaped child is there"  # noqa: S101
    process = Process(child.pid, created)
    _known[process] = child
    _names[process] = mark.get("MUX_RUN", "")
    return process


async def wait(process: Process, run_folder: Path) -> int | None:
    """Wait until a process that `start` gave has ended, in this daemon or an earlier one, and give its exit status.

    128 + n for a command that signal n ended. None where nothing was recorded: the machine went down under it, the
    disk was full, or somebody killed the supervisor.
    """
    if is_there(process):
        _known.setdefault(process, None)
        await _gone([process], None)
    return read_exit(run_folder)


def read_exit(run_folder: Path) -> int | None:
    """The recorded exit status, or None while there is none."""
    return _read_number(run_folder / EXIT)


def clear_records(run_folder: Path) -> None:
    """Have nothing recorded of whoever ran here before: neither who it was nor how it ended."""
    for name in (_SUPERVISED_BY, EXIT):
        remove(run_folder / name)


def find_orphan(run_folder: Path, mark: Mapping[str, str]) -> Process | None:
    """The process that a killed daemon has started here since `forget`, at work or at its end; None where it has not.

    For use in a thread: looks at every process of the machine.
    """
    pid = _read_number(run_folder / _SUPERVISED_BY)
    if pid is None:
        return None
    entry = read_table(mark).get(pid)
    if entry is not None and entry.marked:
        return entry.process
    # Its number may be another's by now. Nobody started when the machine did.
    return None if read_exit(run_folder) is None else Process(pid, 0.0)


def _read_number(file: Path) -> int | None:
    """A number in a line of its own, as the supervisor writes it."""
    try:
        with open_to_read(file) as opened:
            text = opened.read(EXIT_BYTES).decode("ascii", "replace")
    except OSError:
        return None
    number = text.removesuffix("\n")
    # Without its newline the record is not whole: the machine went down in the middle.
    return int(number) if text.endswith("\n") and number.isascii() and number.isdigit() else None


async def end(
    process: Process | None,
    mark: Mapping[str, str],
    grace: float,
    *,
    run_folder: Path | None = None,
    output: str = STDOUT,
) -> tuple[int, ...]:
    """End every process of a run: TERM, up to `grace` seconds, KILL, and again for those that appeared meanwhile.

    Call it to cancel a run, and after every `wait` to end what the agent left running. `process` may be of an earlier
    daemon, already gone, or None where it was never noted; `mark`, `run_folder` and `output` are those of `start`. What
    belongs to a run is told in `process_table`. A process between fork and exec may miss TERM, since what it is a copy
    of may handle it; KILL ends it. Returns the numbers of those it could not end, usually none: another user's, or
    stuck in the kernel.
    """
    family = _Family(process, mark, None if run_folder is None else run_folder / output)
    try:
        if process is not None:
            _signal(process, signal.SIGCONT)
        await _ask(family, grace)
        left = await _kill(family)
        await _end_supervisor(family)
        return tuple(sorted(one.pid for one in left))
    except OSError:
        # The table of processes cannot be read. The session of a child of ours is ended without: its number is ours.
        if process is not None and _known.get(process) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        if process is not None:
            _reap(process)


class _Family:
    """The processes of one run, looked up anew at each call.

    Those once found stay known: when a parent has died of TERM, its child may have nothing else that tells whose it is.
    """

    def __init__(self, process: Process | None, mark: Mapping[str, str], output: Path | None) -> None:
        self.supervisor = process
        self._mark = mark
        self._logs = () if output is None else tuple(output.parent.resolve() / name for name in (output.name, STDERR))
        self._protected = ancestors()
        # One that has long gone is no evidence: its number may have passed to a stranger, who may have left a session.
        self._found = {process} if process is not None and (process in _known or is_there(process)) else set()

    def has_been_at_work(self) -> bool:
        """Whether anyone but the supervisor has been found."""
        return not self._found <= {self.supervisor}

    def members(self) -> set[Process]:
        """All but the supervisor."""
        table = read_table(self._mark, self._logs)
        there = members(table, self._found, self._protected)
        self._found |= there
        return there if self.supervisor is None else there - {self.supervisor}


async def _ask(family: _Family, grace: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace
    # Those that appear in answer to TERM may be tidying up, and are asked only when the ones asked before have gone.
    while there := await asyncio.to_thread(_terminate, family):
        await _gone(there, deadline - loop.time())
        if loop.time() >= deadline:
            return


async def _kill(family: _Family) -> set[Process]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _KILL_SECONDS
    while there := await asyncio.to_thread(_destroy, family):
        await _gone(there, deadline - loop.time())
        if loop.time() >= deadline:
            return there
    return set()


async def _end_supervisor(family: _Family) -> None:
    supervisor = family.supervisor
    if supervisor is None:
        return
    if family.has_been_at_work():
        await _gone([supervisor], _RECORD_SECONDS)  # with its command gone it records the status and ends by itself
    for _ in range(_FREEZE_ROUNDS):
        if not is_there(supervisor):
            return
        there = await asyncio.to_thread(_destroy_with_supervisor, family, supervisor)
        await _gone({*there, supervisor}, _RECORD_SECONDS)
        if not there:
            return


# These run to their end in a thread, whatever happens to the coroutine that waits for them: nobody is left frozen.


def _terminate(family: _Family) -> set[Process]:
    """Ask all there are to end. Gives them."""
    there = _freeze(family)
    for number in (signal.SIGTERM, signal.SIGCONT):
        for one in there:
            _signal(one, number)
    return there


def _destroy(family: _Family) -> set[Process]:
    """Kill all there are. Gives them."""
    there = _freeze(family)
    for one in there:
        _signal(one, signal.SIGKILL)
    return there


def _destroy_with_supervisor(family: _Family, supervisor: Process) -> set[Process]:
    """Kill the supervisor, unless it has started its command only now: then kill that. Gives what else was there."""
    _signal(supervisor, signal.SIGSTOP)
    there = _destroy(family)
    _signal(supervisor, signal.SIGCONT if there else signal.SIGKILL)
    return there


def _freeze(family: _Family) -> set[Process]:
    """Stop all there are, so that none is missed that another one was just starting."""
    frozen: set[Process] = set()
    for _ in range(_FREEZE_ROUNDS):
        there = family.members()
        if there <= frozen:
            return there
        for one in there - frozen:
            _signal(one, signal.SIGSTOP)
        frozen |= there
    return frozen


def _signal(process: Process, number: signal.Signals) -> None:
    """Send a signal to this very process; nothing where it is gone or another user's."""
    try:
        if sys.platform == "linux":
            descriptor = os.pidfd_open(process.pid)
            try:
                if is_there(process):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
        elif is_there(process):
            os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _reap(process: Process) -> None:
    _names.pop(process, None)
    child = _known.pop(process, None)
    if child is not None and child.poll() is None:
        _known[process] = child  # could not be ended: keep its number ours


class _Event(Protocol):
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def _exit_event(process: Process) -> _Event | None:
    """Something that becomes readable when the process has ended, or None where it has ended already."""
    event: _Event
    try:
        if sys.platform == "linux":
            event = io.FileIO(os.pidfd_open(process.pid))
        else:
            queue = event = select.kqueue()
            note = select.kevent(
                process.pid,
                filter=select.KQ_FILTER_PROC,
                flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
                fflags=select.KQ_NOTE_EXIT,
            )
            try:
                queue.control([note], 0)
            except OSError:
                event.close()
                raise
    except ProcessLookupError:
        return None
    if not is_there(process):  # the number had passed to another one before we asked
        event.close()
        return None
    return event


async def _gone(processes: Collection[Process], seconds: float | None) -> None:
    """Wait until all of them have ended, at most so many seconds, by the kernel's exit events."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            waiting = list(processes)
            for first in range(0, len(waiting), _AT_ONCE):
                await _batch_gone(waiting[first : first + _AT_ONCE])


async def _batch_gone(processes: Collection[Process]) -> None:
    loop = asyncio.get_running_loop()
    events = {}
    for process in processes:
        if (event := _exit_event(process)) is not None:
            events[event.fileno()] = event
    pending = set(events)
    done = asyncio.Event()

    def ended(descriptor: int) -> None:
        loop.remove_reader(descriptor)
        pending.discard(descriptor)
        if not pending:
            done.set()

    try:
        for descriptor in events:
            loop.add_reader(descriptor, ended, descriptor)
        if pending:
            await done.wait()
    finally:
        for descriptor, event in events.items():
            loop.remove_reader(descriptor)
            event.close()


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
