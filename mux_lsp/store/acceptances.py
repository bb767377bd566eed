"""What was accepted, in the journal's database: written with it, read by a connection of one's own in any thread."""

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
    """An acceptance as it is stored: made in any thread, so that storing it is quick."""

    repository: str
    path: str
    task: str
    origin: str
    change: str
    prompt: str
    """The digest of `words`."""
    data: str
    words: str


def row(acceptance: Acceptance) -> Row:
    """Make it ready to be stored."""
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
    """Note acceptances, but those of hunks of which one stands already. Within a transaction of the caller's."""
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
    """Note that the acceptances of these hunks that stand do so no more; with `before` only those older than that.

    Within a transaction of the caller's.
    """
    wanted = {(key.task, dumps(key.origin), key.change) for key in keys}
    # Of ten thousand hunks that are accepted hardly any was accepted before.
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
    """Acceptances newest first: all, or those of any of these places, each a repository and a path in it (None: all).

    `path` is that of the database. A record that cannot be read is named in the log and left out.
    Raises MuxError where the database cannot be read.
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
