"""Test the synchronous LSP client against a daemon that the test plays over a pair of sockets."""

from __future__ import annotations

import contextlib
import json
import socket
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.cli import client as client_module
from mux_lsp.cli.client import DaemonClient
from mux_lsp.errors import ConflictError, MuxError, UsageError
from mux_lsp.lsp.protocol import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

Message = dict[str, Any]


def frame(message: Message) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\nX-Other: 1\r\n\r\n%b" % (len(body), body)


@contextmanager
def answering(*answers: bytes, rest: bytes = b"") -> Iterator[tuple[DaemonClient, list[Message]]]:
    """Yield a client whose requests are answered in order with these bytes, and the messages that it has sent."""
    ours, theirs = socket.socketpair()
    received: list[Message] = []

    def play() -> None:
        # The client may have all that it needs and disconnect before everything is sent.
        with contextlib.suppress(BrokenPipeError), theirs, theirs.makefile("rb") as stream:
            for answer in answers:
                length = int(stream.readline().split(b":")[1])
                stream.readline()
                received.append(json.loads(stream.read(length)))
                theirs.sendall(answer)

    thread = Thread(target=play)
    thread.start()
    client = DaemonClient(ours, rest)
    try:
        yield client, received
    finally:
        client.hang_up()
        thread.join()


def test_the_protocol_version_is_the_protocols() -> None:
    assert client_module.PROTOCOL == PROTOCOL_VERSION


def test_a_command_is_asked_and_answered() -> None:
    with answering(frame({"id": 1, "result": {"deleted": ["k3f-1"]}})) as (client, received):
        assert client.execute("mux.task.delete", {"id": "k3f"}) == {"deleted": ["k3f-1"]}
    assert received[0]["method"] == "workspace/executeCommand"
    assert received[0]["params"] == {"command": "mux.task.delete", "arguments": [{"id": "k3f"}]}


def test_names_that_are_not_utf8_go_both_ways() -> None:
    with answering(frame({"id": 1, "result": {"path": "caf\udce9"}})) as (client, received):
        assert client.execute("x", {"path": "caf\udce9"}) == {"path": "caf\udce9"}
    assert received[0]["params"]["arguments"] == [{"path": "caf\udce9"}]


def test_notifications_are_delivered_while_an_answer_is_waited_for() -> None:
    told: list[tuple[str, Message]] = []
    stream = frame({"method": "mux/runChanged", "params": {"n": 1}}) + frame({"id": 1, "result": {}})
    with answering(stream + frame({"method": "later", "params": {"n": 2}})) as (client, _):
        client.notified = lambda method, parameters: told.append((method, parameters))
        client.execute("x", {})
        client.wait()
    assert told == [("mux/runChanged", {"n": 1}), ("later", {"n": 2})]


def test_what_came_with_the_handshake_is_read_first() -> None:
    whole = frame({"id": 1, "result": {"ok": True}})
    for cut in range(len(whole) + 1):
        with answering(whole[cut:], rest=whole[:cut]) as (client, _):
            assert client.execute("x", {}) == {"ok": True}


def test_requests_to_us_are_refused_politely() -> None:
    asked = frame({"id": "s1", "method": "window/showMessageRequest", "params": {}})
    with answering(asked, frame({"id": 1, "result": {}})) as (client, received):
        client.execute("x", {})
    assert received[1]["id"] == "s1"
    assert received[1]["error"]["code"] == client_module.METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"code": -32803, "message": "no", "data": {"kind": "failed"}}, MuxError, 1),
        ({"code": -32803, "message": "no", "data": {"kind": "usage"}}, UsageError, 2),
        ({"code": -32803, "message": "no", "data": {"kind": "conflict"}}, ConflictError, 3),
        ({"code": -32602, "message": "no"}, UsageError, 2),
        ({"code": -32603, "message": "no"}, MuxError, 1),
        ({"code": -32603, "message": "no", "data": ["odd"]}, MuxError, 1),
    ],
)
def test_errors_come_out_by_their_kind(error: Message, kind: type[MuxError], status: int) -> None:
    with answering(frame({"id": 1, "error": error})) as (client, _), pytest.raises(MuxError, match=r"^no$") as raised:
        client.execute("x", {})
    assert type(raised.value) is kind
    assert raised.value.exit_status == status


@pytest.mark.parametrize(
    "stream", [b"", b"Content-Le", b"Content-Length: 9\r\n\r\n{}", b"Content-Length: x\r\n\r\n", b"\r\n"]
)
def test_a_broken_connection_is_one_sentence(stream: bytes) -> None:
    with answering(stream) as (client, _), pytest.raises(MuxError, match="The daemon closed the connection"):
        client.execute("x", {})
