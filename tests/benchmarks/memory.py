"""Measure the daemon's memory, beside a process that has only imported the libraries that the daemon uses."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.figures import Line, quantity
from tests.benchmarks.reviewed import session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.sizes import Sizes

BASELINE = "python, pygls and pydantic imported"

_BARE = "import pygls.lsp.server, lsprotocol.types, pydantic; print(flush=True); input()"


def measure(sizes: Sizes, base: Path) -> list[Line]:
    """Measure resident memory with one client: idle, and with many runs under review in open files."""
    small = bare()
    with session(sizes, base) as reviewing:
        busy = reviewing.daemon.memory_full_info()
        idle = reviewing.idle
    many = f"{sizes.review_runs} runs × {sizes.review_files} files × {sizes.review_hunks} hunks"  # noqa: RUF001
    return [
        Line("memory", "daemon, idle", idle, BASELINE, small, unit="bytes"),
        Line("memory", f"daemon, {many} under review", busy.rss, BASELINE, small, unit="bytes",
             note=f"its own share {quantity(busy.pss, 'bytes')}"),
    ]  # fmt: skip


def bare() -> int:
    """Return the resident bytes of a process that has done nothing but import."""
    with subprocess.Popen([sys.executable, "-c", _BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        size: int = psutil.Process(process.pid).memory_info().rss
        process.stdin.write(b"\n")
        process.stdin.close()
    return size
