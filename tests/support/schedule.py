"""Mark each test by its folder, and start the slow tests first.

xdist workers take tests in the order of collection. A slow test that starts last leaves the other workers idle. The
tests of VS Code are two groups, so that there are never more than two servers and two browsers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKS: Final = {
    "tests/unit/": "unit",
    "tests/integration/": "integration",
    "tests/faults/": "faults",
    "tests/e2e/": "e2e",
    "tests/benchmarks/": "benchmarks",
}
"""The mark of each folder. `pyproject.toml` declares them."""

FIRST: Final = (
    "tests/e2e/vscode/",
    "tests/faults/test_points.py",
    "tests/benchmarks/",
    "tests/e2e/agents/",
    "tests/e2e/",
    "tests/faults/",
)
"""Beginnings of the names of tests that start first, in this order. The others follow."""

VSCODE_GROUPS: Final = 2


def mark(items: Sequence[pytest.Item]) -> None:
    """Mark each test by its folder, and distribute the tests of VS Code over their groups."""
    vscode = 0
    for item in items:
        for folder, name in MARKS.items():
            if item.nodeid.startswith(folder):
                item.add_marker(name)
        if item.nodeid.startswith("tests/e2e/vscode/"):
            item.add_marker(pytest.mark.xdist_group(f"vscode-{vscode % VSCODE_GROUPS + 1}"))
            vscode += 1


def arrange(items: list[pytest.Item]) -> None:
    """Order the tests of a worker. A single process keeps its own order: quick tests first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _rank(item.nodeid))


def _rank(name: str) -> int:
    return next((rank for rank, beginning in enumerate(FIRST) if name.startswith(beginning)), len(FIRST))
