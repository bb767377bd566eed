"""What holds for all tests."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.watchdog import sitecustomize as watchdog

if TYPE_CHECKING:
    from collections.abc import Generator

# How long an example takes says how busy the machine is.
settings.register_profile("mux", deadline=None)
settings.load_profile("mux")

# A script that starts the tests in the background has them ignore Ctrl-C, and all that they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Engines and sessions in this process must not hold its loop either; daemons have the same by `IsolatedHome`.
_held: list[str] = []
watchdog.watch(_held.append)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Fail a test in which a callback has held an event loop of this process."""
    _held.clear()
    result = yield
    assert _held == []
    return result
