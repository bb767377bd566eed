"""Test that the person's `.git` is read and never written, and that snapshots and results outlive it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.client import connected
from tests.support.person import fingerprint, git, make_repository, text_of, try_git
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome


def messy_repository(folder: Path) -> Path:
    """Return a repository in the middle of a merge.

    It has staged, unstaged, untracked, ignored and racily clean files.
    """
    root = make_repository(
        folder,
        {
            "a.txt": text_of(range(30)),
            "b.txt": text_of(range(30)),
            "c.txt": "c\n",
            "deep/er/d.txt": "d\n",
            ".gitignore": "*.log\n",
            ".gitattributes": "*.txt text=auto\n",
        },
    )
    git(root, "tag", "v1")
    git(root, "checkout", "--quiet", "-b", "other")
    (root / "b.txt").write_text("other " + text_of(range(30)))
    git(root, "commit", "--quiet", "-am", "other")
    git(root, "checkout", "--quiet", "main")
    (root / "b.txt").write_text("main " + text_of(range(30)))
    git(root, "commit", "--quiet", "-am", "main")
    try_git(root, "merge", "--quiet", "other")
    assert (root / ".git" / "MERGE_HEAD").exists()
    (root / "c.txt").write_text("staged\n")
    git(root, "add", "c.txt")
    (root / "c.txt").write_text("unstaged\n")
    (root / "new.txt").write_text("untracked\n")
    git(root, "add", "--intent-to-add", "new.txt")
    (root / "noise.log").write_text("ignored\n")
    # Its time differs from the index and its content does not: any `git status` would rewrite the index.
    (root / "deep/er/d.txt").touch()
    return root


async def test_nothing_of_the_persons_git_folder_changes(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = messy_repository(tmp_path / "project")
    before = fingerprint(root / ".git")

    def check(moment: str) -> None:
        assert fingerprint(root / ".git") == before, moment

    everything = (
        "sed -i 's/line 3$/LINE 3/; s/line 20$/LINE 20/' a.txt; echo more >> deep/er/d.txt; rm c.txt; "
        "git add -A; git commit -qm mine; git checkout -qb branch; git stash list; git tag t; git gc -q; echo n > n.txt"
    )
    with signals(tmp_path / "signals", "at work", "go") as (at_work, go):
        async with connected(mux_home, root, applies=True) as client:
            client.open(root / "a.txt", "unsaved\n" + text_of(range(30)))
            task = await client.start(f"sh:{everything}", count=3, checks=("git status", "git commit -qam checked"))
            runs = [run["id"] for run in await client.ended(task["id"])]
            check("three runs")
            assert [client.runs[run]["hunks"] for run in runs] == [5] * 3
            hunks = [item for item in await client.review(runs[0]) if item["path"] == "a.txt"]
            assert (await client.command("mux.hunk.accept", run=runs[0], hunks=[hunks[0]["hunk"]]))["accepted"] == 1
            check("a hunk accepted in the buffer")
            await client.command("mux.file.accept", run=runs[0], path="deep/er/d.txt")
            assert (root / "deep/er/d.txt").read_text() == "d\nmore\n"
            await client.command("mux.run.accept", run=runs[1])
            assert not (root / "c.txt").exists()
            check("a run accepted")
            await client.command("mux.run.reject", run=runs[2])
            check("a run rejected")
            slow = await client.start(f"sh:git status; {at_work.give}; {go.take}")
            await at_work.happened()
            await client.command("mux.task.cancel", task=slow["id"])
            check("a run cancelled")
        async with connected(mux_home, root) as client:
            (root / "a.txt").write_text(text_of(range(30)))
            await client.command("mux.hunk.accept", run=runs[0], hunks=[hunks[1]["hunk"]])
            assert "LINE 20\n" in (root / "a.txt").read_text()
            check("a hunk accepted on disk")
            for one in (slow, task):
                await client.command("mux.task.delete", id=one["id"])
            check("deleted")
    assert (root / "noise.log").exists()


def check_store_stands_alone(home: IsolatedHome) -> None:
    """Run `git fsck` on the shadow store, which must have no alternates."""
    (store,) = (home.state / "repos").glob("*/shadow.git")
    assert not (store / "objects" / "info" / "alternates").exists()
    git(store, "fsck", "--connectivity-only", "--no-dangling")
    assert git(store, "for-each-ref", "refs/mux/results", "refs/mux/snapshots")


@pytest.mark.parametrize("ended", [True, False], ids=["collected after the runs", "collected while they work"])
async def test_results_outlive_the_persons_repository(mux_home: IsolatedHome, tmp_path: Path, ended: bool) -> None:
    root = make_repository(tmp_path / "project", {f"{number}.txt": text_of(range(9)) for number in range(40)})
    git(root, "checkout", "--quiet", "-b", "side")
    for number in range(5):
        (root / f"{number}.txt").write_text(f"side {number}\n")
    git(root, "commit", "--quiet", "-am", "side")
    (root / "6.txt").write_text("staged\n")
    git(root, "add", "6.txt")
    (root / "7.txt").write_text("unstaged\n")

    def rewrite() -> None:
        # Now no ref, reflog or index of the person's has the snapshot's commit and blobs.
        git(root, "stash", "--quiet")
        git(root, "stash", "drop", "--quiet")
        git(root, "checkout", "--quiet", "main")
        git(root, "branch", "--quiet", "-D", "side")
        git(root, "commit", "--quiet", "--amend", "-m", "rewritten")
        git(root, "reflog", "expire", "--expire=now", "--all")
        git(root, "gc", "--quiet", "--prune=now")

    with signals(tmp_path / "signals", "at work", "go") as (at_work, go):
        async with connected(mux_home, root) as client:
            agent = f"sh:echo mine >> 3.txt; echo mine >> 6.txt; {at_work.give}; {go.take}"
            task = await client.start(agent, count=2)
            await at_work.happened(2)
            if not ended:
                rewrite()
            go.happens(2)
            runs = [run["id"] for run in await client.ended(task["id"])]
            if ended:
                rewrite()
            check_store_stands_alone(mux_home)
            expected = [await client.diff(run) for run in runs]
            assert "side 3\n+mine\n" in expected[0]
            assert " staged\n+mine\n" in expected[0]
            # The second task uses the objects left by the first.
            run = await client.run("echo again > 1.txt")
            check_store_stands_alone(mux_home)
            shutil.rmtree(root)
            check_store_stands_alone(mux_home)
            assert [await client.diff(one) for one in runs] == expected
            assert "+again\n" in await client.diff(run["id"])
    mux_home.stop()
    tmp_path.joinpath("elsewhere").mkdir()
    async with connected(mux_home, tmp_path / "elsewhere") as client:  # a new daemon reads them from the disk
        assert [await client.diff(one) for one in runs] == expected
        assert {item["status"] for item in await client.review(runs[0])} == {"conflict"}
