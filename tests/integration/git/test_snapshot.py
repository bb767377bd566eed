"""Test the content of a snapshot in every state of a person's repository."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from mux_lsp.errors import GitError, NotARepositoryError
from mux_lsp.git import store_writer
from mux_lsp.git.repository import discover
from mux_lsp.git.worktrees import Worktrees
from tests.integration.git.support import (
    World,
    check,
    commit,
    files_in,
    make_repository,
    run,
    stands_alone,
    untouched,
    vanish,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"a.txt": "one\n", "folder/b.txt": "two\n"}
BOTH = {"a.txt": b"one\n", "folder/b.txt": b"two\n"}


def test_no_commit_and_no_file_yet(world: World) -> None:
    make_repository(world.root)
    snapshot, _ = check(world, {})
    assert snapshot.head is None


def test_no_commit_yet(world: World) -> None:
    make_repository(world.root)
    write(world.root, {"staged": "s\n", "untracked": "u\n"})
    run(world.root, "add", "staged")
    snapshot, _ = check(world, {"staged": b"s\n", "untracked": b"u\n"})
    assert snapshot.head is None


def test_staged_unstaged_untracked_and_ignored(world: World) -> None:
    make_repository(world.root, {**FILES, "c": "c\n", ".gitignore": "*.log\n/build/\n"})
    write(world.root, {"a.txt": "staged\n"})
    run(world.root, "add", "a.txt")
    write(world.root, {"c": "unstaged\n", "folder/new": "new\n", "x.log": "no\n", "build/out": "no\n"})
    snapshot, shadow = check(
        world,
        {**BOTH, "a.txt": b"staged\n", "c": b"unstaged\n", "folder/new": b"new\n", ".gitignore": b"*.log\n/build/\n"},
    )
    assert snapshot.head == run(world.root, "rev-parse", "HEAD").decode().strip()
    assert run(shadow.git_dir, "rev-parse", f"{snapshot.commit}^").decode().strip() == snapshot.head


def test_staged_and_then_changed_again(world: World) -> None:
    make_repository(world.root, FILES)
    write(world.root, {"a.txt": "staged\n"})
    run(world.root, "add", "a.txt")
    write(world.root, {"a.txt": "and changed\n"})
    check(world, {**BOTH, "a.txt": b"and changed\n"})


def test_deleted_staged_and_unstaged(world: World) -> None:
    make_repository(world.root, {**FILES, "c": "c\n", "d/e": "e\n"})
    run(world.root, "rm", "-q", "c")
    shutil.rmtree(world.root / "d")
    check(world, BOTH)


def test_detached_head(world: World) -> None:
    make_repository(world.root, FILES)
    run(world.root, "checkout", "-q", "--detach")
    check(world, BOTH)


def test_history_beyond_head_stays_out(world: World) -> None:
    make_repository(world.root, FILES)
    write(world.root, {"secret": "old\n"})
    commit(world.root, "second")
    run(world.root, "rm", "-q", "secret")
    commit(world.root, "third")
    snapshot, shadow = check(world, BOTH)
    vanish(world.root)
    assert run(shadow.git_dir, "rev-list", snapshot.commit).decode().split() == [snapshot.commit, snapshot.head]
    stands_alone(shadow)
    assert files_in(shadow, snapshot.commit) == BOTH


def test_merge_with_conflict(world: World) -> None:
    make_repository(world.root, {**FILES, "gone": "g\n"})
    run(world.root, "checkout", "-q", "-b", "other")
    write(world.root, {"a.txt": "theirs\n", "gone": "changed\n"})
    commit(world.root, "theirs")
    run(world.root, "checkout", "-q", "main")
    write(world.root, {"a.txt": "ours\n"})
    run(world.root, "rm", "-q", "gone")
    commit(world.root, "ours")
    run(world.root, "merge", "other", ok=False)
    seen = (world.root / "a.txt").read_bytes()
    assert b"<<<<<<<" in seen
    (world.root / "gone").unlink()
    check(world, {**BOTH, "a.txt": seen})


def test_rebase_in_progress(world: World) -> None:
    make_repository(world.root, FILES)
    run(world.root, "checkout", "-q", "-b", "topic")
    write(world.root, {"a.txt": "topic\n"})
    commit(world.root, "topic")
    run(world.root, "checkout", "-q", "main")
    write(world.root, {"a.txt": "main\n"})
    commit(world.root, "main")
    run(world.root, "checkout", "-q", "topic")
    run(world.root, "rebase", "main", ok=False)
    seen = (world.root / "a.txt").read_bytes()
    assert b"<<<<<<<" in seen
    check(world, {**BOTH, "a.txt": seen})


def test_subfolder_opened(world: World) -> None:
    make_repository(world.root, FILES)
    assert discover(world.root / "folder").prefix == "folder"
    assert discover(world.root).prefix == ""
    check(world, BOTH, folder=world.root / "folder")


def test_linked_worktree(world: World) -> None:
    make_repository(world.root, FILES)
    linked = world.folder / "linked"
    run(world.root, "worktree", "add", "-q", str(linked))
    write(linked, {"a.txt": "linked\n"})
    write(world.root, {"a.txt": "main\n"})
    assert discover(linked).root == linked
    check(world, {**BOTH, "a.txt": b"linked\n"}, folder=linked)


def with_submodule(world: World) -> Path:
    library = make_repository(world.folder / "library", {"lib.txt": "lib\n", ".gitignore": "*.o\n"})
    make_repository(library / "nested-source", {"deep.txt": "deep\n"})
    shutil.move(library / "nested-source", world.folder / "nested-source")
    run(library, "submodule", "--quiet", "add", str(world.folder / "nested-source"), "nested")
    run(library, "commit", "-q", "-m", "nested")
    make_repository(world.root, FILES)
    run(world.root, "submodule", "--quiet", "add", str(library), "sub")
    run(world.root, "submodule", "--quiet", "update", "--init", "--recursive")
    commit(world.root, "sub")
    return world.root / "sub"


def submodule_tree(world: World) -> dict[str, bytes]:
    sub = world.root / "sub"
    return {
        **BOTH,
        ".gitmodules": (world.root / ".gitmodules").read_bytes(),
        "sub/.gitmodules": (sub / ".gitmodules").read_bytes(),
        "sub/.gitignore": b"*.o\n",
        "sub/lib.txt": b"lib\n",
        "sub/nested/deep.txt": b"deep\n",
    }


def test_submodules_are_plain_files(world: World) -> None:
    sub = with_submodule(world)
    write(sub, {"lib.txt": "changed\n", "new": "new\n", "x.o": "no\n", "nested/more": "more\n"})
    expected = {
        **submodule_tree(world),
        "sub/lib.txt": b"changed\n",
        "sub/new": b"new\n",
        "sub/nested/more": b"more\n",
    }
    _, shadow = check(world, expected)
    (sub / "new").unlink()
    write(sub, {"newer": "newer\n", "forced.o": "forced\n"})
    run(sub, "add", "-f", "forced.o")
    del expected["sub/new"]
    later = shadow.snapshot(discover(world.root), {}, "later")
    assert files_in(shadow, later.commit) == {**expected, "sub/newer": b"newer\n", "sub/forced.o": b"forced\n"}


def test_submodule_not_checked_out(world: World) -> None:
    with_submodule(world)
    run(world.root, "submodule", "--quiet", "deinit", "-f", "sub")
    expected = {**BOTH, ".gitmodules": (world.root / ".gitmodules").read_bytes()}
    check(world, expected, left_out={"sub": "not checked out"})


def test_submodule_opened(world: World) -> None:
    sub = with_submodule(world)
    expected = {
        path.removeprefix("sub/"): content for path, content in submodule_tree(world).items() if path.startswith("sub/")
    }
    check(world, expected, folder=sub)


def test_symlinks_and_executable_bits(world: World) -> None:
    make_repository(world.root, FILES)
    (world.root / "link").symlink_to("a.txt")
    (world.root / "dangling").symlink_to("/nowhere/at all")
    (world.root / "to-folder").symlink_to("folder")
    write(world.root, {"run.sh": "#!/bin/sh\n"})
    (world.root / "run.sh").chmod(0o755)
    expected = {
        **BOTH,
        "link": b"-> a.txt",
        "dangling": b"-> /nowhere/at all",
        "to-folder": b"-> folder",
        "run.sh": b"x:#!/bin/sh\n",
    }
    check(world, expected)


def test_a_link_has_its_target_to_the_letter(world: World) -> None:
    make_repository(world.root, FILES)
    repository = discover(world.root)
    shadow = world.shadow(repository)
    shadow.complete(shadow.snapshot(repository, {}, "before"))
    (world.root / "link").symlink_to("./folder//")
    after = shadow.snapshot(repository, {}, "after")
    assert files_in(shadow, after.commit) == {**BOTH, "link": b"-> ./folder//"}


def test_a_folder_replaced_by_a_link(world: World) -> None:
    make_repository(world.root, {**FILES, "other/b.txt": "other\n"})
    repository = discover(world.root)
    shadow = world.shadow(repository)
    shadow.complete(shadow.snapshot(repository, {}, "before"))
    shutil.rmtree(world.root / "folder")
    (world.root / "folder").symlink_to("other")
    after = shadow.snapshot(repository, {}, "after")
    assert files_in(shadow, after.commit) == {"a.txt": b"one\n", "folder": b"-> other", "other/b.txt": b"other\n"}
    (world.root / "folder").unlink()
    write(world.root, {"folder/c.txt": "c\n"})
    (world.root / "a.txt").unlink()
    write(world.root, {"a.txt/inside": "x\n"})
    last = shadow.snapshot(repository, {}, "last")
    assert files_in(shadow, last.commit) == {"a.txt/inside": b"x\n", "folder/c.txt": b"c\n", "other/b.txt": b"other\n"}


def test_executable_bits_that_mean_nothing(world: World) -> None:
    make_repository(world.root, FILES)
    run(world.root, "config", "core.fileMode", "false")
    (world.root / "a.txt").chmod(0o755)
    repository = discover(world.root)
    shadow = world.shadow(repository)
    snapshot = shadow.snapshot(repository, {"folder/b.txt": b"buffer\n"}, "t")
    shadow.complete(snapshot)
    assert files_in(shadow, snapshot.commit) == {"a.txt": b"one\n", "folder/b.txt": b"buffer\n"}


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [({}, "*.txt text=auto eol=crlf\n"), ({}, "* text=auto\n"), ({"core.autocrlf": "true"}, None), ({}, "* crlf\n")],
)
def test_line_ends_are_those_on_disk(world: World, settings: dict[str, str], attributes: str | None) -> None:
    make_repository(world.root)
    for key, value in settings.items():
        run(world.root, "config", key, value)
    extra = {".gitattributes": attributes} if attributes else {}
    write(world.root, {**extra, "dos.txt": "one\r\ntwo\r\n", "unix.txt": "one\ntwo\n"})
    commit(world.root, "ends")
    assert run(world.root, "cat-file", "blob", "HEAD:dos.txt") == b"one\ntwo\n"
    run(world.root, "status")
    write(world.root, {"new.txt": "new\r\n"})
    expected = {"dos.txt": b"one\r\ntwo\r\n", "unix.txt": b"one\ntwo\n", "new.txt": b"new\r\n"}
    check(world, {**expected, **{path: text.encode() for path, text in extra.items()}})


def test_filters_do_not_run(world: World) -> None:
    make_repository(
        world.root, {".gitattributes": "*.bin filter=big\n*.id ident\n*.u16 working-tree-encoding=UTF-16LE\n"}
    )
    run(world.root, "config", "filter.big.clean", "tr a-z A-Z")
    run(world.root, "config", "filter.big.smudge", "tr A-Z a-z")
    utf16 = "über\n".encode("utf-16-le")
    write(world.root, {"data.bin": "the real bytes\n", "x.id": "$Id$\n", "y.u16": utf16})
    commit(world.root, "filtered")
    for name in ("data.bin", "x.id"):
        (world.root / name).unlink()
    run(world.root, "checkout", "--", ".")
    assert run(world.root, "cat-file", "blob", "HEAD:data.bin") == b"THE REAL BYTES\n"
    with_id = (world.root / "x.id").read_bytes()
    assert with_id != b"$Id$\n"
    for name in ("clean", "smudge", "process"):
        run(world.root, "config", f"filter.big.{name}", world.trap)
    write(world.root, {"new.bin": "new\n"})
    check(
        world,
        {
            ".gitattributes": (world.root / ".gitattributes").read_bytes(),
            "data.bin": b"the real bytes\n",
            "new.bin": b"new\n",
            "x.id": with_id,
            "y.u16": utf16,
        },
    )


def test_hooks_and_monitors_of_the_person_do_not_run(world: World) -> None:
    make_repository(world.root, FILES)
    hooks = world.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-commit", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\n{world.trap}\n")
        (hooks / name).chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.sshCommand", "core.pager", "gpg.program"):
        run(world.root, "config", key, world.trap)
    run(world.root, "config", "core.hooksPath", str(hooks))
    check(world, BOTH)


def test_intent_to_add(world: World) -> None:
    make_repository(world.root, FILES)
    write(world.root, {"intended": "text\n", "intended and gone": "x\n"})
    run(world.root, "add", "-N", "intended", "intended and gone")
    (world.root / "intended and gone").unlink()
    check(world, {**BOTH, "intended": b"text\n"})


def test_assume_unchanged(world: World) -> None:
    make_repository(world.root, FILES)
    run(world.root, "update-index", "--assume-unchanged", "a.txt")
    write(world.root, {"a.txt": "changed all the same\n"})
    check(world, {**BOTH, "a.txt": b"changed all the same\n"})


def test_skip_worktree_without_a_sparse_checkout(world: World) -> None:
    make_repository(world.root, FILES)
    run(world.root, "update-index", "--skip-worktree", "a.txt")
    write(world.root, {"a.txt": "my own\n"})
    check(world, {**BOTH, "a.txt": b"my own\n"})


@pytest.mark.parametrize("mode", ["--cone", "--no-cone", "--sparse-index"])
def test_sparse_checkout(world: World, mode: str) -> None:
    make_repository(world.root, {**FILES, "wide/c.txt": "three\n", "wide/deep/d.txt": "four\n"})
    run(world.root, "sparse-checkout", "set", mode, "folder" if mode != "--no-cone" else "/folder/")
    assert not (world.root / "wide").exists()
    write(world.root, {"folder/b.txt": "changed\n"})
    expected = {**BOTH, "folder/b.txt": b"changed\n", "wide/c.txt": b"three\n", "wide/deep/d.txt": b"four\n"}
    if mode == "--no-cone":
        assert not (world.root / "a.txt").exists()
    _, shadow = check(world, expected, sparse=True)
    folder = next((shadow.folder / "worktrees").glob("*/project"))
    assert not (folder / "wide").exists()
    assert (folder / "folder" / "b.txt").read_bytes() == b"changed\n"
    # The person widens the checkout.
    run(world.root, "sparse-checkout", "disable")
    write(world.root, {"wide/c.txt": "now here\n"})
    repository = discover(world.root)
    later = shadow.snapshot(repository, {}, "later")
    assert files_in(shadow, later.commit) == {**expected, "wide/c.txt": b"now here\n"}
    worktree = Worktrees(shadow).prepare(later, "later-1", repository=repository)
    assert (worktree.folder / "wide" / "c.txt").read_bytes() == b"now here\n"
    assert run(worktree.folder, "status", "--porcelain") == b""


def test_strange_names(world: World) -> None:
    names = [
        "with space",
        "new\nline",
        'quo"te',
        "'single'",
        "-dash",
        ":(glob)colon",
        "*star[a]",
        "tab\tx",
        "back\\slash",
        "#hash",
        "!bang",
        "trailing ",
        "ünï",
        os.fsdecode(b"latin-\xe9"),
        "d\n/x\ny",
        ":(top)/z",
    ]
    files = {name: f"{number}\n" for number, name in enumerate(names)}
    make_repository(world.root, dict(list(files.items())[::2]))
    write(world.root, files)
    write(world.root, {names[0]: "changed\n"})
    expected = {**{name: text.encode() for name, text in files.items()}, names[0]: b"changed\n"}
    _, shadow = check(world, expected)
    repository = discover(world.root)
    buffered = shadow.snapshot(repository, {name: name.encode("utf-8", "replace") for name in names}, "buffers")
    assert files_in(shadow, buffered.commit) == {name: name.encode("utf-8", "replace") for name in names}
    for name in names:
        assert shadow.read_at(buffered.commit, name) == name.encode("utf-8", "replace")
    (world.root / ":(glob)colon").unlink()
    write(world.root, {".gitignore": "latin*\n"})
    later = shadow.snapshot(repository, {}, "later")
    assert files_in(shadow, later.commit).keys() == {*expected, ".gitignore"} - {":(glob)colon"} - {
        name for name in names if name.startswith("latin") and names.index(name) % 2
    }


def test_forced_ignored_file_is_in(world: World) -> None:
    make_repository(world.root, {**FILES, ".gitignore": "*.log\n"})
    write(world.root, {"forced.log": "in\n", "other.log": "out\n"})
    run(world.root, "add", "-f", "forced.log")
    check(world, {**BOTH, ".gitignore": b"*.log\n", "forced.log": b"in\n"})


def test_the_persons_index_changes_between_snapshots(world: World) -> None:
    make_repository(world.root, {**FILES, ".gitignore": "*.log\n"})
    write(world.root, {"was.log": "was\n"})
    run(world.root, "add", "-f", "was.log")
    run(world.root, "commit", "-q", "-m", "was.log")
    write(world.root, {"now.log": "now\n", "untracked": "u\n"})
    repository = discover(world.root)
    expected = {**BOTH, ".gitignore": b"*.log\n", "was.log": b"was\n", "untracked": b"u\n"}
    _, shadow = check(world, expected)
    run(world.root, "rm", "-q", "--cached", "was.log")
    run(world.root, "add", "-f", "now.log")
    with untouched(repository.git_dir):
        second = shadow.snapshot(repository, {}, "second")
        shadow.complete(second)
    del expected["was.log"]
    assert files_in(shadow, second.commit) == {**expected, "now.log": b"now\n"}
    run(world.root, "commit", "-q", "-m", "moved on")
    write(world.root, {".gitignore": "*.log\nuntracked\n"})
    third = shadow.snapshot(repository, {}, "third")
    shadow.complete(third)
    assert third.head == run(world.root, "rev-parse", "HEAD").decode().strip()
    assert files_in(shadow, third.commit) == {
        **BOTH,
        ".gitignore": b"*.log\nuntracked\n",
        "now.log": b"now\n",
    }
    vanish(world.root)
    stands_alone(shadow)


def test_removed_from_the_index_and_not_ignored_stays(world: World) -> None:
    make_repository(world.root, FILES)
    run(world.root, "rm", "-q", "--cached", "a.txt")
    check(world, BOTH)


def test_branches_switched_between_snapshots(world: World) -> None:
    make_repository(world.root, FILES)
    repository = discover(world.root)
    _, shadow = check(world, BOTH)
    run(world.root, "checkout", "-q", "-b", "topic")
    run(world.root, "rm", "-q", "-r", "folder")
    write(world.root, {"only-here": "x\n", "a.txt": "topic\n"})
    commit(world.root, "topic")
    on_topic = shadow.snapshot(repository, {}, "topic")
    assert files_in(shadow, on_topic.commit) == {"a.txt": b"topic\n", "only-here": b"x\n"}
    run(world.root, "checkout", "-q", "main")
    back = shadow.snapshot(repository, {}, "main")
    assert files_in(shadow, back.commit) == BOTH
    shadow.complete(back)
    vanish(world.root)
    stands_alone(shadow)


def test_a_person_who_commits_between_snapshots_for_weeks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git is slower with each pack that there is to look into."""
    monkeypatch.setattr(store_writer, "MAX_PACKS", 5)
    make_repository(world.root, FILES)
    repository = discover(world.root)
    _, shadow = check(world, BOTH)
    taken = []
    for number in range(6):
        write(world.root, {"a.txt": f"{number}\n"})
        commit(world.root, "more")
        taken.append(shadow.snapshot(repository, {}, f"s{number}"))
        shadow.complete(taken[-1])
    before = shadow.needs_gc
    shadow.gc()
    assert (before, shadow.needs_gc) == (True, False)
    vanish(world.root)
    stands_alone(shadow)
    assert [files_in(shadow, one.commit)["a.txt"] for one in taken] == [b"%d\n" % number for number in range(6)]


