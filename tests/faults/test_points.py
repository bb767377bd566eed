"""Test every operation, killed and failing at each of its points: nothing half, nothing left, and done if repeated."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.crash.catalogue import ALL
from tests.faults.crash.enumerating import Enumerator, in_memory
from tests.faults.crash.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSED = 0.25
"""Maximum share of points that may be missed because threads passed them under another number."""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with tempfile.TemporaryDirectory(prefix="mux-zygote-") as folder, Zygote(Path(folder)) as zygote:
        yield zygote


@pytest.fixture
def work() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mux-points-", dir=in_memory()) as folder:
        yield Path(folder)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ALL)
def test_nothing_is_half_at_any_point(zygote: Zygote, work: Path, name: str) -> None:
    enumerator = Enumerator(zygote, ALL[name], work)
    for mode in ("kill", "raise"):
        # `make soak` takes each point.
        points = enumerator.points(mode, own=True)[:: ALL[name].every]
        found = enumerator.run(mode, points)
        assert found.breaches == {}, f"{name}, {mode}"
        assert points
        assert len(found.missed) <= MISSED * len(points) + 1, f"{name}, {mode}: {found.missed}"
