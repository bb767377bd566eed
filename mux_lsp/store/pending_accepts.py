"""Store accepts that are under way in the journal's database, and the records that their end writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.core.transaction import Phase

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from mux_lsp.core.history import ChangeKey
    from mux_lsp.store.acceptances import Row

OFFERS: int = 200
"""Maximum number of stored edits that an editor was given and has not been seen to apply; the newest stay."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Accept that is under way, as it is stored. `at` is seconds since the epoch."""

    id: str
    phase: Phase
    at: float
    data: str
    """JSON of a `core.transaction.Intent`."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Records that a completed accept writes, in one transaction."""

    run: str
    rows: Sequence[Row]
    withdrawn: Sequence[ChangeKey]
    """Changes whose acceptance is withdrawn, before `rows` are inserted."""
    before: float | None
    """Only acceptances older than this are withdrawn, in seconds since the epoch; None for all."""
    unrejected: Sequence[tuple[str, str]]
    """Rejections that it takes back: path and hunk."""
    chosen: Mapping[str, Sequence[str]]
    """Hunks that were accepted, by path."""
    discard: Sequence[str]
    """Runs that are discarded with it."""
    discarded: float
    """Time at which they were discarded, in seconds since the epoch, whole milliseconds."""


def insert(database: sqlite3.Connection, pending: Pending) -> None:
    """Insert an accept before its first byte is written. Runs in the caller's transaction."""
    database.execute(
        "INSERT INTO accepting (id, phase, at, data) VALUES (?, ?, ?, ?)",
        (pending.id, pending.phase, pending.at, pending.data),
    )
    if pending.phase is Phase.OFFERED:
        database.execute(
            "DELETE FROM accepting WHERE phase = ?1 AND position NOT IN"
            " (SELECT position FROM accepting WHERE phase = ?1 ORDER BY position DESC LIMIT ?2)",
            (Phase.OFFERED, OFFERS),
        )


def read(database: sqlite3.Connection) -> tuple[Pending, ...]:
    """Return the accepts that are under way, oldest first."""
    rows = database.execute("SELECT id, phase, at, data FROM accepting ORDER BY position")
    return tuple(Pending(id_, Phase(phase), at, data) for id_, phase, at, data in rows)