def test_big_untracked_files_are_named(world: World) -> None:
    make_repository(world.root, FILES)
    write(world.root, {"grows": "small\n"})
    for name in ("big.bin", "tracked.bin"):
        with (world.root / name).open("wb") as file:
            file.truncate(20_000_001)
    run(world.root, "add", "tracked.bin")
    size = {"tracked.bin": bytes(20_000_001)}
    _, shadow = check(world, {**BOTH, **size, "grows": b"small\n"}, left_out={"big.bin": "larger than 20 MB"})
    with (world.root / "grows").open("wb") as file:
        file.truncate(20_000_001)
    later = shadow.snapshot(discover(world.root), {}, "later")
    assert [item.path for item in later.left_out] == ["big.bin", "grows"]
    assert "grows" not in files_in(shadow, later.commit)


def test_what_is_no_file_is_left_out(world: World) -> None:
    make_repository(world.root, FILES)
    make_repository(world.root / "nested", {"x": "x\n"})
    (world.root / "a.txt").unlink()
    os.mkfifo(world.root / "a.txt")
    repository = discover(world.root)
    shadow = world.shadow(repository)
    snapshot = shadow.snapshot(repository, {}, "t")
    shadow.complete(snapshot)
    assert {item.path: item.reason for item in snapshot.left_out} == {
        "a.txt": "is not a file (a pipe, a socket or a device)",
        "nested/": "is a repository of its own inside this one",
    }
    assert files_in(shadow, snapshot.commit) == BOTH


