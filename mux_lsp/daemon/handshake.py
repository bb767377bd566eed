"""Encode and parse the one JSON line each way with which every connection to the daemon begins.

The client sends `{"mux": 1, "version": "0.1.0", "token": "…", "want": "lsp"}`. A process started by an agent of a run
adds `"run": "k3f-1"`. Any other client adds `"person": "…"`, the content of `person.key`, and, on a socket that only
the person can reach, `"keys": {"ANTHROPIC_API_KEY": "…"}` (`mux_lsp.keys`). The daemon answers `{"ok": true, "mux": 1,
"version": "0.1.0", …}` or `{"ok": false, "code": "version", "error": "…", …}`. After a granted `lsp` both sides speak
LSP with `Content-Length` framing. Other connections carry nothing more; those of `stop` and `handover` stay open until
the daemon's process has ended. A newer client requests `handover` from an older daemon in order to start one of its own
version.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 1
"""Version of the handshake, raised when a daemon of the next version could not understand this one."""

_DIGITS = "0123456789"

SECONDS = 5.0
"""Seconds after which a new connection that has not sent its line is closed."""


def line(message: dict[str, Any]) -> bytes:
    """Return the message as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def parse(received: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line, or None for anything else."""
    try:
        message = json.loads(received)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def is_newer(version: str, than: str) -> bool:
    """Return whether one release is newer than another. A pre-release (`1.2.0rc1`) is older than its release."""
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
