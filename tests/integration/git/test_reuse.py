"""Test reused worktrees and incremental snapshots: after any change they equal fresh ones."""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.git import checkout, incremental, user_index, view
from mux_lsp.git.repository import discover
from mux_lsp.git.worktrees import Worktrees
from tests.integration.git.support import (
    World,
    commit,
    files_in,
    files_on_disk,
    make_repository,
    run,
    stands_alone,
    untouched,
    write,
)

if TYPE_CHECKING:
    from mux_lsp.core.model import Snapshot
    from mux_lsp.git.shadow import ShadowStore

NAMES = ["a", "b", "c d", "é", "*"]


def scramble(root: Path, choice: random.Random, steps: int) -> None:
    """Replace files, programs, links and folders with one another, and remove some."""
    for _ in range(steps):
        parts = [choice.choice(NAMES) for _ in range(choice.randint(1, 3))]
        path = root.joinpath(*parts)
        for folder in list(path.parents)[: len(parts) - 1]:
            if folder.is_symlink() or folder.is_file():
                folder.unlink()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        kind = choice.choice(["file", "file", "program", "link", "nothing"])
        if kind == "nothing":
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            path.symlink_to(choice.choice(["a", "../b", "nowhere"]))
        else:
            path.write_bytes(choice.choice([b"one\n", b"two\n", b"", b"no end", b"\0\xff\r\n"]))
            path.chmod(0o755 if kind == "program" else 0o644)


def folders(root: Path) -> set[str]:
    """Return every folder below `root` but git's own."""
    found = {os.fspath(path.relative_to(root)) for path in root.rglob("*") if path.is_dir() and not path.is_symlink()}
    return {path for path in found if ".git" not in Path(path).parts}


def parents(files: dict[str, bytes]) -> set[str]:
    """Return the folders that these files need."""
    return {os.fspath(folder) for path in files for folder in Path(path).parents if folder.name}


@pytest.mark.parametrize("few", [0, 2, 64])
@pytest.mark.parametrize("seed", range(4))
def test_a_reused_worktree_is_as_a_fresh_one(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int, few: int
) -> None:
    monkeypatch.setattr(incremental, "MAX_FILES", few)
    monkeypatch.setattr(checkout, "MAX_SINGLE_PATHS", few)
    choice = random.Random(seed)
    make_repository(world.root, {"a": "one\n", "b/a/c d": "two\n", "always/there": "x\n"})
    repository = discover(world.root)
    shadow = world.shadow(repository)
    worktrees = Worktrees(shadow)
    for number in range(5):
        scramble(world.root, choice, choice.choice([0, 1, 2, 6]))
        expected = files_on_disk(world.root)
        with untouched(repository.git_dir):
            snapshot = shadow.snapshot(repository, {}, f"t{number}")
            worktree = worktrees.prepare(snapshot, f"t{number}-1", repository=repository)
        assert files_in(shadow, snapshot.commit) == expected
        assert files_on_disk(worktree.folder) == expected
        assert folders(worktree.folder) == parents(expected)
        assert run(worktree.folder, "status", "--porcelain") == b""
        for _ in range(2):
            scramble(worktree.folder, choice, choice.choice([0, 1, 4]))
            harvest = worktrees.harvest(worktree, f"t{number}-1")
            assert files_in(shadow, harvest.commit) == files_on_disk(worktree.folder)
        scramble(worktree.folder, choice, choice.choice([0, 0, 2]))
        worktrees.release(worktree)
        assert files_on_disk(worktree.folder) == expected
        assert folders(worktree.folder) == parents(expected)
    assert len(worktrees.slots()) == 1
    shadow.close()
    stands_alone(shadow)


class Place:
    """A repository with a first snapshot, so that the next ones are incremental."""

    def __init__(self, world: World) -> None:
        self.world = world
        make_repository(world.root, {"a.txt": "one\n", "folder/b.txt": "two\n"})
        self.repository = discover(world.root)
        self.shadow = world.shadow(self.repository)
        self.shadow.complete(self.take("first"))

    def take(self, name: str, shadow: ShadowStore | None = None) -> Snapshot:
        return (shadow or self.shadow).snapshot(self.repository, {}, name)

    def check(self, name: str, shadow: ShadowStore | None = None) -> Snapshot:
        expected = files_on_disk(self.world.root)
        snapshot = self.take(name, shadow)
        assert files_in(shadow or self.shadow, snapshot.commit) == expected
        return snapshot


