"""Test connections to a server of the Messages API: reuse, TLS, and a distinct error for each way they end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import httpx2
import pytest

from mux_lsp.agents.builtin.api import http_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

AT_HAND = 1024 * 1024

LONG = b"x" * (4 * AT_HAND)

LARGE = b"x" * 900_000
"""The largest body that aiohttp takes whole without a warning is 1 MB."""


@asynccontextmanager
async def server(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve connections on loopback with the handler. Yield the address."""
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"http{'s' if context else ''}://localhost:{listening.sockets[0].getsockname()[1]}/"
    finally:
        listening.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)


async def asked(reader: asyncio.StreamReader) -> bytes:
    """Read one complete request and return its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return await reader.readexactly(length)


def answer(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers, b"", body])


class Echo:
    """A handler that answers each request with its body, and counts the connections."""

    def __init__(self, requests: int | None = None) -> None:
        self.connections = 0
        self._requests = requests
        """The number of requests after which a connection is closed without notice."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = 0
        while number != self._requests:
            writer.write(answer(await asked(reader)))
            await writer.drain()
            number += 1


@asynccontextmanager
async def client(seconds: float = 20.0) -> AsyncIterator[httpx2.AsyncClient]:
    async with http_client(seconds) as made:
        yield made


async def test_a_connection_serves_one_request_after_the_other() -> None:
    echo = Echo()
    async with server(echo) as url, client() as person:
        said = [(await person.post(url, content=body)).content for body in (b"one", b"two", LARGE)]
    assert said == [b"one", b"two", LARGE]
    assert echo.connections == 1


async def test_one_that_the_server_has_closed_meanwhile_is_not_used_again() -> None:
    closed = asyncio.Event()
    echo = Echo(requests=1)

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await echo(reader, writer)
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with server(once) as url, client() as person:
        assert (await person.post(url, content=b"one")).content == b"one"
        await closed.wait()
        await asyncio.sleep(0)  # let the loop process it
        await asyncio.sleep(0)
        assert (await person.post(url, content=b"two")).content == b"two"
    assert echo.connections == 2


async def test_what_comes_faster_than_it_is_read_waits_with_its_sender() -> None:
    written = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await asked(reader)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AT_HAND)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            writer.write(LONG)
            await writer.drain()
            written += len(LONG)

    async with server(pour) as url, client() as person, person.stream("GET", url) as response:
        read = most = 0
        async for part in response.aiter_raw():
            # Other tasks get their turn between two parts, including the server.
            await asyncio.sleep(0)
            read += len(part)
            most = max(most, written - read)
            if read > 20 * len(LONG):
                break
    assert most < 12 * len(LONG), "what the system holds of a connection, and not much more"


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (b"", httpx2.ConnectError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal", httpx2.ReadError),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhal", httpx2.ReadError),
        (b"nonsense\r\n\r\n", aiohttp.ClientResponseError),  # the SDK makes an APIConnectionError of it
    ],
)
async def test_an_answer_that_breaks_off(sent: bytes, named: type[Exception]) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(sent)

    async with server(broken) as url, client() as person:
        with pytest.raises(named):
            await person.get(url)


async def test_a_connection_that_is_cut() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closing it with unread data resets it.
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        writer.transport.abort()

    async with server(cut) as url, client() as person:
        with pytest.raises(httpx2.NetworkError, match=r"(?i)reset|broken pipe|disconnected"):
            await person.post(url, content=b"much" * 1000)


async def test_silence() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal")
        await reader.read()

    async with server(silent) as url, client(0.2) as person:
        with pytest.raises(httpx2.ReadTimeout):
            await person.get(url)


async def test_nobody_there() -> None:
    async with server(Echo()) as url:
        pass
    async with client() as person:
        with pytest.raises(httpx2.ConnectError):
            await person.get(url)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate of `localhost`, with its key in the same file."""
    made = tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(tmp_path / "key.pem"), "-out", str(made)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    made.write_text(made.read_text() + (tmp_path / "key.pem").read_text())
    return made


async def test_in_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    echo = Echo()
    async with server(echo, context) as url:
        async with client() as stranger:
            with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
                await stranger.get(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        echo.connections = 0
        async with client() as person:
            said = [(await person.post(url, content=body)).content for body in (b"one", LARGE)]
    assert said == [b"one", LARGE]
    assert echo.connections == 1
