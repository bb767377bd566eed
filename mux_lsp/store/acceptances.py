"""Store acceptances in the journal's database, and read them by separate connections in any thread."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mux_lsp.core.history import Acceptance
from mux_lsp.store.codec import dumps, loads
from mux_lsp.store.database import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from mux_lsp.core.history import ChangeKey

log = logging.getLogger(__name__)


class Row(NamedTuple):
    """Acceptance in its stored form. It can be made in any thread, so that storing it is quick."""

    repository: str
    path: str
    task: str
    origin: str
    change: str
    prompt: str
    """SHA-256 of `words`."""
    data: str
    words: str


def row(acceptance: Acceptance) -> Row:
    """Return the stored form of an acceptance."""
    words = dumps(acceptance.prompt)
    return Row(
        dumps(acceptance.repository),
        dumps(acceptance.path),
        acceptance.task,
        dumps(acceptance.origin),
        acceptance.change,
        hashlib.sha256(words.encode("ascii")).hexdigest(),
        dumps(replace(acceptance, prompt="", id=0, at=0.0, withdrawn=None)),
        words,
    )


def insert(database: sqlite3.Connection, rows: Sequence[Row], at: float) -> None:
    """Insert acceptances, except for hunks that already have a current one. Runs in the caller's transaction."""
    database.executemany(
        "INSERT INTO prompts (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING",
        {one.prompt: one.words for one in rows}.items(),
    )
    database.executemany(
        "INSERT INTO acceptances (at, repository, path, task, origin, change, prompt, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ((at, *one[:-1]) for one in rows),
    )


def withdraw(database: sqlite3.Connection, keys: Iterable[ChangeKey], at: float, before: float | None = None) -> None:
    """Mark the current acceptances of these hunks as withdrawn; with `before`, only those older than that.

    Runs in the caller's transaction.
    """
    wanted = {(key.task, dumps(key.origin), key.change) for key in keys}
    # Hardly any of ten thousand hunks being accepted was accepted before.
    standing = {
        (task, *row)
        for task in {task for task, _, _ in wanted}
        for row in database.execute(
            "SELECT origin, change FROM acceptances WHERE task = ? AND withdrawn IS NULL", (task,)
        )
    }
    database.executemany(
        "UPDATE acceptances SET withdrawn = ?1 WHERE task = ?2 AND origin = ?3 AND change = ?4"
        " AND withdrawn IS NULL AND (?5 IS NULL OR at < ?5)",
        [(at, *key, before) for key in sorted(wanted & standing)],
    )


def read(path: Path, places: Sequence[tuple[str, str | None]] | None = None) -> Iterator[Acceptance]:
    """Yield acceptances newest first: all, or those of these places, each a repository and a path in it (None: all).

    `path` is that of the database. A record that cannot be read is logged and left out. Raises MuxError if the
    database cannot be read.
    """
    which = "TRUE"
    values: list[str] = []
    if places is not None:
        which = " OR ".join("repository = ?" if one is None else "repository = ? AND path = ?" for _, one in places)
        values = [dumps(name) for place in places for name in place if name is not None]
    query = (
        "SELECT acceptances.id, at, withdrawn, acceptances.data, prompts.data FROM acceptances"
        " JOIN prompts ON prompts.digest = acceptances.prompt WHERE "
    )
    query += f"{which or 'FALSE'} ORDER BY acceptances.id DESC"
    try:
        with closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as database:
            for id_, at, withdrawn, data, prompt in database.execute(query, values):
                try:
                    found = loads(Acceptance, data)
                except ValueError as error:
                    log.error("acceptance %s in %s cannot be read (%s) and is left out", id_, path, error)
                else:
                    yield replace(found, id=id_, at=at, withdrawn=withdrawn, prompt=json.loads(prompt))
    except sqlite3.Error as error:
        raise explained(error, path) from error
