"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from hypothesis import settings

from tests.support.persons import leave_agent

if TYPE_CHECKING:
    import pytest

# How long an example takes says how busy the machine is.
settings.register_profile("mux", deadline=None)
settings.load_profile("mux")

# A script that starts the tests in the background has them ignore Ctrl-C, and all that they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Play the person's part also where a coding agent has started the tests. The workers of xdist follow suit."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        capture = config.pluginmanager.getplugin("capturemanager")
        capture.suspend_global_capture(in_=True)
        leave_agent()
        capture.resume_global_capture()
