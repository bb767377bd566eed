"""Accepts that are under way, in the journal's database, and what their end puts on record in one transaction."""

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
"""Maximum number of edits remembered that an editor was given and has not been seen to apply; the newest stay."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An accept that is under way, as it is stored. `at` is seconds since the epoch."""

    id: str
    phase: Phase
    at: float
    data: str
    """See `core.transaction.Intent`."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """All that is put on record when an accept is whole."""

    run: str
    rows: Sequence[Row]
    withdrawn: Sequence[ChangeKey]
    """The changes whose acceptance stands no more; the record is told of them first."""
    before: float | None
    """Only acceptances older than this are withdrawn, in seconds since the epoch; None for all."""
    unrejected: Sequence[tuple[str, str]]
    """The rejections that it takes back: path and hunk."""
    chosen: Mapping[str, Sequence[str]]
    """The hunks that were accepted, by path."""
    discard: Sequence[str]
    """The runs that are discarded with it."""
    discarded: float
    """When that was, in seconds since the epoch, whole milliseconds."""


def insert(database: sqlite3.Connection, pending: Pending) -> None:
    """Note an accept before its first byte. Within a transaction of the caller's."""
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
    """The accepts that are under way, oldest first."""
    rows = database.execute("SELECT id, phase, at, data FROM accepting ORDER BY position")
    return tuple(Pending(id_, Phase(phase), at, data) for id_, phase, at, data in rows)
