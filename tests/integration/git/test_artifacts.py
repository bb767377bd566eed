"""Test the artifacts of a set-up: collected from one worktree, and copied into others."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.git import artifacts
from mux_lsp.git.copying import copy_file
from mux_lsp.git.repository import discover
from mux_lsp.git.worktrees import Worktrees
from tests.integration.git.support import World, files_in, files_on_disk, make_repository, write
from tests.integration.git.test_reuse import scramble

if TYPE_CHECKING:
    from mux_lsp.git.worktrees import Worktree


class Site:
    """Worktrees of one snapshot, and a folder for the artifacts of one of them."""

    def __init__(self, world: World, folder: Path) -> None:
        root = make_repository(world.root, {"f.txt": "f\n", ".gitignore": "ignored/\n*.o\n", "src/a.py": "a\n"})
        self.repository = discover(root)
        self.shadow = world.shadow(self.repository)
        self.worktrees = Worktrees(self.shadow)
        self.snapshot = self.shadow.snapshot(self.repository, {}, "t")
        self.store = folder / "store"
        self.store.mkdir()

    def worktree(self, name: str) -> Worktree:
        return self.worktrees.prepare(self.snapshot, name, repository=self.repository)

    def copied(self, source: Worktree) -> Worktree:
        """Another worktree, with what was made in this one."""
        kept, _ = self.worktrees.collect_artifacts(source, self.store)
        assert artifacts.load(self.store) == kept
        target = self.worktree("target")
        self.worktrees.restore_artifacts(target, self.store, kept)
        return target


@pytest.fixture
def site(world: World, tmp_path: Path) -> Site:
    return Site(world, tmp_path)


def modes(root: Path) -> dict[str, int]:
    found = {}
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(place, name)
            if name != ".git" and not path.is_symlink():
                found[path.relative_to(root).as_posix()] = stat.S_IMODE(path.lstat().st_mode)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_a_copy_is_what_was_made(site: Site, seed: int) -> None:
    source = site.worktree("source")
    for place in ("ignored", "plain", "src/new"):
        (source.folder / place).mkdir()
        scramble(source.folder / place, random.Random(seed), 12)
    (source.folder / "empty" / "within").mkdir(parents=True)
    (source.folder / "tool.o").write_bytes(b"\0binary")
    (source.folder / "tool.o").chmod(0o750)
    before, before_modes = files_on_disk(source.folder), modes(source.folder)
    target = site.copied(source)
    assert files_on_disk(target.folder) == before
    assert modes(target.folder) == before_modes
    assert files_on_disk(source.folder).keys() <= {"f.txt", ".gitignore", "src/a.py"}
    result = site.worktrees.harvest(target, "target")
    assert (result.tree, result.left_out) == (site.snapshot.tree, ())
    site.worktrees.release(target)
    assert files_on_disk(target.folder).keys() == {"f.txt", ".gitignore", "src/a.py"}


def test_texts_and_links_that_name_the_worktree_name_the_new_one(site: Site) -> None:
    source = site.worktree("source")
    here = source.folder
    text = f"#!{here}/bin/python\nfile://{here}/src {here}\n"
    write(here, {"ignored/tool": text, "ignored/binary": b"\0" + text.encode(), "ignored/other": "/elsewhere\n"})
    (here / "ignored" / "tool").chmod(0o755)
    os.utime(here / "ignored" / "tool", (1, 1))
    os.utime(here / "ignored" / "other", (1, 1))
    links = {
        "inside": f"{here}/src/a.py",
        "root": str(here),
        "out": "/etc/passwd",
        "near": "../src",
        "no": f"{here}2/x",
    }
    for name, to in links.items():
        (here / "ignored" / name).symlink_to(to)
    target = site.copied(source)
    new = target.folder / "ignored"
    assert (new / "tool").read_text() == text.replace(str(here), str(target.folder))
    assert (new / "tool").stat().st_mode & 0o777 == 0o755
    assert (new / "tool").stat().st_mtime > 1, "what was compiled of the old text is out of date"
    assert (new / "other").stat().st_mtime == 1
    assert (new / "binary").read_bytes() == b"\0" + text.encode()
    assert {name: str((new / name).readlink()) for name in links} == {
        **links,
        "inside": f"{target.folder}/src/a.py",
        "root": str(target.folder),
    }


def test_a_state_behind_a_link_is_known_by_all_its_names(world: World, tmp_path: Path) -> None:
    (world.folder / "a place").mkdir()
    (world.folder / "state").symlink_to("a place")
    site = Site(world, tmp_path)

    def text(folder: Path) -> str:
        names = [str(folder), os.path.realpath(folder)]
        return "\n".join([*names, *(f"file://{name.replace(' ', '%20')}/src" for name in names), ""])

    source = site.worktree("source")
    write(source.folder, {"ignored/tool": text(source.folder)})
    assert "/a place/" in text(source.folder)
    target = site.copied(source)
    assert (target.folder / "ignored" / "tool").read_text() == text(target.folder)


def test_nothing_is_shared_with_what_is_kept(site: Site) -> None:
    source = site.worktree("source")
    write(source.folder, {"ignored/a": "a\n"})
    target = site.copied(source)
    (target.folder / "ignored" / "a").write_text("bad\n")
    assert (site.store / artifacts.FILES / "ignored" / "a").read_text() == "a\n"


def test_folders_that_nobody_may_write_to(site: Site) -> None:
    source = site.worktree("source")
    write(source.folder, {"ignored/mod/a": "a\n"})
    for folder in ("ignored/mod", "ignored"):
        (source.folder / folder).chmod(0o555)
    target = site.copied(source)
    assert (target.folder / "ignored" / "mod" / "a").read_text() == "a\n"
    assert modes(target.folder)["ignored"] == modes(target.folder)["ignored/mod"] == 0o555


def test_pipes_are_passed_over(site: Site) -> None:
    source = site.worktree("source")
    write(source.folder, {"ignored/a": "a\n"})
    os.mkfifo(source.folder / "ignored" / "pipe")
    target = site.copied(source)
    assert [path.name for path in (target.folder / "ignored").iterdir()] == ["a"]


def test_nothing_is_written_over_or_through_what_is_there(site: Site, tmp_path: Path) -> None:
    source = site.worktree("source")
    write(source.folder, {"ignored/a": "made\n", "ignored/b": "made\n", "linked/x": "made\n", "file": "made\n"})
    kept, _ = site.worktrees.collect_artifacts(source, site.store)
    target = site.worktree("target")
    write(target.folder, {"ignored/a": "own\n", "file/x": "own\n"})
    (tmp_path / "elsewhere").mkdir()
    (target.folder / "linked").symlink_to(tmp_path / "elsewhere")
    site.worktrees.restore_artifacts(target, site.store, kept)
    assert (target.folder / "ignored" / "a").read_text() == "own\n"
    assert (target.folder / "ignored" / "b").read_text() == "made\n"
    assert os.listdir(target.folder / "file") == ["x"]  # noqa: PTH208
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_files_that_an_agent_makes_beside_them_are_in_its_result(site: Site) -> None:
    source = site.worktree("source")
    write(source.folder, {"plain/a": "a\n"})
    target = site.copied(source)
    write(target.folder, {"plain/a": "changed\n", "plain/b": "b\n"})
    result = site.worktrees.harvest(target, "target", ["plain/a", "plain/b"])
    assert files_in(site.shadow, result.commit).keys() == {"f.txt", ".gitignore", "src/a.py", "plain/b"}


def test_copying_refuses_what_is_there_and_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "b"
    for name in ("link", "pipe", "nothing"):
        with pytest.raises(OSError):
            copy_file(tmp_path / name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_was_cut_short_is_not_kept(site: Site) -> None:
    assert artifacts.load(site.store) is None
    (site.store / f"{artifacts.RECORD}.new").write_text("{}")
    assert artifacts.load(site.store) is None
