"""Delete the refs of deleted tasks and runs from the shadow stores."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mux_lsp.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mux_lsp.engine.repository.registry import RepositoryStore

log = logging.getLogger(__name__)


class RefCleanup:
    """The deleted tasks and runs whose refs remain because the store could not be written."""

    def __init__(self) -> None:
        self._names: dict[Path, set[str]] = {}

    async def delete(self, room: RepositoryStore, names: Iterable[str] = ()) -> bool:
        """Delete the refs of these names, and those that could not be deleted earlier.

        Returns whether all of `names` are deleted. Names that the disk refuses to delete are retried at the next call.
        """
        names = set(names)
        self._names.setdefault(room.root, set()).update(names)
        doomed = self._names.pop(room.root)
        for name in sorted(doomed):
            try:
                await asyncio.to_thread(room.shadow.delete_refs, name)
            except StorageError as error:
                log.warning("what is left of %s in the store could not be removed yet: %s", name, error)
                self._names.setdefault(room.root, set()).add(name)
        return self._names.get(room.root, set()).isdisjoint(names)
