"""Fake a language server that echoes, and misbehaves on request."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import mux_lsp

_named: dict[str, Session] = {}


async def serve_client(reader: Any, writer: Any, engine: Any, asker: Any) -> None:
    """Answer requests until the client ends."""
    session = Session(writer, engine)
    while (received := await reader.message()) is not None:
        message = received[0]
        if message["method"] == "exit":
            return
        params = message.get("params")
        if "id" in message:
            session.send({"id": message["id"], "result": {"echo": params, "version": mux_lsp.__version__}})
        if act := getattr(Session, "on_" + message["method"].replace("-", "_"), None):
            await act(session, params)
    if session.hangs_at_end:
        time.sleep(3600)  # noqa: ASYNC251  (the daemon must come to its end all the same)


class Session:
    """A session in which the client requests its own mistreatment, or that of other clients."""

    def __init__(self, writer: Any, engine: Any) -> None:
        self.writer = writer
        self.engine = engine
        self.hangs_at_end = False

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def on_flood(self, params: Any) -> None:
        for _ in range(params["times"]):
            self.send({"method": "flooded", "params": "x" * params["bytes"]})

    async def on_bug(self, _: Any) -> None:
        raise ZeroDivisionError("in the session")

    async def on_exit_process(self, _: Any) -> None:
        sys.exit(7)

    async def on_wait_forever(self, _: Any) -> None:
        await asyncio.Event().wait()

    async def on_block_the_loop(self, _: Any) -> None:
        # After everything that was sent in this turn of the loop.
        asyncio.get_running_loop().call_soon(time.sleep, 3600)

    async def on_work(self, params: Any) -> None:
        until = time.thread_time() + params["seconds"]
        while time.thread_time() < until:
            pass

    async def on_block_at_the_end(self, _: Any) -> None:
        self.hangs_at_end = True

    async def on_name(self, params: Any) -> None:
        _named[params] = self

    async def on_tell(self, params: Any) -> None:
        _named[params["client"]].send({"method": "told", "params": params["text"]})

    async def on_unfinished(self, params: Any) -> None:
        self.engine.set_unfinished(params)

    async def on_unfinished_later(self, params: Any) -> None:
        asyncio.get_running_loop().call_later(params["seconds"], self.engine.set_unfinished, params["count"])
