"""Determine baselines: the results of the checks on snapshots, computed once for each tree, and kept on disk.

A baseline is shared by all that run the same checks on the same tree: the runs of a task, later tasks, and runs brought
up to date. It is computed while the agents work, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp import atomic
from mux_lsp.core.model import Check  # noqa: TC001  # the codec reads the types of `_Record` at run time
from mux_lsp.engine.checks.runner import Baseline, check_folder, read_report
from mux_lsp.engine.checks.trial import Trial, run_trial
from mux_lsp.engine.state.system_errors import in_plain_words, is_of_the_system
from mux_lsp.errors import MuxError
from mux_lsp.store import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from mux_lsp.core.model import Snapshot
    from mux_lsp.engine.checks.trial import CheckPlan
    from mux_lsp.engine.repository.registry import RepositoryStore

log = logging.getLogger(__name__)

KEPT: Final = 100
"""Maximum number of baselines kept on disk for one repository, those used last."""

IN_MEMORY: Final = 50
"""Maximum number of baselines kept in memory, with the names of their tests."""

RECORD: Final = "baseline.json"


@dataclass(frozen=True, slots=True)
class _Record:
    """Content of the file `RECORD`."""

    checks: tuple[Check, ...]


@dataclass(slots=True)
class _Work:
    """A baseline that is being computed."""

    trial: Trial
    wanted: set[str] = field(default_factory=set)
    """Ids of the tasks that want it."""
    task: asyncio.Task[None] | None = None


class Baselines:
    """The baselines of every repository.

    `trial_of` creates the trial of a snapshot with this check plan, under a name, with its output in `folder_of`.
    `spawn` runs a coroutine until the daemon ends. `ended` is called when a baseline was computed, or will not be.
    """

    def __init__(
        self,
        trial_of: Callable[[RepositoryStore, CheckPlan, Snapshot, str], Trial],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        ended: Callable[[RepositoryStore], object],
    ) -> None:
        self._trial_of = trial_of
        self._spawn = spawn
        self._ended = ended
        self._known: dict[Path, Baseline] = {}
        self._at_work: dict[Path, _Work] = {}

    @property
    def busy(self) -> bool:
        """True if a baseline is being computed."""
        return bool(self._at_work)

    def get(self, room: RepositoryStore, terms: CheckPlan, tree: str) -> Baseline | None:
        """Return the baseline of a tree if it is in memory."""
        return self._known.get(path_for(room, terms, tree))

    async def find(self, room: RepositoryStore, terms: CheckPlan, tree: str) -> Baseline | None:
        """Return the baseline of a tree if it is in memory or on disk."""
        return self.get(room, terms, tree) or await asyncio.to_thread(_load, path_for(room, terms, tree))

    def is_at_work(self, room: RepositoryStore, terms: CheckPlan, tree: str) -> bool:
        """Return whether the baseline of a tree is being computed."""
        return path_for(room, terms, tree) in self._at_work

    def want(self, room: RepositoryStore, terms: CheckPlan, snapshot: Snapshot, task: str) -> None:
        """Have the baseline of a snapshot computed for a task, unless it is known or being computed."""
        folder = path_for(room, terms, snapshot.tree)
        if not terms.checks or folder in self._known:
            return
        work = self._at_work.get(folder)
        if work is None:
            work = self._at_work[folder] = _Work(self._trial_of(room, terms, snapshot, f"baseline.{task}"))
            work.task = self._spawn(self._find(folder, work))
        work.wanted.add(task)

    def leave(self, task: str) -> None:
        """Record that a task needs its baselines no more. Work that no other task wants is cancelled."""
        for work in self._at_work.values():
            work.wanted.discard(task)
            if not work.wanted:
                work.trial.cancelled.set()

    async def settle(self) -> None:
        """Wait until all unwanted work has ended."""
        ending = [work.task for work in self._at_work.values() if not work.wanted and work.task is not None]
        if ending:
            await asyncio.wait(ending)

    async def _find(self, folder: Path, work: _Work) -> None:
        trial = work.trial
        try:
            baseline = await asyncio.to_thread(_load, folder)
            if baseline is None:
                baseline = await _make(folder, trial)
            if baseline is not None:
                self._known[folder] = baseline
                for old in list(self._known)[:-IN_MEMORY]:
                    del self._known[old]
        except MuxError as error:
            log.warning("%s: the baseline could not be determined: %s", trial.name, error)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        except Exception as error:
            if is_of_the_system(error):
                why = in_plain_words(error, folder)
                log.warning("%s: the baseline could not be determined: %s", trial.name, why)
            else:
                log.exception("a bug in mux-lsp, in %s", trial.name)
        finally:
            del self._at_work[folder]
        if folder not in self._known and trial.cancelled.is_set():
            # A task may have asked for it while it was being cancelled.
            for task in work.wanted:
                self.want(trial.room, trial.terms, trial.snapshot, task)
        self._ended(trial.room)


async def _make(folder: Path, trial: Trial) -> Baseline | None:
    """Run the trial and store its checks. Returns None if nobody wants them any more."""
    await asyncio.to_thread(_begin, folder)
    checks = await run_trial(trial)
    if trial.cancelled.is_set():
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return None
    return await asyncio.to_thread(_keep, folder, checks)


def path_for(room: RepositoryStore, terms: CheckPlan, tree: str) -> Path:
    """Return the folder of a tree's baseline, with the output of its checks."""
    digest = hashlib.sha256(f"{tree} {codec.dumps(terms)}".encode()).hexdigest()[:24]
    return room.shadow.folder / "baselines" / digest


def was_interrupted(room: RepositoryStore, terms: CheckPlan, tree: str) -> bool:
    """Return whether a daemon was killed while it computed this baseline."""
    folder = path_for(room, terms, tree)
    return folder.is_dir() and not (folder / RECORD).exists()


def _load(folder: Path) -> Baseline | None:
    try:
        record = codec.loads(_Record, (folder / RECORD).read_text())
    except (OSError, ValueError):
        return None
    folder.touch()
    return _with_reports(folder, record.checks)


def _begin(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    others = sorted(folder.parent.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in others[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def _keep(folder: Path, checks: tuple[Check, ...]) -> Baseline:
    atomic.write(folder / RECORD, codec.dumps(_Record(checks)).encode())
    return _with_reports(folder, checks)


def _with_reports(folder: Path, checks: tuple[Check, ...]) -> Baseline:
    reports = tuple(read_report(check_folder(folder, number)) for number in range(len(checks)))
    return Baseline(checks, reports)
