"""Open one connection to the running daemon, with its handshake. Standard library only: editors wait for this."""
# pathlib takes a fifth of the bridge's start-up time.
# ruff: noqa: PTH123

from __future__ import annotations

# The module `socket` wraps this one in enums and selectors, which alone would take a quarter of the bridge's start-up
# time.
import _socket as socket
import os

from mux_lsp import __version__, paths
from mux_lsp.daemon import handshake
from mux_lsp.errors import MuxError
from mux_lsp.keys import ADDRESSES, KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    Want = Literal["lsp", "stop", "status", "handover"]

ANSWER_SECONDS = 15.0
"""Seconds after which a daemon that has not answered a handshake counts as hung.

Its event loop is never busy that long.
"""

STOP_SECONDS = 40.0
"""Seconds for a daemon to end: a little more than it gives itself."""


class NotRunningError(MuxError):
    """No daemon answers. Files of an earlier one may exist."""


class NoAnswerError(MuxError):
    """A daemon is running but does not answer: it hangs."""


class BusyError(NoAnswerError):
    """A daemon is running but does not accept connections: more of them are waiting than the system's queue holds."""


class OtherVersionError(MuxError):
    """A daemon of another version answers."""


class Connection:
    """A connection whose handshake was granted. `rest` is what the daemon sent after its answer."""

    __slots__ = ("answer", "rest", "sock")

    def __init__(self, sock: socket.socket, answer: dict[str, Any], rest: bytes) -> None:
        self.sock = sock
        self.answer = answer
        self.rest = rest

    def wait_for_end(self, seconds: float) -> None:
        """Wait until the daemon has closed the connection. Raises TimeoutError."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass

    def detach(self) -> int:
        """Return the file descriptor and give up its ownership, for `socket.socket(fileno=…)`, which asyncio needs."""
        return self.sock.detach()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def attempt(home: paths.Home, want: Want) -> Connection:
    """Connect to the daemon that `daemon.json` names, and shake hands.

    Raises NotRunningError if there is no daemon, NoAnswerError if it hangs, OtherVersionError if it has another
    version, and MuxError for every other refusal.
    """
    record = read_record(home)
    if record is None:
        raise NotRunningError(f"no mux-lsp daemon is running ({home.daemon_record} names none)")
    sock = None
    try:
        sock = _open(str(record.get("address")))
        hello = {"mux": handshake.PROTOCOL, "version": __version__, "token": record.get("token"), "want": want}
        if run := os.environ.get("MUX_RUN"):
            hello["run"] = run
        else:
            hello["person"] = _person_key(home)
        if not run and want == "lsp" and str(record.get("address")).startswith("unix:"):
            # A daemon that was started without them needs them for the requests of this client.
            hello["keys"] = {name: value for name in KEYS | ADDRESSES if (value := os.environ.get(name))}
        sock.sendall(handshake.line(hello))
        first, rest = _read_line(sock)
    except TimeoutError as error:
        _close(sock)
        raise NoAnswerError(
            f"the mux-lsp daemon (pid {record.get('pid')}) does not answer: run `mux-lsp stop`, then try again "
            f"(its log: {home.log})"
        ) from error
    except BlockingIOError as error:  # only of a connect: everything else has a time limit
        raise BusyError(
            f"the mux-lsp daemon (pid {record.get('pid')}) has let nobody in for {ANSWER_SECONDS:g} s, since too many "
            f"clients connect at the same time: try again. Nothing was started or changed (its log: {home.log})"
        ) from error
    except (OSError, ValueError) as error:
        _close(sock)
        raise NotRunningError(f"no mux-lsp daemon is running ({record.get('address')}: {error})") from error
    answer = handshake.parse(first)
    if answer is not None and answer.get("ok") is True:
        sock.settimeout(None)
        return Connection(sock, answer, rest)
    sock.close()
    if answer is None or "error" not in answer:  # it has just ended, or another program has the address now
        raise NotRunningError(f"no mux-lsp daemon is running ({record.get('address')} gave no answer)")
    if answer.get("code") == "version":
        raise OtherVersionError(str(answer["error"]))
    raise MuxError(str(answer["error"]))


def read_record(home: paths.Home) -> dict[str, Any] | None:
    """Return the content of `daemon.json`, or None if it cannot be read."""
    try:
        with open(home.daemon_record, "rb") as file:
            return handshake.parse(file.read())
    except OSError:
        return None


def _person_key(home: paths.Home) -> str:
    try:
        with open(home.person_key, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""  # the daemon refuses if it needs the key


def is_alive(home: paths.Home) -> bool:
    """Return whether a daemon's process holds its lock, whether it answers or not."""
    import fcntl

    try:
        descriptor = os.open(home.daemon_lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(address: str) -> socket.socket:
    kind, _, place = address.partition(":")
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        target: str | tuple[str, int] = place
    elif kind == "tcp":
        sock = socket.socket(socket.AF_INET)
        host, _, port = place.rpartition(":")
        target = (host, int(port))
    else:
        raise ValueError(f"not an address: {address}")
    try:
        sock.settimeout(ANSWER_SECONDS)
        try:
            sock.connect(target)
        except BlockingIOError:
            _wait_for_room(sock, target)
    except BaseException:
        sock.close()
        raise
    return sock


def _wait_for_room(sock: socket.socket, target: str | tuple[str, int]) -> None:
    """Connect to a daemon whose queue is full. Raises BlockingIOError if it accepts no connection in time.

    A socket with a time limit in Python does not wait for a full queue (connect(2): EAGAIN), so the limit is set in the
    system. Only Linux returns EAGAIN. macOS refuses the connection as if there was no daemon (ECONNREFUSED), and a
    process that then starts a daemon finds the lock of the running one.
    """
    import struct

    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", int(ANSWER_SECONDS), 0))
    sock.connect(target)
    sock.settimeout(ANSWER_SECONDS)


def _read_line(sock: socket.socket) -> tuple[bytes, bytes]:
    """Return the first line and the rest. The line is incomplete if the daemon closed the connection before its end."""
    received = b""
    while b"\n" not in received:
        chunk = sock.recv(65536)
        if not chunk:
            break
        received += chunk
    first, _, rest = received.partition(b"\n")
    return first, rest


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
