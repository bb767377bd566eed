"""Connections for the SDK's HTTP library, by asyncio alone.

The library's own way, through anyio, begins and ends a watch of the socket and a scope for each piece that comes. With
a hundred models that stream that is a third of what the daemon does.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpcore2
import httpx2

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

AT_HAND: Final = 1024 * 1024
"""Bytes that may wait to be read before no more are taken from the system."""


def transport() -> httpx2.AsyncHTTPTransport:
    """The way to a server that is reached without a proxy."""
    context = httpx2.create_ssl_context()
    made = httpx2.AsyncHTTPTransport(verify=context)
    # httpcore takes a backend of one's own, but httpx has no means to name it.
    made._pool = httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=Backend())
    return made


class Backend(httpcore2.AsyncNetworkBackend):
    """Opens connections. See httpcore's documentation of network backends."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection, over whichever address of the host answers first."""
        loop = asyncio.get_running_loop()
        with _failing():
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_connection(_Connection, host, port, happy_eyeballs_delay=0.25)
        return connection

    async def sleep(self, seconds: float) -> None:
        """Between tries to connect."""
        await asyncio.sleep(seconds)


class _Connection(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection: what asyncio tells of it, and what httpcore asks of it."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._end: Exception | None = None
        """EOFError where the server has ended it in good order."""
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > AT_HAND:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._end = EOFError()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end = exc or EOFError()
        self._wake()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, or comes next; nothing at the end."""
        if not self._received and self._end is None:
            await self._more(timeout)
        if self._received:
            data = bytes(self._received[:max_bytes])
            del self._received[:max_bytes]
            if len(self._received) <= AT_HAND:
                self._transport.resume_reading()
            return data
        if self._end is None:
            raise httpcore2.ReadTimeout(f"nothing came for {timeout:g} s")
        if isinstance(self._end, EOFError):
            return b""
        raise httpcore2.ReadError(str(self._end)) from self._end

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send, without waiting: that a server does not read shows when it does not answer."""
        self._transport.write(buffer)

    async def aclose(self) -> None:
        """End the connection at once: what is still to be sent, or to come, is of no use any more."""
        self._transport.abort()
        await asyncio.sleep(0)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Go on in TLS."""
        with _failing():
            async with asyncio.timeout(timeout):
                upgraded = await self._loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        assert upgraded is not None, "it is closing only when the server has closed it"  # noqa: S101
        self._transport = upgraded
        return self

    def get_extra_info(self, info: str) -> Any:
        """`is_readable` is asked of a connection that waits for its next request: whether the server has ended it."""
        if info == "is_readable":
            return bool(self._received) or self._end is not None
        return self._transport.get_extra_info(info)

    async def _more(self, timeout: float | None) -> None:
        """Wait for data, the end or the time."""
        self._waiter = self._loop.create_future()
        timer = None if timeout is None else self._loop.call_later(timeout, self._wake)
        try:
            await self._waiter
        finally:
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@contextmanager
def _failing() -> Iterator[None]:
    """Failures to connect, by httpcore's names."""
    try:
        yield
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore2.ConnectError(str(error)) from error
