"""Write small texts as words, and compute git's answers for comparison."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from mux_lsp.core.diff import Edit, diff_lines, make_hunk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mux_lsp.core.model import Hunk


_few = st.lists(st.sampled_from("abc"), max_size=14)
_many = st.lists(st.integers(0, 40).map(str), max_size=60)
texts = st.one_of(_few, _many).map(lambda found: [f"{word}\n" for word in found])
"""Texts of few different lines, and of many."""


def lines(text: str) -> list[str]:
    """Return `"a b c"` as three lines; the last line of `"a b!"` has no line end."""
    found = [f"{word}\n" for word in text.split()]
    return [*found[:-1], found[-1][:-2]] if text.endswith("!") else found


def words(found: Sequence[str]) -> str:
    """Return the inverse of `lines`."""
    return "".join(line.replace("\n", " ") if line.endswith("\n") else f"{line}!" for line in found).strip()


def hunks_of(base: Sequence[str], result: Sequence[str]) -> list[Hunk]:
    """Return the hunks from the first text to the second."""
    return [
        make_hunk("file", edit.start, base[edit.start : edit.end], result[edit.new_start : edit.new_end])
        for edit in diff_lines(base, result)
    ]


def git_merge(
    folder: Path, base: Sequence[str], live: Sequence[str], result: Sequence[str], *options: str
) -> tuple[bool, str]:
    """Run `git merge-file`. Return whether it merges cleanly, and its output."""
    for name, text in (("base", base), ("live", live), ("result", result)):
        (folder / name).write_bytes("".join(text).encode())
    done = _git(folder, "merge-file", "-p", "--quiet", *options, "live", "base", "result")
    return done.returncode == 0, done.stdout.decode()


def git_edits(folder: Path, pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[list[Edit]]:
    """Return the edits that git's default algorithm finds between the texts of each pair, all in one process.

    The indent heuristic is off, as merges do not use it either.
    """
    for number, pair in enumerate(pairs):
        for name, text in zip(("old", "new"), pair, strict=True):
            (folder / name).mkdir(exist_ok=True)
            (folder / name / str(number)).write_bytes("".join(text).encode())
    options = ("--no-index", "--text", "-U0", "--no-indent-heuristic", "--diff-algorithm=myers", "--no-color")
    printed = _git(folder, "diff", *options, "old", "new").stdout.decode()
    edits: list[list[Edit]] = [[] for _ in pairs]
    for file in re.split(r"^diff --git a/old/", printed, flags=re.MULTILINE)[1:]:
        number = int(file.split(maxsplit=1)[0])
        for found in re.finditer(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", file, re.MULTILINE):
            start, count, new_start, new_count = (int(number or 1) for number in found.groups())
            start, new_start = start - bool(count), new_start - bool(new_count)
            edits[number].append(Edit(start, start + count, new_start, new_start + new_count))
    return edits


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    return subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, check=False)
