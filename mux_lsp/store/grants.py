"""Store the person's permanent grants: permissions of tools, and trust in the settings of repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.store.codec import dumps, loads
from mux_lsp.store.database import reading, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from mux_lsp.store.database import Database


class Grants:
    """The person's grants in the journal's database. Every method that writes is atomic."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def allow(self, repository: str, tool: str, subject: str) -> None:
        """Grant a tool this permission in a repository permanently. Repeating it is not an error."""
        with transaction(self._database):
            self._database.execute(
                "INSERT INTO permission_rules (repository, tool, subject, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (dumps(repository), tool, dumps(subject), self._clock()),
            )

    def allowed(self, repository: str) -> tuple[tuple[str, str], ...]:
        """Return the permanent permissions in a repository, as tool and subject, oldest first."""
        rows = self._rows(
            "SELECT tool, subject FROM permission_rules WHERE repository = ? ORDER BY at, tool, subject",
            (dumps(repository),),
        )
        return tuple((tool, loads(str, subject)) for tool, subject in rows)

    def trust(self, repository: str, digest: str) -> None:
        """Trust the settings with this digest in a repository. Repeating it is not an error."""
        with transaction(self._database):
            self._database.execute(
                "INSERT INTO trusted_settings (repository, digest, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (dumps(repository), digest, self._clock()),
            )

    def distrust(self, repository: str) -> bool:
        """Revoke trust in all settings of a repository. Return whether there was any."""
        with transaction(self._database):
            done = self._database.execute("DELETE FROM trusted_settings WHERE repository = ?", (dumps(repository),))
            return done.rowcount > 0

    def trusted(self, repository: str) -> frozenset[str]:
        """Return the digests of the settings that are trusted in a repository."""
        rows = self._rows("SELECT digest FROM trusted_settings WHERE repository = ?", (dumps(repository),))
        return frozenset(row[0] for row in rows)

    def trusting(self) -> tuple[tuple[str, float], ...]:
        """Return the repositories with trusted settings, each with the time of the last grant, sorted by name."""
        rows = self._rows("SELECT repository, max(at) FROM trusted_settings GROUP BY repository")
        return tuple(sorted((loads(str, repository), at) for repository, at in rows))

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with reading(self._database):
            return self._database.execute(query, values).fetchall()
