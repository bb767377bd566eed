"""Damage in the store and in our own indexes: a new task begins all the same, and nothing that can be read is lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mux_lsp.errors import GitError
from mux_lsp.git.damage import DamageError
from mux_lsp.git.repository import discover
from mux_lsp.git.shadow import Shadow
from mux_lsp.git.worktrees import Worktrees
from tests.integration.git.support import commit, files_in, files_on_disk, make_repository, run, stands_alone, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from mux_lsp.core.model import Snapshot
    from tests.integration.git.support import World

FILES: Final = {"a.txt": b"a\n", "sub/b.txt": b"b\n", "sub/c.txt": b"c\n"}
NEW: Final = {"new.txt": b"new\n"}
ALL: Final = {**FILES, **NEW}


class Known:
    """A store that has seen a person's repository, with a committed and an untracked file, and an agent's result."""

    def __init__(self, world: World) -> None:
        self.world = world
        make_repository(world.root, FILES)
        write(world.root, NEW)
        self.repository = discover(world.root)
        self.shadow = world.shadow(self.repository)
        self.worktrees = Worktrees(self.shadow)
        self.snapshot = self.shadow.snapshot(self.repository, {}, "t1")
        worktree = self.worktrees.prepare(self.snapshot, "t1-1", repository=self.repository)
        write(worktree.folder, {"a.txt": "an agent's\n"})
        self.result = self.worktrees.harvest(worktree, "t1-1").commit
        self.worktrees.release(worktree)

    @property
    def git_dir(self) -> Path:
        return self.shadow.git_dir

    def name(self, what: str) -> str:
        return run(self.git_dir, "rev-parse", what).decode().strip()

    def loose(self) -> None:
        """Have every object of the store in a file of its own."""
        packs = [*(self.git_dir / "objects" / "pack").glob("*.pack")]
        for pack in packs:
            moved = pack.rename(self.world.folder / pack.name)
            for other in pack.parent.glob(f"{pack.stem}.*"):
                other.unlink()
            with moved.open("rb") as file:
                subprocess.run(["git", "unpack-objects", "-q"], cwd=self.git_dir, stdin=file, check=True)

    def packed(self) -> Path:
        """Have every object of the store in one pack."""
        run(self.git_dir, "-c", "gc.auto=0", "repack", "-a", "-d", "-q")
        (pack,) = (self.git_dir / "objects" / "pack").glob("*.pack")
        return pack

    def again(self, *, new_daemon: bool = True) -> None:
        """Another daemon comes, as after whatever has done the damage."""
        if new_daemon:
            self.shadow.close()
            self.shadow = self.world.shadow(self.repository)
            self.worktrees = Worktrees(self.shadow)

    def begins(self, name: str, expected: dict[str, bytes]) -> Snapshot:
        """A new task begins: its snapshot is whole, and so is its worktree."""
        snapshot = self.shadow.snapshot(self.repository, {}, name)
        worktree = self.worktrees.prepare(snapshot, f"{name}-1", repository=self.repository)
        self.shadow.links(snapshot.commit)  # reads every folder of it
        assert files_in(self.shadow, snapshot.commit) == expected
        assert files_on_disk(worktree.folder) == expected
        write(worktree.folder, {"a.txt": "another's\n"})
        harvest = self.worktrees.harvest(worktree, f"{name}-1")
        assert files_in(self.shadow, harvest.commit) == {**expected, "a.txt": b"another's\n"}
        self.worktrees.release(worktree)
        return snapshot


@pytest.fixture
def known(world: World) -> Known:
    return Known(world)


def writable(file: Path) -> Path:
    file.chmod(0o644)
    return file


HARM: Final[dict[str, Callable[[Path], object]]] = {
    "empty": lambda file: writable(file).write_bytes(b""),
    "garbage": lambda file: writable(file).write_bytes(b"garbage" * 10),
    "cut": lambda file: writable(file).write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "gone": lambda file: file.unlink(),
}
OBJECTS: Final = {
    "a committed file": "refs/mux/snapshots/t1:a.txt",
    "a new file": "refs/mux/snapshots/t1:new.txt",
    "a folder": "refs/mux/snapshots/t1:sub",
    "the tree": "refs/mux/snapshots/t1^{tree}",
    "the snapshot": "refs/mux/snapshots/t1",
    "the person's commit": "refs/mux/snapshots/t1^",
}


@pytest.mark.parametrize("new_daemon", [True, False], ids=["next daemon", "same daemon"])
@pytest.mark.parametrize("what", OBJECTS)
@pytest.mark.parametrize("how", HARM)
def test_a_loose_object_is_damaged(known: Known, how: str, what: str, new_daemon: bool) -> None:
    known.loose()
    name = known.name(OBJECTS[what])
    file = known.git_dir / "objects" / name[:2] / name[2:]
    HARM[how](file)
    known.again(new_daemon=new_daemon)
    write(known.world.root, {"more.txt": "more\n"})
    known.begins("t2", {**ALL, "more.txt": b"more\n"})
    known.shadow.tidy()
    stands_alone_but_for_the_old(known)
    # Which says of itself that something is gone, or has all of it back.
    kept = {"a.txt": b"an agent's\n", **{path: ALL[path] for path in ALL if path != "a.txt"}}
    try:
        assert files_in(known.shadow, known.result) == kept
    except AssertionError as error:
        assert what == "the snapshot", error


def stands_alone_but_for_the_old(known: Known) -> None:
    for old in ("snapshots/t1", "results/t1-1"):
        known.shadow.set_refs({f"refs/mux/{old}": None})
    stands_alone(known.shadow)
