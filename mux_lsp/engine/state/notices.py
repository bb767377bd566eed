"""Keep the sentences that a person should read about what an earlier daemon has left."""

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
"""Maximum runs that are named when the journal has lost them."""


class Notices:
    """Notices of one daemon, kept as long as it runs."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._new: list[str] = []
        self.all: tuple[str, ...] = ()
        """All notices, oldest first."""

    def add(self, sentence: str) -> None:
        """Log a notice, and announce it."""
        log.warning("%s", sentence)
        self.all = (*self.all, sentence)
        self._new.append(sentence)
        self._emit(Noticed())

    def take(self) -> tuple[str, ...]:
        """Return the notices that no client has shown yet, once."""
        notices, self._new = tuple(self._new), []
        return notices


def describe_loss(lost: str, runs_folder: Path, known: Collection[str]) -> str:
    """Name the runs that the journal has lost, by their output that is still there. For use in a thread."""
    unknown = sorted(folder.name for folder in runs_folder.iterdir() if folder.name not in known)
    if not unknown:
        return lost
    named = ", ".join(unknown[:MISSED_NAMED]) + (" and more" if len(unknown) > MISSED_NAMED else "")
    return f"{lost} Without a task, but with output in {runs_folder}: {named}."
