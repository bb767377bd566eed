"""Measure the ranking and comparison of a large task's runs, beside one `git diff` for each of them."""

from __future__ import annotations

import random
import subprocess
import time
from typing import TYPE_CHECKING

from mux_lsp.core.grading import Weights
from mux_lsp.core.model import Check, CheckState, Run, RunState, Task
from mux_lsp.core.ranking import rank
from mux_lsp.engine.ranking.service import attempts
from mux_lsp.engine.review.diff_stats import DiffStats
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.engine.state.run_summary import NO_SUMMARY
from mux_lsp.git.shadow import ShadowStore
from mux_lsp.lsp.commands import compare
from mux_lsp.lsp.wire import convert
from tests.benchmarks import repository
from tests.benchmarks.figures import Goal, Line, median
from tests.benchmarks.place import temporary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mux_lsp.core.ranking import Ranked
    from tests.benchmarks.sizes import Sizes

LINES = 200
"""Lines of each file."""

PLACES = 5
"""Places in each file at which runs change something."""

VARIANTS = 4
"""Variants at each place: so some runs agree there."""


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure the first ranking, a second one, and the comparison after that.

    The first ranking makes every hunk; in real use hunks are made as the runs end.
    """
    first: list[float] = []
    again: list[float] = []
    compared: list[float] = []
    diffs: list[float] = []
    with temporary(base) as here:
        person = here / "project"
        repository.make(person, [(_path(file), _text(file)) for file in range(sizes.compare_files)])
        _import_results(person, sizes)
        (here / "shadow.git").symlink_to(person / ".git")
        store = ShadowStore(here)
        names = [f"run-{number}" for number in range(1, sizes.compare_runs + 1)]
        for _ in range(sizes.compare_rounds):
            begun = time.perf_counter()
            for name in names:
                command = ["git", "diff", "main", name]
                subprocess.run(command, cwd=person, stdout=subprocess.DEVNULL, check=True)
            diffs.append(time.perf_counter() - begun)
            results = DiffStats(store)
            reviews = HunkCache(store.read, results.pop_body)
            # The data known when runs have ended: the files that each has changed, and git's own comparison of them.
            task = _task(tuple(_run(name, results, reviews) for name in names))
            for figures in (first, again):
                begun = time.perf_counter()
                ranking = rank(attempts(task, reviews, {}), Weights(), task.baseline)
                figures.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            _compare(task, ranking, reviews)
            compared.append(time.perf_counter() - begun)
        store.close()
    what = f"{sizes.compare_runs} runs × {sizes.compare_files} files"  # noqa: RUF001  a times sign
    baseline = "git diff of each"
    return [
        Line("compare", f"ranking of {what}, every hunk made", median(first), baseline, median(diffs)),
        Line("compare", f"ranking of {what}, once more", median(again), baseline, median(diffs)),
        Line("compare", f"comparison of {what}", median(compared), baseline, median(diffs), Goal(0.200, "measured")),
    ]


def _compare(task: Task, ranking: tuple[Ranked, ...], reviews: HunkCache) -> None:
    """Do the same as `mux.task.compare`, up to the bytes of its answer."""
    shape = convert.task_shape(task, lambda _: NO_SUMMARY)
    answer = compare.compare(shape, task, ranking, reviews).model_dump_json()
    if answer.count('"variants"') < len(task.runs[0].files):
        raise RuntimeError("the places of a file are missing")


def _run(name: str, results: DiffStats, reviews: HunkCache) -> Run:
    files, hunks = results.read("main", name, reviews.count)
    number = name.rpartition("-")[2]
    passed = Check("make test", CheckState.PASSED, 0, 1.0)
    return Run(f"k3f-{number}", "k3f", "bench", None, RunState.FINISHED, files=files, hunks=hunks, checks=(passed,),
               cost_usd=0.01 * int(number), work_seconds=10.0 + int(number))  # fmt: skip


def _task(runs: tuple[Run, ...]) -> Task:
    return Task("k3f", "compare them", "/project", "", 1.0, checks=("make test",), runs=runs)


def _path(file: int) -> str:
    return f"folder{file % 5}/file{file:03}.txt"


def _text(file: int) -> bytes:
    return b"".join(b"    value_%d = compute(%d, %d)\n" % (at, at, file) for at in range(LINES))


def _changed(file: int, run: int) -> bytes:
    lines = _text(file).splitlines(keepends=True)
    chance = random.Random(f"{file} {run}")
    for place in range(PLACES):
        variant = chance.randrange(VARIANTS)
        at = 10 + place * LINES // PLACES
        lines[at] = b"".join(b"    call_%d_%d(%d)\n" % (place, variant, line) for line in range(variant + 1))
    return b"".join(lines)


def _import_results(person: Path, sizes: Sizes) -> None:
    def stream() -> Iterator[bytes]:
        for run in range(1, sizes.compare_runs + 1):
            yield b"commit refs/heads/run-%d\ncommitter Bench <bench@localhost> 1700000001 +0000\n" % run
            yield b"data 3\nrun\nfrom refs/heads/main^0\n"
            for file in range(sizes.compare_files):
                content = _changed(file, run)
                yield b"M 100644 inline %b\ndata %d\n%b\n" % (_path(file).encode(), len(content), content)

    command = ["git", "-C", str(person), "fast-import", "--quiet"]
    subprocess.run(command, input=b"".join(stream()), check=True)
