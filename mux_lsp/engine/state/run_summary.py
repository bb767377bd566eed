"""Define what is derived about a run relative to others: queue position, rank, retention. None of it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Queue position or rank of a run, and how long it is kept."""

    queue_place: int | None = None
    """Position in the queue, counted from 1; None if it is not queued."""
    rank: int | None = None
    """Rank among the ended runs of its task, counted from 1; None if it is not ranked yet."""
    tied: tuple[str, ...] = ()
    """Ids of the runs that share its rank."""
    reasons: tuple[str, ...] = ()
    """Sentences that explain its rank."""
    kept_until: float | None = None
    """Time at which it will be deleted, in seconds since the epoch; None if it is not discarded."""


NO_SUMMARY: Final = RunSummary()
