"""Read the results of runs, with one cache for each repository."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.engine.review.diff_stats import DiffStats
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.store.run_encoding import encode_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from mux_lsp.core.model import FileChange, Run, Task
    from mux_lsp.engine.repository.registry import RepositoryStores


class ResultReader:
    """Reader of all repositories' results. Lives on one event loop."""

    def __init__(self, repositories: RepositoryStores) -> None:
        self._repositories = repositories
        self._caches: dict[Path, tuple[DiffStats, HunkCache]] = {}

    def hunks(self, root: Path) -> HunkCache:
        """Return the cache of hunks of a repository's results."""
        return self._of(root)[1]

    def reader(self, root: Path) -> Callable[[str, str], tuple[tuple[FileChange, ...], int]]:
        """Return a function that reads a result's changes from a base and counts their hunks. Call it in a thread."""
        return functools.partial(_read_result, *self._of(root))

    def patch(self, task: Task, run: Run) -> bytes:
        """Return the result of a run as a patch. Call it in a thread."""
        assert run.base is not None and run.result is not None, "it was ranked by its result"  # noqa: S101
        return self._repositories.get(Path(task.repository)).shadow.patch(run.base, run.result)

    def _of(self, root: Path) -> tuple[DiffStats, HunkCache]:
        found = self._caches.get(root)
        if found is None:
            shadow = self._repositories.get(root).shadow
            results = DiffStats(shadow)
            found = self._caches[root] = results, HunkCache(shadow.read, results.pop_body)
        return found


def _read_result(results: DiffStats, reviews: HunkCache, base: str, result: str) -> tuple[tuple[FileChange, ...], int]:
    files, hunks = results.read(base, result, reviews.count)
    encode_files(files)
    return files, hunks
