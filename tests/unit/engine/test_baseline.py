"""Test that whoever wants a baseline gets it, even if others no longer want it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from mux_lsp.core.model import Check, CheckState, Setup, Snapshot
from mux_lsp.engine.checks import baseline
from mux_lsp.engine.checks.baseline import Baselines
from mux_lsp.engine.checks.trial import CheckPlan
from mux_lsp.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.checks.trial import Trial
    from mux_lsp.engine.repository.registry import RepositoryStore

TERMS = CheckPlan(("true",), "", Setup(), 10)
SNAPSHOT = Snapshot("c" * 40, "t" * 40, None)


class Stand:
    """Baselines whose trials the test ends."""

    def __init__(self, folder: Path) -> None:
        self.room = cast("RepositoryStore", SimpleNamespace(shadow=SimpleNamespace(folder=folder)))
        self.tasks: list[asyncio.Task[None]] = []
        self.begun: asyncio.Queue[asyncio.Future[tuple[Check, ...]]] = asyncio.Queue()
        self.ended = 0
        self.baselines = self.anew()

    def anew(self) -> Baselines:
        return Baselines(self.trial, self.own, self.count)

    def own(self, work: Any) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(work))
        return self.tasks[-1]

    def count(self, _: RepositoryStore) -> None:
        self.ended += 1

    def trial(self, room: RepositoryStore, terms: CheckPlan, snapshot: Snapshot, name: str) -> Trial:
        made = SimpleNamespace(room=room, terms=terms, snapshot=snapshot, name=name, cancelled=asyncio.Event())
        return cast("Trial", made)

    async def run_trial(self, trial: Trial) -> tuple[Check, ...]:
        answer = asyncio.get_running_loop().create_future()
        self.begun.put_nowait(answer)
        ended = asyncio.create_task(trial.cancelled.wait())
        await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        return answer.result() if answer.done() else ()

    def want(self, task: str) -> None:
        self.baselines.want(self.room, TERMS, SNAPSHOT, task)

    def known(self) -> bool:
        return self.baselines.get(self.room, TERMS, SNAPSHOT.tree) is not None

    async def quiet(self) -> None:
        while self.tasks:
            await self.tasks.pop(0)


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    made = Stand(tmp_path)
    monkeypatch.setattr(baseline, "run_trial", made.run_trial)
    return made


PASSED = (Check("true", CheckState.PASSED, 0, 0.1),)


async def test_one_for_all_who_want_it_also_after_a_restart(stand: Stand) -> None:
    stand.want("a")
    stand.want("b")
    (await stand.begun.get()).set_result(PASSED)
    await stand.quiet()
    stand.want("c")
    assert (stand.known(), stand.ended, stand.begun.empty(), stand.baselines.busy) == (True, 1, True, False)
    stand.baselines = stand.anew()
    assert not stand.known()
    stand.want("d")
    await stand.quiet()
    assert (stand.known(), stand.ended, stand.begun.empty()) == (True, 2, True)


async def test_it_ends_when_the_last_one_leaves_and_not_before(stand: Stand) -> None:
    stand.want("a")
    stand.want("b")
    answer = await stand.begun.get()
    stand.baselines.leave("a")
    await stand.baselines.settle()  # does not wait
    assert stand.baselines.busy
    stand.baselines.leave("b")
    await stand.baselines.settle()
    assert (stand.baselines.busy, stand.known(), stand.ended, answer.done()) == (False, False, 1, False)
    assert not baseline.was_interrupted(stand.room, TERMS, SNAPSHOT.tree)


async def test_who_comes_while_it_is_being_ended_gets_it_all_the_same(stand: Stand) -> None:
    stand.want("a")
    await stand.begun.get()
    stand.baselines.leave("a")
    stand.want("b")
    (await stand.begun.get()).set_result(PASSED)
    await stand.quiet()
    assert stand.known()


async def test_what_cannot_be_found_leaves_nothing_behind(stand: Stand) -> None:
    stand.want("a")
    (await stand.begun.get()).set_exception(GitError("the disk is full"))
    await stand.quiet()
    assert (stand.known(), stand.ended, stand.baselines.busy) == (False, 1, False)
    assert not baseline.was_interrupted(stand.room, TERMS, SNAPSHOT.tree)


async def test_what_a_killed_daemon_was_at_is_known(stand: Stand) -> None:
    stand.want("a")
    await stand.begun.get()
    assert baseline.was_interrupted(stand.room, TERMS, SNAPSHOT.tree)
    for task in stand.tasks:
        task.cancel()
    await asyncio.gather(*stand.tasks, return_exceptions=True)
    assert baseline.was_interrupted(stand.room, TERMS, SNAPSHOT.tree)


async def test_only_so_many_are_kept(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "KEPT", 2)
    monkeypatch.setattr(baseline, "IN_MEMORY", 1)
    for number in range(4):
        snapshot = Snapshot("c" * 40, f"{number}" * 40, None)
        stand.baselines.want(stand.room, TERMS, snapshot, "a")
        (await stand.begun.get()).set_result(PASSED)
        await stand.quiet()
        assert stand.baselines.get(stand.room, TERMS, snapshot.tree) is not None
    assert len(list(stand.room.shadow.folder.glob("baselines/*"))) == 2
    assert stand.baselines.get(stand.room, TERMS, "2" * 40) is None
