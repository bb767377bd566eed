"""Test that one client costs the others nothing, and that strangers get nothing at all."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp import __version__
from mux_lsp.daemon import handshake
from mux_lsp.daemon.dial import attempt, read_record
from mux_lsp.errors import MuxError
from tests.support.editor import Editor
from tests.support.framing import frame
from tests.support.tree import tune

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.home import IsolatedHome


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A well-behaved client beside the one under test."""

    editor: Editor
    home: IsolatedHome

    def check(self) -> None:
        """Assert that it is served."""
        assert self.editor.request("echo", "neighbour")["result"]["echo"] == "neighbour"


@pytest.fixture
def neighbour(fake_home: IsolatedHome) -> Iterator[Neighbour]:
    tune(fake_home, "daemon/handshake.py", "SECONDS", 0.3)
    tune(fake_home, "daemon/connection.py", "WAITING_LIMIT", 1_000_000)
    with Editor(fake_home) as editor:
        editor.request("initialize")
        yield Neighbour(editor, fake_home)


def connect_raw(home: IsolatedHome) -> socket.socket:
    """Return a socket after a granted handshake, without a bridge."""
    sock = socket.socket(fileno=attempt(home.paths, "lsp").detach())
    sock.settimeout(20)
    return sock


def connect_stranger(home: IsolatedHome) -> socket.socket:
    """Return a socket before any handshake."""
    record = read_record(home.paths)
    assert record is not None
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(record["address"].removeprefix("unix:"))
    return sock


def read_to_end(sock: socket.socket) -> bytes:
    """Read until the daemon closes the connection, and return everything received."""
    received = b""
    try:
        while chunk := sock.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received


def say(home: IsolatedHome, **changes: Any) -> dict[str, Any]:
    """Send a handshake with these changes, and return the daemon's answer."""
    record = read_record(home.paths)
    assert record is not None
    hello = {"mux": 1, "version": __version__, "token": record["token"], "want": "lsp"} | changes
    with connect_stranger(home) as sock:
        sock.sendall(handshake.line(hello))
        answer = handshake.parse(sock.makefile("rb").readline())
        assert answer is not None
        return answer


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"no colon in sight\r\n\r\n",
        b"\r\n",
        b"Content-Type: x\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: ten\r\n\r\n",
        b"Content-Length: 99999999999999999999999999\r\n\r\n",
        b"Content-Length: 67108865\r\n\r\n",
        b"x" * 200_000,
        b"A: b\r\n" * 100,
        bytes(range(256)) * 10,
    ],
)
def test_broken_framing_ends_that_client_only(neighbour: Neighbour, garbage: bytes) -> None:
    with connect_raw(neighbour.home) as sock:
        sock.sendall(garbage)
        assert read_to_end(sock) == b""
    neighbour.check()
    dropped = [line for line in neighbour.home.log.splitlines() if "dropped" in line]
    assert len(dropped) == 1
    assert "Traceback" not in neighbour.home.log


@pytest.mark.parametrize("part", [b"Content-Le", b"Content-Length: 10\r\n", b"Content-Length: 10\r\n\r\n", b"half"])
def test_a_client_that_dies_in_the_middle_of_a_message(neighbour: Neighbour, part: bytes) -> None:
    whole = frame({"jsonrpc": "2.0", "method": "x"})
    with connect_raw(neighbour.home) as sock:
        sock.sendall(whole[:30] if part == b"half" else part)
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock) == b""
    neighbour.check()
    assert "in the middle of a message" in neighbour.home.log
    assert "Traceback" not in neighbour.home.log


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc": "1.0", "method": "x"}', -32600),
        (b'{"jsonrpc": "2.0"}', -32600),
        (b'{"jsonrpc": "2.0", "method": 7}', -32600),
        (b'{"jsonrpc": "2.0", "id": [], "method": "x"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 4}', -32600),
    ],
)
def test_a_body_that_is_no_message_is_answered_and_the_client_goes_on(
    neighbour: Neighbour, body: bytes, code: int
) -> None:
    with Editor(neighbour.home) as editor:
        editor.send_bytes(b"content-length: %d\r\nContent-Type: x\r\n\r\n%b" % (len(body), body))
        assert editor.receive()["error"]["code"] == code
        assert editor.request("echo", "on")["result"]["echo"] == "on"
    neighbour.check()
    assert "Traceback" not in neighbour.home.log


