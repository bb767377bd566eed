"""Names whose refs and folders are to go unless the journal knows them: nothing that a killed daemon began stays.

A snapshot has its ref before its task is on record, and a task is off the record before its refs and folders are gone.
In between a small file says what there may be. It names what it is about, so nothing else is ever removed: results
whose journal was moved away stay where they are.
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
    """What may have to go of one repository."""

    repository: str
    names: tuple[str, ...]
    """Of snapshots and results, each that of a task or a run, or such a one with `.TURN` behind it."""

    def unknown(self, known: Collection[str]) -> list[str]:
        """The names that belong to no task or run that is known."""
        return [name for name in self.names if name.partition(".")[0] not in known]


class UnfinishedWork:
    """The files that say so, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def clear(
        self, known: Collection[str], room_of: Callable[[Path], RepositoryStore], run_folder: Callable[[str], Path]
    ) -> None:
        """Remove what earlier daemons have noted and not come to the end of, but for what the journal knows."""
        for name, going in list(self._left()):
            try:
                unknown = going.unknown(known)
                shadow = room_of(Path(going.repository)).shadow
                for one in unknown:
                    await asyncio.to_thread(shadow.delete_refs, one)
                    await asyncio.to_thread(shutil.rmtree, run_folder(one), ignore_errors=True)
                self.done(name)
            except (MuxError, OSError) as error:
                # The next daemon tries again: nothing must keep this one from starting.
                log.warning("what was left of %s could not be removed: %s", name, error)

    def expect(self, name: str, going: Unfinished) -> None:
        """Note under a name what may have to go. Raises StorageError."""
        said = {"repository": going.repository, "names": going.names}
        with storage.told(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            atomic.write(self._file(name), json.dumps(said).encode())

    def done(self, name: str) -> None:
        """Forget what was noted: it is on record by now, or all of it has gone."""
        self._file(name).unlink(missing_ok=True)

    def _left(self) -> Iterator[tuple[str, Unfinished]]:
        for file in sorted(self._folder.glob("*.json")):
            try:
                said = json.loads(file.read_text())
                yield file.stem, Unfinished(said["repository"], tuple(said["names"]))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s cannot be read: %s", file, error)

    def _file(self, name: str) -> Path:
        return self._folder / f"{os.path.basename(name)}.json"  # noqa: PTH119  (an id, which has no folder)
