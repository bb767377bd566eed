"""Run checks on the live state of a repository, with or without hunks that a person considers accepting.

The person's files are not written to: the checks run on a tree in a temporary worktree.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import secrets
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.log import STREAMS, read_text, size_of
from mux_lsp.engine.checks.runner import check_folder, compare_to_baseline
from mux_lsp.engine.checks.trial import CheckPlan, Trial, run_trial
from mux_lsp.engine.repository.registry import locate
from mux_lsp.engine.state.clients import buffers_of
from mux_lsp.engine.state.events import VerdictChanged
from mux_lsp.engine.state.verdict import Verdict, keep
from mux_lsp.engine.verify.tracker import VerdictTracker
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.git.patched_tree import Put, commit_variant, forget

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from mux_lsp.config import RunsSection
    from mux_lsp.core.model import LeftOut, Snapshot
    from mux_lsp.engine.checks.service import CheckService
    from mux_lsp.engine.repository.registry import RepositoryStore, RepositoryStores
    from mux_lsp.engine.repository.setup import SetupRegistry
    from mux_lsp.engine.repository.trust import Trust
    from mux_lsp.engine.state.clients import Client, Clients
    from mux_lsp.engine.state.events import Event
    from mux_lsp.engine.state.registry import TaskRegistry
    from mux_lsp.engine.working_tree.disk import Write
    from mux_lsp.git.repository import Repository

log = logging.getLogger(__name__)

FOLDER: Final = "verify"
"""Name of the folder in a repository's store for the last verdict and the output of its checks."""

ROOT: Final = "repository"
"""Name of the file in it that holds the repository's root."""

AT_ONCE: Final = 2
"""Maximum number of verifications that run checks at once, in addition to those of runs: a person waits for each."""

TAIL: Final = 8_000
"""Maximum number of bytes returned of each of a check's output streams."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Hunks of a run as accepting would place them on the live text: all in these paths, or the named ones."""

    run: str
    writes: tuple[Write, ...]
    hunks: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Verification of the live state that `clients` see in the repository that holds `folder`.

    `choose` places hunks on the live text as it is at that moment; None to verify the live text alone.
    """

    folder: Path
    clients: tuple[Client, ...] = ()
    only: tuple[Client, ...] | None = None
    """Clients whose unsaved text affects the verdict afterwards; None for all that are connected then."""
    checks: tuple[str, ...] | None = None
    choose: Callable[[], Awaitable[Overlay]] | None = None


class VerifyService:
    """Verify live states for the connected clients, and keep the last verdict of each repository.

    `spawn` runs a coroutine until the daemon ends.
    """

    def __init__(  # noqa: PLR0913  (the services that it uses)
        self,
        *,
        registry: TaskRegistry,
        repositories: RepositoryStores,
        setups: SetupRegistry,
        trust: Trust,
        baselines: CheckService,
        clients: Clients,
        settings: Callable[[], RunsSection],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
        emit: Callable[[Event], None],
    ) -> None:
        self._registry = registry
        self._repositories = repositories
        self._setups = setups
        self._trust = trust
        self._baselines = baselines
        self._settings = settings
        self._spawn = spawn
        self._places = asyncio.Semaphore(AT_ONCE)
        # Names are never reused, not even those of an earlier daemon.
        self._names = (f"verify.{number}" for number in itertools.count(secrets.randbits(48)))
        self.tracker = VerdictTracker(
            repositories, clients, spawn, lambda verdict, stale: emit(VerdictChanged(verdict, stale))
        )
        """The last verdicts."""
        self._at_work: set[str] = set()

    @property
    def busy(self) -> bool:
        """True if a verification is running."""
        return bool(self._at_work)

    async def verify(self, request: VerifyRequest) -> Verdict:
        """Run checks on a live state: the requested ones, or those of the repository's newest task, or of the settings.

        When cancelled, it returns after everything is cleaned up. Raises NotARepositoryError, UsageError if there is
        no check or two clients hold different unsaved texts of a file, and MuxError if it fails otherwise.
        """
        repository = await asyncio.to_thread(locate, request.folder)
        chosen = None if request.choose is None else await request.choose()
        # There is no await between placing the hunks and this line, so the text is the same.
        buffers, left_out = buffers_of(request.clients, repository.root)
        terms = await self._terms(repository, buffers, request.checks)
        ground = _VerifyJob(repository, buffers, left_out, chosen, terms, request.only, next(self._names))
        done: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        # The caller may go away: the verification is brought to its end all the same.
        done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        cancelled = asyncio.Event()
        self._spawn(self._carry_out(ground, cancelled, done))
        try:
            return await asyncio.shield(done)
        finally:
            cancelled.set()
            if not done.done():
                await asyncio.wait({done})

    async def recover(self, root: Path) -> None:
        """Restore the last verdict of an earlier daemon on a repository, and remove what a killed daemon left.

        Call it after the worktrees were swept.
        """
        last = self.tracker.last(root)
        kept = None if last is None else last[0].name
        try:
            await asyncio.to_thread(_clear, self._repositories.get(root), self._folder(root), kept)
        except (MuxError, OSError) as error:
            log.warning("what a verification in %s has left could not be removed: %s", root, error)

    def printed(self, verdict: Verdict) -> tuple[str, ...]:
        """Return the end of each check's output for a verdict, sanitized. Call it in a thread."""
        folder = self._folder(Path(verdict.repository)) / verdict.name
        return tuple(_tail(check_folder(folder, number)) for number in range(len(verdict.checks)))

    def _folder(self, root: Path) -> Path:
        return self._repositories.get(root).shadow.folder / FOLDER

    async def _terms(
        self, repository: Repository, buffers: Mapping[str, bytes], checks: tuple[str, ...] | None
    ) -> CheckPlan:
        settings = await self._trust.settings(repository.root, buffers)
        folder = repository.prefix
        if checks is None:
            checks = settings.checks
            tasks = [task for task in self._registry.tasks(repository.root) if task.checks]
            if tasks:
                checks, folder = tasks[-1].checks, tasks[-1].folder
        if not checks:
            raise UsageError(
                f"There is no check for {repository.root}: name one (`mux-lsp verify --check COMMAND`), or configure "
                "some in config.toml."
            )
        return CheckPlan(checks, folder, settings.setup, settings.check_seconds)

    async def _carry_out(self, ground: _VerifyJob, cancelled: asyncio.Event, done: asyncio.Future[Verdict]) -> None:
        self._at_work.add(ground.name)
        try:
            verdict = await self._verify(ground, cancelled)
        except Exception as error:
            done.set_exception(error)
        else:
            if verdict is None:
                done.cancel()
            else:
                done.set_result(verdict)
        finally:
            self._at_work.discard(ground.name)
            if not done.done():
                done.cancel()

    async def _verify(self, ground: _VerifyJob, cancelled: asyncio.Event) -> Verdict | None:
        """Verify. Return None if the caller has gone."""
        room = self._repositories.get(ground.repository.root)
        folder = self._folder(room.root)
        await asyncio.to_thread(_begin, folder, room.root, ground.name)
        self._setups.get(room).try_again()
        kept = False
        try:
            live = await asyncio.to_thread(_snapshot, room, ground)
            checked = await asyncio.to_thread(_with_chosen, room, live, ground)
            changed = frozenset[str]() if ground.chosen is None else {write.path for write in ground.chosen.writes}
            watch = self.tracker.begin(room, live, checked, changed, ground.only)
            self.tracker.catch_up(watch, ground.buffers)
            at, begun = time.time(), time.monotonic()
            trial = Trial(
                name=ground.name,
                room=room,
                setups=self._setups.get(room),
                terms=ground.terms,
                snapshot=checked,
                base=live.commit,
                output=folder / ground.name,
                settings=self._settings(),
                places=self._places,
                cancelled=cancelled,
                on_event=lambda _: None,
            )
            try:
                checks = await run_trial(trial)
                if cancelled.is_set():
                    self.tracker.drop(watch)
                    return None
                baseline = await self._baselines.baseline_of(room.root, ground.terms.checks)
                if baseline is not None:
                    checks = await asyncio.to_thread(compare_to_baseline, checks, trial.output, baseline)
                verdict = Verdict(
                    repository=str(room.root),
                    name=ground.name,
                    live=live,
                    checked=checked,
                    checks=checks,
                    at=at,
                    seconds=round(time.monotonic() - begun, 3),
                    left_out=(*live.left_out, *ground.left_out),
                )
                if ground.chosen is not None:
                    of = ground.chosen
                    verdict = replace(verdict, run=of.run, hunks=of.hunks, paths=of.paths)
                await asyncio.to_thread(keep, folder, verdict)
                kept = True
            except BaseException:
                self.tracker.drop(watch)
                raise
            before = self.tracker.end(watch, verdict)
        finally:
            if not kept:
                await asyncio.to_thread(_forget, room, folder, ground.name)
        if before is not None:
            await asyncio.to_thread(_forget, room, folder, before.name)
        return verdict


