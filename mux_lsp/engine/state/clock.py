"""Measure the start, end and duration of runs, even if the machine's clock is set meanwhile.

Moments are wall-clock times. A duration is not the difference of two moments: within one daemon it is measured with a
steady clock, and across daemons it is never negative.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SET_BACK: Final = "the machine's clock was set back while it ran: how long it took is not known"


def _steady() -> float:
    # Unlike time.monotonic, this clock continues while a Linux machine sleeps, as the wall clock does.
    boot: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Clock:
    """Clock of one daemon. `wall` returns seconds since the epoch, `steady` seconds on a clock that cannot be set."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _steady) -> None:
        self.now = wall
        """Seconds since the epoch."""
        self.steady = steady
        """Seconds since an arbitrary moment, for differences."""
        self._begun: dict[str, tuple[float, float]] = {}
        """Start of each run by id: wall-clock time, steady time."""

    def begin(self, run_id: str) -> float:
        """Record that a run begins. Returns the time, in seconds since the epoch."""
        self._begun[run_id] = begun = self.now(), self.steady()
        return begun[0]

    def end(self, run_id: str, started: float | None) -> tuple[float, str | None]:
        """Return when a run that began at `started` ended, and a sentence if its duration is unknown, else None.

        The end is never before the start. If this daemon recorded the start, the difference is the measured duration.
        """
        begun = self._begun.pop(run_id, None)
        if begun is not None and begun[0] == started:
            return started + max(0.0, self.steady() - begun[1]), None
        now = self.now()
        if started is None or now >= started:
            return now, None
        return started, SET_BACK
