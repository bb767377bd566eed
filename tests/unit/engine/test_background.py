"""An exception of a background task is logged, and at the end all tasks have ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from mux_lsp.engine.state.background import BackgroundTasks
from mux_lsp.engine.state.events import Event, WorkEnded
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def logged() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment,method-assign]
    log = logging.getLogger("mux_lsp.engine.state.background")
    log.addHandler(handler)
    yield records
    log.removeHandler(handler)


async def fails(error: Exception) -> None:
    raise error


async def test_a_bug_is_logged_with_its_traceback_and_an_expected_error_in_a_sentence(
    logged: list[logging.LogRecord],
) -> None:
    events: list[Event] = []
    background = BackgroundTasks(events.append)
    bug = ZeroDivisionError("by zero")
    other = background.spawn(asyncio.sleep(3600))
    await asyncio.wait({background.spawn(fails(bug)), background.spawn(fails(MuxError("The disk is full.")))})
    await asyncio.sleep(0)  # callbacks of the tasks run in the next turn of the loop
    assert sorted((one.levelno, one.getMessage(), one.exc_info and one.exc_info[1]) for one in logged) == [
        (logging.WARNING, "The disk is full.", None),
        (logging.ERROR, "a bug in mux-lsp", bug),
    ]
    assert events == [WorkEnded(), WorkEnded()]
    assert background.pending == {other}, "one that fails does not end the others"
    await background.close()
    assert other.cancelled()
    assert not background.pending
