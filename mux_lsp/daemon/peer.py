"""Determine the process at the other end of a connection from the kernel, and hold it against reuse of its pid."""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp.daemon.identify import Target

if TYPE_CHECKING:
    from mux_lsp.daemon.process_tables import Ends, Table

_SO_PEERPIDFD: Final = 77
"""<asm-generic/socket.h>, since Linux 6.5: a descriptor for the process itself, which is never reused."""

_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2
"""<sys/un.h> of macOS."""


@dataclass(slots=True)
class Peer:
    """The user and the process that opened a connection. Close it after use."""

    uid: int | None = None
    """None over TCP, where the kernel does not report it."""
    pid: int | None = None
    handle: int | None = None
    """A descriptor of the process."""
    before: float | None = None
    """Time when the connection existed, in seconds since boot, if the process is held only since then."""
    ends: Ends | None = None
    """Ends of a TCP connection, the peer's first."""
    _opened: list[int] = field(default_factory=list)

    def target(self, table: Table) -> Target | None:
        """Return the process to check, or None if it cannot be determined. Call it in a thread."""
        if self.ends is not None:
            return self._target_over_tcp(table, self.ends)
        if self.pid is None:
            return None
        if sys.platform == "linux":
            # Without a handle it had already ended.
            return None if self.handle is None else Target(self.pid, lambda: _is_alive(self.handle), self.before)
        else:
            # There are no handles of processes: its start time distinguishes it from a later one.
            pid, there = self.pid, table.parent(self.pid)
            return None if there is None else Target(pid, lambda: (table.parent(pid) or (None,))[0] == there[0])

    def close(self) -> None:
        """Release the process."""
        for descriptor in self._opened:
            os.close(descriptor)
        self._opened.clear()
        self.handle = None

    def hold(self, descriptor: int | None) -> None:
        """Take over a descriptor of the process."""
        self.handle = descriptor
        if descriptor is not None:
            self._opened.append(descriptor)

    def _target_over_tcp(self, table: Table, ends: Ends) -> Target | None:
        owners = table.owners(ends)
        if len(owners) != 1:
            return None
        (pid,) = owners
        self.hold(_open(pid))
        if self.handle is None:
            return None
        return Target(pid, lambda: _is_alive(self.handle) and table.owners(ends) == owners)


def peer_of(sock: socket.socket) -> Peer:
    """Return the process at the other end. Call it at once: a process that has ended cannot be held any more."""
    if sock.family != getattr(socket, "AF_UNIX", None):
        return Peer(ends=(sock.getpeername()[:2], sock.getsockname()[:2]))
    if sys.platform == "darwin":
        # struct xucred begins with a version and the uid.
        _, uid = struct.unpack_from("=II", sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76))
        (pid,) = struct.unpack("=i", sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4))
        return Peer(uid, pid)
    pid, uid, _ = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    peer = Peer(uid, pid)
    try:
        (descriptor,) = struct.unpack("=i", sock.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD, 4))
        peer.hold(descriptor)
    except OSError:
        # An older kernel, or a process that has been waited for. By now its pid may belong to another one.
        peer.before = time.clock_gettime(time.CLOCK_BOOTTIME)
        peer.hold(_open(pid))
    return peer


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _is_alive(handle: int | None) -> bool:
    """Return whether a process has not ended.

    Its descriptor is readable when it has; `select` takes no large numbers.
    """
    if handle is None:
        return False
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    return not waiting.poll(0)
