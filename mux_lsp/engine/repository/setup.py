"""Set up worktrees: run the commands that install or build dependencies once, and copy their output to each worktree.

The commands run in a worktree of their own. Files that they create beside the snapshot's are kept under a digest of the
commands and of the files they depend on (lock files, for example), and copied into every worktree before it is used.
These files are not part of any result.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import platform
import shlex
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp import storage
from mux_lsp.agents import process
from mux_lsp.agents.command import explain, mark
from mux_lsp.agents.environment import scrubbed
from mux_lsp.agents.files import open_to_append, open_to_read
from mux_lsp.core.model import Snapshot
from mux_lsp.core.patterns import matcher
from mux_lsp.core.phrases import few_with_commas
from mux_lsp.core.sanitize import printable
from mux_lsp.core.text import shown_path
from mux_lsp.engine.repository.cancellation import wait_or_cancelled
from mux_lsp.engine.repository.command import CommandContext, run_command
from mux_lsp.errors import MuxError
from mux_lsp.git import artifacts
from mux_lsp.git.folders import remove_tree
from mux_lsp.git.parse import fields
from mux_lsp.git.repository import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from mux_lsp.config import RunsSection
    from mux_lsp.core.model import Setup
    from mux_lsp.engine.repository.registry import RepositoryStore
    from mux_lsp.git.artifacts import Artifacts
    from mux_lsp.git.worktrees import Worktree

KNOWN_INPUTS: Final = (
    "*requirements*.txt", ".node-version", ".nvmrc", ".python-version", ".ruby-version", ".tool-versions",
    "Cargo.lock", "Cargo.toml", "Gemfile", "Gemfile.lock", "Package.resolved", "Package.swift", "Pipfile",
    "Pipfile.lock", "Podfile.lock", "build.gradle", "build.gradle.kts", "bun.lock", "bun.lockb", "composer.json",
    "composer.lock", "conanfile.*", "deno.lock", "environment.yml", "flake.lock", "flake.nix", "go.mod", "go.sum",
    "gradle.lockfile", "mise.toml", "mix.exs", "mix.lock", "npm-shrinkwrap.json", "package-lock.json",
    "package.json", "packages.lock.json", "pdm.lock", "pixi.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml",
    "poetry.lock", "pom.xml", "pubspec.lock", "pubspec.yaml", "pylock*.toml", "pyproject.toml", "rust-toolchain",
    "rust-toolchain.toml", "setup.cfg", "setup.py", "stack.yaml.lock", "uv.lock", "vcpkg.json", "yarn.lock",
)  # fmt: skip
"""Patterns of the files on which a set-up's output depends, unless the repository names others."""

FOLDER: Final = "setups"
"""Name of the folder for set-ups in a repository's store."""

KEPT: Final = 5
"""Maximum number of set-ups kept for one repository: those in use, then those used last."""

LOGS: Final = 50
"""Maximum number of set-up logs kept."""

CHANGED_NAMED: Final = 20

_LAST_LINE: Final = 300
_TAIL_BYTES: Final = 4000


class SetupError(MuxError):
    """A set-up failed. An agent would begin in a worktree that is not what the person meant."""


async def set_up(  # noqa: PLR0913 - worktree, commands, tree, limits
    setups: Setups,
    worktree: Worktree,
    setup: Setup,
    snapshot: Snapshot,
    base: str,
    *,
    settings: RunsSection,
    cancelled: asyncio.Event,
    begins: Callable[[str], object] = lambda _: None,
) -> str | None:
    """Set up a fresh worktree before anybody works in it. Any number of worktrees may be set up at once.

    `snapshot` is what the worktree was prepared from, possibly an agent's tree; `base` is the commit of the person's
    own snapshot from which it descends. Returns the digest of the set-up; None if there are no commands, or if it was
    `cancelled`. `begins` is called with the digest if the set-up is not available yet, before the wait and before a
    failure.

    Raises SetupError.
    """
    if not setup.commands:
        return None
    room = setups.room
    plan = await asyncio.to_thread(_plan, setups, setup, snapshot, base)
    with setups.using(plan.digest):
        kept = await setups.find(plan, settings, cancelled, begins)
        if kept is None:
            return None
        try:
            await asyncio.to_thread(room.worktrees.restore_artifacts, worktree, plan.folder, kept)
        except OSError as error:
            why = storage.explained(error, str(room.shadow.folder)) or f"{error}."
            raise SetupError(f"What the set-up has made could not be copied: {why}") from error
    return plan.digest


def setup_folder(room: RepositoryStore, digest: str) -> Path:
    """Return the folder of a set-up, which holds the output of its commands as `stdout`."""
    return _folder(room) / digest


def _folder(room: RepositoryStore) -> Path:
    return room.shadow.folder / FOLDER


@dataclass(frozen=True, slots=True)
class _Plan:
    """A set-up, and the tree on which it runs."""

    digest: str
    folder: Path
    commands: tuple[str, ...]
    snapshot: Snapshot


