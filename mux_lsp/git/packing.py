"""Pack the objects that snapshots borrow from the person's repository into the shadow store, while runs begin."""

from __future__ import annotations

from concurrent.futures import wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.errors import GitError
from mux_lsp.git import store_setup
from mux_lsp.git.command import alternates_variable
from mux_lsp.git.damage import is_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path


def pack_snapshot(git_dir: Path, wanted: Sequence[str], known: str | None, borrowed: Sequence[Path]) -> None:
    """Pack the objects reachable from `wanted` but not from `known`.

    It is fast, since compressed data is copied as it is.

    git does not write objects that it can read from a borrowed folder, so this must cover all that was built. Raises
    GitError.
    """
    try:
        store_setup.pack(git_dir, [*wanted, *([f"^{known}"] if known else [])], alternates_variable(borrowed))
    except GitError as error:
        raise GitError(
            f"The repository's objects could not be copied ({error}). If it is a partial clone, fetch what is "
            "missing: `git fetch --refetch --filter=blob:limit=1g`, or check out the files with plain git first."
        ) from error


@dataclass(frozen=True, slots=True)
class _Pending:
    """A snapshot whose objects are still being packed into the store."""

    done: Future[None]
    borrowed: tuple[Path, ...]
    refs: Mapping[str, str]
    """Refs to set once it is packed."""


class PendingSnapshots:
    """The snapshots that are still being packed, by commit, and those that failed to be packed."""

    def __init__(self) -> None:
        self._pending: dict[str, _Pending] = {}

    def __contains__(self, commit: str) -> bool:
        return commit in self._pending

    def add(self, commit: str, done: Future[None], borrowed: tuple[Path, ...], refs: Mapping[str, str]) -> None:
        """Add a snapshot whose packing has begun."""
        self._pending[commit] = _Pending(done, borrowed, refs)

    def borrowed(self, commit: str) -> tuple[Path, ...]:
        """Return the person's object folders that git must also read as long as a snapshot is not complete."""
        pending = self._pending.get(commit)
        return () if pending is None else pending.borrowed

    def wait(self, commit: str) -> None:
        """Wait until a snapshot is packed. Raises GitError if that failed."""
        pending = self._pending.get(commit)
        if pending is not None:
            pending.done.result()

    def wait_for_all(self, others: Iterable[Future[None]]) -> None:
        """Wait until all packing and the other work have ended. Failures are not reported."""
        wait([*others, *(pending.done for pending in self._pending.values())])

    def settle(self) -> None:
        """Wait for all packing, and drop the snapshots that succeeded. Failures are raised by `wait` only."""
        for commit, pending in list(self._pending.items()):
            if pending.done.exception() is None:
                del self._pending[commit]

    def pack_again(self, git_dir: Path, set_refs: Callable[[Mapping[str, str]], None]) -> None:
        """Pack the snapshots again whose packing failed because of damage."""
        for commit, pending in list(self._pending.items()):
            error = pending.done.exception()
            if error is not None and is_damage(error):
                store_setup.pack(git_dir, [commit], alternates_variable(pending.borrowed))
                set_refs(pending.refs)
                del self._pending[commit]
