"""Ensure that there is one daemon, which clients can find and detect as dead: its lock, its record, its socket."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from mux_lsp import atomic, paths
from mux_lsp.daemon import client, dial, handshake
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_SECONDS = 30.0
"""Seconds for which a new daemon waits for one that is ending: the time that a daemon gives itself."""


BACKLOG = 4096
"""Maximum number of connections that wait to be accepted.

The system has its own limit (`net.core.somaxconn`), and the lower one applies.
"""


class AlreadyRunningError(MuxError):
    """Another daemon already serves this user."""


@dataclass(frozen=True, slots=True)
class Record:
    """The content of `daemon.json`, and the key in `person.key`."""

    pid: int
    created: float
    """Start time of the process, as in psutil, to distinguish it from a later one with the same pid."""
    address: str
    """`unix:PATH` or `tcp:HOST:PORT`."""
    token: str
    """The secret that every client sends."""
    version: str
    person_key: str
    """The secret that a client of the person sends in addition. It is in a separate file."""


class Starter:
    """The process that waits for this daemon to be ready, at the other end of a pipe, or none.

    The first message counts and closes the pipe. A daemon that dies without one closes it too, which its starter
    notices.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # the agents must not hold it open

    @property
    def waits(self) -> bool:
        """True if a process started this daemon in the background and has not received a message yet."""
        return self._descriptor is not None

    def ready(self) -> None:
        """Report that the daemon accepts connections."""
        self._say("ready")

    def failed(self, sentence: str) -> None:
        """Report that the daemon does not start, with the reason."""
        self._say(f"error {sentence}")

    def _say(self, words: str) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # the starter has ended: the next one can use the daemon
            os.write(self._descriptor, words.encode(errors="replace"))
        os.close(self._descriptor)
        self._descriptor = None


def detach() -> None:
    """Fork and end the parent, so that nothing waits for the daemon's end.

    The caller is already in its own session; its child is not the leader of it and can never get a terminal.
    """
    if os.fork():
        os._exit(0)


@contextmanager
def only_daemon(home: paths.Home, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock that only a living daemon holds. Enter it in the main thread, before an event loop runs.

    Waits for an earlier daemon that is ending. Raises AlreadyRunningError if that one is not ending.
    """
    try:
        descriptor = os.open(home.daemon_lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise paths.unusable(home.daemon_lock, error) from error
    try:
        _take(descriptor, home, seconds)
        # For a program that has to end this process without being able to connect to it.
        os.ftruncate(descriptor, 0)
        os.write(descriptor, handshake.line({"pid": os.getpid(), "created": psutil.Process().create_time()}))
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, home: paths.Home, seconds: float) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        pass
    with contextlib.suppress(dial.NotRunningError, dial.NoAnswerError):
        pid = client.request_status(home).get("pid")
        raise AlreadyRunningError(f"a mux-lsp daemon is already running (pid {pid})")

    def give_up(*_: object) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except TimeoutError as error:
        pid = (dial.read_record(home) or {}).get("pid", "unknown")
        raise MuxError(
            f"another mux-lsp daemon (pid {pid}) runs but does not answer: end it with `mux-lsp stop` "
            f"(its log: {home.log})"
        ) from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def listen(home: paths.Home) -> tuple[socket.socket, str]:
    """Return the listening socket and its address. Call it under the daemon's lock: an existing socket is stale."""
    if hasattr(socket, "AF_UNIX") and os.environ.get("MUX_LSP_TRANSPORT") != "tcp":
        path = paths.socket_path(home.state)
        Path(path).unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            sock.bind(path)
        except OSError as error:
            sock.close()
            raise paths.unusable(path, error) from error
        finally:
            os.umask(mask)
        address = f"unix:{path}"
    else:
        sock = socket.socket(socket.AF_INET)
        sock.bind(("127.0.0.1", 0))
        address = f"tcp:127.0.0.1:{sock.getsockname()[1]}"
    sock.listen(BACKLOG)  # a session manager may start many editors at once
    sock.setblocking(False)
    return sock, address


def publish(home: paths.Home, address: str, version: str) -> Record:
    """Write `person.key`, and then `daemon.json` with a new token, each atomically."""
    person_key = secrets.token_urlsafe(32)
    record = Record(
        os.getpid(), psutil.Process().create_time(), address, secrets.token_urlsafe(32), version, person_key
    )
    _write_private(home.person_key, person_key)
    said = asdict(record)
    del said["person_key"]
    _write_private(home.daemon_record, json.dumps(said))
    return record


def _write_private(path: str, text: str) -> None:
    try:
        atomic.write_private(path, text.encode())
    except OSError as error:
        raise paths.unusable(path, error) from error


def withdraw(home: paths.Home, address: str) -> None:
    """Remove the record and the socket, so that no client tries to connect. Call it under the lock."""
    Path(home.daemon_record).unlink(missing_ok=True)
    Path(home.person_key).unlink(missing_ok=True)
    kind, _, place = address.partition(":")
    if kind == "unix":
        path = Path(place)
        path.unlink(missing_ok=True)
        if path.parent != Path(home.state):
            with contextlib.suppress(OSError):
                path.parent.rmdir()
