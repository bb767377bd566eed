"""Keep the child processes of this daemon unreaped until they are swept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.agents.process_table import Process, created_at

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

_names: dict[Process, str] = {}
"""The runs, checks and set-ups of the processes that this daemon has started and not swept yet."""

_known: dict[Process, subprocess.Popen[bytes] | None] = {}
"""Processes that this daemon has started, or has seen end, and that `end` has not swept yet.

A child stays unreaped until then. So its process number, which is its session's number too, is not reused.
"""


def sessions() -> dict[int, str]:
    """Return the sessions that the supervisors of this daemon's children lead, with the name of the run of each."""
    return {process.pid: name for process, name in [*_names.items()]}


def add(child: subprocess.Popen[bytes], mark: Mapping[str, str]) -> Process:
    created = created_at(child.pid)
    assert created is not None, "an unreaped child is there"  # noqa: S101
    process = Process(child.pid, created)
    _known[process] = child
    _names[process] = mark.get("MUX_RUN", "")
    return process


def reap(process: Process) -> None:
    _names.pop(process, None)
    child = _known.pop(process, None)
    if child is not None and child.poll() is None:
        _known[process] = child  # it could not be ended: unreaped, it keeps its number


def remember(process: Process) -> None:
    """Treat a process that this daemon has not started as known, until it is swept."""
    _known.setdefault(process, None)


def is_known(process: Process) -> bool:
    """Return whether a process was started or remembered, and has not been swept yet."""
    return process in _known


def is_child(process: Process) -> bool:
    """Return whether this daemon has started a process and not swept it yet."""
    return _known.get(process) is not None
