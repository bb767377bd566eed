"""Which changes of runs show at which paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mux_lsp.core.model import FileChange, Run


def paths_of(changes: Iterable[FileChange]) -> frozenset[str]:
    """Every path at which these changes show: a rename's old one too."""
    return frozenset(path for change in changes for path in change.paths)


def affected_paths(run: Run, files: Collection[str]) -> frozenset[str]:
    """Every path at which a run's changes of these files show."""
    return paths_of(change for change in run.files if change.path in files) | frozenset(files)


class PathIndex:
    """The changes of runs by path: a result may have ten thousand files, and each keystroke asks for one of them."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[tuple[FileChange, ...], dict[str, list[FileChange]]]] = {}

    def at(self, run: Run, path: str) -> Sequence[FileChange]:
        """What a run changes at a path."""
        known = self._runs.get(run.id)
        if known is None or known[0] is not run.files:
            by_path: dict[str, list[FileChange]] = {}
            for change in run.files:
                for at in change.paths:
                    by_path.setdefault(at, []).append(change)
            known = self._runs[run.id] = run.files, by_path
        return known[1].get(path, ())

    def forget(self, run_ids: Iterable[str]) -> None:
        """Runs were deleted."""
        for run_id in run_ids:
            self._runs.pop(run_id, None)
