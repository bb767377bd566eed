"""Make real repositories, and compare them as a person would see them."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.git.repository import Repository, discover
from mux_lsp.git.shadow import ShadowStore, key_of
from mux_lsp.git.worktrees import Worktrees

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mux_lsp.core.model import Snapshot

AUTHOR = ("-c", "user.name=A Person", "-c", "user.email=person@example.org", "-c", "protocol.file.allow=always")


def run(folder: Path, *arguments: str | bytes, ok: bool = True) -> bytes:
    """Run plain git, as a person or an agent runs it."""
    done = subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, check=False)
    if ok:
        assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def make_repository(root: Path, files: Mapping[str, bytes | str] | None = None, *options: str) -> Path:
    """Make a repository with one commit of `files` (None: no commit) and return its root."""
    root.mkdir(parents=True, exist_ok=True)
    run(root, "init", "-q", "-b", "main", *options)
    if files is not None:
        write(root, files)
        commit(root, "first")
    return root


def write(root: Path, files: Mapping[str, bytes | str]) -> None:
    """Write files, with their folders."""
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())


def commit(root: Path, message: str) -> None:
    """Commit everything."""
    run(root, "add", "-A")
    run(root, "commit", "-q", "-m", message)


def fingerprint(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return the mode, time and hash of every file below `folder`, folders included."""
    found = {}
    for place, _, files in os.walk(folder):
        for path in [Path(place), *(Path(place) / name for name in files)]:
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                content = os.fspath(path.readlink()) if path.is_symlink() else ""
            found[os.fspath(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


@contextmanager
def untouched(*folders: Path) -> Iterator[None]:
    """Assert that nothing below `folders` changes by a byte or a time stamp."""
    before = [fingerprint(folder) for folder in folders]
    yield
    for folder, state in zip(folders, before, strict=True):
        after = fingerprint(folder)
        assert {path for path in state | after if state.get(path) != after.get(path)} == set()


def files_on_disk(root: Path) -> dict[str, bytes]:
    """Return every file below `root` but git's own.

    The content of a symbolic link is `b"-> target"`, and an executable's begins with `b"x:"`.
    """
    found = {}
    for place, folders, files in os.walk(root):
        for name in [*files, *(folder for folder in folders if Path(place, folder).is_symlink())]:
            path = Path(place) / name
            if name == ".git":
                continue
            if path.is_symlink():
                content = b"-> " + os.fsencode(path.readlink())
            else:
                content = (b"x:" if path.stat().st_mode & stat.S_IXUSR else b"") + path.read_bytes()
            found[os.fspath(path.relative_to(root))] = content
        folders[:] = [folder for folder in folders if folder != ".git" and not Path(place, folder).is_symlink()]
    return found


def files_in(shadow: ShadowStore, commit_name: str) -> dict[str, bytes]:
    """Return the files of a commit in the store, written as `files_on_disk` writes them."""
    found = {}
    for line in run(shadow.git_dir, "ls-tree", "-r", "-z", commit_name).split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, kind, name = head.decode().split()
        assert kind == "blob", line
        content = shadow.read(name)
        mark = {"120000": b"-> ", "100755": b"x:", "100644": b""}[mode]
        found[os.fsdecode(path)] = mark + content
    return found


@dataclass
class World:
    """A folder for repositories and for mux-lsp's state."""

    folder: Path
    root: Path = field(init=False)
    canary: Path = field(init=False)
    """A file that exists once a program has run that must not run."""
    _open: list[ShadowStore] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root = self.folder / "project"
        self.canary = self.folder / "canary"

    @property
    def trap(self) -> str:
        """A command that must not run."""
        return f"touch '{self.canary}' #"

    def shadow(self, repository: Repository) -> ShadowStore:
        """Return the repository's store."""
        shadow = ShadowStore(self.folder / "state" / key_of(repository.root), repository.root)
        self._open.append(shadow)
        return shadow

    def close(self) -> None:
        """End all helper processes."""
        # Of two stores in one folder only the later one is in use; the older one's remaining work must not interfere.
        for shadow in reversed(self._open):
            shadow.close()
        assert not self.canary.exists(), "a program ran that must not run"


def check(
    world: World,
    expected: Mapping[str, bytes],
    *,
    folder: Path | None = None,
    buffers: Mapping[str, bytes] | None = None,
    left_out: Mapping[str, str] | None = None,
    sparse: bool = False,
) -> tuple[Snapshot, ShadowStore]:
    """Assert that a snapshot and its worktree are as `expected`, and that the person's `.git` stays unchanged.

    `left_out` maps paths to a part of the reason. With `sparse` the worktree holds less than the snapshot.
    """
    repository = discover(folder or world.root)
    shadow = world.shadow(repository)
    worktrees = Worktrees(shadow)
    with untouched(repository.git_dir, repository.common_dir):
        cold = shadow.snapshot(repository, buffers or {}, "cold")
        worktree = worktrees.prepare(cold, "cold-1", repository=repository)
        warm = shadow.snapshot(repository, buffers or {}, "warm")
        shadow.complete(warm)
    assert files_in(shadow, cold.commit) == expected
    assert warm.tree == cold.tree
    assert warm.left_out == cold.left_out
    reasons = {item.path: item.reason for item in cold.left_out}
    assert reasons.keys() == (left_out or {}).keys()
    for path, words in (left_out or {}).items():
        assert words in reasons[path]
    if not sparse:
        assert files_on_disk(worktree.folder) == expected
    assert run(worktree.folder, "status", "--porcelain") == b""
    harvest = worktrees.harvest(worktree, "cold-1")
    assert shadow.changed_files_with_stats(cold.commit, harvest.commit) == ()
    worktrees.release(worktree)
    assert [slot.state for slot in worktrees.slots()] == ["released"]
    stands_alone(shadow)
    return cold, shadow


def stands_alone(shadow: ShadowStore) -> None:
    """Assert that every object that a ref of the store needs is in it."""
    assert not (shadow.git_dir / "objects" / "info" / "alternates").exists()
    done = subprocess.run(
        ["git", "fsck", "--connectivity-only", "--no-dangling"], cwd=shadow.git_dir, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"missing" not in done.stdout, done.stdout


def vanish(root: Path) -> None:
    """Collect the garbage of the person's repository, and delete the repository."""
    run(root, "reflog", "expire", "--expire=now", "--all")
    run(root, "gc", "-q", "--prune=now")
    shutil.rmtree(root)
