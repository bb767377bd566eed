"""Set up what all tests share: isolation, order, markers and Hypothesis' settings."""

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

# The duration of an example depends on the load of the machine.
settings.register_profile("mux", deadline=None)
settings.load_profile("mux")

# A script that starts the tests in the background makes them, and all their children, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Engines and sessions in this process must not block its loop; `IsolatedHome` checks the same for daemons.
_held: list[str] = []
_product = str(Path(mux_lsp.__file__).parent)
watchdog.watch(_held.append, watchdog.Collector().seconds)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Fail a test in which the product has held an event loop of this process."""
    _held.clear()
    result = yield
    # A test that blocks its own loop delays only itself.
    assert [line for line in _held if _product in line or "mux_lsp." in line] == []
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Isolate the tests: no agent around them, no settings of the person who starts them. xdist workers inherit it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        leave_agent()  # nothing is captured yet
        isolate()
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # otherwise xdist would start the groups with the most tests first


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark and order the tests, before `-m` deselects some and xdist reads the groups."""
    schedule.mark(items)
    schedule.arrange(items)
