"""Encode runs for the journal: of one with thousands of changed files, the files are encoded once and in a thread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mux_lsp.store.codec import Memory, dumps

if TYPE_CHECKING:
    from mux_lsp.core.model import FileChange, Run

FEW_FILES: Final = 100
"""Changed files of a run up to which encoding them is no work."""


_files: Final = Memory(16)


def encode_files(files: tuple[FileChange, ...]) -> None:
    """Have the changed files of a run ready to be stored. There may be ten thousand of them: for a thread."""
    if len(files) > FEW_FILES:
        _files.dumps(files)


def encode_run(run: Run) -> str:
    """Encode a run; its changed files are taken from memory where `encode_files` has encoded them."""
    if len(run.files) <= FEW_FILES:
        return dumps(run)
    # No text has this in it: its quotation marks would be escaped.
    return dumps(replace(run, files=())).replace('"files":[]', f'"files":{_files.dumps(run.files)}', 1)
