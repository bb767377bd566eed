"""Test hidden worktrees: what agents can do in them, their results, and the state after release."""

from __future__ import annotations

import errno
import inspect
import os
import shutil
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import ChangeKind, Snapshot
from mux_lsp.errors import GitError
from mux_lsp.git.folders import remove_tree, walk
from mux_lsp.git.pinned_folder import LostError
from mux_lsp.git.repository import Repository, discover
from mux_lsp.git.shadow import ShadowStore
from mux_lsp.git.view import GitView, write_tree
from mux_lsp.git.worktrees import Worktree, Worktrees
from tests.integration.git.support import (
    World,
    commit,
    files_in,
    files_on_disk,
    fingerprint,
    make_repository,
    run,
    stands_alone,
    untouched,
    vanish,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {"a.txt": "one\n", "folder/b.txt": "two\n", "folder/c.txt": "three\n", ".gitignore": "*.log\n/out/\n.env\n"}
BYTES = {path: text.encode() for path, text in FILES.items()}


class Place:
    """A repository with its store, its worktrees and one snapshot."""

    def __init__(self, world: World, files: dict[str, str] | None = None) -> None:
        make_repository(world.root, files or FILES)
        self.repository: Repository = discover(world.root)
        self.shadow: ShadowStore = world.shadow(self.repository)
        self.worktrees = Worktrees(self.shadow)
        self.snapshot: Snapshot = self.take("t")

    def take(self, name: str) -> Snapshot:
        snapshot = self.shadow.snapshot(self.repository, {}, name)
        self.shadow.complete(snapshot)
        return snapshot

    def prepare(self, run_id: str = "t-1", snapshot: Snapshot | None = None) -> Worktree:
        return self.worktrees.prepare(snapshot or self.snapshot, run_id, repository=self.repository)

    def result(self, worktree: Worktree) -> dict[str, bytes]:
        assert worktree.run_id
        return files_in(self.shadow, self.worktrees.harvest(worktree, worktree.run_id).commit)


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of each path. Times are left out: git sets those of existing objects instead of writing them."""
    return {path: content for path, (_, _, content) in fingerprint(folder).items()}


@pytest.fixture
def place(world: World) -> Place:
    return Place(world)


def test_what_an_agent_finds(place: Place) -> None:
    worktree = place.prepare()
    assert worktree.folder.name == "project"
    assert files_on_disk(worktree.folder) == BYTES
    assert run(worktree.folder, "branch", "--show-current") == b"mux/t-1\n"
    assert run(worktree.folder, "status", "--porcelain") == b""
    assert run(worktree.folder, "remote") == b""
    subjects = run(worktree.folder, "log", "--format=%s").decode().splitlines()
    assert subjects == ["Snapshot of project", "first"]
    who = subprocess.run(["git", "var", "GIT_COMMITTER_IDENT"], cwd=worktree.folder, capture_output=True, check=True)
    assert who.stdout.startswith(b"mux agent <")
    assert run(worktree.folder, "fsck") == b""


def test_changes_come_back(place: Place) -> None:
    worktree = place.prepare()
    write(worktree.folder, {"a.txt": "changed\nmore\n", "new/file": "n\n", "x.log": "ignored\n", "bin": b"\0\1"})
    (worktree.folder / "folder" / "b.txt").unlink()
    (worktree.folder / "folder" / "c.txt").chmod(0o755)
    (worktree.folder / "link").symlink_to("../../../etc")
    harvest = place.worktrees.harvest(worktree, "t-1")
    changes = {
        change.path: change for change in place.shadow.changed_files_with_stats(place.snapshot.commit, harvest.commit)
    }
    assert {path: (change.kind, change.lines_added, change.lines_removed) for path, change in changes.items()} == {
        "a.txt": (ChangeKind.MODIFIED, 2, 1),
        "bin": (ChangeKind.ADDED, None, None),
        "folder/b.txt": (ChangeKind.DELETED, 0, 1),
        "folder/c.txt": (ChangeKind.MODIFIED, 0, 0),
        "link": (ChangeKind.ADDED, 1, 0),
        "new/file": (ChangeKind.ADDED, 1, 0),
    }
    assert (changes["folder/c.txt"].old_mode, changes["folder/c.txt"].new_mode) == (0o100644, 0o100755)
    assert changes["link"].new_mode == 0o120000
    assert place.shadow.read(changes["a.txt"].new_object) == b"changed\nmore\n"
    assert place.shadow.read_at(place.snapshot.commit, "a.txt") == b"one\n"
    assert place.shadow.read_at(harvest.commit, "folder/b.txt") is None
    assert place.shadow.read_at(harvest.commit, "folder") is None
    assert place.shadow.tree_of(harvest.commit) == harvest.tree
    assert run(place.shadow.git_dir, "rev-parse", f"{harvest.commit}^").decode().strip() == place.snapshot.commit
    assert run(place.shadow.git_dir, "rev-parse", "refs/mux/results/t-1").decode().strip() == harvest.commit
    assert place.worktrees.harvest(worktree, "t-1") == harvest
    with pytest.raises(GitError, match="no file content"):
        place.shadow.read("0" * 40)


def test_a_patch_applies_to_the_snapshot(place: Place, world: World) -> None:
    worktree = place.prepare()
    write(worktree.folder, {"a.txt": "no newline", "new": "n\n", "bin": bytes(range(256)), "with space\n": "x\n"})
    shutil.rmtree(worktree.folder / "folder")
    (worktree.folder / "folder").symlink_to("a.txt")
    harvest = place.worktrees.harvest(worktree, "t-1")
    target = place.prepare("t-2")
    (world.folder / "patch").write_bytes(place.shadow.patch(place.snapshot.commit, harvest.commit))
    run(target.folder, "apply", str(world.folder / "patch"))
    assert place.result(target) == files_in(place.shadow, harvest.commit)
    only = place.shadow.patch(place.snapshot.commit, harvest.commit, ["new"])
    assert only.count(b"diff --git") == 1


def test_only_named_paths_are_read(place: Place) -> None:
    worktree = place.prepare()
    write(worktree.folder, {"a.txt": "changed\n", "folder/b.txt": "changed\n", "folder/new": "n\n", "other": "o\n"})
    harvest = place.worktrees.harvest(worktree, "t-1", ["folder", "gone", "no*glob"])
    assert files_in(place.shadow, harvest.commit) == {**BYTES, "folder/b.txt": b"changed\n", "folder/new": b"n\n"}
    assert place.result(worktree)["other"] == b"o\n"


def test_agents_use_git_without_meeting(place: Place) -> None:
    worktrees = [place.prepare(f"t-{number}") for number in range(1, 5)]

    def work(worktree: Worktree) -> None:
        name = str(worktree.run_id)
        write(worktree.folder, {"a.txt": f"{name}\n", "mine": name})
        run(worktree.folder, "stash", "-u")
        assert files_on_disk(worktree.folder) == BYTES
        run(worktree.folder, "stash", "pop")
        commit(worktree.folder, f"work of {name}")
        run(worktree.folder, "checkout", "-q", "-b", "feature")
        write(worktree.folder, {"a.txt": f"{name} again\n"})
        commit(worktree.folder, "again")
        run(worktree.folder, "rebase", "-q", "--onto", f"mux/{name}~1", f"mux/{name}", "-X", "theirs")
        run(worktree.folder, "reset", "-q", "--soft", "HEAD~1")
        run(worktree.folder, "gc", "-q", "--prune=now")

    with untouched(place.repository.git_dir), ThreadPoolExecutor() as pool:
        store = contents(place.shadow.git_dir)
        list(pool.map(work, worktrees))
        assert contents(place.shadow.git_dir) == store
        for worktree in worktrees:
            assert place.result(worktree)["a.txt"] == f"{worktree.run_id} again\n".encode()
    stands_alone(place.shadow)


def test_results_stand_alone(place: Place, world: World) -> None:
    worktree = place.prepare()
    write(worktree.folder, {"a.txt": "result\n"})
    commit(worktree.folder, "committed by the agent")
    harvest = place.worktrees.harvest(worktree, "t-1")
    place.worktrees.release(worktree)
    vanish(world.root)
    stands_alone(place.shadow)
    assert files_in(place.shadow, harvest.commit) == {**BYTES, "a.txt": b"result\n"}


def test_used_again_after_release(place: Place, world: World) -> None:
    first = place.prepare()
    write(first.folder, {"a.txt": "x\n", "new/file": "n\n", "out/y": "y\n", "z.log": "z\n"})
    (first.folder / "empty").mkdir()
    shutil.rmtree(first.folder / "folder")
    commit(first.folder, "all")
    place.worktrees.harvest(first, "t-1")
    place.worktrees.release(first)
    assert files_on_disk(first.folder) == BYTES
    assert not (first.folder / "empty").exists()
    assert not first.git_dir.exists()
    write(world.root, {"a.txt": "later\n", "folder/d.txt": "four\n"})
    (world.root / "folder" / "b.txt").unlink()
    later = place.take("u")
    second = place.prepare("u-1", later)
    assert second.slot == first.slot
    expected = {**BYTES, "a.txt": b"later\n", "folder/d.txt": b"four\n"}
    del expected["folder/b.txt"]
    assert files_on_disk(second.folder) == expected
    assert run(second.folder, "status", "--porcelain") == b""
    assert run(second.folder, "branch", "--format=%(refname:short)") == b"mux/u-1\n"
    assert place.shadow.changed_files_with_stats(later.commit, place.worktrees.harvest(second, "u-1").commit) == ()


def test_the_slot_with_the_same_files_is_preferred(place: Place, world: World) -> None:
    write(world.root, {"a.txt": "later\n"})
    later = place.take("u")
    worktrees = {place.prepare("t-1").slot: place.snapshot, place.prepare("u-1", later).slot: later}
    for slot in worktrees:
        place.worktrees.release(place.worktrees.reopen(slot))
    for slot, snapshot in reversed(worktrees.items()):
        assert place.prepare("v-1", snapshot).slot == slot


def test_ten_at_once(place: Place) -> None:
    with ThreadPoolExecutor(10) as pool:
        worktrees = list(pool.map(lambda number: place.prepare(f"t-{number}"), range(10)))
        assert len({worktree.folder for worktree in worktrees}) == 10
        for worktree in worktrees:
            write(worktree.folder, {"a.txt": f"{worktree.run_id}\n"})
        harvests = list(pool.map(lambda w: place.worktrees.harvest(w, str(w.run_id)), worktrees))
        for worktree, harvest in zip(worktrees, harvests, strict=True):
            assert place.shadow.read_at(harvest.commit, "a.txt") == f"{worktree.run_id}\n".encode()
        list(pool.map(place.worktrees.release, worktrees))
        again = list(pool.map(lambda number: place.prepare(f"u-{number}"), range(10)))
    assert {worktree.slot for worktree in again} == {worktree.slot for worktree in worktrees}
    assert all(files_on_disk(worktree.folder) == BYTES for worktree in again)


def test_snapshots_and_prepares_at_once(place: Place, world: World) -> None:
    def both(number: int) -> None:
        snapshot = place.shadow.snapshot(place.repository, {"a.txt": b"%d\n" % number}, f"x{number}")
        worktree = place.prepare(f"x{number}-1", snapshot)
        assert (worktree.folder / "a.txt").read_bytes() == b"%d\n" % number

    write(world.root, {"folder/b.txt": "moved on\n"})
    commit(world.root, "a new head")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(both, range(8)))
    stands_alone(place.shadow)


def test_a_restarted_daemon_takes_worktrees_up(place: Place, world: World) -> None:
    worktree = place.prepare()
    released = place.prepare("t-2")
    place.worktrees.release(released)
    write(worktree.folder, {"a.txt": "before\n"})
    before = place.worktrees.harvest(worktree, "t-1")
    (worktree.index.parent / "index.lock").touch()
    later = Worktrees(world.shadow(place.repository))
    assert [(slot.name, slot.state, slot.run_id) for slot in later.slots()] == [
        (worktree.slot, "in use", "t-1"),
        (released.slot, "released", "t-2"),
    ]
    taken_up = later.reopen(worktree.slot)
    assert taken_up == worktree
    assert later.harvest(taken_up, "t-1") == before
    write(worktree.folder, {"a.txt": "after\n"})
    harvest = later.harvest(taken_up, "t-1")
    assert place.shadow.read_at(harvest.commit, "a.txt") == b"after\n"
    assert later.prepare(place.snapshot, "t-3", repository=place.repository).slot == released.slot
    with pytest.raises(GitError, match="no worktree in slot"):
        later.reopen("s99")


def test_a_run_comes_back_to_the_folder_it_had(place: Place) -> None:
    worktrees = {name: place.prepare(name) for name in ("t-1", "t-2", "t-3")}
    for worktree in worktrees.values():
        place.worktrees.release(worktree)
    for name in ("t-2", "t-3", "t-1"):
        assert place.prepare(name).folder == worktrees[name].folder


def test_remove(place: Place) -> None:
    worktree = place.prepare()
    assert place.worktrees.disk_use(worktree.slot) > 0
    assert place.shadow.disk_use() > place.worktrees.disk_use(worktree.slot)
    (worktree.folder / "locked").mkdir()
    write(worktree.folder, {"locked/x": "x"})
    (worktree.folder / "locked").chmod(0)
    place.worktrees.remove(worktree)
    assert place.worktrees.slots() == ()
    for part in ("worktrees", "gitdirs", "slots"):
        assert list((place.shadow.folder / part).iterdir()) == []


@pytest.mark.parametrize("many_loose", [False, True])
def test_forgetting_and_tidying(place: Place, world: World, monkeypatch: pytest.MonkeyPatch, many_loose: bool) -> None:
    monkeypatch.setattr(ShadowStore, "many_loose", many_loose)
    worktree = place.prepare()
    write(worktree.folder, {"a.txt": "result\n"})
    harvest = place.worktrees.harvest(worktree, "t-1")
    place.worktrees.remove(worktree)
    place.shadow.delete_refs("t-1")
    place.shadow.delete_refs("t")
    place.shadow.delete_refs("never-was")
    refs = run(place.shadow.git_dir, "for-each-ref", "--format=%(refname)").decode().split()
    assert refs == ["refs/mux/person"]
    days_ago = time.time() - 3 * 24 * 60 * 60
    for file in (place.shadow.git_dir / "objects").glob("*/*"):
        os.utime(file, (days_ago, days_ago))
    place.shadow.gc()
    assert run(place.shadow.git_dir, "cat-file", "-t", harvest.commit, ok=False) == b""
    write(world.root, {"a.txt": "next\n"})
    assert files_in(place.shadow, place.take("next").commit) == {**BYTES, "a.txt": b"next\n"}
    stands_alone(place.shadow)


# --- agents with bad intentions or bad habits ---


def test_nothing_an_agent_writes_is_executed(place: Place, world: World) -> None:
    worktree = place.prepare()
    hooks = worktree.folder / "hooks"
    for target in (worktree.git_dir, worktree.folder):
        write(
            target,
            {
                "config" if target == worktree.git_dir else "x/.git/config": f"""
[core]
    repositoryformatversion = 0
    fsmonitor = "{world.trap}"
    hooksPath = "{hooks}"
    sshCommand = "{world.trap}"
    pager = "{world.trap}"
    editor = "{world.trap}"
    attributesFile = "{worktree.folder}/.gitattributes"
    worktree = "{world.folder}"
[diff]
    external = "{world.trap}"
[diff "evil"]
    textconv = "{world.trap}"
    command = "{world.trap}"
[filter "evil"]
    clean = "{world.trap}"
    smudge = "{world.trap}"
    process = "{world.trap}"
    required = true
[merge "evil"]
    driver = "{world.trap}"
[alias]
    diff-files = "!{world.trap}"
[include]
    path = "{worktree.folder}/more-config"
"""
            },
        )
    names = ["post-index-change", "reference-transaction", "post-checkout", "pre-commit", "fsmonitor-watchman"]
    for folder in (hooks, worktree.git_dir / "hooks", worktree.folder / "x" / ".git" / "hooks"):
        for name in names:
            write(folder, {name: f"#!/bin/sh\n{world.trap}\n"})
            (folder / name).chmod(0o755)
    write(
        worktree.folder, {".gitattributes": "* filter=evil diff=evil merge=evil ident text eol=crlf\n", "a.txt": "w\n"}
    )
    write(worktree.folder, {"x/.git/HEAD": "ref: refs/heads/main\n", "x/.git/refs/x": "", "x/.git/objects/x": ""})
    write(worktree.folder, {"x/code.txt": "code\n", "x/.gitattributes": "* filter=evil\n"})
    write(worktree.git_dir, {"info/attributes": "* filter=evil diff=evil\n"})
    (worktree.git_dir / "objects" / "info" / "alternates").write_text(str(world.root / ".git" / "objects"))
    harvest = place.worktrees.harvest(worktree, "t-1")
    found = files_in(place.shadow, harvest.commit)
    assert found["a.txt"] == b"w\n"
    assert found["x/code.txt"] == b"code\n"
    assert not any("/.git/" in path for path in found)
    place.shadow.changed_files_with_stats(place.snapshot.commit, harvest.commit)
    place.shadow.patch(place.snapshot.commit, harvest.commit)
    place.worktrees.release(worktree)
    assert files_on_disk(worktree.folder) == BYTES
    assert not world.canary.exists()
    again = place.prepare("t-2", Snapshot(harvest.commit, harvest.tree, place.snapshot.head))
    assert (again.folder / "a.txt").read_bytes() == b"w\n"
    stands_alone(place.shadow)


def test_a_real_nested_repository_comes_as_files(place: Place, world: World) -> None:
    worktree = place.prepare()
    nested = make_repository(
        worktree.folder / "vendor" / "lib", {"x.c": "x\n", ".gitignore": "*.o\n", "deep/y.c": "y\n"}
    )
    run(nested, "config", "core.fsmonitor", world.trap)
    write(nested, {"x.o": "ignored\n", "new.c": "new\n"})
    make_repository(nested / "inner", {"z.c": "z\n"})
    shutil.rmtree(worktree.folder / "folder")
    make_repository(worktree.folder / "folder", {"b.txt": "now in a repository\n"})
    (worktree.folder / "a.txt").unlink()
    make_repository(worktree.folder / "a.txt", {"inside": "i\n"})
    expected = {
        ".gitignore": BYTES[".gitignore"],
        "a.txt/inside": b"i\n",
        "folder/b.txt": b"now in a repository\n",
        "vendor/lib/x.c": b"x\n",
        "vendor/lib/.gitignore": b"*.o\n",
        "vendor/lib/deep/y.c": b"y\n",
        "vendor/lib/new.c": b"new\n",
        "vendor/lib/inner/z.c": b"z\n",
    }
    assert place.result(worktree) == expected
    write(nested, {"x.c": "changed\n", "later.c": "l\n"})
    assert place.result(worktree) == {**expected, "vendor/lib/x.c": b"changed\n", "vendor/lib/later.c": b"l\n"}
    place.worktrees.release(worktree)
    assert files_on_disk(worktree.folder) == BYTES


def test_disguises_of_git_folders_are_left_out_and_named(place: Place) -> None:
    worktree = place.prepare()
    names = [
        ".GIT/config",
        "folder/.Git/x",
        "git~1/x",
        ".git /x",
        ".git./x",
        ".g\u200cit/x",
        ".git::$INDEX_ALLOCATION/x",
    ]
    write(worktree.folder, {**dict.fromkeys(names, "x\n"), "fine": "f\n"})
    (worktree.folder / ".gitmodules").symlink_to("a.txt")
    harvest = place.worktrees.harvest(worktree, "t-1")
    assert {item.path for item in harvest.left_out} == {*names, ".gitmodules"}
    assert files_in(place.shadow, harvest.commit) == {**BYTES, "fine": b"f\n"}


def test_what_is_no_file_or_too_large_is_left_out_and_named(place: Place) -> None:
    worktree = place.prepare()
    (worktree.folder / "a.txt").unlink()
    os.mkfifo(worktree.folder / "a.txt")
    with (worktree.folder / "huge").open("wb") as file:
        file.truncate(50_000_001)
    harvest = place.worktrees.harvest(worktree, "t-1")
    assert {item.path: item.reason for item in harvest.left_out} == {
        "a.txt": "is not a file (a pipe, a socket or a device)",
        "huge": "is larger than 50 MB (50 MB)",
    }
    assert files_in(place.shadow, harvest.commit) == BYTES


def test_a_folder_replaced_by_a_link_to_outside(place: Place, world: World) -> None:
    outside = world.folder / "outside"
    write(outside, {"b.txt": "theirs\n", "secret": "s\n"})
    worktree = place.prepare()
    with untouched(outside):
        shutil.rmtree(worktree.folder / "folder")
        (worktree.folder / "folder").symlink_to(outside)
        link = b"-> " + os.fsencode(outside)
        assert place.result(worktree) == {"a.txt": b"one\n", ".gitignore": BYTES[".gitignore"], "folder": link}
        place.worktrees.release(worktree)
        assert files_on_disk(worktree.folder) == BYTES


def test_the_worktree_itself_replaced_by_a_link(place: Place, world: World) -> None:
    outside = world.folder / "outside"
    write(outside, {"a.txt": "theirs\n"})
    worktree = place.prepare()
    with untouched(outside):
        shutil.rmtree(worktree.folder)
        worktree.folder.symlink_to(outside)
        with pytest.raises(GitError, match="has been replaced"):
            place.worktrees.harvest(worktree, "t-1")
        place.worktrees.release(worktree)
        assert place.worktrees.slots() == ()
        assert files_on_disk(place.prepare("t-2").folder) == BYTES


def test_a_deleted_worktree_is_no_result_that_deletes_everything(place: Place) -> None:
    worktree = place.prepare()
    shutil.rmtree(worktree.folder)
    with pytest.raises(LostError, match=f"{worktree.folder} was removed"):
        place.result(worktree)
    place.worktrees.release(worktree)
    assert place.worktrees.slots() == ()
    assert files_on_disk(place.prepare("t-2").folder) == BYTES


def swap_for_link(folder: Path, world: World) -> Path:
    """Replace a folder with a link to a folder of the person's that has all of its files."""
    theirs = world.folder / "theirs"
    shutil.copytree(folder, theirs, symlinks=True)
    folder.rename(world.folder / "moved")
    folder.symlink_to(theirs)
    return theirs


def swap_for_folder(folder: Path, world: World) -> Path:
    """Move a folder of the person's into the place of the worktree's."""
    shutil.copytree(folder, world.folder / "theirs", symlinks=True)
    folder.rename(world.folder / "moved")
    (world.folder / "theirs").rename(folder)
    return folder


@pytest.mark.parametrize("level", ["worktrees", "worktrees/s1", "worktrees/s1/project", "gitdirs", "gitdirs/s1"])
@pytest.mark.parametrize("swap", [swap_for_link, swap_for_folder])
@pytest.mark.parametrize("later", [False, True])
def test_what_takes_the_place_of_a_worktree_or_of_a_folder_above_it_is_the_persons(
    place: Place, world: World, level: str, swap: Callable[[Path, World], Path], later: bool
) -> None:
    worktree = place.prepare()
    before = place.worktrees.harvest(worktree, "t-1")
    theirs = swap(place.shadow.folder / level, world)
    (theirs / "mine.txt").write_text("an edit of the person's\n")
    worktrees = Worktrees(place.shadow) if later else place.worktrees
    with untouched(theirs):
        with pytest.raises(LostError, match="has been replaced"):
            worktrees.harvest(worktree, "t-1")
        worktrees.release(worktree)
        worktrees.sweep(())
        worktrees.trim(0)
    assert place.shadow.git(["rev-parse", "refs/mux/results/t-1"]).decode().strip() == before.commit
    if "/" in level:
        assert files_on_disk(worktrees.prepare(place.snapshot, "t-2", repository=place.repository).folder) == BYTES


def test_a_parent_that_is_replaced_while_git_reads(place: Place, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    worktree = place.prepare()
    (worktree.folder / "new.txt").write_text("the agent's\n")

    def replaced(view: GitView) -> str:
        swap_for_link(worktree.folder.parent, world)
        return write_tree(view)

    monkeypatch.setattr("mux_lsp.git.worktrees.write_tree", replaced)
    with pytest.raises(LostError, match="has been replaced"):
        place.worktrees.harvest(worktree, "t-1")
    assert not place.shadow.has("refs/mux/results/t-1")


def test_a_replaced_worktree_that_waits_for_its_next_run_is_not_used_again(place: Place, world: World) -> None:
    worktree = place.prepare()
    place.worktrees.release(worktree)
    theirs = swap_for_folder(worktree.folder, world)
    with untouched(theirs):
        assert files_on_disk(place.prepare("t-2").folder) == BYTES
    assert [slot.name for slot in place.worktrees.slots()] == ["s2"]


def test_files_in_a_locked_folder_are_left_out_and_not_deleted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system denies access to all but the superuser; the test raises its error."""
    worktree = place.prepare()
    shutil.rmtree(worktree.folder / "folder")

    def lstat(path: str | Path) -> os.stat_result:
        if "/folder/" in os.fspath(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return Path(path).stat(follow_symlinks=False)

    monkeypatch.setattr("mux_lsp.git.view.os.lstat", lstat)
    harvest = place.worktrees.harvest(worktree, "t-1")
    assert files_in(place.shadow, harvest.commit) == BYTES
    assert {left.path: left.reason for left in harvest.left_out} == dict.fromkeys(
        ["folder/b.txt", "folder/c.txt"], "cannot be read (its permissions forbid it)"
    )


def test_a_worktree_in_locked_folders_is_read_and_given_back(place: Place) -> None:
    worktree = place.prepare()
    (worktree.folder / "new.txt").write_text("new\n")
    worktree.folder.parent.chmod(0)
    assert place.result(worktree)["new.txt"] == b"new\n"
    place.worktrees.release(worktree)
    assert files_on_disk(worktree.folder) == BYTES


def test_mess_is_cleaned_up(place: Place) -> None:
    worktree = place.prepare()
    inside = fingerprint(worktree.folder / "folder")
    (worktree.folder / ".git").unlink()
    make_repository(worktree.folder)
    write(worktree.folder, {"locked/deep/x": "x", "folder/b.txt": "x"})
    os.mkfifo(worktree.folder / "pipe")
    os.mkfifo(worktree.folder / "locked" / "pipe")
    (worktree.folder / "locked" / "deep").chmod(0)
    (worktree.folder / "locked").chmod(0o400)
    (worktree.folder / "folder" / "b.txt").chmod(0)
    (worktree.folder / "folder").chmod(0o500)
    (worktree.folder / "loop").symlink_to("loop")
    place.worktrees.release(worktree)
    assert [slot.state for slot in place.worktrees.slots()] == ["released"]
    assert files_on_disk(worktree.folder) == BYTES
    assert {path: stat.S_IMODE(mode) for path, (mode, _, _) in fingerprint(worktree.folder / "folder").items()} == {
        path: stat.S_IMODE(mode) for path, (mode, _, _) in inside.items()
    }


def test_a_change_that_keeps_size_and_time_is_found(place: Place) -> None:
    worktree = place.prepare()
    file = worktree.folder / "a.txt"
    status = file.stat()
    file.write_text("two\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert place.result(worktree)["a.txt"] == b"two\n"
    place.worktrees.release(worktree)
    assert files_on_disk(worktree.folder) == BYTES


def test_a_failed_prepare_leaves_nothing(place: Place) -> None:
    with pytest.raises(GitError):
        place.prepare("t-1", Snapshot("1" * 40, "1" * 40, None))
    assert place.worktrees.slots() == ()
    assert place.prepare("t-2").slot == "s1"


# --- .worktreeinclude ---


def test_worktreeinclude(world: World) -> None:
    place = Place(world, {**FILES, ".worktreeinclude": "# wanted\n.env\n/out/\n!out/not-this\n", "sub/x": "x\n"})
    write(
        world.root,
        {".env": "SECRET=1\n", "sub/.env": "SUB=1\n", "out/tool": "#!\n", "out/lib/y": "y\n", "z.log": "no\n"},
    )
    (world.root / "out" / "tool").chmod(0o755)
    (world.root / "out" / "link").symlink_to("tool")
    with untouched(world.root):
        worktree = place.prepare()
    extra = {
        ".env": b"SECRET=1\n",
        "sub/.env": b"SUB=1\n",
        "out/tool": b"x:#!\n",
        "out/lib/y": b"y\n",
        "out/link": b"-> tool",
    }
    expected = {**BYTES, ".worktreeinclude": b"# wanted\n.env\n/out/\n!out/not-this\n", "sub/x": b"x\n"}
    assert files_on_disk(worktree.folder) == {**expected, **extra}
    assert run(worktree.folder, "status", "--porcelain") == b""
    # Even an agent that stops ignoring them does not bring the person's secrets into its result.
    write(worktree.folder, {".gitignore": ""})
    assert place.result(worktree) == {**expected, ".gitignore": b""}
    place.worktrees.release(worktree)
    assert files_on_disk(worktree.folder) == expected


def test_worktreeinclude_never_overwrites(world: World) -> None:
    place = Place(world, {**FILES, ".worktreeinclude": "*\n"})
    write(world.root, {"x.log": "log\n", "a.txt": "dirty\n"})
    worktree = place.prepare()
    assert (worktree.folder / "a.txt").read_bytes() == b"one\n"
    assert (worktree.folder / "x.log").read_bytes() == b"log\n"


def test_paths_of_the_shadow_are_private(place: Place) -> None:
    assert stat.S_IMODE(Path(place.shadow.git_dir).stat().st_mode) == 0o700


def test_half_of_a_file_that_grew_too_large_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(world)
    worktree = place.prepare()
    monkeypatch.setattr("mux_lsp.git.harvest.MAX_FILE_BYTES", 1000)
    for path in ("new.bin", "a.txt"):
        (worktree.folder / path).write_bytes(b"x" * 500)
    assert place.result(worktree)["new.bin"] == b"x" * 500
    for path in ("new.bin", "a.txt"):
        (worktree.folder / path).write_bytes(b"x" * 5000)
    harvest = place.worktrees.harvest(worktree, "t-1", ["new.bin", "a.txt"])
    assert {left.path for left in harvest.left_out} == {"new.bin", "a.txt"}
    assert files_in(place.shadow, harvest.commit) == BYTES
    again = place.worktrees.harvest(worktree, "t-1")
    assert {left.path for left in again.left_out} == {"new.bin", "a.txt"}
    assert again.commit == harvest.commit


def test_pipes_where_git_reads_its_rules_hold_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mux_lsp.git.harvest.FIFO_CHECK_SECONDS", 0.1)
    place = Place(world)
    worktree = place.prepare()
    (worktree.folder / ".gitignore").unlink()
    for path in (".gitignore", "folder/.gitattributes", "folder/.gitignore"):
        os.mkfifo(worktree.folder / path)
    (worktree.folder / "new.txt").write_text("new\n")
    result = place.result(worktree)
    assert result["new.txt"] == b"new\n"
    os.mkfifo(worktree.folder / ".gitmodules")
    place.worktrees.harvest(worktree, "t-1", [".gitmodules", "new.txt"])
    place.worktrees.release(worktree)


def test_rules_larger_than_memory_cost_nothing_but_themselves(place: Place) -> None:
    worktree = place.prepare()
    for path in (".gitignore", "folder/.gitignore"):
        with (worktree.folder / path).open("wb") as file:
            file.truncate(50_000_000_000)
    (worktree.folder / "new.txt").write_text("new\n")
    harvest = place.worktrees.harvest(worktree, "t-1")
    assert {item.path: item.reason for item in harvest.left_out} == {
        ".gitignore": "is larger than 50 MB (50000 MB)",
        "folder/.gitignore": "is larger than 50 MB (50000 MB)",
    }
    assert files_in(place.shadow, harvest.commit) == {**BYTES, "new.txt": b"new\n"}
    place.worktrees.release(worktree)


def test_more_can_be_left_out_than_a_command_line_holds(place: Place) -> None:
    worktree = place.prepare()
    (worktree.folder / "new.txt").write_text("new\n")
    for number in range(12_000):
        with (worktree.folder / f"{'huge' * 50}{number}").open("wb") as file:
            file.truncate(50_000_001)
    with (worktree.folder / "a.txt").open("wb") as file:
        file.truncate(50_000_001)
    harvest = place.worktrees.harvest(worktree, "t-1")
    assert len(harvest.left_out) == 12_001
    assert files_in(place.shadow, harvest.commit) == {**BYTES, "new.txt": b"new\n"}


def test_more_rules_can_hide_files_than_a_command_line_holds(place: Place) -> None:
    worktree = place.prepare()
    for number in range(2_500):
        folder = worktree.folder.joinpath("a" * 250, "b" * 250, "c" * 250, f"{'folder' * 35}{number}")
        folder.mkdir(parents=True)
        (folder / ".gitignore").write_text("hidden.py\n")
        (folder / "hidden.py").write_text("hidden\n")
    harvest = place.worktrees.harvest(worktree, "t-1", wanted=lambda path: path.endswith("/hidden.py"))
    assert len(harvest.hidden) == 2_500


def test_repositories_in_repositories_are_read_however_deep_they_are(place: Place) -> None:
    worktree = place.prepare()
    folder = worktree.folder
    for _ in range(300):
        folder /= "d"
        (folder / ".git" / "objects").mkdir(parents=True)
        (folder / ".git" / "refs").mkdir()
        (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "deep.txt").write_text("deep\n")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 200)
    try:
        found = place.result(worktree)
    finally:
        sys.setrecursionlimit(limit)
    assert found["d/" * 300 + "deep.txt"] == b"deep\n"


def test_folders_too_deep_to_name_are_removed(world: World) -> None:
    place = Place(world)
    worktree = place.prepare()
    deeper = "import os\nfor _ in range(60): os.makedirs(p := '/'.join(['d' * 20] * 5)); os.chdir(p)"
    subprocess.run([sys.executable, "-c", deeper], cwd=worktree.folder, check=True)
    place.worktrees.remove(worktree)
    assert not worktree.folder.exists()
    assert not place.worktrees.slots()


def test_a_result_is_taken_however_deep_its_folders_are(world: World) -> None:
    place = Place(world)
    worktree = place.prepare()
    (worktree.folder / "new.txt").write_text("new\n")
    descend = "import os\nfor _ in range(1200):\n os.mkdir('d')\n os.chdir('d')\nopen('deep.txt', 'w').write('deep')"
    subprocess.run([sys.executable, "-c", descend], cwd=worktree.folder, check=True)
    found = place.result(worktree)
    assert {"new.txt", "d/" * 1200 + "deep.txt"} <= found.keys()
    place.worktrees.release(worktree)
    assert [slot.state for slot in place.worktrees.slots()] == ["released"]
    assert not (worktree.folder / "d").exists()


def test_links_that_lead_nowhere_hide_nothing_beside_them(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "there").symlink_to(tmp_path)
    (tmp_path / "folder").mkdir()
    assert [(sorted(folders), sorted(names)) for _, folders, names in walk(tmp_path)] == [
        (["folder"], ["loop", "there"]),
        ([], []),
    ]
    remove_tree(tmp_path)
    assert not tmp_path.exists()
