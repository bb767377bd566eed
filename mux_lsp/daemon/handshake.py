"""The one JSON line each way that every connection to the daemon begins with.

The client says `{"mux": 1, "version": "0.1.0", "token": "…", "want": "lsp"}`, with `"run": "k3f-1"` where it belongs to
what an agent of that run has started, and else with `"person": "…"`, which `person.key` holds, and with
`"keys": {"ANTHROPIC_API_KEY": "…"}` (`mux_lsp.keys`) where the socket is one that only its person can reach. The daemon
answers `{"ok": true, "mux": 1, "version": "0.1.0", …}` or `{"ok": false, "code": "version", "error": "…", …}`.
After a granted `lsp` both sides speak LSP with `Content-Length` framing; every other connection carries nothing more,
and that of `stop` and `handover` stays open until the daemon's process has ended. A newer client asks an
older daemon for `handover`, so as to start one of its own version.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 1
"""Raised when a daemon of the next version could not understand this handshake."""

_DIGITS = "0123456789"

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


def is_newer(version: str, than: str) -> bool:
    """Whether one release comes after another. A pre-release (`1.2.0rc1`) comes before its release."""
    return _order(version) > _order(than)


def _order(version: str) -> tuple[list[int], bool, str, int]:
    numbers, rest = [], version.partition("+")[0]
    while digits := len(rest) - len(rest.lstrip(_DIGITS)):
        numbers.append(int(rest[:digits]))
        rest = rest[digits:]
        if rest[:1] != "." or rest[1:2] not in _DIGITS:
            break
        rest = rest[1:]
    while numbers and not numbers[-1]:
        numbers.pop()
    letters = rest.rstrip(_DIGITS)
    return numbers, not rest, letters, int(rest[len(letters) :] or 0)
