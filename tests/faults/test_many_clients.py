"""Test very many clients at once: each is served or gets a reason, and the others do not wait for them."""

from __future__ import annotations

import asyncio
import resource
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from mux_lsp import __version__
from mux_lsp.daemon import client, dial, handshake
from mux_lsp.daemon.client import connect
from mux_lsp.daemon.dial import BusyError, attempt, read_record
from mux_lsp.errors import MuxError
from tests.support.client import connected
from tests.support.editor import Editor
from tests.support.framing import frame
from tests.support.person import make_repository
from tests.support.tree import tune

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.home import IsolatedHome

MANY = 1000
"""Connections at once: several times the number that the daemon accepts before their handshakes."""

SESSIONS = 200
"""Editors that begin at once."""

TURNS = 10
"""Requests of another client that are answered meanwhile."""


@pytest.fixture
def files() -> Iterator[None]:
    """Raise the limit of open files, so that this process can be all of the clients."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(2 * MANY, before[1])), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def record_of(home: IsolatedHome) -> dict[str, Any]:
    record = read_record(home.paths)
    assert record is not None
    return record


def stranger(home: IsolatedHome) -> socket.socket:
    """Return a connection that has sent nothing."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(record_of(home)["address"].removeprefix("unix:"))
    return sock


def greet(sock: socket.socket, home: IsolatedHome) -> None:
    sock.sendall(handshake.line({"mux": 1, "version": __version__, "token": record_of(home)["token"], "want": "lsp"}))


def answer(sock: socket.socket) -> dict[str, Any]:
    """Return the daemon's answer to a handshake."""
    said = handshake.parse(sock.makefile("rb").readline())
    assert said is not None
    return said


@pytest.mark.usefixtures("files")
def test_a_thousand_connections_at_once_are_all_served(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as neighbour, ExitStack() as stack:
        neighbour.request("initialize")
        socks = [stack.enter_context(stranger(fake_home)) for _ in range(MANY)]
        assert neighbour.request("echo", "meanwhile")["result"]["echo"] == "meanwhile"
        for sock in socks:
            greet(sock, fake_home)
        assert all(answer(sock)["ok"] for sock in socks)
        assert neighbour.request("echo", "still")["result"]["echo"] == "still"
        assert len(client.request_status(fake_home.paths)["clients"]) == MANY + 1
    assert "Traceback" not in fake_home.log


def test_who_finds_no_room_waits_for_it(fake_home: IsolatedHome) -> None:
    tune(fake_home, "daemon/lifecycle.py", "BACKLOG", 1)
    tune(fake_home, "daemon/clients.py", "MAX_UNIDENTIFIED", 1)
    with Editor(fake_home) as neighbour, ThreadPoolExecutor(50) as pool:
        neighbour.request("initialize")
        granted = [*pool.map(lambda _: attempt(fake_home.paths, "lsp"), range(100))]
        for connection in granted:
            connection.close()
    assert fake_home.log.count("listens on") == 1


def test_a_daemon_that_lets_nobody_in_is_not_one_that_is_not_there(
    fake_home: IsolatedHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(fake_home, "daemon/lifecycle.py", "BACKLOG", 1)
    tune(fake_home, "daemon/clients.py", "MAX_UNIDENTIFIED", 1)
    tune(fake_home, "daemon/handshake.py", "SECONDS", 60)
    monkeypatch.setattr(dial, "ANSWER_SECONDS", 1.0)
    with Editor(fake_home) as neighbour, ExitStack() as stack:
        neighbour.request("initialize")
        for _ in range(3):  # one that is accepted, and two that wait, where the system's bound is 1
            stack.enter_context(stranger(fake_home))
        with pytest.raises(
            BusyError, match=r"\(pid \d+\) has let nobody in for 1 s, .*: try again. Nothing was started"
        ):
            connect(fake_home.paths)
        assert neighbour.request("echo", "served")["result"]["echo"] == "served"
        stack.close()
        attempt(fake_home.paths, "lsp").close()
    assert fake_home.log.count("listens on") == 1


def test_one_client_too_many_hears_so(fake_home: IsolatedHome) -> None:
    tune(fake_home, "daemon/clients.py", "MAX_CLIENTS", 2)
    with Editor(fake_home) as neighbour:
        neighbour.request("initialize")
        with attempt(fake_home.paths, "lsp") as second:
            with pytest.raises(MuxError, match="serves 2 clients, the most that it can: close one of the editors"):
                connect(fake_home.paths)
            assert client.request_status(fake_home.paths)["unfinished_runs"] == 0
            second.sock.shutdown(socket.SHUT_WR)
            second.wait_for_end(10)
        attempt(fake_home.paths, "lsp").close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux changes the limits of another process")
def test_without_a_file_for_a_connection_the_others_are_served(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as neighbour:
        neighbour.request("initialize")
        daemon = psutil.Process(record_of(fake_home)["pid"])
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        # Descriptors are numbered from below: the first free one is now beyond the limit.
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (daemon.num_fds(), limits[1]))
        with stranger(fake_home) as sock:
            greet(sock, fake_home)
            for turn in range(100):
                assert neighbour.request("echo", turn)["result"]["echo"] == turn
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)
            assert answer(sock)["ok"]
    assert 1 <= fake_home.log.count("no connection can be let in") < 60, "it does not try again and again"


async def test_two_hundred_editors_that_begin_at_once(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": "one\n"})
    params: dict[str, Any] = {"processId": None, "rootUri": root.as_uri(), "capabilities": {}}
    begin = frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    async with connected(mux_home, root) as neighbour:

        async def editor() -> int:
            reader, writer = await asyncio.open_connection(sock=stranger(mux_home))
            greet_line = {"mux": 1, "version": __version__, "token": record_of(mux_home)["token"], "want": "lsp"}
            writer.write(handshake.line(greet_line) + begin)
            assert b'"ok":true' in await reader.readline()
            assert (await reader.readline()).startswith(b"Content-Length: ")
            writer.close()
            return 1

        arriving = asyncio.gather(*(editor() for _ in range(SESSIONS)))
        turns = 0
        while not arriving.done():
            await neighbour.command("mux.status")
            turns += 1
        assert sum(await arriving) == SESSIONS
        assert turns >= TURNS
