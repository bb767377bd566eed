"""Measure the start of the bridge, which an editor waits for, beside the start of the interpreter itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Goal, Line, median
from tests.benchmarks.place import home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.sizes import Sizes


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure `mux-lsp serve` with an empty input while a daemon runs: it connects, and ends."""
    serve = [str(Path(sys.executable).with_name("mux-lsp")), "serve"]
    nothing = [sys.executable, "-c", "pass"]
    with home(base) as here:
        environment = here.environment()
        _seconds(serve, environment)  # starts the daemon
        served: list[float] = []
        passed: list[float] = []
        for _ in range(sizes.bridge_starts):
            passed.append(_seconds(nothing, environment))
            served.append(_seconds(serve, environment))
    name = "`mux-lsp serve`, start to end"
    return [Line("bridge", name, median(served), "python -c pass", median(passed), Goal(2.5))]


def _seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
