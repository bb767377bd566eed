"""Test the ports of runs, with real sockets."""

from __future__ import annotations

import socket

import pytest

from mux_lsp.agents import ports
from mux_lsp.agents.ports import PortBlocks
from mux_lsp.errors import AgentError


def test_two_runs_have_no_port_in_common() -> None:
    blocks = PortBlocks()
    reserved = [blocks.reserve(f"k3f-{number}") for number in range(50)]
    all_ports = {port + offset for port in reserved for offset in range(10)}
    assert len(all_ports) == 500
    assert all(20_000 <= port < 30_000 for port in all_ports)


def test_run_keeps_its_block() -> None:
    blocks = PortBlocks()
    assert blocks.reserve("k3f-1") == blocks.reserve("k3f-1")


def test_block_with_one_port_in_use_is_passed_over() -> None:
    first = PortBlocks().reserve("probe")
    with socket.socket() as server:
        server.bind(("127.0.0.1", first + 9))
        server.listen()
        assert PortBlocks(first).reserve("k3f-1") != first


def test_block_of_an_earlier_daemon_is_not_given_to_another_run() -> None:
    first = PortBlocks().reserve("probe")
    blocks = PortBlocks(first)
    blocks.keep("k3f-1", first)
    assert blocks.reserve("k3f-2") != first
    assert blocks.reserve("k3f-1") == first


def test_released_block_rests_until_the_others_had_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "LAST", 20_020)
    monkeypatch.setattr(ports, "_is_free", lambda _: True)
    blocks = PortBlocks(20_010)
    given = []
    for run in ("a", "b", "c", "d"):
        given.append(blocks.reserve(run))
        blocks.release(run)
    assert given == [20_010, 20_020, 20_000, 20_010]


def test_no_block_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_is_free", lambda _: False)
    with pytest.raises(AgentError, match="No ten ports in a row"):
        PortBlocks().reserve("k3f-1")
