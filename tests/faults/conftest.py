"""Provide fixtures for the fault tests."""

from tests.support.home import mux_home, shared_home, worker_home
from tests.support.tree import fake_home

__all__ = ["fake_home", "mux_home", "shared_home", "worker_home"]
