"""Describe what a client chose of a run, placed on its live texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.core.model import Run
    from mux_lsp.engine.review.items import Item, PathPlan


@dataclass(frozen=True, slots=True)
class Selection:
    """What a client chose of one run, placed on its live texts."""

    run: Run
    root: Path
    plans: tuple[PathPlan, ...]
    chosen: tuple[tuple[str, frozenset[str]], ...]
    """By path, the ids of the hunks that are accepted; "" stands for a change without hunks."""
    already: int
    """How many of them were there before."""
    marked: int = 0
    """How many conflicts are put between markers."""
    placed: tuple[Item, ...] = ()
    """The accepted changes that were not in the texts before."""
    displaced: tuple[Item, ...] = ()
    """The changes of other runs that are taken out for them."""
    rejected: int = 0
    """How many changes were left out because the person had said no to them."""

    @property
    def accepted(self) -> int:
        """How many hunks are placed."""
        return sum(plan.accepted for plan in self.plans)

    @property
    def instead_of(self) -> tuple[str, ...]:
        """The runs whose changes are taken out."""
        return tuple(dict.fromkeys(item.review.run for item in self.displaced))
