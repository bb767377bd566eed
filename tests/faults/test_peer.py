"""Test finding the process at the other end of real connections, on kernels of all ages."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.daemon import peer as peers
from mux_lsp.daemon.identify import LookContext, identify
from mux_lsp.daemon.peer import Peer, peer_of
from mux_lsp.daemon.process_tables import Proc, Psutil, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mux_lsp.daemon.identify import Traces

GROUND = LookContext(-1, "/nowhere", {})


@pytest.fixture(params=["with a descriptor of the peer", "without, as before Linux 6.5"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "without" in request.param:
        monkeypatch.setattr(peers, "_SO_PEERPIDFD", 9999)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        sock.listen()
        yield sock


def look_at(peer: Peer) -> Traces | None:
    target = peer.target(machine())
    return None if target is None else identify(machine(), target, GROUND)


@pytest.mark.usefixtures("kernel")
def test_a_process_that_is_there(listening: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listening.getsockname())
        server, _ = listening.accept()
        with server:
            peer = peer_of(server)
            assert (peer.uid, peer.pid) == (os.geteuid(), os.getpid())
            found = look_at(peer)
            assert found is not None
            assert (found.failure, found.ours) == (None, False)
            before = len([*Path("/proc/self/fd").iterdir()])
            peer.close()
            assert len([*Path("/proc/self/fd").iterdir()]) == before - 1
            closed = look_at(peer)
            assert closed is None or closed.failure is not None


@pytest.mark.usefixtures("kernel")
def test_a_process_that_has_gone(listening: socket.socket) -> None:
    connects = "import socket, sys; socket.socket(socket.AF_UNIX, fileno=int(sys.argv[1])).connect(sys.argv[2])"
    with socket.socket(socket.AF_UNIX) as client:
        command = [sys.executable, "-c", connects, str(client.fileno()), listening.getsockname()]
        subprocess.run(command, pass_fds=(client.fileno(),), check=True)
        server, _ = listening.accept()
        with server:
            peer = peer_of(server)
            found = look_at(peer)
            assert found is None or found.failure == "the program that asks had ended before it could be looked at"
            peer.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_over_tcp_the_port_tells(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(family) as client:
        client.connect((address, listening.getsockname()[1]))
        server, _ = listening.accept()
        with server:
            peer = peer_of(server)
            assert (peer.uid, peer.pid) == (None, None)
            target = peer.target(machine())
            assert target is not None
            assert target.pid == os.getpid()
            assert target.alive()
            with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(client.fileno(),)) as other:
                assert not target.alive(), "two processes hold the connection"
                assert peer.target(machine()) is None
                other.communicate()
            client.close()
            assert not target.alive()
            peer.close()


def test_both_tables_say_the_same_of_a_process() -> None:
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"MUX_RUN": "k3f-1"}, start_new_session=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        # The system closes the pipe of `Popen` before it sets the arguments of the new program: wait for its output.
        child.stdin.write(b"it runs\n")
        child.stdin.flush()
        child.stdout.readline()
        facts = [table.facts(child.pid) for table in (Proc(), Psutil())]
        child.communicate()
    told = {(one.parent, one.session, one.group, one.arguments, str(one.environment)) for one in facts if one}
    assert told == {(os.getpid(), child.pid, child.pid, ("cat",), "{'MUX_RUN': 'k3f-1'}")}
    assert [table.facts(child.pid) for table in (Proc(), Psutil())] == [None, None]
    assert [table.parent(child.pid) for table in (Proc(), Psutil())] == [None, None]
    assert [table.files(child.pid) for table in (Proc(), Psutil())] == [None, None]
