"""Provide fixtures for the tests with real agents."""

from tests.support.home import mux_home

__all__ = ["mux_home"]