def test_buffers(world: World) -> None:
    make_repository(world.root, {**FILES, "run.sh": "#!\n", ".gitignore": "*.log\nsecret/\n"})
    (world.root / "run.sh").chmod(0o755)
    (world.root / "link").symlink_to("a.txt")
    (world.root / "link-folder").symlink_to("folder")
    write(world.root, {"untracked": "on disk\n", "x.log": "ignored\n"})
    (world.root / "folder" / "b.txt").unlink()
    buffers = {
        "a.txt": b"unsaved \xe9\n",
        "folder/b.txt": b"deleted on disk, open in the editor\n",
        "folder/never/saved": b"new\n",
        "untracked": b"unsaved too\n",
        "run.sh": b"#!/bin/sh\n",
        ".gitignore": b"*.log\nsecret/\n",
        "x.log": b"no\n",
        "secret/new": b"no\n",
        "link": b"no\n",
        "link-folder/b.txt": b"no\n",
        "../outside": b"no\n",
        ".git/config": b"no\n",
        "folder": b"no\n",
    }
    expected = {
        "a.txt": b"unsaved \xe9\n",
        "folder/b.txt": b"deleted on disk, open in the editor\n",
        "folder/never/saved": b"new\n",
        "untracked": b"unsaved too\n",
        "run.sh": b"x:#!/bin/sh\n",
        ".gitignore": b"*.log\nsecret/\n",
        "link": b"-> a.txt",
        "link-folder": b"-> folder",
    }
    left_out = {
        "x.log": "ignored",
        "secret/new": "ignored",
        "link": "symbolic link",
        "link-folder/b.txt": "symbolic link",
        "../outside": "leads out",
        ".git/config": "git's own folder",
        "folder": "not a file",
    }
    (world.root / "folder").mkdir(exist_ok=True)
    _, shadow = check(world, expected, buffers=buffers, left_out=left_out)
    # The buffers are gone without being saved: the next snapshot is the disk's content again.
    plain = shadow.snapshot(discover(world.root), {}, "plain")
    assert files_in(shadow, plain.commit)["a.txt"] == b"one\n"
    vanish(world.root)
    stands_alone(shadow)