def _plan(setups: Setups, setup: Setup, snapshot: Snapshot, base: str) -> _Plan:
    """Choose the tree for a set-up, and compute its digest. Raises GitError. For use in a thread."""
    room = setups.room
    base_tree = room.shadow.tree_of(base)
    inputs = setups.inputs(base_tree, setup)
    if not inputs or inputs != setups.inputs(snapshot.tree, setup):
        # Either the inputs are unknown, or an agent has changed them. Then the set-up is for this tree alone, because
        # the contents of an agent's tree must not affect the worktrees of others.
        only, on = snapshot.tree, snapshot
    else:
        only, on = "", Snapshot(base, base_tree, room.shadow.parent_of(base))
    what = [setup.commands, inputs, only, sys.platform, platform.machine()]
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:24]
    return _Plan(digest, setups.folder / digest, setup.commands, on)


@dataclass(slots=True)
class _Flight:
    """A set-up that is running."""

    work: asyncio.Task[Artifacts | SetupError | None]
    """Its outcome: the created files, an error, or None if it was cancelled because nobody waits for it."""
    cancelled: asyncio.Event
    waiting: int = 0


class Setups:
    """The set-ups of one repository, kept in `folder`. Use it on one event loop, except `inputs`."""

    def __init__(self, room: RepositoryStore) -> None:
        self.room = room
        self.folder = _folder(room)
        self._flights: dict[str, _Flight] = {}
        self._failed: dict[str, str] = {}
        self._uses: Counter[str] = Counter()
        self._trimming = asyncio.Lock()
        self._inputs = _Inputs()

    def try_again(self) -> None:
        """Forget earlier failures, because a person has started something: each failed set-up is run once more, for all
        that wait for it.
        """
        self._failed.clear()

    def inputs(self, tree: str, setup: Setup) -> tuple[str, ...]:
        """Return the files of a tree on which a set-up's output depends, as `ls-tree` entries. For use in a thread."""
        return self._inputs.of(self.room, tree, setup)

    @contextlib.contextmanager
    def using(self, digest: str) -> Iterator[None]:
        """Keep a set-up from being removed in this context."""
        self._uses[digest] += 1
        try:
            yield
        finally:
            self._uses[digest] -= 1

    async def find(
        self,
        plan: _Plan,
        settings: RunsSection,
        cancelled: asyncio.Event,
        begins: Callable[[str], object],
    ) -> Artifacts | None:
        """Return the files that a set-up created, once it has ended; None if `cancelled` was set first. Raises
        SetupError.
        """
        async with self._trimming:
            there = await asyncio.to_thread(_use, plan.folder)
        if there is not None:
            return there
        begins(plan.digest)
        while (flight := self._flights.get(plan.digest)) is not None and flight.cancelled.is_set():
            await asyncio.wait({flight.work})
        if flight is None:
            if plan.digest in self._failed:
                raise SetupError(self._failed[plan.digest])
            ended = asyncio.Event()
            flight = _Flight(asyncio.create_task(self._make(plan, settings, ended)), ended)
            self._flights[plan.digest] = flight
        await _wait(flight, cancelled)
        outcome = flight.work.result() if flight.work.done() else None
        if isinstance(outcome, SetupError):
            raise SetupError(str(outcome))
        return outcome

    async def _make(
        self, plan: _Plan, settings: RunsSection, cancelled: asyncio.Event
    ) -> Artifacts | SetupError | None:
        try:
            # Another call may have completed it in the meantime.
            there = await asyncio.to_thread(_use, plan.folder)
            outcome = there or await _carry_out(self.room, plan, settings, cancelled)
        except (MuxError, OSError) as error:
            why = (isinstance(error, OSError) and storage.explained(error, str(self.folder))) or error
            outcome = SetupError(f"The set-up could not be done: {str(why).rstrip('.')}.")
        finally:
            del self._flights[plan.digest]
        if isinstance(outcome, SetupError):
            self._failed[plan.digest] = str(outcome)
        async with self._trimming:
            used = {digest for digest, uses in self._uses.items() if uses} | self._flights.keys()
            await asyncio.to_thread(_trim, self.folder, used)
        return outcome


class SetupRegistry:
    """The `Setups` of each repository, opened once."""

    def __init__(self) -> None:
        self._setups: dict[Path, Setups] = {}

    def get(self, room: RepositoryStore) -> Setups:
        """Return the set-ups of a repository."""
        found = self._setups.get(room.root)
        if found is None:
            found = self._setups[room.root] = Setups(room)
        return found


async def _wait(flight: _Flight, cancelled: asyncio.Event) -> None:
    flight.waiting += 1
    try:
        await wait_or_cancelled(flight.work, cancelled)
    finally:
        flight.waiting -= 1
        if not flight.waiting and not flight.work.done():
            flight.cancelled.set()
            await asyncio.wait({flight.work})


