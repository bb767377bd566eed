"""Store the verdict of the checks on a live state, and follow whether the text has diverged from it."""

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
    """Results of the checks on the live state of a repository, or on that state with hunks of a run applied."""

    repository: str
    name: str
    """Name under which the store keeps its trees."""
    live: Snapshot
    checked: Snapshot
    """The tree that was checked; the same as `live` if no hunks were applied."""
    checks: tuple[Check, ...]
    at: float
    seconds: float
    run: str | None = None
    hunks: tuple[str, ...] = ()
    """Ids of the run's hunks that were applied; empty for all hunks of `paths`, or of the whole run if that is empty
    too.
    """
    paths: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def passed(self) -> bool:
        """True if every check passed."""
        return all(check.state is CheckState.PASSED for check in self.checks)


@dataclass(slots=True)
class Divergence:
    """The paths at which the text differs from the two trees of a verdict.

    The verdict is stale when the text matches neither the live tree of that time nor the checked tree. So it stays
    valid when the hunks that were checked are accepted, and becomes valid again when later typing is undone.
    """

    from_live: set[str] = field(default_factory=set)
    from_checked: set[str] = field(default_factory=set)

    @property
    def stale(self) -> bool:
        """True if the text matches neither tree."""
        return bool(self.from_live and self.from_checked)

    def record(self, path: str, now: bytes | None, live: bytes | None, checked: bytes | None) -> None:
        """Update a path with its current content and its content in the two trees; None where there is no file."""
        for moved, then in ((self.from_live, live), (self.from_checked, checked)):
            if now == then:
                moved.discard(path)
            else:
                moved.add(path)


def load(folder: Path) -> Verdict | None:
    """Return the last verdict saved in a folder, or None. For use in a thread."""
    try:
        return codec.loads(Verdict, (folder / RECORD).read_text())
    except (OSError, ValueError):
        return None


def keep(folder: Path, verdict: Verdict) -> None:
    """Save a verdict as the last one. For use in a thread."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / RECORD, codec.dumps(verdict).encode())
