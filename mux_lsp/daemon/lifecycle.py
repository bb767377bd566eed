"""What a daemon does to be the only one, to be found, and to be found dead: its lock, its record, its socket."""

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
"""How long a new daemon waits for one that is ending: as long as that one gives itself."""


BACKLOG = 4096
"""Connections that may wait to be let in. The system has a bound of its own (`net.core.somaxconn`) and takes the lower
one."""


class AlreadyRunningError(MuxError):
    """Another daemon serves this person already."""


@dataclass(frozen=True, slots=True)
class Record:
    """The content of `daemon.json`, and the key in `person.key`."""

    pid: int
    created: float
    """When the process started, as psutil gives it, to tell it from a later one with the same pid."""
    address: str
    """`unix:PATH` or `tcp:HOST:PORT`."""
    token: str
    """The secret that every client shows."""
    version: str
    person_key: str
    """The secret that a client of the person shows beside it. It is in a file of its own."""


class Starter:
    """Whoever waits for this daemon to be ready: at the other end of a pipe, or nobody.

    The first word counts and closes the pipe. A daemon that dies without one closes it too, which its starter sees.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # the agents must not hold it open

    @property
    def waits(self) -> bool:
        """Whether somebody started this daemon in the background and has not heard from it."""
        return self._descriptor is not None

    def ready(self) -> None:
        """The daemon can be connected to."""
        self._say("ready")

    def failed(self, sentence: str) -> None:
        """There will be no daemon, for this reason."""
        self._say(f"error {sentence}")

    def _say(self, words: str) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # the starter has gone: the daemon is of use to the next one
            os.write(self._descriptor, words.encode(errors="replace"))
        os.close(self._descriptor)
        self._descriptor = None


def detach() -> None:
    """Leaves the process that was started behind, so that nobody has to wait for the daemon's end.

    The caller is already in a session of its own; its child is not the leader of it and can never get a terminal.
    """
    if os.fork():
        os._exit(0)


@contextmanager
def only_daemon(home: paths.Home, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Holds the lock that only a living daemon holds. To be entered in the main thread, before an event loop runs.

    Waits for an earlier daemon that is ending. Raises AlreadyRunningError if that one serves.
    """
    try:
        descriptor = os.open(home.daemon_lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise paths.unusable(home.daemon_lock, error) from error
    try:
        _take(descriptor, home, seconds)
        # For whoever has to end this process without being able to connect to it.
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
    """The listening socket and its address. To be called under the daemon's lock: what lies in its place is stale."""
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
    sock.listen(BACKLOG)  # editors that a session manager starts all at once
    sock.setblocking(False)
    return sock, address


def publish(home: paths.Home, address: str, version: str) -> Record:
    """Writes `daemon.json` with a fresh token, and before it `person.key`, each whole or not at all."""
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
    """Removes the record and the socket, so that nobody tries to connect any more. To be called under the lock."""
    Path(home.daemon_record).unlink(missing_ok=True)
    Path(home.person_key).unlink(missing_ok=True)
    kind, _, place = address.partition(":")
    if kind == "unix":
        path = Path(place)
        path.unlink(missing_ok=True)
        if path.parent != Path(home.state):
            with contextlib.suppress(OSError):
                path.parent.rmdir()
