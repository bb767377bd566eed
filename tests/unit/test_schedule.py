"""Test that each folder has its mark, and that slow tests start first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.schedule import FIRST, MARKS, arrange

ROOT = Path(__file__).parents[2]


class Named:
    """The part of a test that its order depends on."""

    def __init__(self, name: str) -> None:
        self.nodeid = name


def test_each_folder_with_tests_has_a_mark(pytestconfig: pytest.Config) -> None:
    assert {f"tests/{path.relative_to(ROOT / 'tests').parts[0]}/" for path in ROOT.glob("tests/*/**/test_*.py")} == {
        *MARKS
    }
    declared = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert {*MARKS.values(), "soak", "real_agents"} <= declared


def test_what_starts_first_is_there() -> None:
    assert [beginning for beginning in FIRST if not (ROOT / beginning).exists()] == []


@pytest.mark.parametrize("worker", [True, False])
def test_what_takes_long_starts_first_in_workers(worker: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "tests/unit/test_a.py::test_a",
        "tests/e2e/cli/test_b.py::test_b",
        "tests/e2e/vscode/test_c.py::test_c",
        "tests/faults/test_points.py::test_d",
        "tests/e2e/vscode/test_c.py::test_e",
        "tests/integration/test_f.py::test_f",
    ]
    if worker:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    else:
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    items = [Named(name) for name in names]
    arrange(items)  # type: ignore[arg-type]  # it looks at the names alone
    order = [names.index(item.nodeid) for item in items]
    assert order == ([2, 4, 3, 1, 0, 5] if worker else [0, 1, 2, 3, 4, 5])
