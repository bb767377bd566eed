"""Describe the changes of a run that a client chose, placed on its live texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.core.model import Run
    from mux_lsp.engine.review.items import Item, PathPlan


@dataclass(frozen=True, slots=True)
class Selection:
    """Changes of one run that a client chose, placed on its live texts."""

    run: Run
    root: Path
    plans: tuple[PathPlan, ...]
    chosen: tuple[tuple[str, frozenset[str]], ...]
    """Ids of the accepted hunks, by path; "" stands for a change without hunks."""
    already: int
    """Number of chosen changes that were there before."""
    marked: int = 0
    """Number of conflicts that are put between markers."""
    placed: tuple[Item, ...] = ()
    """Accepted changes that were not in the texts before."""
    displaced: tuple[Item, ...] = ()
    """Changes of other runs that are removed for them."""
    rejected: int = 0
    """Number of changes that were left out because the person had rejected them."""

    @property
    def accepted(self) -> int:
        """Number of hunks that are placed."""
        return sum(plan.accepted for plan in self.plans)

    @property
    def instead_of(self) -> tuple[str, ...]:
        """The runs whose changes are removed."""
        return tuple(dict.fromkeys(item.review.run for item in self.displaced))
