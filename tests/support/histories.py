"""Make histories of texts and the three-way merges in them: from a seed, or from this project's own history."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.core.text import decode, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOT = Path(__file__).parents[2]
_FEWEST = 6
"""Minimum number of versions of a file for it to count as a history."""


def generated_history(seed: int, commits: int = 40) -> list[list[str]]:
    """Generate the versions of one source file.

    Functions are edited, added, copied, moved and deleted, and commits reverted.
    """
    rng = random.Random(seed)
    versions = [[line for number in range(25) for line in _function(rng, number)]]
    for _ in range(commits):
        text = list(versions[-1])
        starts = [at for at, line in enumerate(text) if line.startswith("def ")]
        at, other = rng.choice(starts), rng.choice(starts)
        end = next((start for start in starts if start > at), len(text))
        kind = rng.choice(["edit", "edit", "edit", "rename", "add", "copy", "move", "delete", "revert"])
        if kind == "edit":
            text[rng.randrange(at, end)] = f"    changed({rng.randrange(100)})\n"
        elif kind == "rename":
            name = f"word_{rng.randrange(6)}"
            text = [line.replace(name, f"{name}x") for line in text]
        elif kind == "add":
            text[at:at] = _function(rng, rng.randrange(1000))
        elif kind == "copy":
            text[other:other] = text[at:end]
        elif kind == "revert" and len(versions) > 1:
            text = list(versions[-2])
        elif len(starts) > 1:
            block = text[at:end]
            del text[at:end]
            if kind == "move":
                place = rng.choice([at for at, line in enumerate(text) if line.startswith("def ")])
                text[place:place] = block
        versions.append(text)
    return versions


def _function(rng: random.Random, number: int) -> list[str]:
    call = f"    value = word_{rng.randrange(6)}({rng.randrange(9)})\n"
    body = rng.sample([call, "    if not value:\n", "        return None\n"] * 2, rng.randrange(2, 6))
    return [f"def work_{number}(a, b):\n", *body, "    return value\n", "\n", "\n"]


def merges(versions: Sequence[list[str]], count: int) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Yield merges of a history as base, result and live text: later work onto still later work, and reverts of it."""
    rng = random.Random(len(versions))
    for _ in range(count):
        first = rng.randrange(len(versions) - 2)
        second = min(first + rng.randrange(1, 4), len(versions) - 2)
        third = rng.randrange(second + 1, min(second + 6, len(versions)))
        base, result, live = versions[first], versions[second], versions[third]
        # A result that is in the live text already, one that was reverted later, and one that is not there yet.
        yield rng.choice([(base, result, live), (result, base, live), (result, live, base), (live, base, result)])


def own_history(files: int = 12) -> Iterator[list[list[str]]]:
    """Return the versions of this project's most changed files, oldest first; nothing in a shallow checkout."""
    listed = _git("log", "--format=", "--name-only", "--diff-filter=AM", "--no-renames", "--", "*.py", "*.md").split()
    paths = sorted(set(listed), key=lambda path: (-listed.count(path), path))
    for path in paths[:files]:
        commits = _git("log", "--reverse", "--format=%H", "--diff-filter=AM", "--", path).split()
        if len(commits) < _FEWEST:
            return
        read = [decode(_git_bytes("show", f"{commit}:{path}")) for commit in commits]
        yield [split_lines(found.text) for found in read if found]


def _git(*arguments: str) -> str:
    return _git_bytes(*arguments).decode("utf-8", "surrogateescape")


def _git_bytes(*arguments: str) -> bytes:
    """Run git on this project's checkout and return its output, or nothing if there is no checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(["git", *arguments], cwd=_ROOT, env=environment, capture_output=True, check=False).stdout
