"""The last verdict of each repository, followed as the text moves on: by what editors say, and by a look when asked."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp.coalescer import Coalescer
from mux_lsp.engine.state.verdict import Divergence, load
from mux_lsp.engine.tasks.request import buffers_of
from mux_lsp.engine.working_tree import disk
from mux_lsp.errors import MuxError
from mux_lsp.git.repository import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
    from pathlib import Path

    from mux_lsp.core.model import Snapshot
    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.engine.state.verdict import Verdict
    from mux_lsp.engine.tasks.request import Client

log = logging.getLogger(__name__)

LOOK: Final = "look"
"""The name of the snapshot by which the live state is compared with a verdict's."""


@dataclass(slots=True, eq=False)
class _TrackedVerdict:
    """A verdict, or one to be, and what became of the text since it was taken."""

    room: RepositoryStore
    live: Snapshot
    checked: Snapshot
    only: tuple[Client, ...] | None
    """The clients whose unsaved text it is about; None for all there are."""
    moves: Divergence = field(default_factory=Divergence)
    verdict: Verdict | None = None
    stale: bool = False
    """As clients know it."""
    waiting: dict[str, bytes | None] = field(default_factory=dict)
    """Texts that were not compared yet, by path; None for what is on disk."""
    comparison: Coalescer | None = None
    """Compares the texts that wait, from the first one on."""
    comparing: asyncio.Lock = field(default_factory=asyncio.Lock)
    then: dict[str, tuple[bytes | None, bytes | None]] = field(default_factory=dict)
    """What its two trees have at paths that were looked at: digests."""