def test_a_buffer_as_it_is_on_disk_changes_nothing(world: World) -> None:
    make_repository(world.root, FILES)
    repository = discover(world.root)
    shadow = world.shadow(repository)
    plain = shadow.snapshot(repository, {}, "plain")
    shadow.complete(plain)
    assert shadow.snapshot(repository, {"a.txt": b"one\n"}, "same").commit == plain.commit


def test_repository_that_borrows_objects(world: World) -> None:
    source = make_repository(world.folder / "source", FILES)
    middle = world.folder / "middle"
    run(world.folder, "clone", "-q", "--shared", str(source), str(middle))
    run(world.folder, "clone", "-q", "--reference", str(middle), str(middle), str(world.root))
    alternates = world.root / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(os.path.relpath(middle / ".git" / "objects", world.root / ".git" / "objects") + "\n")
    assert not any((world.root / ".git" / "objects").glob("??/*"))
    _, shadow = check(world, BOTH)
    shutil.rmtree(source)
    stands_alone(shadow)


@pytest.mark.parametrize("settings", [["update-index", "--split-index"], ["update-index", "--untracked-cache"]])
def test_index_extensions(world: World, settings: list[str]) -> None:
    make_repository(world.root, {**FILES, "run.sh": "#!\n"})
    (world.root / "run.sh").chmod(0o755)
    commit_mode = run(world.root, "update-index", "run.sh")
    assert commit_mode == b""
    run(world.root, *settings)
    write(world.root, {"folder/b.txt": "changed\n"})
    run(world.root, "add", "folder/b.txt")
    check(world, {**BOTH, "folder/b.txt": b"changed\n", "run.sh": b"x:#!\n"})


