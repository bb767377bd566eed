"""Verdicts: how checks went on what a person had, or was about to have, and whether that is still so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp import atomic
from mux_lsp.core.model import Check, CheckState, LeftOut, Snapshot
from mux_lsp.store import codec

if TYPE_CHECKING:
    from pathlib import Path

RECORD: Final = "verdict.json"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checks said of the live state of a repository, or of that together with hunks of a run."""

    repository: str
    name: str
    """What its trees are kept by in the store."""
    live: Snapshot
    checked: Snapshot
    """The same one where there were no hunks."""
    checks: tuple[Check, ...]
    at: float
    seconds: float
    run: str | None = None
    hunks: tuple[str, ...] = ()
    """Of the run; empty for all of `paths`, or all of it."""
    paths: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return all(check.state is CheckState.PASSED for check in self.checks)


@dataclass(slots=True)
class Divergence:
    """Where the text has moved on from the two trees of a verdict: paths at which it is different.

    It is stale when the text is neither what it was then nor what was checked. So it stays fresh when the hunks that
    were checked are accepted, and becomes fresh again when what was typed is taken back.
    """

    from_live: set[str] = field(default_factory=set)
    from_checked: set[str] = field(default_factory=set)

    @property
    def stale(self) -> bool:
        """Whether the verdict is about another text."""
        return bool(self.from_live and self.from_checked)

    def record(self, path: str, now: bytes | None, live: bytes | None, checked: bytes | None) -> None:
        """What is at a path now, and is in the two trees; None for nothing."""
        for moved, then in ((self.from_live, live), (self.from_checked, checked)):
            if now == then:
                moved.discard(path)
            else:
                moved.add(path)


def load(folder: Path) -> Verdict | None:
    """The last verdict that was kept in a folder. For use in a thread."""
    try:
        return codec.loads(Verdict, (folder / RECORD).read_text())
    except (OSError, ValueError):
        return None


def keep(folder: Path, verdict: Verdict) -> None:
    """Remember a verdict as the last one. For use in a thread."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / RECORD, codec.dumps(verdict).encode())
