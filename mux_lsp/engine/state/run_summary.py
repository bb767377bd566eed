"""Where a run stands among the others: what is derived of it and kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run's place in the queue, or among the attempts that have ended; and how long it is kept."""

    queue_place: int | None = None
    """Counted from 1; None where it is not queued."""
    rank: int | None = None
    """Counted from 1 among the runs of its task that have ended; None where it was not ranked yet."""
    tied: tuple[str, ...] = ()
    """Runs that share its rank."""
    reasons: tuple[str, ...] = ()
    """Why it has that rank: sentences."""
    kept_until: float | None = None
    """When it is forgotten, in seconds since the epoch; None where it was not thrown away."""


NO_SUMMARY: Final = RunSummary()
