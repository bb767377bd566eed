"""Ending a daemon that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil

from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from mux_lsp import paths


def end_process(home: paths.Home, record: dict[str, Any] | None, timeout: float) -> None:
    """Asks the process that `daemon.json` named to end, by signal, and waits for it.

    The pid counts only together with the time at which the process started, since pids are used again.
    """
    process = _process(record or {})
    if process is None:
        raise MuxError(
            f"a mux-lsp daemon holds {home.daemon_lock} but cannot be reached: find it with `ps` and end it yourself"
        )
    try:
        process.terminate()
        process.wait(timeout)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired as error:
        raise MuxError(
            f"the mux-lsp daemon (pid {process.pid}) has not ended in {timeout:g} s: see {home.log}, "
            f"and if need be `kill -9 {process.pid}`"
        ) from error


def _process(record: dict[str, Any]) -> psutil.Process | None:
    pid, created = record.get("pid"), record.get("created")
    if not isinstance(pid, int) or not isinstance(created, int | float):
        return None
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < 0.05 else None
    except psutil.Error:
        return None
