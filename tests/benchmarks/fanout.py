"""Measure a task of many trivial attempts with a trivial check, until all is returned, beside plain worktrees."""

from __future__ import annotations

import contextlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.benchmarks import place, repository
from tests.benchmarks.client import TimingClient
from tests.benchmarks.figures import Goal, Line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

AGENT = "echo attempt >> src/package0000/module0/file000000.txt"
ATTEMPTS = 3
CHECK = "grep -q attempt src/package0000/module0/file000000.txt"


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure with a new home, and with the free worktrees that the first task has left."""
    with place.temporary(base) as here:
        person = here / "project"
        repository.make(person, repository.many_small_files(sizes.files))
        alone = _baseline(person, here / "alone", sizes.fanout_baseline, 1)
        paired = _baseline(person, here / "paired", sizes.fanout_baseline, 2)
        with place.home(base) as home:
            with TimingClient(home, person) as client:
                cold, warm = (_task(client, person, generation, sizes.fanout_runs) for generation in range(2))
            home.stop()
            # Each remaining worktree is a copy of the person's files.
            place.remove(*home.state.glob("repos/*/worktrees/*"))
    runs, note = sizes.fanout_runs, f"{sizes.files:,} files"
    scaled = f"from {sizes.fanout_baseline}"
    one = f"git worktree add, agent, check, git worktree remove, {runs} times ({scaled})"
    two = f"the same, two at a time ({scaled})"
    return [
        Line("fanout", f"a task of {runs} runs, cold", cold, one, alone * runs, Goal(0.1), note=note),
        Line("fanout", f"a task of {runs} runs, cold", cold, two, paired * runs, note=note),
        Line("fanout", f"a task of {runs} runs, warm", warm, one, alone * runs, Goal(0.1), note=note),
        Line("fanout", f"a task of {runs} runs, warm", warm, two, paired * runs, note=note),
    ]


def _task(client: TimingClient, person: Path, generation: int, runs: int) -> float:
    repository.edit(person, generation)
    task = {"prompt": "Begin.", "agents": [{"agent": f"sh:{AGENT}", "count": runs}], "checks": [CHECK]}
    begun = time.perf_counter()
    client.command("mux.task.start", task)
    ended = client.until_given_back(runs)
    seconds = time.perf_counter() - begun
    if bad := [run for run in ended if run["state"] != "finished" or run["checks"][0]["state"] != "passed"]:
        raise RuntimeError(f"a run did not finish well: {bad[0]['state']}, {bad[0]['reason']}")
    return seconds


def _baseline(person: Path, folder: Path, times: int, at_once: int) -> float:
    """Return the seconds for one attempt, measured over `times` attempts with `at_once` of them in parallel."""
    folder.mkdir()

    def attempt(number: int) -> None:
        worktree = folder / str(number)
        _worktree(person, "add", "--quiet", "--detach", str(worktree))
        for command in (AGENT, CHECK):
            subprocess.run(["/bin/sh", "-c", command], cwd=worktree, check=True)
        _worktree(person, "remove", "--force", str(worktree))

    begun = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(attempt, range(times)))
    return (time.perf_counter() - begun) / times


def _worktree(person: Path, *arguments: str) -> None:
    """Run `git worktree`, and retry if it meets one that another git is making or removing: it takes no lock."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(subprocess.CalledProcessError):
            repository.git(person, "worktree", *arguments)
            return
    repository.git(person, "worktree", *arguments)