def test_fsmonitor_extension(world: World) -> None:
    make_repository(world.root, FILES)
    hook = world.folder / "monitor"
    hook.write_text('#!/bin/sh\nprintf "token\\0"\n')
    hook.chmod(0o755)
    run(world.root, "config", "core.fsmonitor", str(hook))
    run(world.root, "update-index", "--fsmonitor")
    run(world.root, "status")
    hook.write_text(f"#!/bin/sh\n{world.trap}\n")
    # The monitor reported to git that nothing changed, and the index says so; the disk differs.
    write(world.root, {"a.txt": "changed\n"})
    check(world, {**BOTH, "a.txt": b"changed\n"})


def test_sha256(world: World) -> None:
    make_repository(world.root, FILES, "--object-format=sha256")
    write(world.root, {"new": "new\n"})
    snapshot, _ = check(world, {**BOTH, "new": b"new\n", "a.txt": b"buffer\n"}, buffers={"a.txt": b"buffer\n"})
    assert len(snapshot.commit) == 64


def test_inherited_git_variables_do_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(world.root, FILES)
    other = make_repository(world.folder / "other", {"other": "o\n"})
    with untouched(other):
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        monkeypatch.setenv("GIT_WORK_TREE", str(other))
        monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git" / "objects"))
        repository = discover(world.root)
        shadow = world.shadow(repository)
        snapshot = shadow.snapshot(repository, {}, "t")
        worktree = Worktrees(shadow).prepare(snapshot, "t-1", repository=repository)
        assert Worktrees(shadow).harvest(worktree, "t-1").tree == snapshot.tree
        for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
            monkeypatch.delenv(name)
    assert files_in(shadow, snapshot.commit) == BOTH


