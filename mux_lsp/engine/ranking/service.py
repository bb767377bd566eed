"""Rank the runs of tasks in a thread whenever something changes that ranks depend on, and keep the ranks in memory."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from mux_lsp.coalescer import Coalescer
from mux_lsp.core.agreement import ALONE, agreements, equal_runs
from mux_lsp.core.grading import Candidate, Opinion, Weights
from mux_lsp.core.model import ChangeKind
from mux_lsp.core.ranking import Ranked, rank
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.state.events import ReviewChanged, RunChanged, TaskChanged
from mux_lsp.engine.state.path_index import paths_of
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from mux_lsp.core.model import Context, FileChange, Hunk, Run, Task
    from mux_lsp.engine.state.events import Event

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 0.25
"""Minimum number of seconds between two rankings while runs end one after another."""

MANY_FILES: Final = 20_000
"""Maximum number of changed files, summed over the runs of a task, for agreement by hunks. Beyond it, whole files are
compared, because nobody would wait for that many hunks.
"""


class Hunks(Protocol):
    """Source of the hunks of results: `HunkCache`."""

    def hunks(self, change: FileChange) -> tuple[Hunk, ...]:
        """Return the hunks of one changed file; empty if it can only be taken as a whole."""
        ...


def contenders(task: Task) -> tuple[Run, ...]:
    """Return the runs of a task that are ranked: those that have ended and are not discarded."""
    return tuple(run for run in task.active_runs if run.state.ended)


def attempts(task: Task, hunks: Hunks, opinions: Mapping[str, Opinion]) -> list[Candidate]:
    """Return the attempts to rank. Slow the first time. Raises GitError."""
    runs = contenders(task)
    by_file = sum(len(run.files) for run in runs) > MANY_FILES
    agreed = agreements({run.id: _parts(run, None if by_file else hunks) for run in runs})
    equal = {one: tuple(other for other in group if other != one) for group in equal_runs(runs) for one in group}
    touched = Counter(change.base_path for run in runs for change in run.files)
    changing = sum(bool(run.files) for run in runs)
    return [
        Candidate(
            run,
            agreed.get(run.id, ALONE),
            equal.get(run.id, ()),
            _outside(run, task.context),
            _alone(run, touched, changing),
            opinions.get(run.id),
        )
        for run in runs
    ]


def _parts(run: Run, hunks: Hunks | None) -> dict[str, int]:
    """Return the parts of a result by key, with their numbers of lines: hunks, or whole files without `hunks`."""
    parts: dict[str, int] = {}
    for change in run.files:
        made = () if hunks is None else hunks.hunks(change)
        if made:
            parts |= {hunk.id: len(hunk.removed) + len(hunk.added) for hunk in made}
        elif change.old_object != change.new_object:
            lines = (change.lines_added or 0) + (change.lines_removed or 0)
            parts[f"{change.base_path}\0{change.new_object}"] = max(1, lines)
        is_mode = change.kind is ChangeKind.MODIFIED and change.old_mode != change.new_mode
        if is_mode or change.path != change.base_path:
            parts["\0".join((*change.paths, str(change.new_mode)))] = 1
    return parts


def _alone(run: Run, touched: Mapping[str, int], changing: int) -> tuple[str, ...]:
    """Return the files that only this run changes, if three or more runs change any. `touched` counts runs by file."""
    if changing < 3:
        return ()
    return tuple(change.path for change in run.files if touched[change.base_path] == 1)


def _outside(run: Run, context: Sequence[Context]) -> tuple[str, ...]:
    """Return the files that a run changes outside the places named in its prompt; empty if none are named."""
    if not context:
        return ()
    named = {place.path for place in context}
    return tuple(
        change.path
        for change in run.files
        if not any(path in named or not named.isdisjoint(_folders(path)) for path in change.paths)
    )


def _folders(path: str) -> Iterable[str]:
    return (str(folder) for folder in Path(path).parents)


@dataclass(slots=True)
class _Known:
    """Ranks of a task."""

    stale: bool = True
    weights: Weights | None = None
    ranked: dict[str, Ranked] = field(default_factory=dict)
    """Ranked runs by id, best first."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Rankings:
    """Ranks of the runs of every task. For use on the event loop."""

    def __init__(
        self,
        task: Callable[[str], Task | None],
        hunks: Callable[[Path], Hunks],
        weights: Callable[[], Weights],
        emit: Callable[[Event], None],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    ) -> None:
        self._task = task
        self._hunks = hunks
        self._weights = weights
        self._emit = emit
        self._known: dict[str, _Known] = {}
        self._opinions: dict[str, dict[str, Opinion]] = {}
        self._wanted: set[str] = set()
        self._deriving = Coalescer(self._derive, "ranking the runs of tasks", spawn=spawn)
        self._threads: set[asyncio.Future[dict[str, Ranked]]] = set()

    async def close(self) -> None:
        """Wait for threads that read the shadow stores. No task may be ranked afterwards."""
        if self._threads:
            await asyncio.wait(self._threads)

    def get(self, run: Run) -> Ranked | None:
        """Return the last known rank of a run, or None. Cheap."""
        known = self._known.get(run.task)
        return known.ranked.get(run.id) if known is not None and run.state.ended else None

    def ranking(self, task_id: str) -> tuple[Ranked, ...]:
        """Return the last known ranks of a task's runs, best first. Cheap."""
        known = self._known.get(task_id)
        return tuple(known.ranked.values()) if known is not None else ()

    def best_first(self, found: Sequence[tuple[Run, FileChange]]) -> list[tuple[Run, FileChange]]:
        """Sort changes of runs by rank within each task; runs without a rank come last."""
        tasks = {run.task: number for number, (run, _) in enumerate(found)}
        for task in tasks.keys() - self._known.keys():
            self._want(task)
        last = len(found) + 1

        def place(entry: tuple[Run, FileChange]) -> tuple[int, int]:
            ranked = self.get(entry[0])
            return tasks[entry[0].task], ranked.rank if ranked is not None else last

        return sorted(found, key=place)

    async def settled(self, task_id: str) -> None:
        """Bring the ranks of a task up to date."""
        await self._rank(task_id)

    async def think(self, task_id: str, opinions: Mapping[str, Opinion]) -> None:
        """Replace a judge's opinions on the runs of a task, and rank them again."""
        self._opinions[task_id] = dict(opinions)
        self._known.setdefault(task_id, _Known()).stale = True
        await self._rank(task_id)

    def on_event(self, event: Event) -> None:
        """Rank a task again if the event may change its ranks."""
        match event:
            case TaskChanged(task=task, deleted=True):
                self._known.pop(task.id, None)
                self._opinions.pop(task.id, None)
            case TaskChanged(task=task) if contenders(task):
                self._want(task.id)
            case RunChanged(run=run, previous=previous) if run.state.ended or previous.ended:
                self._want(run.task)

    def _want(self, task_id: str) -> None:
        self._known.setdefault(task_id, _Known()).stale = True
        self._wanted.add(task_id)
        self._deriving.request()

    async def _derive(self) -> None:
        """Rank the runs of the requested tasks, then pause."""
        wanted, self._wanted = self._wanted, set()
        if wanted:
            for task_id in wanted:
                await self._rank(task_id)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _rank(self, task_id: str) -> None:
        known = self._known.setdefault(task_id, _Known())
        async with known.lock:
            task, weights = self._task(task_id), self._weights()
            if task is None:
                self._known.pop(task_id, None)
                return
            if not known.stale and known.weights == weights:
                return
            known.stale, known.weights = False, weights
            hunks, opinions = self._hunks(Path(task.repository)), self._opinions.get(task_id, {})
            try:
                ranked = await self._in_thread(functools.partial(_ranked, task, hunks, opinions, weights))
            except MuxError as error:
                log.warning("the runs of %s could not be ranked: %s", task_id, error)
                return
            except Exception:
                log.exception("a bug in mux-lsp, in ranking the runs of %s", task_id)
                return
            before, known.ranked = known.ranked, ranked
            if before != ranked:
                self._publish(task_id, known, order_changed=_order(before) != _order(ranked))

    async def _in_thread(self, work: Callable[[], dict[str, Ranked]]) -> dict[str, Ranked]:
        working = asyncio.ensure_future(asyncio.to_thread(work))
        self._threads.add(working)
        working.add_done_callback(self._threads.discard)
        # A thread cannot be cancelled, and `close` must wait for it.
        return await asyncio.shield(working)

    def _publish(self, task_id: str, known: _Known, *, order_changed: bool) -> None:
        task = self._task(task_id)
        if task is None:
            return
        stale = known.stale
        self._emit(TaskChanged(task))
        # The event emitted here must not cause another ranking.
        known.stale = stale
        if not stale:
            self._wanted.discard(task_id)
        if order_changed:
            self._emit(ReviewChanged(task.repository, paths_of(change for run in task.runs for change in run.files)))


def _ranked(task: Task, hunks: Hunks, opinions: Mapping[str, Opinion], weights: Weights) -> dict[str, Ranked]:
    return {one.run: _harmless(one) for one in rank(attempts(task, hunks, opinions), weights, task.baseline)}


def _harmless(one: Ranked) -> Ranked:
    return replace(one, reasons=tuple(map(printable, one.reasons)))


def _order(ranked: Mapping[str, Ranked]) -> list[tuple[str, int]]:
    return [(one.run, one.rank) for one in ranked.values()]
