"""Measure placing hunks on a text that has changed meanwhile, beside a three-way merge by git."""

from __future__ import annotations

import random
import subprocess
import time
from typing import TYPE_CHECKING

from mux_lsp.core import diff, rebase
from mux_lsp.core.text import split_lines
from tests.benchmarks.figures import Goal, Line, median
from tests.benchmarks.place import temporary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure `rebase` with known hunks, and including their diff, which together is all that git does."""
    old, new, live = ["".join(lines) for lines in _texts(sizes)]
    old_lines = split_lines(old)
    hunks = diff.hunks(old, new, "file.txt")
    placed: list[float] = []
    whole: list[float] = []
    merged: list[float] = []
    with temporary(base) as folder:
        files = []
        for name, text in (("live", live), ("base", old), ("result", new)):
            (folder / name).write_text(text)
            files.append(str(folder / name))
        for _ in range(sizes.rebase_rounds):
            begun = time.perf_counter()
            subprocess.run(["git", "merge-file", "-p", "-q", *files], stdout=subprocess.DEVNULL, check=False)
            merged.append(time.perf_counter() - begun)
            # As after an edit: no line of the live text has been seen before.
            live_lines = split_lines(live)
            begun = time.perf_counter()
            rebase.place_hunks(old_lines, hunks, live_lines)
            placed.append(time.perf_counter() - begun)
            live_lines = split_lines(live)
            begun = time.perf_counter()
            rebase.place_hunks(old_lines, diff.hunks(old, new, "file.txt"), live_lines)
            whole.append(time.perf_counter() - begun)
    what = f"{len(hunks)} hunks on {sizes.rebase_lines:,} lines under {sizes.rebase_edits} edits"
    baseline = "git merge-file, as a process"
    return [
        Line("rebase", f"rebase of {what}", median(placed), baseline, median(merged), Goal(1.0)),
        Line("rebase", f"diff and rebase of {what}", median(whole), baseline, median(merged)),
    ]


def _texts(sizes: Sizes) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Return a text with repeated lines, as in source code, a result, and a live text that the person has changed."""
    chance = random.Random(1)
    common = ["\n", "    }\n", "    return None\n", "    else:\n"]
    base = [
        chance.choice(common) if chance.random() < 0.3 else f"    value_{number} = compute({chance.randrange(1000)})\n"
        for number in range(sizes.rebase_lines)
    ]
    result, live = list(base), list(base)
    # From the end, so that earlier places do not move.
    for at in sorted(chance.sample(range(0, sizes.rebase_lines, 5), sizes.rebase_hunks), reverse=True):
        result[at : at + chance.randrange(3)] = [f"    agent_{at}_{n}()\n" for n in range(chance.randrange(1, 4))]
    for at in sorted(chance.sample(range(2, sizes.rebase_lines, 5), sizes.rebase_edits), reverse=True):
        live[at : at + chance.randrange(2)] = [f"    person_{at}_{n}()\n" for n in range(chance.randrange(1, 3))]
    return base, result, live
