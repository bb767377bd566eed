"""Measure the comparison of a whole result with its snapshot, beside `git diff` of the same two commits."""

from __future__ import annotations

import random
import subprocess
import time
import zlib
from typing import TYPE_CHECKING

from mux_lsp.core.model import Run, RunState
from mux_lsp.engine.review.diff_stats import DiffStats
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.git.shadow import ShadowStore
from tests.benchmarks import repository
from tests.benchmarks.figures import Goal, Line, median
from tests.benchmarks.place import temporary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

LINES = 200
HUNKS = 5
"""Hunks in each file."""


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure taking a result, with its files, line counts and hunk counts; and then making all of its hunks."""
    taken: list[float] = []
    derived: list[float] = []
    compared: list[float] = []
    with temporary(base) as here:
        person = here / "project"
        repository.make(person, _files(sizes.result_files))
        # As in the shadow store, the snapshot's objects are in a pack and the result's are not.
        for path in person.glob("**/*.txt"):
            path.write_text(_changed(path.read_text(), zlib.crc32(path.name.encode())))
        who = ("-c", "user.name=Bench", "-c", "user.email=bench@localhost")
        repository.git(person, *who, "commit", "-q", "-a", "-m", "result")
        (here / "shadow.git").symlink_to(person / ".git")
        store = ShadowStore(here)
        for _ in range(sizes.result_rounds):
            begun = time.perf_counter()
            command = ["git", "diff", "HEAD~", "HEAD"]
            subprocess.run(command, cwd=person, stdout=subprocess.DEVNULL, check=True)
            compared.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            results = DiffStats(store)
            reviews = HunkCache(store.read, results.pop_body)
            changes, hunks = results.read("HEAD~", "HEAD", reviews.count)
            taken.append(time.perf_counter() - begun)
            run = Run("a-1", "a", "sh:true", None, RunState.FINISHED, files=changes, hunks=hunks)
            if sum(len(reviews.get(run, change).hunks) for change in changes) != hunks:
                raise RuntimeError("the hunks are not those that were counted")
            derived.append(time.perf_counter() - begun)
        store.close()
    what = f"a whole result of {sizes.result_files:,} files, {hunks:,} hunks"
    baseline = "git diff"
    return [
        Line("results", f"{what}: lines and hunks counted", median(taken), baseline, median(compared), Goal(1.5)),
        Line("results", f"{what}: and every hunk made", median(derived), baseline, median(compared)),
    ]


def _files(count: int) -> Iterator[tuple[str, bytes]]:
    chance = random.Random(1)
    common = ["\n", "    }\n", "    return None\n", "    else:\n"]
    for number in range(count):
        lines = [
            chance.choice(common) if chance.random() < 0.3 else f"    value_{at} = compute({chance.randrange(1000)})\n"
            for at in range(LINES)
        ]
        yield f"folder{number % 40:02}/file{number}.txt", "".join(lines).encode()


def _changed(text: str, seed: int) -> str:
    chance = random.Random(seed)
    lines = text.splitlines(keepends=True)
    for at in sorted(chance.sample(range(0, LINES, 5), HUNKS), reverse=True):
        lines[at : at + chance.randrange(3)] = [f"    agent_{at}_{n}()\n" for n in range(chance.randrange(1, 4))]
    return "".join(lines)
