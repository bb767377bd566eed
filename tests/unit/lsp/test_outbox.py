"""Test that messages encoded beside the event loop keep their order, and that large messages are recognised."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire.heavy import LARGE, is_large
from mux_lsp.lsp.wire.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable


class Out(list[bytes]):
    """The messages that a client has received."""

    def __init__(self) -> None:
        super().__init__()
        self.more = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.append(data)
        self.more.set()

    async def have(self, count: int) -> None:
        while len(self) < count:
            self.more.clear()
            await self.more.wait()


def when(gate: threading.Event, data: bytes) -> Callable[[], bytes]:
    def encode() -> bytes:
        gate.wait()
        return data

    return encode


async def test_what_is_posted_behind_a_large_message_waits_for_it() -> None:
    out = Out()
    box = Outbox(out.write)
    first, second = threading.Event(), threading.Event()
    box.post(b"0")
    assert out == [b"0"]
    box.post_large(when(first, b"1"))
    box.post(b"2")
    box.post_large(when(second, b"3"))
    box.post(b"4")
    second.set()
    assert out == [b"0"]
    first.set()
    await out.have(5)
    assert out == [b"0", b"1", b"2", b"3", b"4"]
    box.post(b"5")
    assert out[-1] == b"5"


async def test_a_message_that_cannot_be_encoded_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    out = Out()
    box = Outbox(out.write)

    def fail() -> bytes:
        raise ZeroDivisionError

    box.post_large(fail)
    box.post(b"next")
    await out.have(1)
    assert "a message could not be encoded" in caplog.text


def whole(text: str) -> types.TextDocumentContentChangeWholeDocument:
    return types.TextDocumentContentChangeWholeDocument(text)


@pytest.mark.parametrize(
    ("value", "large"),
    [
        ("x" * LARGE, True),
        ("x" * (LARGE // 2), False),
        (["x"] * 100_000, True),
        ({str(n): n for n in range(100_000)}, True),
        ([[["x" * 100] * 100] * 10], True),
        ([[["x"] * 10] * 10], False),
        ([whole("x" * LARGE)], True),
        ([whole("x")], False),
        (protocol.RunDiffResult(patch="x" * LARGE, base64=None), True),
        (protocol.RunDiffResult(patch="x", base64=None), False),
        (None, False),
    ],
)
def test_what_is_large(value: Any, large: bool) -> None:
    assert is_large(value) is large
