"""What holds for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

from tests.support.persons import leave_agent

# How long an example takes says how busy the machine is.
settings.register_profile("mux", deadline=None)
settings.load_profile("mux")

# A script that starts the tests in the background has them ignore Ctrl-C, and all that they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Play the person's part also where a coding agent has started the tests. The workers of xdist follow suit."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        leave_agent()  # nothing is captured yet