@dataclass(frozen=True, slots=True)
class _VerifyJob:
    """One verification: its text, hunks and checks."""

    repository: Repository
    buffers: Mapping[str, bytes]
    left_out: tuple[LeftOut, ...]
    chosen: Overlay | None
    terms: CheckPlan
    only: tuple[Client, ...] | None
    name: str


def _begin(folder: Path, root: Path, name: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / ROOT).write_bytes(os.fsencode(root))


def roots(rooms: Path) -> tuple[Path, ...]:
    """Return the repositories in which a verification ever ran. `rooms` is the folder of all repositories' stores."""
    return tuple(Path(os.fsdecode(file.read_bytes())) for file in sorted(rooms.glob(f"*/{FOLDER}/{ROOT}")))


def _snapshot(room: RepositoryStore, ground: _VerifyJob) -> Snapshot:
    live = room.shadow.snapshot(ground.repository, ground.buffers, ground.name)
    room.shadow.complete(live)
    return live


def _with_chosen(room: RepositoryStore, live: Snapshot, ground: _VerifyJob) -> Snapshot:
    """Return a snapshot of the live state with the chosen hunks."""
    if ground.chosen is None or not ground.chosen.writes:
        return live
    writes = ground.chosen.writes
    remove = [write.path for write in writes if write.entry is None]
    put = [Put(write.path, write.entry.mode, write.entry.content) for write in writes if write.entry is not None]
    return commit_variant(room.shadow, live, remove, put, ground.name)


def _forget(room: RepositoryStore, folder: Path, name: str) -> None:
    room.shadow.delete_refs(name)
    forget(room.shadow, name)
    shutil.rmtree(folder / name, ignore_errors=True)


def _clear(room: RepositoryStore, folder: Path, kept: str | None) -> None:
    for left in [one for one in folder.iterdir() if one.is_dir() and one.name != kept]:
        _forget(room, folder, left.name)


def _tail(folder: Path) -> str:
    # The summary of a check may be in either of its streams, so the end of both is returned.
    return "".join(read_text(folder, stream, max(0, size_of(folder, stream) - TAIL), TAIL)[0] for stream in STREAMS)
