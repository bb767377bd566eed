"""Store the person's rejections in the journal, with a copy in memory for each evaluation of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.engine.review.items import WHOLE_FILE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mux_lsp.store.journal import Journal


def taken_back(known: Collection[str], accepted: Collection[str]) -> set[str]:
    """Return the rejections of a file that accepting these hunks takes back.

    Among `accepted`, "" stands for the change that is not a hunk, whatever it was.
    """
    return {one for one in known if one in accepted or ("" in accepted and one.startswith(WHOLE_FILE_PREFIX))}


class Rejections:
    """Rejection keys (`Item.rejection_key`) of every run, by path."""

    def __init__(self, journal: Journal, runs: Iterable[str]) -> None:
        self._journal = journal
        self._hunks: dict[tuple[str, str], frozenset[str]] = {}
        for run in runs:
            for one in journal.rejections(run):
                self._hunks[run, one.path] = self.get(run, one.path) | {one.hunk}

    def get(self, run: str, path: str) -> frozenset[str]:
        """Return the rejection keys of a file."""
        return self._hunks.get((run, path), frozenset())

    def add(self, named: Mapping[tuple[str, str], frozenset[str]]) -> None:
        """Store rejections of hunks, by run and path, in one transaction."""
        of_runs: dict[str, list[tuple[str, str]]] = {}
        for (run, path), hunks in named.items():
            of_runs.setdefault(run, []).extend((path, hunk) for hunk in hunks)
        self._journal.reject_all(of_runs)
        for key, hunks in named.items():
            self._hunks[key] = self.get(*key) | hunks

    def forget_hunks(self, run: str, hunks: Iterable[tuple[str, str]]) -> None:
        """Forget rejections that were withdrawn in the journal, each a path and a rejection key."""
        for path, hunk in hunks:
            self._hunks[run, path] = self.get(run, path) - {hunk}

    def forget(self, runs: Collection[str]) -> None:
        """Forget runs that have been deleted, in the journal too."""
        for key in [key for key in self._hunks if key[0] in runs]:
            del self._hunks[key]