@pytest.fixture
def place(world: World) -> Place:
    return Place(world)


def test_a_file_that_changes_while_our_index_follows(place: Place, world: World) -> None:
    file = world.root / "a.txt"
    for number in range(4):
        file.write_text(f"{number}\n")
        first = place.check(f"x{number}")
        file.write_text(f"{number + 4}\n")  # before our index was updated to the snapshot
        place.shadow.complete(first)
        place.check(f"y{number}")
        file.unlink()
        place.shadow.complete(place.check(f"z{number}"))


def test_a_quick_snapshot_is_complete_with_its_refs_and_its_parent(place: Place, world: World) -> None:
    write(world.root, {"a.txt": "changed\n", "new": "n\n"})
    snapshot = place.check("u")
    for ref in ("refs/mux/snapshots/u", "refs/mux/person"):
        assert run(place.shadow.git_dir, "rev-parse", ref).decode().strip() == snapshot.commit
    head = run(world.root, "rev-parse", "HEAD").decode().strip()
    log = run(place.shadow.git_dir, "log", "-1", "--format=%P %s %cn %ae", snapshot.commit).decode()
    assert log == f"{head} Snapshot of project mux-lsp mux-lsp@localhost\n"
    assert place.shadow.tree_of(snapshot.commit) == snapshot.tree
    stands_alone(place.shadow)


def test_a_new_head_after_a_quick_snapshot(place: Place, world: World) -> None:
    write(world.root, {"a.txt": "changed\n"})
    place.check("u")
    commit(world.root, "the person commits")
    write(world.root, {"folder/b.txt": "and goes on\n"})
    snapshot = place.check("v")
    assert snapshot.head == run(world.root, "rev-parse", "HEAD").decode().strip()
    place.shadow.complete(snapshot)
    stands_alone(place.shadow)


def test_a_reused_worktree_of_a_sparse_checkout(place: Place, world: World) -> None:
    run(world.root, "sparse-checkout", "set", "folder")
    worktrees = Worktrees(place.shadow)
    for number in range(3):
        write(world.root, {"folder/b.txt": f"{number}\n"})
        snapshot = place.take(f"s{number}")
        worktree = worktrees.prepare(snapshot, f"s{number}-1", repository=place.repository)
        assert files_on_disk(worktree.folder) == files_on_disk(world.root)
        assert run(worktree.folder, "status", "--porcelain") == b""
        write(worktree.folder, {"folder/b.txt": "agent\n", "folder/new": "n\n"})
        harvest = worktrees.harvest(worktree, f"s{number}-1")
        changed = [change.path for change in place.shadow.changed_files_with_stats(snapshot.commit, harvest.commit)]
        assert changed == ["folder/b.txt", "folder/new"]
        worktrees.release(worktree)
        assert files_on_disk(worktree.folder) == files_on_disk(world.root)
    assert len(worktrees.slots()) == 1


def test_a_daemon_that_was_killed_before_its_index_followed(place: Place, world: World) -> None:
    write(world.root, {"a.txt": "changed\n", "new": "n\n"})
    place.take("u")  # and it is never completed
    write(world.root, {"folder/b.txt": "more\n"})
    (world.root / "new").unlink()
    place.check("v", world.shadow(place.repository))


def test_a_remembered_snapshot_that_is_gone(place: Place, world: World) -> None:
    write(world.root, {"a.txt": "changed\n"})
    place.take("u")
    later = world.shadow(place.repository)
    for name in ("first", "u"):
        place.shadow.delete_refs(name)
    place.shadow.set_refs({"refs/mux/person": None})
    run(place.shadow.git_dir, "prune", "--expire=now")
    later.complete(place.check("v", later))
    stands_alone(later)


