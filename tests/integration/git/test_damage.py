"""Test damage in the store and in our own indexes: a new task still starts, and nothing readable is lost."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from mux_lsp.errors import GitError
from mux_lsp.git.damage import DamageError
from mux_lsp.git.repository import discover
from mux_lsp.git.worktrees import Worktrees
from tests.integration.git.support import commit, files_in, files_on_disk, make_repository, run, stands_alone, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
        """Unpack every object of the store into a file of its own."""
        packs = [*(self.git_dir / "objects" / "pack").glob("*.pack")]
        for pack in packs:
            moved = pack.rename(self.world.folder / pack.name)
            for other in pack.parent.glob(f"{pack.stem}.*"):
                other.unlink()
            with moved.open("rb") as file:
                subprocess.run(["git", "unpack-objects", "-q"], cwd=self.git_dir, stdin=file, check=True)

    def packed(self) -> Path:
        """Put every object of the store into one pack and return the pack."""
        run(self.git_dir, "-c", "gc.auto=0", "repack", "-a", "-d", "-q")
        (pack,) = (self.git_dir / "objects" / "pack").glob("*.pack")
        return pack

    def again(self, *, new_daemon: bool = True) -> None:
        """Start another daemon, as after the event that did the damage."""
        if new_daemon:
            self.shadow.close()
            self.shadow = self.world.shadow(self.repository)
            self.worktrees = Worktrees(self.shadow)

    def begins(self, name: str, expected: dict[str, bytes]) -> Snapshot:
        """Start a new task and return its snapshot. Assert that snapshot and worktree are complete."""
        snapshot = self.shadow.snapshot(self.repository, {}, name)
        worktree = self.worktrees.prepare(snapshot, f"{name}-1", repository=self.repository)
        self.shadow.links(snapshot.commit)  # reads all of its folders
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
    known.shadow.gc()
    stands_alone_but_for_the_old(known)
    # The result either reports that something is gone, or is complete again.
    kept = {"a.txt": b"an agent's\n", **{path: ALL[path] for path in ALL if path != "a.txt"}}
    try:
        assert files_in(known.shadow, known.result) == kept
    except AssertionError as error:
        assert what == "the snapshot", error


def stands_alone_but_for_the_old(known: Known) -> None:
    for old in ("snapshots/t1", "results/t1-1"):
        known.shadow.set_refs({f"refs/mux/{old}": None})
    stands_alone(known.shadow)


PACKED: Final[dict[str, Callable[[Path], object]]] = {
    "a cut pack": lambda pack: writable(pack).write_bytes(pack.read_bytes()[: pack.stat().st_size // 2]),
    "a pack with a hole": lambda pack: _overwrite(pack, pack.stat().st_size // 2),
    "an empty pack": lambda pack: writable(pack).write_bytes(b""),
    "no pack": lambda pack: pack.unlink(),
    "a cut index": lambda pack: _cut(pack.with_suffix(".idx")),
    "an empty index": lambda pack: writable(pack.with_suffix(".idx")).write_bytes(b""),
    "no index": lambda pack: pack.with_suffix(".idx").unlink(),
}


def _cut(file: Path) -> None:
    writable(file).write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _overwrite(file: Path, offset: int) -> None:
    with writable(file).open("r+b") as opened:
        opened.seek(offset)
        opened.write(b"\xff" * 20)


@pytest.mark.parametrize("how", PACKED)
def test_a_pack_is_damaged(known: Known, how: str) -> None:
    pack = known.packed()
    content = pack.read_bytes()
    PACKED[how](pack)
    known.again()
    known.begins("t2", ALL)
    known.shadow.gc()
    if how != "no pack":
        # Nothing was thrown away.
        (aside,) = known.shadow.folder.glob("damaged/*/objects/pack/*.pack")
        assert content.startswith(aside.read_bytes()[: len(content) // 3])
    if "index" in how:
        assert known.shadow.read_at(known.result, "a.txt") == b"an agent's\n"
    stands_alone_but_for_the_old(known)


def test_what_a_damaged_pack_still_holds_is_taken_over(known: Known) -> None:
    """No other place has what an agent wrote."""
    write(known.world.root, {"long.txt": os.urandom(5000).hex()})
    commit(known.world.root, "second")
    known.begins("t2", {**ALL, "long.txt": (known.world.root / "long.txt").read_bytes()})
    pack = known.packed()
    listing = run(known.git_dir, "verify-pack", "-v", os.fspath(pack)).decode().splitlines()
    long = known.name("refs/mux/snapshots/t2:long.txt")
    (offset,) = (int(line.split()[4]) for line in listing if line.startswith(long))
    _overwrite(pack, offset + 100)
    known.again()
    known.begins("t3", {**ALL, "long.txt": (known.world.root / "long.txt").read_bytes()})
    assert known.shadow.read_at(known.result, "a.txt") == b"an agent's\n"
    known.shadow.gc()
    stands_alone(known.shadow)


STORE: Final[dict[str, Callable[[Path], object]]] = {
    "an empty HEAD": lambda store: (store / "HEAD").write_bytes(b""),
    "half of a HEAD": lambda store: (store / "HEAD").write_bytes(b"ref: re"),
    "no HEAD": lambda store: (store / "HEAD").unlink(),
    "an empty configuration": lambda store: (store / "config").write_bytes(b""),
    "half of a configuration": lambda store: (store / "config").write_bytes(b"[core]\n\trepositoryfor"),
    "a wrong configuration": lambda store: (store / "config").write_bytes(b"[core\nbare = yes please"),
    "no configuration": lambda store: (store / "config").unlink(),
    "no refs": lambda store: _remove(store / "refs"),
    "an empty ref": lambda store: (store / "refs/mux/person").write_bytes(b""),
    "a ref of rubbish": lambda store: (store / "refs/mux/person").write_bytes(b"\0" * 41),
    "a ref to nothing": lambda store: (store / "refs/mux/person").write_bytes(b"1" * 40 + b"\n"),
    "rubbish among packed refs": lambda store: (store / "packed-refs").write_bytes(b"nonsense\n"),
    "an empty shallow": lambda store: (store / "shallow").write_bytes(b""),
    "a cut shallow": lambda store: _cut(store / "shallow"),
    "no shallow": lambda store: (store / "shallow").unlink(),
    "an empty index": lambda store: (store.parent / "person" / "index").write_bytes(b""),
    "a cut index": lambda store: _cut(store.parent / "person" / "index"),
    "an index of rubbish": lambda store: (store.parent / "person" / "index").write_bytes(b"x" * 100),
    "half of our HEAD": lambda store: (store.parent / "person" / "HEAD").write_bytes(b"ref: re"),
    "half of our configuration": lambda store: (store.parent / "person" / "config").write_bytes(b"[core"),
    "half of what we remember": lambda store: _cut(store.parent / "person" / "memory.json"),
    "a worktree's empty index": lambda store: (store.parent / "slots" / "s1" / "index").write_bytes(b""),
    "a worktree's cut index": lambda store: _cut(store.parent / "slots" / "s1" / "index"),
    "half of a worktree's record": lambda store: _cut(store.parent / "slots" / "s1" / "slot.json"),
}


def _remove(folder: Path) -> None:
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.rmdir()


@pytest.mark.parametrize("what", STORE)
def test_the_store_itself_is_damaged(known: Known, what: str) -> None:
    (known.world.root / "a.txt").write_text("second\n")
    commit(known.world.root, "second")
    known.begins("t2", {**ALL, "a.txt": b"second\n"})
    STORE[what](known.git_dir)
    known.again()
    write(known.world.root, {"more.txt": "more\n"})
    known.begins("t3", {**ALL, "a.txt": b"second\n", "more.txt": b"more\n"})
    # The agent's result is still there.
    assert known.shadow.read(known.name(f"{known.result}:a.txt")) == b"an agent's\n"
    known.shadow.gc()
    if what != "no refs":
        stands_alone(known.shadow)


@pytest.mark.parametrize("how", ["empty", "cut"])
def test_the_index_of_a_worktree_at_work_is_damaged(known: Known, how: str) -> None:
    snapshot = known.shadow.snapshot(known.repository, {}, "t2")
    worktree = known.worktrees.prepare(snapshot, "t2-1", repository=known.repository)
    write(worktree.folder, {"a.txt": "another's\n", "made.txt": "made\n"})
    (worktree.folder / "sub" / "b.txt").unlink()
    HARM[how](worktree.index)
    known.again()
    worktree = known.worktrees.reopen(worktree.slot)
    harvest = known.worktrees.harvest(worktree, "t2-1")
    expected = {**ALL, "a.txt": b"another's\n", "made.txt": b"made\n"}
    del expected["sub/b.txt"]
    assert files_in(known.shadow, harvest.commit) == expected
    known.worktrees.release(worktree)


def test_an_object_that_a_result_needs_is_damaged(known: Known) -> None:
    """The files that the agent left unchanged are in its worktree too."""
    known.loose()
    snapshot = known.shadow.snapshot(known.repository, {}, "t2")
    worktree = known.worktrees.prepare(snapshot, "t2-1", repository=known.repository)
    write(worktree.folder, {"sub/b.txt": "another's\n"})
    for name in (known.name(f"{snapshot.commit}:sub"), known.name(f"{snapshot.commit}:new.txt")):
        HARM["empty"](known.git_dir / "objects" / name[:2] / name[2:])
    harvest = known.worktrees.harvest(worktree, "t2-1")
    assert files_in(known.shadow, harvest.commit) == {**ALL, "sub/b.txt": b"another's\n"}
    known.worktrees.release(worktree)


def test_what_cannot_be_brought_back_is_said_in_a_sentence(known: Known) -> None:
    known.loose()
    blob = known.name(f"{known.result}:a.txt")
    HARM["empty"](known.git_dir / "objects" / blob[:2] / blob[2:])
    sentence = r"(?s)damaged or gone, and could not be brought back\. Start the task again\."
    for _ in range(2):
        with pytest.raises(DamageError, match=sentence):
            known.shadow.patch(known.snapshot.commit, known.result)
        with pytest.raises(DamageError, match=sentence):
            known.shadow.read(blob)
    known.begins("t2", ALL)
    # Packing fails as long as a ref names a missing object. The name is written down.
    known.shadow.gc()
    (noted,) = known.shadow.folder.glob("damaged/*/refs.txt")
    assert noted.read_text() == f"{known.result} refs/mux/results/t1-1\n"
    stands_alone(known.shadow)


def test_a_store_of_someone_whose_repository_is_gone_is_left_alone(known: Known) -> None:
    known.loose()
    blob = known.name(f"{known.result}:a.txt")
    HARM["empty"](known.git_dir / "objects" / blob[:2] / blob[2:])
    known.again()
    known.world.root.rename(known.world.folder / "elsewhere")
    with pytest.raises(DamageError):
        known.shadow.read(blob)
    assert not (known.shadow.folder / "damaged").exists()


def test_damage_of_the_persons_own_repository_is_theirs(world: World) -> None:
    make_repository(world.root, FILES)
    repository = discover(world.root)
    shadow = world.shadow(repository)
    tree = run(world.root, "rev-parse", "HEAD:sub").decode().strip()
    (world.root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(GitError):
        shadow.complete(shadow.snapshot(repository, {}, "t1"))
