"""Beginnings, ends and durations of runs, though the machine's clock may be set in the meantime.

A moment is told by the clock on the wall. A duration is not the difference of two of them: within one daemon it is
measured, and over its end it is never negative.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SET_BACK: Final = "the machine's clock was set back while it ran: how long it took is not known"


def _steady() -> float:
    # Unlike time.monotonic, this goes on while a Linux machine sleeps, as the clock on the wall does.
    boot: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Clock:
    """The clock of one daemon. `wall` gives seconds since the epoch, `steady` seconds that nobody can set."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _steady) -> None:
        self.now = wall
        """Seconds since the epoch."""
        self.steady = steady
        """Seconds since any moment, for differences."""
        self._begun: dict[str, tuple[float, float]] = {}
        """By run, when it began: on the wall, and steadily."""

    def begin(self, run_id: str) -> float:
        """A run begins. Gives when."""
        self._begun[run_id] = begun = self.now(), self.steady()
        return begun[0]

    def end(self, run_id: str, started: float | None) -> tuple[float, str | None]:
        """A run that began at `started` is at its end: gives when, and why its duration is not true, where it is not.

        The end is never before the beginning, and where this daemon saw both, it is as long after it as was measured.
        """
        begun = self._begun.pop(run_id, None)
        if begun is not None and begun[0] == started:
            return started + max(0.0, self.steady() - begun[1]), None
        now = self.now()
        if started is None or now >= started:
            return now, None
        return started, SET_BACK
