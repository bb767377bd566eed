"""Run a short soak, always with the same seed: see `tests.faults.soak`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.soak import nothing_left, soak

if TYPE_CHECKING:
    from tests.support.home import IsolatedHome


async def test_a_short_soak(mux_home: IsolatedHome) -> None:
    person = await soak(mux_home, seed=13, seconds=0, rounds=4)
    assert person.kills == 4
    assert sum(person.done.values()) >= 4
    mux_home.stop()
    assert nothing_left(mux_home) == []