def test_persons_own_ignore_files_count(world: World) -> None:
    make_repository(world.root, FILES)
    write(world.root, {".git/info/exclude": "by-info\n", "by-info": "", "by-setting": "", "kept": "k\n"})
    write(world.folder, {"home/my-ignore": "by-setting\n"})
    run(world.root, "config", "core.excludesFile", "~/my-ignore")
    check(world, {**BOTH, "kept": b"k\n"})


def test_default_ignore_file_counts(world: World) -> None:
    make_repository(world.root, FILES)
    write(world.folder, {"home/.config/git/ignore": "mine\n"})
    write(world.root, {"mine": "", "kept": "k\n"})
    check(world, {**BOTH, "kept": b"k\n"})


def test_partial_clone_with_missing_objects(world: World) -> None:
    source = make_repository(world.folder / "source", FILES)
    run(source, "config", "uploadpack.allowFilter", "true")
    run(world.folder, "clone", "-q", "--filter=blob:none", "--no-checkout", source.as_uri(), str(world.root))
    repository = discover(world.root)
    shadow = world.shadow(repository)
    with untouched(repository.git_dir), pytest.raises(GitError, match="partial clone"):
        shadow.complete(shadow.snapshot(repository, {}, "t"))
    run(world.root, "checkout", "-q", "main")
    again = shadow.snapshot(repository, {}, "t")
    shadow.complete(again)
    assert files_in(shadow, again.commit) == BOTH
    stands_alone(shadow)


