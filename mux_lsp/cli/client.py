"""Speak LSP with the daemon: a small synchronous client, which all commands of the terminal use.

It announces no `applyEdit` capability, so that the daemon itself writes accepted changes to the files. Standard library
only.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from mux_lsp.errors import ConflictError, MuxError, UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROTOCOL = 2
"""The protocol version of this client: `mux_lsp.lsp.protocol.PROTOCOL_VERSION`, without the cost of its import."""

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

Json = dict[str, Any]


class DaemonClient:
    """An LSP connection to the daemon.

    `notified` is called with the method and the parameters of every notification that comes while the client waits for
    an answer or a notification. Errors of the daemon are raised as MuxError, UsageError or ConflictError.
    """

    def __init__(self, connection: socket.socket, rest: bytes = b"") -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._rest = io.BytesIO(rest)
        self._last_id = 0
        self.notified: Callable[[str, Json], None] = lambda _method, _parameters: None

    def initialize(self, folder: Path) -> None:
        """Initialize the connection for work in `folder`.

        Raises MuxError if the daemon has another protocol version.
        """
        self._request(
            "initialize",
            {
                "processId": os.getpid(),
                "clientInfo": {"name": "mux-lsp command line"},
                "rootUri": folder.as_uri(),
                "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name}],
                "capabilities": {},
                "initializationOptions": {"mux": {"protocol": PROTOCOL}},
            },
        )
        self._send({"method": "initialized", "params": {}})

    def execute(self, command: str, argument: Json) -> Json:
        """Execute a command of the protocol and return its answer unchanged. Raises MuxError."""
        result = self._request("workspace/executeCommand", {"command": command, "arguments": [argument]})
        if not isinstance(result, dict):
            raise MuxError(f"The daemon answered {command} with something that is no answer; its log may say why.")
        return result

    def wait(self) -> None:
        """Wait for the next message and handle it."""
        self._deliver(self._receive())

    def close(self) -> None:
        """Shut the session down and close the connection."""
        with contextlib.suppress(OSError, MuxError, ValueError):
            self._connection.settimeout(2)
            self.notified = lambda _method, _parameters: None
            self._request("shutdown", None)
            self._send({"method": "exit"})
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection without a shutdown: after an interrupt it may be in the middle of a message."""
        with contextlib.suppress(OSError):
            self._stream.close()
        self._connection.close()

    def _request(self, method: str, parameters: Json | None) -> object:
        self._last_id += 1
        message: Json = {"id": self._last_id, "method": method}
        if parameters is not None:
            message["params"] = parameters
        self._send(message)
        while True:
            answer = self._receive()
            if "method" in answer or answer.get("id") != self._last_id:
                self._deliver(answer)
            elif "error" in answer:
                raise _error(answer["error"])
            else:
                return answer.get("result")

    def _deliver(self, message: Json) -> None:
        method = message.get("method")
        if not isinstance(method, str):
            return
        if method == "window/showMessage":
            print(f"mux-lsp: {(message.get('params') or {}).get('message')}", file=sys.stderr)  # noqa: T201
        elif "id" in message:
            refusal = {"code": METHOD_NOT_FOUND, "message": f"the command line does not do {method}"}
            self._send({"id": message["id"], "error": refusal})
        else:
            self.notified(method, message.get("params") or {})

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode("ascii")
        try:
            self._connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        except OSError as error:
            raise _lost() from error

    def _receive(self) -> Json:
        try:
            length = None
            while (line := self._line()) not in {b"\r\n", b""}:
                name, _, value = line.partition(b":")
                if name.strip().lower() == b"content-length":
                    length = int(value)
            body = self._read(length) if length is not None else b""
        except (OSError, ValueError) as error:
            raise _lost() from error
        if length is None or len(body) < length:
            raise _lost()
        message = json.loads(body)
        if not isinstance(message, dict):
            raise _lost()
        return message

    def _line(self) -> bytes:
        line = self._rest.readline()
        return line if line.endswith(b"\n") else line + self._stream.readline()

    def _read(self, length: int) -> bytes:
        data = self._rest.read(length)
        return data + self._stream.read(length - len(data))


def _lost() -> MuxError:
    return MuxError(
        "The daemon closed the connection. Runs go on without it; `mux-lsp list` starts it again and shows them. An "
        "accept that was cut off is completed or undone then, and you are told which."
    )


def _error(error: Json) -> MuxError:
    message = str(error.get("message") or "The daemon refused without saying why; its log may.")
    data = error.get("data")
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == "conflict":
        return ConflictError(message)
    if kind == "usage" or error.get("code") == INVALID_PARAMS:
        return UsageError(message)
    return MuxError(message)


@contextlib.contextmanager
def connected(folder: Path) -> Iterator[DaemonClient]:
    """Yield a client in `folder`, of the running daemon or one that is started now."""
    import socket

    from mux_lsp.daemon.client import connect

    connection = connect()
    client = DaemonClient(socket.socket(fileno=connection.sock.detach()), connection.rest)
    try:
        client.initialize(folder)
        yield client
    except BaseException as error:
        # A connection that broke off in the middle of a message cannot be shut down with another message.
        client.close() if isinstance(error, MuxError) else client.hang_up()
        raise
    client.close()
