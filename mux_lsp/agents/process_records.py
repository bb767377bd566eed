"""Read what the supervisor of a command records in the run's folder: its own number and the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mux_lsp.agents.files import open_to_read, remove
from mux_lsp.agents.process_table import Process, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STDOUT: Final = "stdout"
STDERR: Final = "stderr"
EXIT: Final = "exit"
_SUPERVISED_BY: Final = "supervisor"
"""The names of a child's files in its run's folder."""

EXIT_BYTES: Final = 20
"""Maximum number of bytes of an exit status or a process number."""


def read_exit(run_folder: Path) -> int | None:
    """Return the recorded exit status, or None if it is not recorded yet."""
    return _read_number(run_folder / EXIT)


def clear_records(run_folder: Path) -> None:
    """Remove the records of an earlier command in this folder: its supervisor's number and its exit status."""
    for name in (_SUPERVISED_BY, EXIT):
        remove(run_folder / name)


def find_orphan(run_folder: Path, mark: Mapping[str, str]) -> Process | None:
    """Find the process, running or ended, that a killed daemon has started here since `clear_records`.

    Returns None if there is no such process. Reads every process of the machine: call it in a thread.
    """
    pid = _read_number(run_folder / _SUPERVISED_BY)
    if pid is None:
        return None
    entry = read_table(mark).get(pid)
    if entry is not None and entry.marked:
        return entry.process
    # The number may belong to another process by now. No process started when the machine did.
    return None if read_exit(run_folder) is None else Process(pid, 0.0)


def _read_number(file: Path) -> int | None:
    """Return the number that the supervisor wrote on a line of its own, or None."""
    try:
        with open_to_read(file) as opened:
            text = opened.read(EXIT_BYTES).decode("ascii", "replace")
    except OSError:
        return None
    number = text.removesuffix("\n")
    # Without its newline the record is incomplete: the machine went down during the write.
    return int(number) if text.endswith("\n") and number.isascii() and number.isdigit() else None
