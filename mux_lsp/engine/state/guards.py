"""Refuse operations that a run's state does not allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.core.model import Run


def refuse_discarded(run: Run) -> None:
    """Raise UsageError if a run is discarded."""
    if run.discarded is not None:
        raise UsageError(f"{run.id} is discarded; `mux-lsp restore {run.id}` brings it back.")
