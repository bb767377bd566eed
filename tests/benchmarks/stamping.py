"""Serve the part of the Messages API that the agents' benchmark needs. The streamed texts are times.

`python -m tests.benchmarks.stamping SECONDS RATE` prints its URL and serves until its standard input ends. Each answer
streams RATE pieces of text a second for SECONDS, each with the `time.perf_counter` of its sending, and then ends the
work. All processes of a machine share that clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float, rate: float) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            await _stream(writer, seconds, rate)
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _stream(writer: asyncio.StreamWriter, seconds: float, rate: float) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 1}
    message: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    _send(writer, {"type": "message_start", "message": message})
    _send(writer, {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, begun + number / rate - loop.time()))
        stamp = f"{time.perf_counter():.6f} "
        _send(writer, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": stamp}})
        await writer.drain()
    _send(writer, {"type": "content_block_stop", "index": 0})
    tool = {"type": "tool_use", "id": "t1", "name": "finish", "input": {}}
    _send(writer, {"type": "content_block_start", "index": 1, "content_block": tool})
    done = json.dumps({"summary": "Done."})
    _send(writer, {"type": "content_block_delta", "index": 1,
                   "delta": {"type": "input_json_delta", "partial_json": done}})  # fmt: skip
    _send(writer, {"type": "content_block_stop", "index": 1})
    delta = {"stop_reason": "tool_use", "stop_sequence": None}
    _send(writer, {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 500}})
    _send(writer, {"type": "message_stop"})


def _send(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def _serve(seconds: float, rate: float) -> None:
    server = await asyncio.start_server(lambda reader, writer: _answer(reader, writer, seconds, rate), "127.0.0.1", 0)
    async with server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201  this is its answer
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), float(sys.argv[2])))
