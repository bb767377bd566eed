"""Collect sentences for the person about the state in which an earlier daemon left things."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from mux_lsp.engine.state.events import Noticed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from mux_lsp.engine.state.events import Event

log = logging.getLogger(__name__)

MISSED_NAMED: Final = 10
"""Maximum number of lost runs that a notice names."""


class Notices:
    """Notices of one daemon, kept until it ends."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._new: list[str] = []
        self.all: tuple[str, ...] = ()
        """All notices, oldest first."""

    def add(self, sentence: str) -> None:
        """Log a notice and announce it to clients."""
        log.warning("%s", sentence)
        self.all = (*self.all, sentence)
        self._new.append(sentence)
        self._emit(Noticed())

    def take(self) -> tuple[str, ...]:
        """Return the notices that no client has taken yet. Each notice is returned once."""
        notices, self._new = tuple(self._new), []
        return notices


def describe_loss(lost: str, runs_folder: Path, known: Collection[str]) -> str:
    """Return the notice of a loss, with the names of lost runs whose output still exists. For use in a thread."""
    unknown = sorted(folder.name for folder in runs_folder.iterdir() if folder.name not in known)
    if not unknown:
        return lost
    named = ", ".join(unknown[:MISSED_NAMED]) + (" and more" if len(unknown) > MISSED_NAMED else "")
    return f"{lost} Without a task, but with output in {runs_folder}: {named}."
