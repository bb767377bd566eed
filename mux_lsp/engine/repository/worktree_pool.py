"""Assign worktrees to runs, and decide when to create one.

Creating a worktree of a large repository takes seconds and the full disk bandwidth; reusing one takes a moment. So new
worktrees are created one after another, waiting runs get released ones meanwhile, and none is created while worktrees
are released faster than that.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.fs_watch import tell
from mux_lsp.engine.repository.cancellation import wait_or_cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mux_lsp.core.model import Snapshot
    from mux_lsp.git.worktrees import Claim, Worktrees

PROCESSORS: Final = os.cpu_count() or 1

MAX_PARALLEL: Final = max(1, PROCESSORS // 2)
"""Maximum number created at once. More of them load the disk no better, and each takes longer."""

FAST_SECONDS: Final = 0.5
"""Seconds. If creating a worktree takes less, `MAX_PARALLEL_FAST` may be created at once."""

MAX_PARALLEL_FAST: Final = 8

MIN_WORKTREES: Final = PROCESSORS
"""Minimum number of worktrees, regardless of turnover: with fewer, a processor might be idle."""


class WorktreePool:
    """The worktrees of one repository, for its runs. Use it on one event loop."""

    def __init__(self, worktrees: Worktrees, folder_name: str) -> None:
        """Create the pool. `folder_name` is the name of the repository's root folder."""
        self._worktrees = worktrees
        self._folder_name = folder_name
        self._first = asyncio.Lock()
        """Held by the first of the waiting runs: only that one searches for a worktree."""
        self._making = 0
        self._takes = 0.0
        """Seconds that creating the last new worktree took."""
        self._moved = float("-inf")
        """Time at which a worktree was last released or reused, by the loop's clock."""
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def claim(self, snapshot: Snapshot, run_id: str, cancelled: asyncio.Event) -> AsyncIterator[Claim | None]:
        """Yield a worktree to prepare, once one is free or the run may create one. Yields None if `cancelled` is set
        first.
        """
        loop = asyncio.get_running_loop()
        self._worktrees.freed = functools.partial(tell, loop, self._freed)
        async with self._first:
            claim = await self._wait(snapshot, run_id, cancelled)
            made, begun = claim is not None and claim.old is None, loop.time()
            self._making += made
        try:
            yield claim
        finally:
            if made:
                self._making -= 1
                if not self._takes:
                    # The agents' durations are not known yet: the first agent may be done at once.
                    self._moved = loop.time()
                self._takes = loop.time() - begun
                self._news.set()

    async def _wait(self, snapshot: Snapshot, run_id: str, cancelled: asyncio.Event) -> Claim | None:
        now = asyncio.get_running_loop().time
        while not cancelled.is_set():
            self._news.clear()
            most = MAX_PARALLEL_FAST if 0 < self._takes < FAST_SECONDS else MAX_PARALLEL
            few = len(self._worktrees.slots()) < MIN_WORKTREES
            pause = 0.0 if few else self._moved + self._takes - now()
            may_make = self._making < most and pause <= 0
            claim = await asyncio.to_thread(
                self._worktrees.claim, snapshot, run_id, self._folder_name, may_make=may_make
            )
            if claim is not None:
                if claim.old is not None:
                    self._moved = now()
                return claim
            news = asyncio.ensure_future(self._news.wait())
            try:
                async with asyncio.timeout(pause if self._making < most else None):
                    await wait_or_cancelled(news, cancelled)
            except TimeoutError:
                pass
            finally:
                news.cancel()
        return None

    def _freed(self) -> None:
        self._moved = asyncio.get_running_loop().time()
        self._news.set()