def test_a_daemon_killed_before_the_packing_ended(world: World) -> None:
    make_repository(world.root, FILES)
    repository = discover(world.root)
    shadow = world.shadow(repository)
    shadow.complete(shadow.snapshot(repository, {}, "t"))
    # Only the record of completeness makes existing objects count.
    (shadow.folder / "person" / "memory.json").unlink()
    (shadow.folder / "person" / "index.lock").touch()
    for pack in (shadow.git_dir / "objects" / "pack").iterdir():
        pack.unlink()
    later = world.shadow(repository)
    snapshot = later.snapshot(repository, {}, "t")
    later.complete(snapshot)
    vanish(world.root)
    stands_alone(later)
    assert files_in(later, snapshot.commit) == BOTH


def test_a_git_that_is_at_work_when_the_first_snapshot_is_taken(world: World) -> None:
    """Runs of an earlier daemon go on before this one takes its first snapshot: their locks are not leftovers."""
    make_repository(world.root, FILES)
    repository = discover(world.root)
    first = world.shadow(repository)
    first.complete(first.snapshot(repository, {}, "t"))
    first.close()
    left = [first.git_dir / "refs" / "mux" / "left.lock", first.git_dir / "packed-refs.lock"]
    for lock in left:
        lock.touch()
    second = world.shadow(repository)
    assert not [lock for lock in left if lock.exists()], "whoever held them was killed"
    held = second.git_dir / "refs" / "mux" / "held.lock"
    held.touch()
    second.complete(second.snapshot(repository, {}, "u"))
    assert held.exists()


