"""Check a run's result in its own worktree. If the run has changed protected files, also check the result with these
files as in the snapshot.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import posixpath
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.command import mark
from mux_lsp.agents.files import write_anew
from mux_lsp.agents.process import STDERR
from mux_lsp.core.model import Check, CheckState, Snapshot
from mux_lsp.core.settings import same_judging_part
from mux_lsp.core.tampering import NO_TAMPERING, find_tampering, protected_files
from mux_lsp.engine.checks.comparison import restored_folder
from mux_lsp.engine.checks.runner import check_folder, run_checks
from mux_lsp.engine.checks.trial import Trial, run_trial
from mux_lsp.engine.repository.cancellation import acquire_slot
from mux_lsp.engine.repository.command import CommandContext
from mux_lsp.errors import MuxError
from mux_lsp.git.patched_tree import Put, commit_variant, forget

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mux_lsp.core.model import FileChange
    from mux_lsp.core.tampering import Tampering
    from mux_lsp.engine.runs.job import Job
    from mux_lsp.git.shadow import ShadowStore
    from mux_lsp.git.worktrees import Worktree

log = logging.getLogger(__name__)

LARGEST_SETTINGS: Final = 1_000_000
"""Bytes. A larger settings file is not read and counts as changed."""


async def check_result(job: Job, worktree: Worktree) -> None:
    """Run the checks on a run's result. Replaces the results of a daemon that was killed meanwhile.

    When it is cancelled as an asyncio task (the daemon ends), the processes of the checks end.
    """
    if not job.terms.checks or job.cancelled.is_set():
        return
    job.advance(checks=(), tampered=(), restored_checks=())
    tampering = await asyncio.to_thread(_find_tampering, job)
    job.advance(tampered=tampering.files)
    restored = asyncio.ensure_future(_restored_checks(job, tampering))
    try:
        await _own_checks(job, worktree)
        await restored
    finally:
        restored.cancel()
        await asyncio.gather(restored, return_exceptions=True)
    await job.tell_apart()


def is_check_config(job: Job) -> Callable[[str], bool]:
    """Return a predicate on paths of the worktree: true for configuration of the run's checks. The run's own tests are
    not included, because results are not checked by them.
    """
    if not job.terms.checks:
        return lambda _: False
    by = protected_files(job.terms.checks, job.terms.folder, job.task.protected)
    return lambda path: by.is_setting(path) or by.is_mixed(path)


async def _own_checks(job: Job, worktree: Worktree) -> None:
    ground = CommandContext(
        folder=worktree.folder / job.terms.folder,
        output=job.run_folder,
        mark=mark(job.run_id, worktree.folder),
        timeout=job.terms.check_seconds,
        grace=job.settings.grace_seconds,
        most_output=job.settings.output_bytes,
        largest_file=job.settings.largest_file,
        cancelled=job.cancelled,
        without=job.room.keys(),
    )
    async with acquire_slot(job.places, job.cancelled):
        await asyncio.to_thread(job.room.worktrees.open_folder, worktree, job.terms.folder)
        await run_checks(job.terms.checks, ground, lambda checks: job.advance(checks=checks))


async def _restored_checks(job: Job, tampering: Tampering) -> None:
    """Run the checks on the result with protected files restored. If that is impossible, they count as failed."""
    if not tampering.files:
        return
    name = f"{job.run_id}.restored"
    output = restored_folder(job.run_folder)
    try:
        await asyncio.to_thread(shutil.rmtree, output, ignore_errors=True)
        snapshot = await asyncio.to_thread(_restore, job, tampering, name)
        trial = Trial(
            name=name,
            room=job.room,
            setups=job.setups,
            terms=job.terms,
            snapshot=snapshot,
            base=base_commit(job),
            output=output,
            settings=job.settings,
            places=job.places,
            cancelled=job.cancelled,
            on_event=lambda checks: job.advance(restored_checks=checks),
        )
        await run_trial(trial)
    except MuxError as error:
        log.warning("%s: %s", name, error)
        await asyncio.to_thread(_note, output, str(error))
        job.advance(restored_checks=tuple(Check(command, CheckState.FAILED) for command in job.terms.checks))
    finally:
        await asyncio.to_thread(forget, job.room.shadow, name)


def _note(output: Path, words: str) -> None:
    folder = check_folder(output, 0)
    folder.mkdir(parents=True, exist_ok=True)
    write_anew(folder / STDERR, f"mux-lsp: {words}\n".encode("utf-8", "replace"))


def base_commit(job: Job) -> str:
    """Return the commit that the run's changes are counted against."""
    base = job.current().base
    assert base is not None, "a run has its base from the start"  # noqa: S101
    return base


def _find_tampering(job: Job) -> Tampering:
    run, shadow = job.current(), job.room.shadow
    if not run.files:
        return NO_TAMPERING
    with _links_lock:
        links = _links(shadow, base_commit(job))
    by = protected_files(job.terms.checks, job.terms.folder, job.task.protected, links)
    found = find_tampering(run.files, by, functools.partial(_same_settings, shadow))
    # Hidden configuration is not part of the tree that is checked again.
    return replace(found, files=tuple(sorted({*found.files, *run.hidden_config})))


_links_lock: Final = threading.Lock()
"""Held while links are read, so that of runs that end at once only the first one reads."""


@functools.lru_cache(maxsize=64)
def _links(shadow: ShadowStore, commit: str) -> dict[str, str]:
    """Return the links of a snapshot. This lists its whole tree, so it is cached for all runs."""
    return shadow.links(commit)


def _same_settings(shadow: ShadowStore, change: FileChange) -> bool:
    old = shadow.read(change.old_object) if change.old_mode else b""
    new = shadow.read(change.new_object) if change.new_mode else b""
    if max(len(old), len(new)) > LARGEST_SETTINGS:
        return False
    return same_judging_part(posixpath.basename(change.path), old, new)


def _restore(job: Job, tampering: Tampering, name: str) -> Snapshot:
    """Commit a variant of the result in which protected files are as in the snapshot."""
    run, shadow = job.current(), job.room.shadow
    base, result = base_commit(job), run.result
    assert result is not None, "what has changed something has a result"  # noqa: S101
    wanted = set(tampering.restore)
    put = [
        Put(change.base_path, change.old_mode, change.old_object)
        for change in run.files
        if change.old_mode and change.base_path in wanted
    ]
    there = Snapshot(result, shadow.tree_of(result), shadow.parent_of(base))
    return commit_variant(shadow, there, tampering.remove, put, name)
