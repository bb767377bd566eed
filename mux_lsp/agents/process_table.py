"""Which processes there are, and which of them belong to a run.

A process belongs to a run when one of these holds, and nothing less:

- it is the run's supervisor, or in the session that the supervisor leads;
- its environment carries the run's mark (`MUX_RUN` and `MUX_WORKTREE` together);
- its standard output or error is the run's own log file (Linux);
- it was started by a process that belongs, or is in a session which one that belongs leads.

Where a process stands (its current folder) is no evidence: a person's own shell may have gone into a worktree to look.
What escapes all of these is a process that cleared its environment, left its session, lost its parent and closed its
outputs, all four, and has outlived its run's command: until then the supervisor becomes its parent (Linux). Only a
sandbox could hold that one. On Linux it becomes the daemon's child, which still tells it from a person's program
(`daemon.identify`).
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
    """One process, told from every later process of the same number by when it started.

    `created` is in seconds and counts from the start of the machine on Linux, where setting the clock must not make
    a living process look like another one; elsewhere from the epoch. Only ever compare it.
    """

    pid: int
    created: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A living process, as far as it matters here. `marked`: it carries the run's mark or writes to the run's log."""

    process: Process
    parent: int
    session: int
    marked: bool


def created_at(pid: int) -> float | None:
    """When the process `pid` started, or None where there is none. A zombie still counts as there."""
    if sys.platform == "linux":
        fields = _stat(pid)
        return None if fields is None else _created(fields)
    else:
        return _created_psutil(pid)


def is_there(process: Process) -> bool:
    """Whether the number still stands for this very process. A zombie still counts as there."""
    return created_at(process.pid) == process.created


def read_table(mark: Mapping[str, str], logs: Iterable[Path] = ()) -> dict[int, Entry]:
    """Every living process by its number; zombies are left out. `logs` are the files only this run writes to.

    Takes about 50 µs a process: call it in a thread.
    """
    if sys.platform == "linux":
        return _read_proc(mark, logs)
    else:
        return read_with_psutil(mark)


def members(table: Mapping[int, Entry], known: Iterable[Process], protected: frozenset[int]) -> set[Process]:
    """The processes of `table` that belong to the run.

    `known` are those that belong and have lived until a moment ago. The session that one of them led counts also when
    it has gone: the system gives a number away again only when its session is empty too. `protected` are never
    members, nor does anything belong because of them: the daemon and its ancestors, which carry a run's mark when an
    agent has started the daemon.
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
    """This process and its ancestors."""
    import psutil

    me = psutil.Process()
    return frozenset({me.pid, *(parent.pid for parent in me.parents())})


def _stat(pid: int) -> list[bytes] | None:
    """The fields of `/proc/PID/stat` from the third on (proc_pid_stat(5)); the second may hold anything, so skip it."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None


def _read(file: str) -> bytes:
    """All of a small file, without what `open` sets up around it: this runs for every process of the machine."""
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


def _read_proc(mark: Mapping[str, str], logs: Iterable[Path]) -> dict[int, Entry]:
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
        table[pid] = Entry(
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
        return False  # another person's, or gone
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


def read_with_psutil(mark: Mapping[str, str]) -> dict[int, Entry]:
    """`read_table` for systems without `/proc`. It sees no log files."""
    import psutil

    table = {}
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            entry = Entry(
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
