"""A language server that reads as pygls does, echoes, and misbehaves on request."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import mux_lsp

_named: dict[str, Callable[[dict[str, Any]], None]] = {}


async def serve_client(reader: Any, writer: Any, engine: Any) -> None:
    """Answers until the client ends."""

    def send(message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    length = 0
    while header := await reader.readline():
        if header.startswith(b"Content-Length: "):
            length = int(header.split()[1])
        if header.strip():
            continue
        message = json.loads(await reader.readexactly(length))
        method, params = message["method"], message.get("params")
        if method == "exit":
            return
        if method == "flood":
            for _ in range(params["times"]):
                send({"method": "flooded", "params": "x" * params["bytes"]})
        elif method == "bug":
            raise ZeroDivisionError("in the session")
        elif method == "sys.exit":
            sys.exit(7)
        elif method == "hang":
            send({"id": message["id"], "result": None})
            await asyncio.Event().wait()
        elif method == "hang for good":
            send({"id": message["id"], "result": None})
            time.sleep(3600)  # noqa: ASYNC251  (blocking the loop is the point)
        elif method == "tell":
            _named[params["client"]]({"method": "told", "params": params["text"]})
        elif method == "name":
            _named[params] = send
        elif method == "unfinished-soon":
            asyncio.get_running_loop().call_later(params, engine.set_unfinished, 0)
        elif method == "unfinished":
            engine.set_unfinished(params)
        if "id" in message:
            send({"id": message["id"], "result": {"echo": params, "version": mux_lsp.__version__}})
