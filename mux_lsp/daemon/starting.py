"""Start the daemon from a client: one at a time, fully detached, and with its last words if it fails."""
# It runs in the bridge's process, which does not import pathlib.
# ruff: noqa: PTH120, PTH123

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager

from mux_lsp import paths
from mux_lsp.daemon.dial import (
    STOP_SECONDS,
    Connection,
    NotRunningError,
    OtherVersionError,
    attempt,
)
from mux_lsp.daemon.interactive import without_marks
from mux_lsp.errors import MuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60.0
"""Seconds for a daemon to be ready: it may have to wait for an earlier one, or to migrate a database."""


def start_and_connect(home: paths.Home) -> Connection:
    """Connect to a daemon of this version, and start it unless another client was faster.

    Raises MuxError with the reason if no daemon can be used.
    """
    paths.make_private_folder(home.state)
    with _start_lock(home):
        try:
            return attempt(home, "lsp")
        except NotRunningError:
            pass
        except OtherVersionError:
            _ask_to_hand_over(home)
        _spawn(home)
        try:
            return attempt(home, "lsp")
        except (NotRunningError, OtherVersionError) as error:
            raise MuxError(f"the mux-lsp daemon ended as soon as it was ready: see {home.log}") from error


@contextmanager
def _start_lock(home: paths.Home) -> Iterator[None]:
    try:
        descriptor = os.open(home.start_lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise paths.unusable(home.start_lock, error) from error
    try:
        # Waits for another client that is starting a daemon. Its time is bounded, and its end releases the lock.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _ask_to_hand_over(home: paths.Home) -> None:
    """Return when the daemon of the other version has ended. Raises MuxError with its reason if it refuses.

    The daemon decides: it gives way to a newer version only, so that two installed versions never alternate.
    """
    try:
        with attempt(home, "handover") as connection:
            connection.wait_for_end(STOP_SECONDS)
    except NotRunningError:
        return
    except TimeoutError as error:
        raise MuxError(
            f"the earlier mux-lsp daemon agreed to end but has not in {STOP_SECONDS:g} s: see {home.log}"
        ) from error


def _spawn(home: paths.Home) -> None:
    """Start a daemon and return when it is ready. Raises MuxError with its last words if it ends instead."""
    try:
        paths.make_private_folder(os.path.dirname(home.log))
        log = os.open(home.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise paths.unusable(home.log, error) from error
    reading, writing = os.pipe()
    try:
        log_size = os.fstat(log).st_size
        # -P: a module in the working folder must not be imported in place of one of ours.
        command = [sys.executable, "-P", "-m", "mux_lsp", "daemon", "--ready-fd", str(writing)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.state,
            env=_daemon_environment(),
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        writing = -1
        words = _read_to_end(reading, time.monotonic() + START_SECONDS)
        process.wait(START_SECONDS)  # the daemon's parent, which ends at once
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise MuxError(f"the mux-lsp daemon was not ready after {START_SECONDS:g} s: see {home.log}") from error
    except OSError as error:
        from mux_lsp import storage

        refused = storage.explained(error, home.state)
        raise refused or MuxError(f"the mux-lsp daemon could not be started: {error}") from error
    finally:
        os.close(log)
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    if words == "ready":
        return
    if words.startswith("error "):
        raise MuxError(words.removeprefix("error "))
    last = _last_line(home.log, log_size) or "it said nothing"
    raise MuxError(f"the mux-lsp daemon ended while it started: {last} (its log: {home.log})")


def _daemon_environment() -> dict[str, str]:
    """Return the starter's environment without what must not be inherited.

    If an agent starts a daemon, the run's mark is removed: it identifies the processes of a run when the run is ended,
    and the daemon is not one of them. So is the mark of an agent that the person runs in a terminal: neither the daemon
    nor the agents of its runs are its commands. The daemon works in another folder, from which a relative
    `MUX_LSP_HOME` would be another folder, so it is made absolute.
    """
    kept = {
        name: value
        for name, value in without_marks(os.environ).items()
        if not name.startswith("MUX_") or name.startswith("MUX_LSP_")
    }
    root = paths.named_root()
    return kept if root is None else {**kept, paths.ROOT: root}


def _read_to_end(descriptor: int, deadline: float) -> str:
    received = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return received.decode(errors="replace").strip()
        received += chunk


def _last_line(path: str, start: int) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
