"""Test that git's comparison of a whole result gives exactly the hunks of our own comparison of each file."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import ChangeKind, FileChange, Run, RunState
from mux_lsp.engine.review import diff_stats
from mux_lsp.engine.review.diff_stats import DiffStats
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.errors import GitError
from mux_lsp.git.shadow import ShadowStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = Run("k3f-1", "k3f", "sh:true", None, RunState.FINISHED)
LONG = "".join(f"line {number}\n" for number in range(2000))
BLOCK = "/*\n * {0}\n */\n{0}\n\n"
TWO_BLOCKS = "first\n\n" + BLOCK.format("one") + BLOCK.format("two")
"""With the indent heuristic, git would start the new block at its comment. The heuristic is off."""
HEADING = ("x" + "é" * 60 + "\n").encode()
NUMBERS = b"".join(b" %d\n" % number for number in range(30))
"""Lines that git takes for the body below the heading, which it quotes and cuts off."""
KINDS: dict[str, tuple[bytes | None, bytes | None]] = {
    "added": (None, b"a\nb\n"),
    "added empty": (None, b""),
    "deleted": (b"a\nb\n", None),
    "emptied": (b"a\nb\n", b""),
    "no newline before": (b"a\nb", b"a\nb\n"),
    "no newline after": (b"a\nb\n", b"a\nb"),
    "no newline in both": (b"a\nb\nc", b"a\nB\nc"),
    "no newline, changed": (b"a\nb", b"a\nc"),
    "first line": (b"a\nb\nc\n", b"A\nb\nc\n"),
    "inserted at the top": (b"a\nb\n", b"new\na\nb\n"),
    "line ends": (b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nc\r\n"),
    "to other line ends": (b"a\r\nb\r\n", b"a\nb\n"),
    "lone returns before": (b"a\rb\rc\nd\n", b"a\rb\rc\nD\n"),
    "lone returns, far away": (b"a\rb\rc\n1\n2\n3\n4\nd\n", b"a\rb\rc\n1\n2\n3\n4\nD\n"),
    "indented": (TWO_BLOCKS.replace(BLOCK.format("one"), "").encode(), TWO_BLOCKS.encode()),
    "long heading": (HEADING + NUMBERS, HEADING + NUMBERS.replace(b" 5\n", b" five\n").replace(b" 15\n", b"\n")),
    "lone returns after": (b"a\nb\nc\n", b"a\nb\rx\nc\n"),
    "mark": (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\nB\n"),
    "mark added": (b"a\nb\n", b"\xef\xbb\xbfa\nb\n"),
    "mark in the first line": (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfA\nb\n"),
    "latin, far away": ("é\nb\nc\nd\ne\nf\n".encode("latin-1"), "é\nb\nc\nd\ne\nF\n".encode("latin-1")),
    "latin now": (b"a\nb\n", b"a\n\xe9\n"),
    "binary": (b"\0a\n", b"\0b\n"),
    "a zero, late": (b"x\n" * 9000 + b"\0\n", b"x\n" * 9000 + b"\0y\n"),
    "beside a zero, late": (b"y\n" + b"x\n" * 9000 + b"\0\n", b"z\n" + b"x\n" * 9000 + b"\0\n"),
    "looks like a patch": (b"a\n-- b\n", b"a\n@@ -1 +1 @@\ndiff --git a/x b/x\n++ b\n\\ No newline\n"),
    "repeated lines": (b"x\n" * 3000, b"x\n" * 3001),
    "repeated lines, fewer": (b"a\n" + b"x\n" * 3000, b"a\n" + b"x\n" * 2990),
    "rewritten": (LONG.encode(), LONG.replace("line", "row").encode()),
    "much changed": (LONG.encode(), "".join(sorted(LONG.splitlines(True))).encode()),
    "form feed": ("a\n\x0cb\u2028c\x85d\n".encode(), "a\n\x0cb\u2028c\x85D\n".encode()),
    'odd "name"\n@@ -1 +1 @@': (b"a\n", b"b\n"),
}


def generated() -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Yield texts of few different lines, which can be aligned in many ways, each with a changed version."""
    chance = random.Random(7)
    for number in range(300):
        letters = "abc"[: chance.randrange(1, 4)] + "".join(chr(ord("d") + n) for n in range(chance.randrange(20)))
        old = [chance.choice(letters) + "\n" for _ in range(chance.randrange(60))]
        new = list(old)
        for _ in range(chance.randrange(8)):
            at = chance.randrange(len(new) + 1)
            new[at : at + chance.randrange(4)] = [chance.choice(letters) + "\n" for _ in range(chance.randrange(4))]
        yield f"generated {number}", ("".join(old).encode(), "".join(new).encode())


class Place:
    """A shadow store with a snapshot and a result in it."""

    def __init__(self, folder: Path, files: dict[str, tuple[bytes | None, bytes | None]]) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir(parents=True)
        self.git("init", "-q", f"--separate-git-dir={folder / 'shadow.git'}", ".")
        self.base = self.commit({name: before for name, (before, _) in files.items()})
        self.result = self.commit({name: after for name, (_, after) in files.items()})
        self.shadow = ShadowStore(folder)
        self.results = DiffStats(self.shadow)

    def git(self, *arguments: str) -> str:
        command = [
            "git",
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.org",
            "-c",
            "core.safecrlf=false",
            *arguments,
        ]
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(command, cwd=self.tree, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files: dict[str, bytes | None]) -> str:
        for name, content in files.items():
            place = self.tree / name
            place.unlink(missing_ok=True)
            if content is not None:
                place.write_bytes(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "one")
        return self.git("rev-parse", "HEAD")

    def read(self, result: str | None = None) -> tuple[dict[str, FileChange], int]:
        changes, hunks = self.results.read(self.base, result or self.result, HunkCache(self.shadow.read).count)
        return {change.path: change for change in changes}, hunks


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, {**KINDS, **dict(generated())})
    yield made
    made.shadow.close()


