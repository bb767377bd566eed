"""Index the changes of runs by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mux_lsp.core.model import FileChange, Run


def paths_of(changes: Iterable[FileChange]) -> frozenset[str]:
    """Return every path that these changes affect, including the old paths of renames."""
    return frozenset(path for change in changes for path in change.paths)


def affected_paths(run: Run, files: Collection[str]) -> frozenset[str]:
    """Return every path that a run's changes of these files affect."""
    return paths_of(change for change in run.files if change.path in files) | frozenset(files)


class PathIndex:
    """Index of the changes of runs by path: a result may have ten thousand files, and each keystroke looks one up."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[tuple[FileChange, ...], dict[str, list[FileChange]]]] = {}

    def at(self, run: Run, path: str) -> Sequence[FileChange]:
        """Return the changes of a run at a path."""
        known = self._runs.get(run.id)
        if known is None or known[0] is not run.files:
            by_path: dict[str, list[FileChange]] = {}
            for change in run.files:
                for at in change.paths:
                    by_path.setdefault(at, []).append(change)
            known = self._runs[run.id] = run.files, by_path
        return known[1].get(path, ())

    def forget(self, run_ids: Iterable[str]) -> None:
        """Drop the entries of deleted runs."""
        for run_id in run_ids:
            self._runs.pop(run_id, None)
