"""Test which run gets which worktree: returned ones first, and new ones one after the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from mux_lsp.core.model import Snapshot
from mux_lsp.engine.repository import worktree_pool
from mux_lsp.engine.repository.worktree_pool import WorktreePool
from mux_lsp.git.worktrees import Claim, Slot, SlotState

if TYPE_CHECKING:
    from mux_lsp.git.worktrees import Worktrees

SNAPSHOT = Snapshot("c" * 40, "t" * 40, None)


@dataclass
class Yard:
    """Worktrees that are only counted."""

    free: int = 0
    made: int = 0
    freed: Callable[[], object] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, snapshot: Snapshot, run_id: str, folder_name: str, *, may_make: bool) -> Claim | None:
        slot = Slot("s1", SlotState.PREPARING, folder_name, snapshot.commit, snapshot.tree, run_id)
        with self.lock:
            if self.free:
                self.free -= 1
                return Claim(slot, slot)
            self.made += may_make
            return Claim(None, slot) if may_make else None

    def slots(self) -> range:
        return range(self.made)

    def give_back(self) -> None:
        with self.lock:
            self.free += 1
        self.freed()


@dataclass
class Run:
    """A run that wants a worktree."""

    pool: WorktreePool
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    got: asyncio.Event = field(default_factory=asyncio.Event)
    prepared: asyncio.Event = field(default_factory=asyncio.Event)
    claim: Claim | None = None

    async def live(self) -> None:
        async with self.pool.claim(SNAPSHOT, "k3f-1", self.cancelled) as claim:
            self.claim = claim
            self.got.set()
            if claim is not None:
                await self.prepared.wait()

    async def has(self) -> bool:
        """Wait for the run's worktree and return whether it is a new one."""
        async with asyncio.timeout(10):
            await self.got.wait()
        assert self.claim is not None
        return self.claim.old is None


@pytest.fixture
def yard() -> Yard:
    return Yard()


@pytest.fixture
async def wanted(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(worktree_pool, "MAX_PARALLEL", 1)
    monkeypatch.setattr(worktree_pool, "MIN_WORKTREES", 1)
    monkeypatch.setattr(worktree_pool, "FAST_SECONDS", 0.0)
    made = WorktreePool(cast("Worktrees", yard), "project")
    tasks: list[asyncio.Task[None]] = []

    async def want(count: int) -> list[Run]:
        runs = [Run(made) for _ in range(count)]
        tasks.extend(asyncio.ensure_future(run.live()) for run in runs)
        return runs

    yield want
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Want = Callable[[int], Awaitable[list[Run]]]


async def test_new_ones_are_made_one_after_the_other(yard: Yard, wanted: Want) -> None:
    first, second, third = await wanted(3)
    assert await first.has()
    assert yard.made == 1
    first.prepared.set()
    assert await second.has()
    assert not third.got.is_set()
    second.prepared.set()
    assert await third.has()
    assert yard.made == 3


async def test_several_are_made_at_once_where_that_is_quick(
    yard: Yard, wanted: Want, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree_pool, "FAST_SECONDS", 1000.0)
    monkeypatch.setattr(worktree_pool, "MAX_PARALLEL_FAST", 2)
    first, second, third, fourth = await wanted(4)
    assert await first.has()
    first.prepared.set()
    assert await second.has()
    assert await third.has()
    assert not fourth.got.is_set()
    second.prepared.set()
    assert await fourth.has()


async def test_what_is_given_back_goes_to_who_waits_longest(yard: Yard, wanted: Want) -> None:
    first, second, third = await wanted(3)
    assert await first.has()
    yard.give_back()
    assert not await second.has()
    assert not third.got.is_set()
    yard.give_back()
    assert not await third.has()
    assert yard.made == 1


async def test_none_is_made_while_they_change_hands_faster_than_that(yard: Yard, wanted: Want) -> None:
    now = asyncio.get_running_loop().time
    (first,) = await wanted(1)
    assert await first.has()
    # The time that making a worktree takes.
    await asyncio.sleep(0.2)
    first.prepared.set()
    yard.give_back()
    (second,) = await wanted(1)
    assert not await second.has()
    changed_hands = now()
    (third,) = await wanted(1)
    assert await third.has(), "nothing has come for as long as it takes to make one"
    assert now() - changed_hands >= 0.15
    assert yard.made == 2


async def test_some_are_made_however_fast_they_change_hands(
    yard: Yard, wanted: Want, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree_pool, "MIN_WORKTREES", 2)
    (first,) = await wanted(1)
    assert await first.has()
    # As if making a worktree took longer than anybody waits here.
    first.pool._takes = 1000.0
    first.pool._moved = asyncio.get_running_loop().time()
    first.prepared.set()
    (second,) = await wanted(1)
    assert await second.has()


async def test_who_is_cancelled_gets_none_and_keeps_nobody_waiting(yard: Yard, wanted: Want) -> None:
    first, second, third = await wanted(3)
    assert await first.has()
    second.cancelled.set()
    async with asyncio.timeout(10):
        await second.got.wait()
    assert second.claim is None
    first.prepared.set()
    assert await third.has()


async def test_one_that_could_not_be_made_keeps_nobody_waiting(yard: Yard, wanted: Want) -> None:
    claimed = WorktreePool(cast("Worktrees", yard), "project")
    with pytest.raises(ZeroDivisionError):
        async with claimed.claim(SNAPSHOT, "k3f-1", asyncio.Event()):
            raise ZeroDivisionError
    async with claimed.claim(SNAPSHOT, "k3f-2", asyncio.Event()) as claim:
        assert claim is not None