def test_the_hunks_that_git_found_are_ours(place: Place) -> None:
    changes, counted = place.read()
    assert len(changes) > 250
    ours, gits = HunkCache(place.shadow.read), HunkCache(place.shadow.read, place.results.pop_body)
    taken = 0
    for path, change in changes.items():
        mine, theirs = ours.get(RUN, change), gits.get(RUN, change)
        assert (theirs.hunks, theirs.bom, theirs.whole) == (mine.hunks, mine.bom, mine.whole), path
        if mine.hunks and change.old_mode:
            assert theirs.base == mine.base, path
        taken += bool(theirs.hunks)
    assert taken > 200
    exactly = [change for path, change in changes.items() if path != "much changed"]
    # Past this size our diff differs from git's; it would be wasteful to make ours only for the number of hunks.
    diff = place.git("diff", "-U0", "--no-indent-heuristic", place.base, place.result, "--", "much changed")
    assert counted == sum(max(1, ours.count(change)) for change in exactly) + diff.count("\n@@ ")


def test_lines_are_counted_as_git_counts_them(place: Place) -> None:
    changes, _ = place.read()
    assert tuple(changes.values()) == place.shadow.changed_files_with_stats(place.base, place.result)


def test_nothing_is_compared_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first, counted = place.read()
    asked: list[tuple[str, ...]] = []
    text_diffs = place.shadow.text_diffs

    def noted(base: str, result: str, paths: tuple[str, ...] = ()) -> object:
        asked.append(tuple(paths))
        return text_diffs(base, result, paths)

    monkeypatch.setattr(place.shadow, "text_diffs", noted)
    assert place.read() == (first, counted)
    assert asked == []
    grown = place.commit({"added": b"some\nother\nlines\n", "one more": b"line\n"})
    changes, more = place.read(grown)
    # One more for the new file, and one for the former rename.
    assert (changes["added"].lines_added, changes["one more"].lines_added, more) == (3, 1, counted + 2)
    assert asked == [("added", "deleted", "one more")]


def test_links_copies_and_renames(tmp_path: Path) -> None:
    text = "".join(f"{number}\n" for number in range(50))
    place = Place(
        tmp_path, {"to link": (text.encode(), None), "moved": (text.encode() * 2, None), "mode": (b"a\n", b"a\n")}
    )
    (place.tree / "to link").symlink_to("nowhere")
    (place.tree / "mode").chmod(0o755)
    (place.tree / "moved here").write_text(text * 2 + "end\n")
    (place.tree / "copy").write_text(text * 2)
    place.git("add", "-A")
    place.git("commit", "-q", "-m", "two")
    result = place.git("rev-parse", "HEAD")
    changes, hunks = place.read(result)
    assert tuple(changes.values()) == place.shadow.changed_files_with_stats(place.base, result)
    assert changes["moved here"].kind is ChangeKind.RENAMED or changes["copy"].kind is ChangeKind.RENAMED
    assert hunks == 4
    place.shadow.close()


@pytest.mark.parametrize(("limit", "value"), [("LARGEST_TEXT", 12), ("MOST_LINES", 1), ("MOST_HUNKS", 1)])
def test_what_is_too_big_is_one_change_and_no_hunks(
    limit: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff_stats, limit, value)
    place = Place(tmp_path, {"big": (b"a\nb\nc\nd\ne\nf\ng\n", b"A\nb\nc\nd\ne\nf\nG\n")})
    changes, hunks = place.read()
    change = changes["big"]
    assert (change.lines_added, change.lines_removed, hunks) == (2, 2, 1)
    assert HunkCache(place.shadow.read, place.results.pop_body).get(RUN, change).whole
    assert HunkCache(place.shadow.read).get(RUN, change).whole, "in whichever way it is looked at"
    place.shadow.close()


def test_of_very_many_files_only_the_lines_are_counted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = place.read()
    monkeypatch.setattr(diff_stats, "MANY_FILES", 10)
    monkeypatch.setattr(place.shadow, "text_diffs", None)
    assert place.read() == (expected, len(expected))


def test_what_git_said_is_kept_up_to_a_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_stats, "KEPT_BYTES", 2000)
    changes, _ = place.read()
    kept = [place.results.pop_body(change.old_object, change.new_object) for change in changes.values()]
    assert 0 < sum(len(body) for body in kept if body) <= 2000


def test_a_store_that_is_gone_is_told(place: Place) -> None:
    changes, _ = place.read()
    with pytest.raises(GitError, match="diff-tree failed"):
        list(place.shadow.text_diffs(place.base, "0" * 40))
    gone = replace(changes["binary"], old_object="1" * 40)
    assert list(place.shadow.read_many([gone.old_object, gone.new_object])) == [None, b"\0b\n"]
