"""Report whatever blocks an event loop: a callback that takes too much of its thread's processor time.

Python imports a module of this name at its start. So a daemon that a test has started is watched without any change to
the product: its home has this folder in PYTHONPATH. The daemon's own child processes do not have it.

The limit is on processor time and not on wall-clock time: a busy machine blocks no loop.
"""
# The bridge imports this module too, and a test checks which other modules the bridge imports.
# ruff: noqa: PTH118, PTH120, PTH123

from __future__ import annotations

import gc
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Handle
    from collections.abc import Callable
    from typing import Any

LIMIT = 0.25
"""Maximum seconds of processor time for one callback."""

FOLDER = os.path.dirname(__file__)
FILE = "event-loop-held"
"""The file in a home with one line for each callback that blocked a loop."""


class Collector:
    """Measure the time of garbage collections. A test's process holds millions of objects of others."""

    def __init__(self) -> None:
        self._seconds = self._begun = 0.0
        gc.callbacks.append(self._note)

    def seconds(self) -> float:
        """Return the seconds of processor time so far. A collection stays on its thread."""
        return self._seconds

    def _note(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.thread_time()
        else:
            self._seconds += time.thread_time() - self._begun


def watch(report: Callable[[str], None], spared: Callable[[], float] = lambda: 0.0) -> None:
    """Report from now on every callback of this process's event loops that takes longer than the limit.

    `spared` returns the seconds of processor time so far that do not count.
    """
    from asyncio import events

    run: Callable[[Handle], None] = events.Handle._run
    clock = time.thread_time

    def timed(handle: Handle) -> None:
        before, begun = spared(), clock()
        try:
            run(handle)
        finally:
            taken = clock() - begun - (spared() - before)
            if taken > LIMIT:
                report(f"event loop held for {taken:.3f} s of processor time by {_name(handle)}")

    setattr(events.Handle, run.__name__, timed)  # asyncio calls this for every callback of a loop


def _name(handle: Handle) -> str:
    callback = handle._callback  # type: ignore[attr-defined]  # what it shows of itself names a task's step only
    step: Any = getattr(callback, "__self__", None)
    if not hasattr(step, "get_coro"):
        return repr(callback)
    # The place where each of its coroutines waits now. The innermost is last: it is the one that has worked.
    awaited: Any = step.get_coro()
    places = []
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        places.append(f"{awaited.__qualname__} ({frame.f_code.co_filename}:{frame.f_lineno})")
        awaited = awaited.cr_await
    return " > ".join(places) or repr(step)


def _report_in(home: str) -> Callable[[str], None]:
    def report(sentence: str) -> None:
        with open(os.path.join(home, FILE), "a") as file:
            file.write(sentence.replace("\n", " ") + "\n")

    return report


def _begin() -> None:
    home = os.environ.get("MUX_LSP_HOME")
    if sys.orig_argv[-1:] != ["daemon"] and "--ready-fd" not in sys.orig_argv:
        return
    if home is None or FOLDER not in (entries := os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        return
    kept = [entry for entry in entries if entry != FOLDER]
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    else:
        del os.environ["PYTHONPATH"]
    watch(_report_in(home))


_begin()
