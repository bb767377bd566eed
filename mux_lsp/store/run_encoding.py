"""Encode runs for the journal. The files of a run with many changed files are encoded once, in a thread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mux_lsp.store.codec import Memory, dumps

if TYPE_CHECKING:
    from mux_lsp.core.model import FileChange, Run

MAX_INLINE_FILES: Final = 100
"""Maximum number of changed files of a run that are encoded without the cache, because it takes no time."""


_files: Final = Memory(16)


def encode_files(files: tuple[FileChange, ...]) -> None:
    """Encode the changed files of a run in advance. Call it in a thread: there may be ten thousand of them."""
    if len(files) > MAX_INLINE_FILES:
        _files.dumps(files)


def encode_run(run: Run) -> str:
    """Encode a run; its changed files are taken from the cache if `encode_files` has encoded them."""
    if len(run.files) <= MAX_INLINE_FILES:
        return dumps(run)
    # No text contains this: its quotation marks would be escaped.
    return dumps(replace(run, files=())).replace('"files":[]', f'"files":{_files.dumps(run.files)}', 1)
