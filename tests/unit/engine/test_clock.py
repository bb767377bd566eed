"""Test durations while the machine's clock is set: measured within a daemon, never negative across daemons."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mux_lsp.engine.state.clock import SET_BACK, Clock

NOON = 1_800_000_000.0


@dataclass
class Machine:
    """A wall clock that can be set, and a monotonic clock that cannot."""

    wall: float = NOON
    steady: float = 1000.0

    def passes(self, seconds: float, set_by: float = 0.0) -> None:
        self.wall += seconds + set_by
        self.steady += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.steady)


@pytest.mark.parametrize("set_by", [0.0, -7200.0, 7200.0])
def test_within_a_daemon_what_was_measured_counts(set_by: float) -> None:
    machine = Machine()
    clock = machine.clock()
    started = clock.begin("k3f-1")
    machine.passes(3.0, set_by)
    assert (started, clock.end("k3f-1", started)) == (NOON, (NOON + 3, None))


@pytest.mark.parametrize(
    ("set_by", "end"), [(0.0, (NOON + 3, None)), (7200.0, (NOON + 7203, None)), (-7200.0, (NOON, SET_BACK))]
)
def test_over_the_end_of_a_daemon_it_is_never_negative(set_by: float, end: tuple[float, str | None]) -> None:
    machine = Machine()
    started = machine.clock().begin("k3f-1")
    machine.passes(3.0, set_by)
    assert machine.clock().end("k3f-1", started) == end


def test_a_run_that_never_began_ends_now() -> None:
    machine = Machine()
    assert machine.clock().end("k3f-1", None) == (NOON, None)


def test_another_turn_begins_anew() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.begin("k3f-1")
    machine.passes(100.0)
    started = clock.begin("k3f-1")
    machine.passes(5.0, -7200.0)
    assert clock.end("k3f-1", started) == (NOON + 105, None)