async def _carry_out(
    room: RepositoryStore, plan: _Plan, settings: RunsSection, cancelled: asyncio.Event
) -> Artifacts | SetupError | None:
    """Run the commands, and keep the files that they created. Returns None if nobody waits for them any more."""
    name = f"setup.{plan.digest}"
    await asyncio.to_thread(_begin, plan.folder)
    repository = await asyncio.to_thread(discover, room.root)
    worktree = await asyncio.to_thread(room.worktrees.prepare, plan.snapshot, name, repository=repository)
    try:
        ground = CommandContext(
            folder=worktree.folder,
            output=plan.folder,
            mark=mark(name, worktree.folder),
            timeout=settings.setup_timeout_seconds,
            grace=settings.grace_seconds,
            most_output=settings.output_bytes,
            largest_file=settings.largest_file,
            cancelled=cancelled,
            without=room.keys(),
        )
        environment = {**scrubbed(os.environ, worktree.folder, ground.without), "MUX_REPOSITORY": str(room.root)}
        for command in plan.commands:
            await asyncio.to_thread(_say, plan.folder, f"$ {command}")
            # With both streams in one log, error messages appear at the point where they occurred.
            in_time = not cancelled.is_set() and await run_command(
                f"exec 2>&1\n{command}", ground, plan.folder, environment
            )
            if cancelled.is_set():
                await asyncio.to_thread(remove_tree, plan.folder)
                return None
            status = process.read_exit(plan.folder)
            if not in_time or status != 0:
                why = explain(status) if in_time else f"took longer than {settings.setup_timeout_seconds:g} seconds"
                return await asyncio.to_thread(_failure, plan.folder, command, why)
        return await asyncio.to_thread(_keep, room, worktree, plan.folder)
    finally:
        await asyncio.to_thread(room.worktrees.release, worktree)


def _begin(folder: Path) -> None:
    remove_tree(folder)
    folder.mkdir(parents=True)


def _say(folder: Path, line: str) -> None:
    with open_to_append(folder / process.STDOUT) as file:
        file.write(f"{line}\n".encode(errors="replace"))


def _failure(folder: Path, command: str, why: str | None) -> SetupError:
    with open_to_read(folder / process.STDOUT) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = [line for line in printable(file.read().decode(errors="replace")).splitlines() if line.strip()]
    last = f": {lines[-1].strip()[:_LAST_LINE]}" if lines and not lines[-1].startswith("$ ") else ""
    return SetupError(f"The set-up command `{printable(command)}` {why}{last}")


def _keep(room: RepositoryStore, worktree: Worktree, folder: Path) -> Artifacts:
    kept, changed = room.worktrees.collect_artifacts(worktree, folder)
    if changed:
        names = few_with_commas([shown_path(path) for path in changed], CHANGED_NAMED)
        _say(folder, f"mux-lsp: the set-up has changed {names}; worktrees have that as the snapshot does.")
    return kept


def _use(folder: Path) -> Artifacts | None:
    kept = artifacts.load(folder)
    if kept is not None:
        os.utime(folder / artifacts.RECORD)
    return kept


def _trim(folder: Path, used: Collection[str]) -> None:
    """Remove the output of set-ups, except those in use and those used last, and remove the oldest logs."""
    free = [one for one in folder.iterdir() if one.name not in used]
    whole = sorted((one for one in free if (one / artifacts.RECORD).exists()), key=_used_at, reverse=True)
    for one in whole[max(0, KEPT - len(used)) :]:
        (one / artifacts.RECORD).unlink()
        remove_tree(one / artifacts.FILES)
    logs = sorted((one for one in free if not (one / artifacts.RECORD).exists()), key=lambda one: one.stat().st_mtime)
    for one in logs[: max(0, len(logs) - LOGS)]:
        remove_tree(one)


def _used_at(folder: Path) -> float:
    return (folder / artifacts.RECORD).stat().st_mtime


@dataclass(slots=True)
class _Inputs:
    """Cache of set-ups' inputs, so that each tree is read once."""

    known: dict[tuple[str, Setup], tuple[str, ...]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, room: RepositoryStore, tree: str, setup: Setup) -> tuple[str, ...]:
        # Many threads ask at once: one reads, and the others use its result.
        with self.lock:
            found = self.known.get((tree, setup))
            if found is None:
                found = self.known[tree, setup] = _read_inputs(room, tree, setup)
                for old in list(self.known)[:-LOGS]:
                    del self.known[old]
            return found


def _read_inputs(room: RepositoryStore, tree: str, setup: Setup) -> tuple[str, ...]:
    is_input = matcher(setup.inputs or KNOWN_INPUTS)
    named = {word for command in setup.commands for word in _words(command)}
    listing = room.shadow.git(["ls-tree", "-r", "-z", tree])
    found = []
    for entry in fields(listing):
        path = entry.partition("\t")[2]
        if is_input(path) or path in named:
            found.append(entry)
    return tuple(found)


def _words(command: str) -> Iterator[str]:
    """Return the words of a command line as normalized paths; some of them may name files."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    for word in words:
        yield os.path.normpath(word)