def test_a_client_that_does_not_read_is_dropped_and_the_others_do_not_feel_it(neighbour: Neighbour) -> None:
    with connect_raw(neighbour.home) as sock:
        sock.sendall(frame({"jsonrpc": "2.0", "method": "flood", "params": {"times": 400, "bytes": 100_000}}))
        slowest = 0.0
        for _ in range(50):
            begun = time.monotonic()
            neighbour.check()
            slowest = max(slowest, time.monotonic() - begun)
        received = read_to_end(sock)
    assert len(received) < 5_000_000  # of 40 MB: the content of the socket's buffer
    assert slowest < 1.0
    assert re.search(r"dropped: it does not read: \d+ bytes wait", neighbour.home.log)


@pytest.mark.parametrize("method", ["bug", "exit-process"])
def test_a_bug_in_a_session_ends_that_session_only(neighbour: Neighbour, method: str) -> None:
    with Editor(neighbour.home) as editor:
        editor.notify(method)
        assert editor.wait() == 1
    neighbour.check()
    assert neighbour.home.log.count("Traceback") == 1


def test_a_connection_that_says_nothing_is_dropped(neighbour: Neighbour) -> None:
    with connect_stranger(neighbour.home) as sock:
        assert read_to_end(sock) == b""
    neighbour.check()
    assert "said nothing for 0.3 s" in neighbour.home.log


@pytest.mark.parametrize("token", ["wrong", "", None, 7, "ünïcode"])
def test_without_the_token_nothing_is_granted(neighbour: Neighbour, token: object) -> None:
    for want in ("lsp", "stop", "status", "handover"):
        answer = say(neighbour.home, token=token, want=want)
        assert (answer["ok"], answer["code"]) == (False, "token")
    neighbour.check()


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[]\n", b"null\n", b"x" * 100_000 + b"\n", b"\xff\n"])
def test_a_handshake_of_garbage_is_refused(neighbour: Neighbour, line: bytes) -> None:
    with connect_stranger(neighbour.home) as sock:
        sock.sendall(line)
        assert b'"ok":false' in read_to_end(sock)
    neighbour.check()


def test_an_unknown_wish_is_refused(neighbour: Neighbour) -> None:
    assert say(neighbour.home, want="dance")["code"] == "want"


def test_a_later_handshake_protocol_is_another_version(neighbour: Neighbour) -> None:
    assert say(neighbour.home, mux=2)["code"] == "version"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_refused_even_with_the_token(neighbour: Neighbour) -> None:
    record = read_record(neighbour.home.paths)
    assert record is not None
    path = Path(record["address"].removeprefix("unix:"))
    for folder in (neighbour.home.folder, path.parent):
        folder.chmod(0o711)
    path.chmod(0o666)
    program = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); os.setuid(65534); s.connect(sys.argv[1]); "
        "s.sendall(sys.argv[2].encode()); sys.stdout.write(s.makefile().readline())"
    )
    hello = handshake.line({"mux": 1, "version": __version__, "token": record["token"], "want": "stop"}).decode()
    done = subprocess.run([sys.executable, "-c", program, str(path), hello], capture_output=True, text=True, check=True)
    assert '"code":"user"' in done.stdout
    neighbour.check()


def test_nobody_else_can_read_or_connect(neighbour: Neighbour) -> None:
    state = neighbour.home.state
    modes = {name: (state / name).stat().st_mode & 0o777 for name in (".", "daemon.json", "daemon.sock", "log")}
    assert modes == {".": 0o700, "daemon.json": 0o600, "daemon.sock": 0o600, "log": 0o700}


def test_the_token_is_not_in_the_log(neighbour: Neighbour) -> None:
    record = read_record(neighbour.home.paths)
    assert record is not None
    assert say(neighbour.home, token=record["token"][:-1])["code"] == "token"
    assert record["token"] not in neighbour.home.log


def test_over_tcp_the_token_alone_decides(fake_home: IsolatedHome) -> None:
    with Editor(fake_home, MUX_LSP_TRANSPORT="tcp") as editor:
        editor.request("initialize")
        path = Path(fake_home.paths.daemon_record)
        record = path.read_text()
        token = (read_record(fake_home.paths) or {})["token"]
        path.write_text(record.replace(token, "stolen"))
        with pytest.raises(MuxError, match="did not begin with the token"):
            attempt(fake_home.paths, "status")
        path.write_text(record)
        assert "result" in editor.request("echo")
