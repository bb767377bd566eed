"""Serve a scripted model on loopback: each request that offers tools is answered with the next turn."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.models.formats import format_of
from tests.support.models.play import Say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.models.play import Turn

ASIDE: Turn = (Say('{"title": "A title"}'),)
"""Answer to requests without tools: agents ask for titles, and which model to take."""


class Model:
    """The state of the model's side."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.silent = threading.Event()
        self.closing = threading.Event()
        self._turns = enumerate(turns, 1)
        self._lock = threading.Lock()

    def turn(self, body: dict[str, Any]) -> tuple[int, Turn]:
        """Return the next turn with its number. Raises StopIteration after the last one."""
        # One client has the tools that it offers among its messages.
        if not body.get("tools") and "additional_tools" not in json.dumps(body.get("input", "")):
            return 0, ASIDE
        with self._lock:
            return next(self._turns)


@contextlib.contextmanager
def playing(*turns: Turn) -> Iterator[tuple[str, threading.Event]]:
    """Yield the address of a model that plays these turns, and an event that is set once it stalls."""
    model = Model(turns)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send({"data": [], "models": []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            path = urlsplit(self.path).path
            if path.endswith(":generateContent"):
                self._send({"candidates": [{"content": {"role": "model", "parts": [{"text": "{}"}]}}]})
                return
            try:
                number, turn = model.turn(body)
            except StopIteration:
                self._send({"error": {"message": "the play is over"}}, 400)
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                for piece in format_of(path)(turn, number):
                    if piece is None:
                        model.silent.set()
                        model.closing.wait()
                        return
                    self.wfile.write(piece.encode())

        def _send(self, value: object, status: int = 200) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", model.silent
    finally:
        model.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
