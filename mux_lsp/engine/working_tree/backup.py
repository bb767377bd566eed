"""Copy texts of the person before they are overwritten: no other copy exists, and not everything can be undone."""

from __future__ import annotations

import itertools
import shutil
import time
from typing import TYPE_CHECKING, Protocol

from mux_lsp import storage
from mux_lsp.errors import MuxError, StorageError
from mux_lsp.git import path_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mux_lsp.engine.working_tree.disk import Entry


class LiveFile(Protocol):
    """File as the person sees it: its text in the editor, and its content on disk."""

    @property
    def path(self) -> str:
        """Path in the repository."""

    @property
    def lines(self) -> Sequence[str] | None:
        """Text of the file; None if it has none."""

    @property
    def unsaved(self) -> bool:
        """True if the text differs from the disk."""

    @property
    def entry(self) -> Entry | None:
        """The file on disk; None if there is no file."""


def save_overwritten(folder: Path, run_id: str, lives: Iterable[LiveFile]) -> Path | None:
    """Copy live texts, including unsaved changes, into a new folder below `folder`. Call it in a thread.

    Return that folder, or None if there was nothing to copy. Raises MuxError if it cannot be written: then nothing
    may be overwritten.
    """
    texts = [(live, data) for live in lives if (data := _data(live)) is not None]
    if not texts:
        return None
    place = None
    try:
        place = new_folder(folder, run_id)
        for live, data in texts:
            if path_rules.refusal(live.path) is None:
                put(place, live.path, data)
    except OSError as error:
        if place is not None:
            # An incomplete copy would be mistaken for a complete one.
            shutil.rmtree(place, ignore_errors=True)
        raise _failed(folder, error) from error
    return place


def new_folder(folder: Path, run_id: str) -> Path:
    """Create a folder for copies below `folder`, named after the time and the run. Raises OSError."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        place = folder / f"{stamp}-{run_id}-{number}"
        try:
            place.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            continue
        break
    return place


def put(folder: Path, path: str, data: bytes) -> None:
    """Write one copy. Raises OSError."""
    file = folder.joinpath(*path.split("/"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _failed(folder: Path, error: OSError) -> MuxError:
    refused = storage.explained(error, str(folder))
    kind = StorageError if refused else MuxError
    why = refused or f"{error.strerror or error}."
    return kind(f"Nothing was written, since no copy of your text could be kept in {folder}. {why}")


def _data(live: LiveFile) -> bytes | None:
    if live.lines is not None and (live.unsaved or live.entry is None):
        return "".join(live.lines).encode("utf-8", "surrogatepass")
    return live.entry.content if live.entry is not None else None
