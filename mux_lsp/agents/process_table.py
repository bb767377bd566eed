"""List the living processes, and find those that belong to a run.

A process belongs to a run if at least one of these holds:
- it is the run's supervisor, or in the session that the supervisor leads;
- its environment carries the run's mark (`MUX_RUN` and `MUX_WORKTREE` together);
- its standard output or error is the run's own log file (Linux);
- a process that belongs started it, or leads its session.

A process' current folder is no evidence: a person's own shell may be in a worktree. A process escapes all of these if
it has cleared its environment, left its session, lost its parent and closed its outputs, all four, and has outlived its
run's command: until then the supervisor becomes its parent (Linux). Only a sandbox could hold such a process. On Linux
it becomes the daemon's child, which distinguishes it from a person's program (`daemon.identify`).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Process:
    """One process, distinguished by its start time from every later process with the same number.

    `created` is in seconds. On Linux it counts from the start of the machine, so that setting the clock does not make a
    living process look like another one; elsewhere from the epoch. Use it only for comparison.
    """

    pid: int
    created: float


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """A living process. `marked` is true if it carries the run's mark or writes to the run's log."""

    process: Process
    parent: int
    session: int
    marked: bool


def created_at(pid: int) -> float | None:
    """Return when the process `pid` started (see `Process`), or None if there is no such process. Zombies count."""
    if sys.platform == "linux":
        fields = _stat(pid)
        return None if fields is None else _created(fields)
    else:
        return _created_psutil(pid)


def is_there(process: Process) -> bool:
    """Return whether the number still belongs to this process. Zombies count."""
    return created_at(process.pid) == process.created


def read_table(mark: Mapping[str, str], logs: Iterable[Path] = ()) -> dict[int, ProcessEntry]:
    """Return every living process by its number, without zombies. `logs` are the files that only this run writes to.

    Takes about 50 µs a process: call it in a thread.
    """
    if sys.platform == "linux":
        return _read_proc(mark, logs)
    else:
        return read_with_psutil(mark)


def members(table: Mapping[int, ProcessEntry], known: Iterable[Process], protected: frozenset[int]) -> set[Process]:
    """Return the processes of `table` that belong to the run.

    `known` are processes that belong and lived until a moment ago. A session that one of them led counts even if the
    leader has gone: the system reuses its number only when the session is empty too. `protected` are never members, and
    no process belongs because of them: the daemon and its ancestors, which carry a run's mark if an agent has started
    the daemon.
    """
    children: dict[int, list[int]] = {}
    sessions: dict[int, list[int]] = {}
    for pid, entry in table.items():
        children.setdefault(entry.parent, []).append(pid)
        sessions.setdefault(entry.session, []).append(pid)
    frontier = [pid for pid, entry in table.items() if entry.marked]
    for process in known:
        there = table.get(process.pid)
        if there is None or there.process == process:
            frontier += [process.pid, *sessions.get(process.pid, ())]
    found: set[int] = set()
    while frontier:
        pid = frontier.pop()
        if pid in found or pid in protected or pid not in table:
            continue
        found.add(pid)
        frontier += children.get(pid, ())
        frontier += sessions.get(pid, ())
    return {table[pid].process for pid in found}


def ancestors() -> frozenset[int]:
    """Return the numbers of this process and its ancestors."""
    import psutil

    me = psutil.Process()
    return frozenset({me.pid, *(parent.pid for parent in me.parents())})


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields of `/proc/PID/stat` behind the second, which may contain anything (proc_pid_stat(5))."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None


def _read(file: str) -> bytes:
    """Read all of a small file, without the overhead of `open`: this runs for every process of the machine."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, _CHUNK):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _created(fields: list[bytes]) -> float:
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _read_proc(mark: Mapping[str, str], logs: Iterable[Path]) -> dict[int, ProcessEntry]:
    wanted = [os.fsencode(f"{name}={value}") for name, value in mark.items()]
    outputs = {str(log) for log in logs}
    table = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  # the names alone: a Path for each would double the cost
        if not name.isdigit():
            continue
        pid = int(name)
        fields = _stat(pid)
        if fields is None:
            continue
        # A zombie whose main thread alone has ended still runs in its other threads.
        if fields[0] in {b"Z", b"X"} and int(fields[17]) <= 1:
            continue
        table[pid] = ProcessEntry(
            Process(pid, _created(fields)),
            parent=int(fields[1]),
            session=int(fields[3]),
            marked=_wears(pid, wanted) or _writes_to(pid, outputs),
        )
    return table


def _wears(pid: int, wanted: list[bytes]) -> bool:
    if not wanted:
        return False
    try:
        environment = b"\0" + _read(f"/proc/{pid}/environ") + b"\0"
    except OSError:
        return False  # another user's process, or it has ended
    return all(b"\0" + one + b"\0" in environment for one in wanted)


def _writes_to(pid: int, outputs: set[str]) -> bool:
    if not outputs:
        return False
    for descriptor in ("1", "2"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{descriptor}") in outputs:  # noqa: PTH115  # as above
                return True
        except OSError:
            continue
    return False


def _created_psutil(pid: int) -> float | None:
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def read_with_psutil(mark: Mapping[str, str]) -> dict[int, ProcessEntry]:
    """Return the table for systems without `/proc`, as `read_table` does. It does not check log files."""
    import psutil

    table = {}
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            entry = ProcessEntry(
                Process(process.pid, created_at(process.pid) or 0.0),
                parent=process.ppid(),
                session=os.getsid(process.pid),
                marked=_wears_psutil(process, mark),
            )
        except (psutil.Error, OSError):
            continue
        table[process.pid] = entry
    return table


def _wears_psutil(process: object, mark: Mapping[str, str]) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)  # noqa: S101  # psutil is imported late
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    return bool(mark) and all(environment.get(name) == value for name, value in mark.items())
