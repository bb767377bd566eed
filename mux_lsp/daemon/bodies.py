"""Parse the bodies of messages without blocking the event loop, and decide which ones to read.

Parsing JSON holds the interpreter lock until it is done, in any thread. So a large body is parsed by `json`'s own
scanner in Python, which lets other threads run between two values. Only a single string is parsed in one go.
"""

from __future__ import annotations

import json
import json.scanner
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import Match

DOCUMENT_METHODS = frozenset({"textDocument/didOpen", "textDocument/didChange"})
"""The methods with the text of a document in their messages, which may be large."""

END = 4096
"""Bytes at each end of a large body that are searched for its method."""

METHOD_LIMIT = 200
"""Maximum characters of a method's name."""

ID_LIMIT = 200
"""Maximum characters of a request's id."""

_NAME = rb'"(?:jsonrpc|id|method)"'
_VALUE = rb'(?:"(?:[^"\\]|\\.){0,%d}"|-?[0-9]{1,20}|null)' % ID_LIMIT
_MEMBER = _NAME + rb"\s*:\s*" + _VALUE
_FIRST = re.compile(rb"\s*\{\s*(?:" + _MEMBER + rb"\s*,\s*)*")
_LAST = re.compile(rb",\s*" + _MEMBER + rb"(?:\s*,\s*" + _MEMBER + rb")*\s*\}\s*\Z")
_EACH = re.compile(rb"(" + _NAME + rb")\s*:\s*(" + _VALUE + rb")")


class Envelope:
    """The members of a message other than its parameters, as far as one end of its body contains them."""

    def __init__(self, found: Match[bytes] | None) -> None:
        members = {name: _value_of(value) for name, value in _EACH.findall(found[0])} if found else {}
        method, id_ = members.get(b'"method"'), members.get(b'"id"')
        self.method = method if isinstance(method, str) else None
        self.id = id_ if isinstance(id_, int | str) else None


def _value_of(text: bytes) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def first_members(head: bytes) -> Envelope:
    """Read the members before the parameters, from the beginning of a body."""
    return Envelope(_FIRST.match(head))


def last_members(tail: bytes) -> Envelope:
    """Read the members behind the parameters, from the end of a body."""
    return Envelope(_LAST.search(tail))


class _PatientDecoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]  # as json itself does it


def parse(body: bytes) -> Any:
    """Return the value of a small body. Raises ValueError or RecursionError."""
    return json.loads(body)


def parse_patiently(body: bytes) -> Any:
    """Return the value of a large body; call it in a thread. Raises ValueError or RecursionError."""
    return _PatientDecoder().decode(body.decode(json.detect_encoding(body), "surrogatepass"))
