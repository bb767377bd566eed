"""Record starts and deletions in progress, so that the next daemon removes what a killed one left half done.

A snapshot has its ref before its task is in the journal, and a task leaves the journal before its refs and folders are
removed. In between, a small file lists their names. Only listed names are ever removed: if the journal was moved away,
the results stay.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp import atomic, storage
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from mux_lsp.engine.repository.registry import RepositoryStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Refs and folders in one repository that are removed unless the journal knows their names."""

    repository: str
    names: tuple[str, ...]
    """Names of snapshots and results: the id of a task or a run, or that id followed by `.TURN`."""

    def unknown(self, known: Collection[str]) -> list[str]:
        """Return the names that belong to no known task or run."""
        return [name for name in self.names if name.partition(".")[0] not in known]


class UnfinishedWork:
    """Records of unfinished starts and deletions, one file each in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def clear(
        self, known: Collection[str], room_of: Callable[[Path], RepositoryStore], run_folder: Callable[[str], Path]
    ) -> None:
        """Remove what earlier daemons have recorded and not completed, except what the journal knows."""
        for name, going in list(self._left()):
            try:
                unknown = going.unknown(known)
                shadow = room_of(Path(going.repository)).shadow
                for one in unknown:
                    await asyncio.to_thread(shadow.delete_refs, one)
                    await asyncio.to_thread(shutil.rmtree, run_folder(one), ignore_errors=True)
                self.done(name)
            except (MuxError, OSError) as error:
                # The next daemon tries again: an error here must not keep this one from starting.
                log.warning("what was left of %s could not be removed: %s", name, error)

    def expect(self, name: str, going: Unfinished) -> None:
        """Record under `name` what may have to be removed. Raises StorageError."""
        said = {"repository": going.repository, "names": going.names}
        with storage.explain_words(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            atomic.write(self._file(name), json.dumps(said).encode())

    def done(self, name: str) -> None:
        """Delete a record: its names are in the journal by now, or everything was removed."""
        self._file(name).unlink(missing_ok=True)

    def _left(self) -> Iterator[tuple[str, Unfinished]]:
        for file in sorted(self._folder.glob("*.json")):
            try:
                said = json.loads(file.read_text())
                yield file.stem, Unfinished(said["repository"], tuple(said["names"]))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s cannot be read: %s", file, error)

    def _file(self, name: str) -> Path:
        return self._folder / f"{os.path.basename(name)}.json"  # noqa: PTH119  (an id, which contains no folder)