@pytest.mark.parametrize("saved", [0, 1], ids=["before our index follows", "after it has followed"])
def test_a_disk_that_was_full_while_our_index_followed(
    place: Place, world: World, monkeypatch: pytest.MonkeyPatch, saved: int
) -> None:
    save = user_index.IndexState.save
    left = iter([True] * saved)

    def fill_up(memory: user_index.IndexState, path: Path) -> None:
        if not next(left, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        save(memory, path)

    write(world.root, {"a.txt": "changed\n"})
    snapshot = place.take("u")
    with monkeypatch.context() as full:
        full.setattr(user_index.IndexState, "save", fill_up)
        place.shadow.complete(snapshot)
        place.check("v")
    write(world.root, {"folder/b.txt": "more\n"})
    place.check("w")
    place.shadow.close()
    write(world.root, {"a.txt": "again\n"})
    place.check("x", world.shadow(place.repository))


def test_our_index_is_never_younger_than_what_was_read_for_it(
    place: Place, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git trusts its data about files older than its index, even if read before they changed once more."""
    monkeypatch.setattr(view, "TICK_NANOSECONDS", 10_000_000_000)
    begun = time.time_ns()
    write(world.root, {"a.txt": "changed\n"})
    place.take("u")
    place.shadow.close()
    assert (place.shadow.folder / "person" / "index").stat().st_mtime_ns < begun
    worktrees = Worktrees(place.shadow)
    worktree = worktrees.prepare(place.take("w"), "w-1", repository=place.repository)
    write(worktree.folder, {"a.txt": "agent\n"})
    worktrees.harvest(worktree, "w-1")
    assert worktree.index.stat().st_mtime_ns < begun


def test_a_new_file_in_a_folder_whose_time_was_set_back(place: Place, world: World) -> None:
    worktrees = Worktrees(place.shadow)
    worktree = worktrees.prepare(place.take("u"), "u-1", repository=place.repository)

    def harvested() -> str:
        return worktrees.harvest(worktree, "u-1").commit

    def taken() -> str:
        return place.take("v").commit

    for root, look in ((worktree.folder, harvested), (world.root, taken)):
        look()  # git caches the folder from here on
        status = (root / "folder").stat()
        write(root, {"folder/hidden": "h\n"})
        os.utime(root / "folder", ns=(status.st_atime_ns, status.st_mtime_ns))
        assert files_in(place.shadow, look())["folder/hidden"] == b"h\n"


def test_trim_keeps_so_many_released_worktrees(place: Place) -> None:
    worktrees = Worktrees(place.shadow)
    snapshot = place.take("t")
    prepared = [worktrees.prepare(snapshot, f"t-{number}", repository=place.repository) for number in range(1, 5)]
    for worktree in prepared[:3]:
        worktrees.release(worktree)
    worktrees.trim(1)
    assert sorted(slot.state for slot in worktrees.slots()) == ["in use", "released"]
    assert prepared[3].folder.exists()
    kept = {slot.name for slot in worktrees.slots()}
    for part in ("worktrees", "gitdirs", "slots"):
        assert {path.name for path in (place.shadow.folder / part).iterdir()} <= kept
    worktrees.trim(1)
    assert len(worktrees.slots()) == 2
    assert worktrees.prepare(snapshot, "t-5", repository=place.repository).slot in kept
    worktrees.trim(0)
    assert [slot.state for slot in worktrees.slots()] == ["in use", "in use"]


def test_sweep_removes_what_a_killed_daemon_left(place: Place, world: World) -> None:
    worktrees = Worktrees(place.shadow)
    snapshot = place.take("t")
    used, released, forgotten = (
        worktrees.prepare(snapshot, f"t-{number}", repository=place.repository) for number in range(1, 4)
    )
    worktrees.release(released)
    later = Worktrees(world.shadow(place.repository))
    later.sweep({used.slot})
    assert {slot.name for slot in later.slots()} == {used.slot, released.slot}
    assert used.folder.exists()
    assert not forgotten.folder.exists()
    assert not forgotten.git_dir.exists()
    refs = run(place.shadow.git_dir, "for-each-ref", "--format=%(refname)", "refs/mux/slots").decode().split()
    assert refs == [f"refs/mux/slots/{released.slot}"]
