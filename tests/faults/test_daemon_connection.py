"""Test the guarded reader and the bounded writer, without a daemon."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mux_lsp.daemon.connection import ClientReader, ClientWriter, Turnstile
from tests.support.framing import frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@asynccontextmanager
async def connected(**limits: Any) -> AsyncIterator[tuple[ClientReader, ClientWriter, socket.socket]]:
    """Yield a guarded reader and writer, and the client's end of their socket."""
    ours, theirs = socket.socketpair()
    stream, out = await asyncio.open_connection(sock=ours)
    writer = ClientWriter(out, "the client", **limits)
    try:
        yield ClientReader(stream, writer, Turnstile(), "the client"), writer, theirs
    finally:
        theirs.close()
        writer.close()
        await writer.closed(1)


async def read(reader: ClientReader) -> list[Any]:
    """Return all messages until the end."""
    messages = []
    while (received := await reader.message()) is not None:
        messages.append(received[0])
    return messages


async def test_every_message_is_read_however_the_bytes_come() -> None:
    messages: list[Any] = [{"jsonrpc": "2.0", "method": f"m{n}", "params": "é" * n} for n in range(50)]
    data = b"".join(frame(message) for message in messages)
    async with connected() as (reader, _, client):
        reading = asyncio.create_task(read(reader))
        for begin in range(0, len(data), 7):
            client.send(data[begin : begin + 7])
            await asyncio.sleep(0)  # lets the reader see this piece alone
        client.shutdown(socket.SHUT_WR)
        assert await reading == messages


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"Content-Length: 3\r\n", b"\r\n", b"{}", b"[1]"]))))
def test_no_bytes_whatsoever_raise_out_of_the_reader(pieces: list[bytes]) -> None:
    async def check() -> None:
        async with connected() as (reader, _, client):
            client.sendall(b"".join(pieces))
            client.shutdown(socket.SHUT_WR)
            for message in await read(reader):
                assert message["jsonrpc"] == "2.0"

    asyncio.run(check())


async def test_the_end_can_be_asked_for_in_the_middle_of_a_message() -> None:
    async with connected() as (reader, _, client):
        body = b'{"jsonrpc": "2.0", "method": "first"}'
        client.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) + b"Content-Length: 100\r\n\r\nhalf")
        assert await reader.message() == ({"jsonrpc": "2.0", "method": "first"}, len(body))
        waiting = asyncio.create_task(reader.message())
        await asyncio.sleep(0)  # it waits for the other half
        reader.end()
        assert await waiting is None
        assert await reader.message() is None


async def test_a_client_that_takes_nothing_is_dropped_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(stalled_seconds=0.05) as (reader, writer, _):
        writer.write(b"x" * 3_000_000)
        assert await reader.message() is None  # dropping the client ends reading too
    assert "the client dropped: it has read nothing for 0.05 s" in caplog.text


async def test_a_slow_client_that_takes_a_little_is_not_dropped(caplog: pytest.LogCaptureFixture) -> None:
    size = 3_000_000
    async with connected(stalled_seconds=0.2) as (_, writer, client):
        writer.write(b"x" * size)
        client.setblocking(False)
        loop, taken = asyncio.get_running_loop(), 0
        begun = loop.time()
        while taken < size:
            taken += len(await loop.sock_recv(client, size // 10))
            if loop.time() - begun < 0.6:
                await asyncio.sleep(0.05)  # the test is about a slow client
    assert "dropped" not in caplog.text


async def test_one_message_may_be_larger_than_what_may_wait() -> None:
    async with connected(waiting_limit=1000) as (_, writer, client):
        writer.write(b"x" * 1_000_000)
        client.setblocking(False)
        loop, taken = asyncio.get_running_loop(), 0
        while taken < 1_000_000:
            taken += len(await loop.sock_recv(client, 1 << 20))


async def test_what_is_told_behind_a_large_message_is_no_sign_that_nobody_reads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client requests a diff of many megabytes while agents print."""
    async with connected(waiting_limit=1000) as (reader, writer, client):
        writer.write(b"x" * 1_000_000)
        for _ in range(9):
            writer.write(b"x" * 100)
        client.setblocking(False)
        loop, taken = asyncio.get_running_loop(), 0
        while taken < 1_000_900:
            received = await loop.sock_recv(client, 1 << 20)
            assert received
            taken += len(received)
        assert "dropped" not in caplog.text
        # The exemption does not cover further unread messages.
        writer.write(b"x" * 1_000_000)
        for _ in range(15):
            writer.write(b"x" * 100)
        assert await reader.message() is None
    assert "the client dropped: it does not read" in caplog.text


async def test_writing_to_a_client_that_is_gone_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as (reader, writer, client):
        client.close()
        assert await reader.message() is None
        for _ in range(20):
            writer.write(b"x" * 1000)
            await asyncio.sleep(0)  # lets the transport notice
    assert caplog.text == ""
