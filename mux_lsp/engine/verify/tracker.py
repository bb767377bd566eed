"""Track whether the last verdict of each repository still holds, from editors' changes and by a scan on request."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp.coalescer import Coalescer
from mux_lsp.engine.state.clients import buffers_of
from mux_lsp.engine.state.verdict import Divergence, load
from mux_lsp.engine.working_tree import disk
from mux_lsp.errors import MuxError
from mux_lsp.git.repository import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
    from pathlib import Path

    from mux_lsp.core.model import Snapshot
    from mux_lsp.engine.repository.registry import RepositoryStore, RepositoryStores
    from mux_lsp.engine.state.clients import Client, Clients
    from mux_lsp.engine.state.verdict import Verdict

log = logging.getLogger(__name__)

LOOK: Final = "look"
"""Name of the snapshot by which the live state is compared with that of a verdict."""


@dataclass(slots=True, eq=False)
class _TrackedVerdict:
    """Verdict, existing or pending, and the divergence of the text since its snapshot."""

    room: RepositoryStore
    live: Snapshot
    checked: Snapshot
    only: tuple[Client, ...] | None
    """Clients whose unsaved text it covers; None for all."""
    moves: Divergence = field(default_factory=Divergence)
    verdict: Verdict | None = None
    stale: bool = False
    """State that clients were last notified of."""
    waiting: dict[str, bytes | None] = field(default_factory=dict)
    """Texts to compare, by path; None for the file on disk."""
    comparison: Coalescer | None = None
    """Compares the waiting texts. Created with the first one."""
    comparing: asyncio.Lock = field(default_factory=asyncio.Lock)
    then: dict[str, tuple[bytes | None, bytes | None]] = field(default_factory=dict)
    """Digests that its two trees have at the paths compared so far."""


class VerdictTracker:
    """Track the last verdict of each repository.

    `spawn` runs a coroutine until the daemon ends; `tell` is called with a verdict and whether it is stale now.
    """

    def __init__(
        self,
        repositories: RepositoryStores,
        clients: Clients,
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        tell: Callable[[Verdict, bool], object],
    ) -> None:
        self._repositories = repositories
        self._clients = clients
        self._spawn = spawn
        self._tell = tell
        self._last: dict[Path, _TrackedVerdict] = {}
        self._coming: list[_TrackedVerdict] = []

    # Life of a verdict

    def begin(
        self,
        room: RepositoryStore,
        live: Snapshot,
        checked: Snapshot,
        changed: Collection[str],
        only: tuple[Client, ...] | None,
    ) -> _TrackedVerdict:
        """Track the text from now on for a pending verdict. `changed` are the paths at which its two trees differ."""
        self._of(room.root)  # loads the previous verdict before another one replaces it on disk
        watch = _TrackedVerdict(room, live, checked, only, Divergence(from_checked=set(changed)))
        self._coming.append(watch)
        return watch

    def catch_up(self, watch: _TrackedVerdict, buffers: Mapping[str, bytes]) -> None:
        """Process changes since these unsaved buffers were taken for the pending verdict."""
        now: dict[str, bytes] = {}
        for client in self._clients_of(watch):
            now |= client.unsaved(watch.room.root)[0]
        for path in now.keys() | buffers.keys():
            if now.get(path) != buffers.get(path):
                self._changed(watch, path, now.get(path))

    def drop(self, watch: _TrackedVerdict) -> None:
        """Stop tracking for a verdict that will not come."""
        self._coming.remove(watch)

    def end(self, watch: _TrackedVerdict, verdict: Verdict) -> Verdict | None:
        """Make a verdict the last one of its repository. Return the previous one."""
        self._coming.remove(watch)
        # The file on disk holds this verdict by now, so loading the previous one here would return this one.
        before = self._last.get(watch.room.root)
        self._last[watch.room.root] = watch
        watch.verdict, watch.stale = verdict, watch.moves.stale
        self._tell(verdict, watch.stale)
        return before.verdict if before is not None else None

    # Queries

    def roots(self) -> frozenset[Path]:
        """Return the repositories whose verdict is in memory."""
        return frozenset(self._last)

    def last(self, root: Path) -> tuple[Verdict, bool] | None:
        """Return the last verdict of a repository, and whether it is known to be stale. Reads no file of the person."""
        watch = self._of(root)
        return None if watch is None or watch.verdict is None else (watch.verdict, watch.moves.stale)

    async def compare(self, root: Path) -> tuple[Verdict, bool] | None:
        """Return the same after a scan of the whole live state, which notices changes that no editor has reported."""
        watch = self._of(root)
        if watch is None:
            return None
        async with watch.comparing:
            try:
                watch.moves = await asyncio.to_thread(self._moves_now, watch)
            except MuxError as error:
                log.info("cannot determine whether the verdict on %s still holds: %s", root, error)
        self._publish(watch)
        return self.last(root)

    # Changes

    def follows(self, client: Client, file: Path) -> bool:
        """Return whether a client's text of a file affects any verdict."""
        return any(True for _ in self._concerned(client, file))

    def text_changed(self, client: Client, file: Path, content: bytes | None) -> None:
        """Process a client's text of a file, as it would be saved; None for the file on disk."""
        for watch in list(self._concerned(client, file)):
            self._changed(watch, file.relative_to(watch.room.root).as_posix(), content)

    def disk_changed(self, root: Path, paths: Collection[str]) -> None:
        """Process files of a repository that were not written by an editor."""
        for watch in [*self._last.values(), *self._coming]:
            if watch.room.root == root:
                for path in paths:
                    self._changed(watch, path, None)

    # Internals

    def _concerned(self, client: Client, file: Path) -> Iterator[_TrackedVerdict]:
        for watch in (*self._last.values(), *self._coming):
            if (watch.only is None or client in watch.only) and file.is_relative_to(watch.room.root):
                yield watch

    def _of(self, root: Path) -> _TrackedVerdict | None:
        watch = self._last.get(root)
        if watch is None:
            room = self._repositories.get(root)
            verdict = load(room.shadow.folder / "verify")
            if verdict is not None:
                watch = self._last[root] = _TrackedVerdict(room, verdict.live, verdict.checked, None, verdict=verdict)
        return watch

    def _clients_of(self, watch: _TrackedVerdict) -> tuple[Client, ...]:
        return tuple(client for client in self._clients.connected if watch.only is None or client in watch.only)

    def _moves_now(self, watch: _TrackedVerdict) -> Divergence:
        room = watch.room
        buffers, _ = buffers_of(self._clients_of(watch), room.root)
        now = room.shadow.snapshot(discover(room.root), buffers, LOOK)
        room.shadow.complete(now)
        moves = Divergence(*(_different(room, then, now) for then in (watch.live, watch.checked)))
        room.shadow.delete_refs(LOOK)
        return moves

    def _changed(self, watch: _TrackedVerdict, path: str, content: bytes | None) -> None:
        watch.waiting[path] = content
        if watch.comparison is None:
            compare = functools.partial(self._compare, watch)
            watch.comparison = Coalescer(compare, "comparing a verdict with the text", spawn=self._spawn)
        watch.comparison.request()

    async def _compare(self, watch: _TrackedVerdict) -> None:
        try:
            async with watch.comparing:
                # Of several changes to a text meanwhile, only the last is compared.
                waiting, watch.waiting = watch.waiting, {}
                now = await asyncio.to_thread(self._found, watch, waiting)
                for path, digest in now.items():
                    watch.moves.record(path, digest, *watch.then[path])
            self._publish(watch)
        except MuxError as error:
            log.info("a verdict cannot be compared with the text: %s", error)

    def _found(self, watch: _TrackedVerdict, texts: dict[str, bytes | None]) -> dict[str, bytes | None]:
        """Return the digests of the current content of paths."""
        shadow, root = watch.room.shadow, watch.room.root
        found = {}
        for path, content in texts.items():
            if path not in watch.then:
                trees = (watch.live, watch.checked)
                live, checked = (_digest(shadow.read_at(tree.commit, path)) for tree in trees)
                watch.then[path] = live, checked
            found[path] = _digest(_as_snapshot(root, path, content))
        return found

    def _publish(self, watch: _TrackedVerdict) -> None:
        if watch.verdict is not None and watch.moves.stale != watch.stale:
            watch.stale = watch.moves.stale
            if self._last.get(watch.room.root) is watch:
                self._tell(watch.verdict, watch.stale)


def _different(room: RepositoryStore, then: Snapshot, now: Snapshot) -> set[str]:
    if then.tree == now.tree:
        return set()
    return {path for change in room.shadow.changed_files(then.tree, now.tree) for path in change.paths}


def _as_snapshot(root: Path, path: str, content: bytes | None) -> bytes | None:
    """Return the content that a snapshot would have at a path where a text is open."""
    try:
        entry = disk.read(root, path)
        saved = content is None or content == disk.content_of(root / path)
    except (MuxError, OSError):
        return content
    # For a saved file it is the file itself, and for a link its target.
    return (None if entry is None else entry.content) if saved else content


def _digest(content: bytes | None) -> bytes | None:
    return None if content is None else hashlib.blake2b(content, digest_size=16).digest()
