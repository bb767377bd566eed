"""Run a language server that only keeps documents, like the daemon.

Run in place of `mux-lsp`, it answers the command `mux.text` with the text of a document.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from lsprotocol import types
from pygls.protocol import default_converter

from mux_lsp.core.text import PositionEncoding
from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire.documents import apply_changes

CAPABILITIES: Final = {
    "positionEncoding": "utf-16",
    "textDocumentSync": {"openClose": True, "change": 2},
    "executeCommandProvider": {"commands": [*protocol.COMMANDS]},
}


def main() -> None:
    """Serve until standard input ends."""
    converter = default_converter()  # type: ignore[no-untyped-call]  # pygls gives it no types
    texts: dict[str, str] = {}
    while (message := _read()) is not None:
        params = message.get("params") or {}
        match message["method"]:
            case "textDocument/didOpen":
                texts[params["textDocument"]["uri"]] = params["textDocument"]["text"]
            case "textDocument/didClose":
                del texts[params["textDocument"]["uri"]]
            case "textDocument/didChange":
                change = converter.structure(params, types.DidChangeTextDocumentParams)
                before = texts[change.text_document.uri]
                texts[change.text_document.uri] = apply_changes(before, change.content_changes, PositionEncoding.UTF16)
            case "initialize":
                _answer(message["id"], {"capabilities": CAPABILITIES})
            case "workspace/executeCommand" if params["command"] == "mux.text":
                _answer(message["id"], texts[params["arguments"][0]["uri"]])
            case _ if "id" in message:
                _answer(message["id"], {"tasks": [], "permissions": [], "places": []})


def _read() -> dict[str, Any] | None:
    length = 0
    while (line := sys.stdin.buffer.readline()) != b"\r\n":
        if not line:
            return None
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    message: dict[str, Any] = json.loads(sys.stdin.buffer.read(length))
    return message


def _answer(number: int, result: object) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