class VerdictTracker:
    """The watches of an engine's repositories. `own` keeps work until the daemon ends, `tell` says of a verdict whether
    it is stale by now.
    """

    def __init__(
        self,
        engine: Engine,
        own: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        tell: Callable[[Verdict, bool], object],
    ) -> None:
        self._engine = engine
        self._own = own
        self._tell = tell
        self._last: dict[Path, _TrackedVerdict] = {}
        self._coming: list[_TrackedVerdict] = []

    # A verdict's way

    def begin(
        self,
        room: RepositoryStore,
        live: Snapshot,
        checked: Snapshot,
        changed: Collection[str],
        only: tuple[Client, ...] | None,
    ) -> _TrackedVerdict:
        """Follow the text from now on for a verdict to be. The trees differ at the paths that are `changed`."""
        self._of(room.root)  # in memory before another one takes its place on disk
        watch = _TrackedVerdict(room, live, checked, only, Divergence(from_checked=set(changed)))
        self._coming.append(watch)
        return watch

    def catch_up(self, watch: _TrackedVerdict, buffers: Mapping[str, bytes]) -> None:
        """Take in what was typed since these unsaved buffers were taken for the verdict to be."""
        now: dict[str, bytes] = {}
        for client in self._clients(watch):
            now |= client.unsaved(watch.room.root)[0]
        for path in now.keys() | buffers.keys():
            if now.get(path) != buffers.get(path):
                self._changed(watch, path, now.get(path))

    def drop(self, watch: _TrackedVerdict) -> None:
        """There will be no verdict."""
        self._coming.remove(watch)

    def end(self, watch: _TrackedVerdict, verdict: Verdict) -> Verdict | None:
        """A verdict is the last one of its repository now. Gives the one that was."""
        self._coming.remove(watch)
        # What is on disk is this one by now: where there was none, it would count as its own forerunner.
        before = self._last.get(watch.room.root)
        self._last[watch.room.root] = watch
        watch.verdict, watch.stale = verdict, watch.moves.stale
        self._tell(verdict, watch.stale)
        return before.verdict if before is not None else None

    # What is so

    def roots(self) -> frozenset[Path]:
        """The repositories of which there is a verdict in memory."""
        return frozenset(self._last)

    def last(self, root: Path) -> tuple[Verdict, bool] | None:
        """The last verdict of a repository, and whether it is known to be stale. Looks at no file of the person's."""
        watch = self._of(root)
        return None if watch is None or watch.verdict is None else (watch.verdict, watch.moves.stale)

    async def look(self, root: Path) -> tuple[Verdict, bool] | None:
        """The same after a look at the whole live state: what no editor has told of is noticed by this."""
        watch = self._of(root)
        if watch is None:
            return None
        async with watch.comparing:
            try:
                watch.moves = await asyncio.to_thread(self._moves_now, watch)
            except MuxError as error:
                log.info("whether the verdict on %s still holds cannot be told: %s", root, error)
        self._say(watch)
        return self.last(root)

    # What happens

    def follows(self, client: Client, file: Path) -> bool:
        """Whether what a client's text of a file is makes a difference to any verdict."""
        return any(True for _ in self._concerned(client, file))

    def text_changed(self, client: Client, file: Path, content: bytes | None) -> None:
        """A client's text of a file is this now, as it would be saved; None for what is on disk."""
        for watch in list(self._concerned(client, file)):
            self._changed(watch, file.relative_to(watch.room.root).as_posix(), content)

    def disk_changed(self, root: Path, paths: Collection[str]) -> None:
        """Files of a repository were written by other ways than an editor's."""
        for watch in [*self._last.values(), *self._coming]:
            if watch.room.root == root:
                for path in paths:
                    self._changed(watch, path, None)

    # Within

    def _concerned(self, client: Client, file: Path) -> Iterator[_TrackedVerdict]:
        for watch in (*self._last.values(), *self._coming):
            if (watch.only is None or client in watch.only) and file.is_relative_to(watch.room.root):
                yield watch

    def _of(self, root: Path) -> _TrackedVerdict | None:
        watch = self._last.get(root)
        if watch is None:
            room = self._engine.room(root)
            verdict = load(room.shadow.folder / "verify")
            if verdict is not None:
                watch = self._last[root] = _TrackedVerdict(room, verdict.live, verdict.checked, None, verdict=verdict)
        return watch

    def _clients(self, watch: _TrackedVerdict) -> tuple[Client, ...]:
        return tuple(client for client in self._engine.clients if watch.only is None or client in watch.only)

    def _moves_now(self, watch: _TrackedVerdict) -> Divergence:
        room = watch.room
        buffers, _ = buffers_of(self._clients(watch), room.root)
        now = room.shadow.snapshot(discover(room.root), buffers, LOOK)
        room.shadow.complete(now)
        moves = Divergence(*(_different(room, then, now) for then in (watch.live, watch.checked)))
        room.shadow.delete_refs(LOOK)
        return moves

    def _changed(self, watch: _TrackedVerdict, path: str, content: bytes | None) -> None:
        watch.waiting[path] = content
        if watch.comparison is None:
            compare = functools.partial(self._compare, watch)
            watch.comparison = Coalescer(compare, "comparing a verdict with the text", spawn=self._own)
        watch.comparison.request()

    async def _compare(self, watch: _TrackedVerdict) -> None:
        try:
            async with watch.comparing:
                # Of what is typed meanwhile only the last.
                waiting, watch.waiting = watch.waiting, {}
                now = await asyncio.to_thread(self._found, watch, waiting)
                for path, digest in now.items():
                    watch.moves.record(path, digest, *watch.then[path])
            self._say(watch)
        except MuxError as error:
            log.info("a verdict cannot be compared with the text: %s", error)

    def _found(self, watch: _TrackedVerdict, texts: dict[str, bytes | None]) -> dict[str, bytes | None]:
        """What stands at paths now."""
        shadow, root = watch.room.shadow, watch.room.root
        found = {}
        for path, content in texts.items():
            if path not in watch.then:
                trees = (watch.live, watch.checked)
                live, checked = (_digest(shadow.read_at(tree.commit, path)) for tree in trees)
                watch.then[path] = live, checked
            found[path] = _digest(_as_snapshot(root, path, content))
        return found

    def _say(self, watch: _TrackedVerdict) -> None:
        if watch.verdict is not None and watch.moves.stale != watch.stale:
            watch.stale = watch.moves.stale
            if self._last.get(watch.room.root) is watch:
                self._tell(watch.verdict, watch.stale)


def _different(room: RepositoryStore, then: Snapshot, now: Snapshot) -> set[str]:
    if then.tree == now.tree:
        return set()
    return {path for change in room.shadow.changed_files(then.tree, now.tree) for path in change.paths}


def _as_snapshot(root: Path, path: str, content: bytes | None) -> bytes | None:
    """What a snapshot would have at a path where a text is open."""
    try:
        entry = disk.read(root, path)
        saved = content is None or content == disk.content_of(root / path)
    except (MuxError, OSError):
        return content
    # Of a saved file it is the file itself: of a link its target.
    return (None if entry is None else entry.content) if saved else content


def _digest(content: bytes | None) -> bytes | None:
    return None if content is None else hashlib.blake2b(content, digest_size=16).digest()
