"""`mux-lsp serve`: copy bytes between an editor's pipes and the daemon.

Editors start this process and wait for it, so it uses only the standard library, and little of that. It starts the
daemon if necessary. It parses LSP only if no daemon is available: then it answers the editor's first request with the
reason.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from mux_lsp import paths
from mux_lsp.daemon.client import connect
from mux_lsp.errors import MuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import NoReturn

    from mux_lsp.daemon.dial import Connection

_CHUNK = 1 << 18
_HELD = 1 << 20
"""Bytes buffered for a side that does not read, after which the other side is not read either."""

_LAST_ANSWER_SECONDS = 5.0
"""Seconds for the daemon to finish its answers after the editor has closed its side."""


def main() -> NoReturn:
    """Serve one editor until either side ends, then end the process."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    status = _serve()
    # Shutting down the interpreter would take as long as two of the imports above, and would free nothing that the end
    # of the process does not.
    sys.stderr.flush()
    os._exit(status)


def _end(*_: object) -> None:
    # The editor wants this process to end, so buffered data has no recipient any more.
    os._exit(0)


def _serve() -> int:
    try:
        connection = connect()
    except MuxError as error:
        return _refuse(str(error))
    except Exception as error:  # a bug, which the person should see nevertheless
        import traceback

        traceback.print_exc()
        return _refuse(f"mux-lsp serve failed ({type(error).__name__}: {error}), which is a bug: please report it")
    return _Bridge(connection).run()


def _refuse(sentence: str) -> int:
    from mux_lsp.daemon.refusal import answer

    answer(sentence)
    return 1


class _Bridge:
    """The bytes in transit. Neither direction ever waits for the other.

    The editor's pipes may be shared with other processes, so they are never made non-blocking: `select` reports when a
    read or a small write is sure not to block.
    """

    def __init__(self, connection: Connection) -> None:
        self._daemon = connection.sock
        self._daemon.setblocking(False)
        self._to_daemon = bytearray()
        self._to_editor = bytearray(connection.rest)
        self._last_said = b""
        self._editor_speaks = True
        self._daemon_open = True
        self._told_end = False

    def run(self) -> int:
        """Copy bytes until either side ends. Return the exit status."""
        while self._daemon_open or self._to_editor:
            read_from: list[socket | int] = []
            if self._editor_speaks and len(self._to_daemon) < _HELD:
                read_from.append(0)
            if self._daemon_open and len(self._to_editor) < _HELD:
                read_from.append(self._daemon)
            write_to: list[socket | int] = [self._daemon] if self._daemon_open and self._to_daemon else []
            if self._to_editor:
                write_to.append(1)
            seconds = None if self._editor_speaks else _LAST_ANSWER_SECONDS
            readable, writable, _ = select.select(read_from, write_to, [], seconds)
            if not readable and not writable:
                return 0  # the editor has closed its side and neither side sends anything more
            if 0 in readable and not self._hear_editor():
                return 0
            self._serve_daemon(self._daemon in readable, self._daemon in writable)
            if 1 in writable and not self._tell_editor():
                return 0
        return self._end()

    def _hear_editor(self) -> bool:
        """Read from the editor. Return False if it closed its side without having sent anything: no answer is due."""
        try:
            said = os.read(0, _CHUNK)
        except OSError:
            said = b""
        if said:
            self._to_daemon += said
            self._last_said = (self._last_said + said[-200:])[-200:]
            return True
        self._editor_speaks = False
        return bool(self._last_said)

    def _tell_editor(self) -> bool:
        """Write as much as is sure not to block. Return False if the editor is gone."""
        try:
            del self._to_editor[: os.write(1, self._to_editor[: select.PIPE_BUF])]
        except OSError:
            return False
        return True

    def _serve_daemon(self, readable: bool, writable: bool) -> None:
        try:
            if writable:
                del self._to_daemon[: self._daemon.send(self._to_daemon)]
            if self._daemon_open and not self._editor_speaks and not self._to_daemon and not self._told_end:
                self._told_end = True
                self._daemon.shutdown(1)  # SHUT_WR: the daemon may still have answers to give
            if readable:
                received = self._daemon.recv(_CHUNK)
                self._to_editor += received
                self._daemon_open = bool(received)
        except BlockingIOError:
            pass
        except OSError:
            self._daemon_open = False

    def _end(self) -> int:
        if not self._editor_speaks or b'"exit"' in self._last_said:
            return 0
        sys.stderr.write(
            "mux-lsp serve: the daemon closed this connection (it was stopped or restarted, or it dropped this client: "
            f"see {paths.home().log}). The editor can start the server again.\n"
        )
        return 1
