"""Write read-only documents as files, for editors that know no other kind of document."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mux_lsp import atomic, paths, storage
from mux_lsp.errors import MuxError

MODE = 0o444
"""File mode that editors recognize as read-only."""


def make_folder(parent: Path) -> Path:
    """Return a new private folder for the files of one session. Raises MuxError."""
    paths.make_private_folder(str(parent))
    try:
        return Path(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        raise paths.unusable(str(parent), error) from error


def write(file: Path, content: str) -> None:
    """Replace a read-only file in a folder of its own, atomically. Raises MuxError."""
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, new = tempfile.mkstemp(dir=file.parent.parent)
        with atomic.replacing(file, new), os.fdopen(descriptor, "wb") as opened:
            # A buffer may contain half of a surrogate pair, which no file can.
            opened.write(content.encode(errors="replace"))
            os.fchmod(descriptor, MODE)
    except OSError as error:
        refused = storage.explained(error, str(file))
        raise refused or MuxError(f"{file} cannot be written ({error.strerror or error}).") from error
