"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import mux_lsp
from tests.support import schedule
from tests.support.isolation import isolate
from tests.support.persons import leave_agent
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
_product = str(Path(mux_lsp.__file__).parent)
watchdog.watch(_held.append, watchdog.Collector().seconds)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Fail a test in which the product has held an event loop of this process."""
    _held.clear()
    result = yield
    # What a test itself does in a loop holds up nobody but itself.
    assert [line for line in _held if _product in line or "mux_lsp." in line] == []
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Start as a person would, without an agent around and without their settings. Workers of xdist inherit that."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        leave_agent()  # nothing is captured yet
        isolate()
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # else xdist would start the groups with the most tests first


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark and order the tests, before `-m` leaves some out and xdist reads the groups."""
    schedule.mark(items)
    schedule.arrange(items)