def test_the_next_daemon_goes_on(world: World) -> None:
    make_repository(world.root, FILES)
    repository = discover(world.root)
    first = world.shadow(repository)
    before = first.snapshot(repository, {}, "t")
    first.close()
    write(world.root, {"a.txt": "changed\n"})
    second = world.shadow(repository)
    after = second.snapshot(repository, {}, "u")
    assert files_in(second, after.commit) == {**BOTH, "a.txt": b"changed\n"}
    assert [change.path for change in second.changed_files_with_stats(before.commit, after.commit)] == ["a.txt"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: root.mkdir(), "git init"),
        (lambda root: make_repository(root, None, "--bare"), "bare repository"),
        (lambda root: None, "not a folder"),
    ],
)
def test_not_a_repository(world: World, make: object, words: str) -> None:
    assert callable(make)
    make(world.root)
    with pytest.raises(NotARepositoryError, match=words):
        discover(world.root)


def test_inside_git_folder(world: World) -> None:
    make_repository(world.root, FILES)
    with pytest.raises(NotARepositoryError, match=r"inside a \.git folder"):
        discover(world.root / ".git")


def test_repository_of_another_user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(world.root, FILES)
    monkeypatch.setattr("mux_lsp.git.command.ENVIRONMENT", {"LC_ALL": "C", "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    with pytest.raises(NotARepositoryError, match=r"safe\.directory"):
        discover(world.root)
