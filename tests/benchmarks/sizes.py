"""How big the benchmarks' inputs are: as the goals name them, or tiny, to see that every line runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the inputs and how often things are measured."""

    files: int = 50_000
    """Of the repository that tasks are started in."""
    many: int = 10
    """Runs of the larger task."""
    rounds: int = 3
    warm_singles: int = 2
    """Warm starts of one run, for each round."""
    bridge_starts: int = 20
    review_runs: int = 50
    review_files: int = 20
    review_hunks: int = 10
    """In each file of each run."""
    requests: int = 500
    """Of code actions at rest, of each kind."""
    changes: int = 100
    """Texts changed under review, of each kind."""
    rebase_lines: int = 10_000
    rebase_hunks: int = 500
    rebase_edits: int = 200
    rebase_rounds: int = 15


TINY = Sizes(
    files=30,
    many=2,
    rounds=1,
    warm_singles=1,
    bridge_starts=2,
    review_runs=3,
    review_files=2,
    review_hunks=2,
    requests=4,
    changes=3,
    rebase_lines=300,
    rebase_hunks=10,
    rebase_edits=5,
    rebase_rounds=2,
)
