"""Who is at the other end of a unix socket, as the kernel says."""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Peer:
    """The user, and the process where the kernel tells, that opened the connection."""

    uid: int
    pid: int | None


def peer_of(sock: socket.socket) -> Peer | None:
    """Who connected, or None where the kernel cannot say: over TCP."""
    if sock.family != getattr(socket, "AF_UNIX", None):
        return None
    if sys.platform == "darwin":
        # <sys/un.h>: SOL_LOCAL is 0, LOCAL_PEERCRED 1; struct xucred begins with a version and the uid.
        _, uid = struct.unpack_from("=II", sock.getsockopt(0, 1, 76))
        return Peer(uid, None)
    pid, uid, _ = struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid, pid)


def runs_around(pid: int) -> tuple[str, ...]:
    """The runs that a process says it belongs to, and those that started it say: the outermost first.

    What agents start can change its own environment, but not that of the process that the daemon has started for them.
    """
    found: list[str] = []
    try:
        process: psutil.Process | None = psutil.Process(pid)
        while process is not None and process.pid != os.getpid():
            if (run := _run_of(process)) is not None:
                found.append(run)
            process = process.parent()
    except psutil.Error:
        pass  # It has ended, and with it whatever it wanted.
    return tuple(reversed(found))


def _run_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("MUX_RUN")
    except psutil.AccessDenied:
        return None  # another user's
