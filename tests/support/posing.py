"""Try to pass for the person, as an agent may: speak the protocol over a bridge or directly.

    posing.py serve RUN             over a `mux-lsp serve` that it starts
    posing.py copied RUN            over its own connection, with the token and the person's key from their files
    posing.py connect SOCKET        connect an inherited socket, and end
    posing.py comet TIMES           ask the daemon to stop, repeatedly, each time from another process that ends at once
    posing.py daemonise ARGUMENT…   start a command as an orphan in a session of its own, with nothing open

The first two print the daemon's answer to the acceptance of a run.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

from mux_lsp import __version__, paths
from mux_lsp.daemon import handshake
from mux_lsp.daemon.dial import read_record

if TYPE_CHECKING:
    from collections.abc import Sequence


def hello(want: str = "lsp") -> bytes:
    """Return the first line of a client that has read the same files as a person's client."""
    home = paths.home()
    with open(home.person_key) as file:  # noqa: PTH123
        key = file.read()
    token = (read_record(home) or {})["token"]
    return handshake.line({"mux": 1, "version": __version__, "token": token, "want": want, "person": key})


def address() -> str:
    """Return the address on which the daemon listens."""
    return str((read_record(paths.home()) or {})["address"])


def acceptance(run: str) -> bytes:
    """Return all messages that a client sends to accept a run."""
    opened: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
    command = {"command": "mux.run.accept", "arguments": [{"run": run}]}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": opened},
        {"method": "initialized", "params": {}},
        {"id": 2, "method": "workspace/executeCommand", "params": command},
    ]
    return b"".join(_frame(message) for message in messages)


def answer(stream: IO[bytes], number: int = 2) -> str:
    """Read the answer to that: the message of the refusal, or the result."""
    length = 0
    while header := stream.readline():
        if header.startswith(b"Content-Length: "):
            length = int(header.split()[1])
        if header.strip():
            continue
        message = json.loads(stream.read(length))
        if message.get("id") == number:
            return str(message["error"]["message"] if "error" in message else message["result"])
    return "closed"


def connect(sock: socket.socket) -> socket.socket:
    """Connect a socket to the daemon, which then takes this process for its client."""
    kind, _, place = address().partition(":")
    host, _, port = place.rpartition(":")
    sock.connect(place if kind == "unix" else (host, int(port)))
    return sock


def new_socket() -> socket.socket:
    """Return a socket of the family on which the daemon listens."""
    return socket.socket(socket.AF_UNIX if address().startswith("unix:") else socket.AF_INET)


def over_own_connection(run: str, first: bytes) -> str:
    """Accept a run on a connection that begins with this line."""
    with connect(new_socket()) as sock, sock.makefile("rb") as stream:
        sock.sendall(first + acceptance(run))
        stream.readline()
        return answer(stream)


def _over_bridge(run: str) -> str:
    command = [sys.executable, "-P", "-m", "mux_lsp", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bridge:
        assert bridge.stdin is not None
        assert bridge.stdout is not None
        bridge.stdin.write(acceptance(run))
        bridge.stdin.flush()
        said = answer(bridge.stdout)
        bridge.terminate()
    return said


def _fly(times: int) -> None:
    for _ in range(times):
        with contextlib.suppress(OSError):  # more connections than the daemon lets wait
            sock = connect(new_socket())
            sock.sendall(hello("stop"))
        if os.fork():
            os._exit(0)


def _daemonise(command: Sequence[str]) -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.closerange(3, 100)
    os.execve(command[0], list(command), {})  # noqa: S606


def _frame(message: dict[str, Any]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _main(how: str, *arguments: str) -> None:
    match how:
        case "serve":
            sys.stdout.write(_over_bridge(arguments[0]))
        case "copied":
            sys.stdout.write(over_own_connection(arguments[0], hello()))
        case "connect":
            connect(socket.socket(fileno=int(arguments[0]))).detach()
        case "comet":
            _fly(int(arguments[0]))
        case "daemonise":
            _daemonise(arguments)
        case _:
            raise ValueError(how)


if __name__ == "__main__":
    _main(*sys.argv[1:])
