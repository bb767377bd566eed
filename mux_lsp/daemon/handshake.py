"""The one JSON line each way that every connection to the daemon begins with.

The client says `{"mux": 1, "version": "0.1.0", "token": "…", "want": "lsp"}`, with `"run": "k3f-1"` where it belongs to
what an agent of that run has started, and else with `"person": "…"`, which `person.key` holds, and with
`"keys": {"ANTHROPIC_API_KEY": "…"}` (`mux_lsp.keys`) where the socket is one that only its person can reach. The daemon
answers `{"ok": true, "mux": 1, "version": "0.1.0", …}` or `{"ok": false, "code": "version", "error": "…", …}`.
After a granted `lsp` both sides speak LSP with `Content-Length` framing; every other connection carries nothing more,
and that of `stop` and `handover` stays open until the daemon's process has ended.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 1
"""Raised when a daemon of the next version could not understand this handshake."""

SECONDS = 5.0
"""Until when a new connection has to have said its line."""


def line(message: dict[str, Any]) -> bytes:
    """The message as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def parse(received: bytes) -> dict[str, Any] | None:
    """The object that a line holds, or None for anything else."""
    try:
        message = json.loads(received)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
