"""Store spending by run and day. It outlives the run and its task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from mux_lsp.core.spending import Spent
from mux_lsp.store.codec import dumps, loads

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class Spending:
    """Spending of a run on one day. `under` are the runs whose agents caused it, the nearest first."""

    run: str
    task: str
    repository: str
    under: tuple[str, ...]
    spent: Spent
    day: str = ""


def day_of(at: float) -> str:
    """Return the day of a time in the person's time zone, as `2026-11-24`."""
    return datetime.fromtimestamp(at).astimezone().date().isoformat()


def note(database: sqlite3.Connection, more: Spending, at: float) -> None:
    """Add to a run's spending of today, within the caller's transaction."""
    database.execute(
        "INSERT INTO spending (day, run, task, repository, under, usd, tokens) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (day, run) DO UPDATE SET usd = usd + excluded.usd, tokens = tokens + excluded.tokens",
        (
            day_of(at),
            more.run,
            more.task,
            dumps(more.repository),
            " ".join(more.under),
            more.spent.usd,
            more.spent.tokens,
        ),
    )


def read(database: sqlite3.Connection, at: float) -> tuple[Spending, ...]:
    """Return the spending that counts now: all of today, and of any day for existing tasks and on behalf of runs."""
    rows = database.execute(
        "SELECT run, task, repository, under, usd, tokens, day FROM spending"
        " WHERE day = ? OR under <> '' OR task IN (SELECT id FROM tasks)",
        (day_of(at),),
    )
    return tuple(
        Spending(run, task, loads(str, repository), tuple(under.split()), Spent(usd, tokens), day)
        for run, task, repository, under, usd, tokens, day in rows
    )
