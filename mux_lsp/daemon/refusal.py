"""Report to an editor why there is no daemon, in a way that its user sees.

An editor whose server just ends shows only "server exited". So the first request, which is `initialize`, is answered
with an error that contains the reason, and the same sentence is sent as a message to show, except to clients of our own
protocol, which show the error.
"""

from __future__ import annotations

import json
import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_REQUEST_FAILED = -32803
"""LSP's RequestFailed: the request was valid but could not be carried out."""

_ERROR_MESSAGE = 1
"""LSP's MessageType.Error."""

_LIMIT = 1 << 26

_HEARD_SECONDS = 2.0
"""Seconds for the editor to send something more, or to end, before this process ends."""


def answer(sentence: str) -> None:
    """Answer the first request on standard input with the sentence. Return after that, or when the editor is gone."""
    sys.stderr.write(f"mux-lsp serve: {sentence}\n")
    sys.stderr.flush()
    for message in _messages():
        if "method" in message and "id" in message:
            show = {"type": _ERROR_MESSAGE, "message": f"mux-lsp: {sentence}"}
            error = {"code": _REQUEST_FAILED, "message": f"mux-lsp: {sentence}", "data": {"retry": False}}
            if not _is_ours(message.get("params")):
                _send({"jsonrpc": "2.0", "method": "window/showMessage", "params": show})
            _send({"jsonrpc": "2.0", "id": message["id"], "error": error})
            # VS Code's client drops the answer if it notices the end of this process first. Whatever the editor does
            # next, it has read the answer by then.
            select.select([0], [], [], _HEARD_SECONDS)
            return


def _is_ours(params: Any) -> bool:
    """Return whether the client speaks our protocol: it shows the error itself, and would show everything twice."""
    try:
        return "protocol" in params["initializationOptions"]["mux"]
    except (KeyError, TypeError):
        return False


def _messages() -> Iterator[dict[str, Any]]:
    received = b""
    while True:
        header, separator, body = received.partition(b"\r\n\r\n")
        length = _content_length(header) if separator else -1
        if 0 <= length <= len(body):
            received = body[length:]
            try:
                message = json.loads(body[:length])
            except (ValueError, RecursionError):
                continue
            if isinstance(message, dict):
                yield message
            continue
        if separator and length < 0:
            return
        chunk = _read()
        if not chunk or len(received) > _LIMIT:
            return
        received += chunk


def _content_length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return -1


def _read() -> bytes:
    try:
        return os.read(0, 65536)
    except OSError:
        return b""


def _send(message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    data = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:  # the editor is gone; the sentence is on standard error
        return
