"""Test the coalescer: one call of the work runs at a time, and requests meanwhile are merged into one more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mux_lsp.coalescer import Coalescer
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import pytest


class Work:
    """Work that waits at a gate, and raises a given error."""

    def __init__(self, *errors: Exception) -> None:
        self.begun = 0
        self.ended = 0
        self.gate = asyncio.Event()
        self.errors = list(errors)

    async def __call__(self) -> None:
        assert self.begun == self.ended, "two calls at a time"
        self.begun += 1
        try:
            await self.gate.wait()
            if self.errors:
                raise self.errors.pop(0)
        finally:
            self.ended += 1


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_requests_during_a_call_are_one_more_call() -> None:
    work = Work()
    coalescer = Coalescer(work, "a test")
    for _ in range(3):
        coalescer.request()
    await turns()
    assert work.begun == 1, "requests before the work begins are one call"
    for _ in range(10):
        coalescer.request()
    await turns()
    assert work.begun == 1
    work.gate.set()
    await coalescer.idle()
    assert (work.begun, work.ended) == (2, 2)
    coalescer.request()
    await coalescer.idle()
    assert work.ended == 3


async def test_a_request_from_the_work_itself_is_one_more_call() -> None:
    calls: list[int] = []

    async def work() -> None:
        calls.append(len(calls))
        if len(calls) < 4:
            coalescer.request()

    coalescer = Coalescer(work, "a test")
    coalescer.request()
    await coalescer.idle()
    assert calls == [0, 1, 2, 3]


async def test_requests_within_the_delay_are_one_call() -> None:
    work = Work()
    work.gate.set()
    coalescer = Coalescer(work, "a test", delay=0.01)
    coalescer.request()
    await turns()
    coalescer.request()
    assert work.begun == 0
    await coalescer.idle()
    assert work.ended == 1


async def test_an_error_is_logged_and_the_pending_call_made(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(MuxError("the disk is full"), ValueError("a slip"))
    coalescer = Coalescer(work, "counting sheep")
    with caplog.at_level(logging.WARNING):
        coalescer.request()
        await turns()
        coalescer.request()
        work.gate.set()
        await coalescer.idle()
    assert [record.getMessage() for record in caplog.records] == [
        "counting sheep: the disk is full",
        "a bug in mux-lsp, in counting sheep",
    ]
    assert caplog.records[1].exc_info is not None


async def test_closing_cancels_the_call_and_drops_the_pending_one() -> None:
    work = Work()
    coalescer = Coalescer(work, "a test")
    coalescer.request()
    await turns()
    coalescer.request()
    await coalescer.close()
    assert (work.begun, work.ended) == (1, 1)
    coalescer.request()
    await coalescer.idle()
    assert work.begun == 1
    await Coalescer(work, "a test").close()


async def test_the_task_is_started_by_its_owner() -> None:
    owned: list[asyncio.Task[None]] = []

    def own(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        owned.append(asyncio.create_task(work))
        return owned[-1]

    work = Work()
    coalescer = Coalescer(work, "a test", spawn=own)
    coalescer.request()
    await turns()
    # An owner that ends cancels its tasks; the next request starts another.
    owned[0].cancel()
    await coalescer.idle()
    work.gate.set()
    coalescer.request()
    await coalescer.idle()
    assert (len(owned), work.begun) == (2, 2)
