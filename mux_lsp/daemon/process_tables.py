"""Read the machine's processes, as far as necessary to find out who started one of them."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

Ends = tuple[tuple[str, int], tuple[str, int]]
"""The two ends of a TCP connection over IPv4, each with its port: the client's end first."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One living process."""

    pid: int
    created: float
    """Start time, which distinguishes it from a later process with the same pid.

    On Linux in seconds since boot, elsewhere since the epoch.
    """
    parent: int
    """0 for a process without a parent."""
    session: int
    group: int
    environment: Mapping[str, str] | None
    """The environment it was started with. None if another user or the process hides it."""
    arguments: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    """The files of its standard streams."""


class Table(Protocol):
    """Read access to the table of processes. Processes start and end between two reads."""

    def facts(self, pid: int) -> Facts | None:
        """Return a process, or None if it has ended."""

    def parent(self, pid: int) -> tuple[float, int] | None:
        """Return the start time of a process and its parent, at little cost; None as for `facts`."""

    def hides(self, pid: int) -> bool:
        """Return whether the process exists and nothing of it may be read, not even its parent."""

    def files(self, pid: int) -> tuple[str, ...] | None:
        """Return all files that a process has open, and its program's; None if they may not be read."""

    def owners(self, ends: Ends) -> frozenset[int]:
        """Return the processes that have the first end of a TCP connection open; empty if that cannot be determined."""


def machine() -> Table:
    """Return the table of this machine."""
    return Proc() if sys.platform == "linux" else Psutil()


class Proc:
    """The table of Linux: `/proc` (proc(5))."""

    def facts(self, pid: int) -> Facts | None:
        """See `Table`."""
        fields = _stat(pid)
        if fields is None:
            return None
        return Facts(
            pid,
            _created(fields),
            parent=int(fields[1]),
            session=int(fields[3]),
            group=int(fields[2]),
            # The environment of a process whose first thread has ended reads as empty.
            environment=None if fields[0] in {b"Z", b"X"} else _environment(pid),
            arguments=tuple(_split(_read(f"/proc/{pid}/cmdline"))),
            streams=tuple(filter(None, (_link(f"/proc/{pid}/fd/{number}") for number in range(3)))),
        )

    def parent(self, pid: int) -> tuple[float, int] | None:
        """See `Table`."""
        fields = _stat(pid)
        return None if fields is None else (_created(fields), int(fields[1]))

    def hides(self, pid: int) -> bool:
        """See `Table`. True for other users' processes if `/proc` is mounted with `hidepid`."""
        try:
            os.kill(pid, 0)
        except PermissionError:
            pass
        except OSError:
            return False
        return _stat(pid) is None

    def files(self, pid: int) -> tuple[str, ...] | None:
        """See `Table`."""
        try:
            numbers = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208
        except OSError:
            return None
        links = [f"/proc/{pid}/exe", f"/proc/{pid}/root", *(f"/proc/{pid}/fd/{number}" for number in numbers)]
        return tuple(filter(None, map(_link, links)))

    def owners(self, ends: Ends) -> frozenset[int]:
        """See `Table`."""
        inode = _inode(ends)
        if inode is None:
            return frozenset()
        wanted = f"socket:[{inode}]"
        found = set()
        for name in os.listdir("/proc"):  # noqa: PTH208
            if name.isdigit() and wanted in (self.files(int(name)) or ()):
                found.add(int(name))
        return frozenset(found)


class Psutil:
    """The table of systems without `/proc`. It does not support TCP connections and standard streams."""

    def facts(self, pid: int) -> Facts | None:
        """See `Table`."""
        import psutil

        try:
            process = psutil.Process(pid)
            with process.oneshot():
                created, parent = process.create_time(), process.ppid()
                session, group = os.getsid(pid), os.getpgid(pid)
                try:
                    environment, arguments = process.environ(), tuple(process.cmdline())
                except psutil.AccessDenied:
                    environment, arguments = None, ()
        except (psutil.Error, OSError):
            return None
        return Facts(pid, created, parent, session, group, environment, arguments)

    def parent(self, pid: int) -> tuple[float, int] | None:
        """See `Table`."""
        import psutil

        try:
            process = psutil.Process(pid)
            return process.create_time(), process.ppid()
        except psutil.Error:
            return None

    def hides(self, pid: int) -> bool:
        """See `Table`."""
        return False

    def files(self, pid: int) -> tuple[str, ...] | None:
        """See `Table`."""
        import psutil

        try:
            return tuple(file.path for file in psutil.Process(pid).open_files())
        except psutil.Error:
            return None

    def owners(self, ends: Ends) -> frozenset[int]:
        """See `Table`."""
        return frozenset()


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields of `/proc/PID/stat` from the third on (proc_pid_stat(5)); the second may contain anything."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return fields or None


def _created(fields: list[bytes]) -> float:
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _environment(pid: int) -> dict[str, str] | None:
    try:
        entries = _split(Path(f"/proc/{pid}/environ").read_bytes())
    except OSError:
        return None
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _split(block: bytes) -> list[str]:
    return [os.fsdecode(part) for part in block.split(b"\0") if part]


def _link(file: str) -> str | None:
    try:
        return os.readlink(file)  # noqa: PTH115
    except OSError:
        return None


def _inode(ends: Ends) -> str | None:
    """Return the inode of the socket at the first end. A client's socket may be IPv6 with an IPv4-mapped address."""
    wanted = [[_hexadecimal(end, mapped=mapped) for end in ends] for mapped in (False, True)]
    for file, (ours, theirs) in zip(("/proc/net/tcp", "/proc/net/tcp6"), wanted, strict=True):
        for line in _read(file).decode("ascii", "replace").splitlines()[1:]:
            fields = line.split()
            if fields[1:3] == [ours, theirs]:
                return fields[9]
    return None


def _hexadecimal(end: tuple[str, int], *, mapped: bool) -> str:
    """Return an address as the kernel writes it: words of four bytes, each in the machine's byte order."""
    raw = socket.inet_aton(end[0])
    if mapped:
        raw = bytes(10) + b"\xff\xff" + raw
    words = (int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4))
    return "".join(f"{word:08X}" for word in words) + f":{end[1]:04X}"
