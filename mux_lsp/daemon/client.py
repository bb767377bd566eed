"""Connect to the daemon, start it if necessary, and request its status or its end.

Used by the bridge and the command line. Standard library only: editors wait for this.
"""

from __future__ import annotations

from mux_lsp import paths
from mux_lsp.daemon.dial import (
    STOP_SECONDS,
    Connection,
    NoAnswerError,
    NotRunningError,
    OtherVersionError,
    attempt,
    is_alive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def connect(home: paths.Home | None = None) -> Connection:
    """Connect to the person's daemon for LSP. Start it if it is not running.

    An older daemon is replaced, and the new one takes over its runs. Raises MuxError with the reason if no daemon can
    be used, for example because a newer one is running.
    """
    here = home or paths.home()
    try:
        return attempt(here, "lsp")
    except (NotRunningError, OtherVersionError):
        from mux_lsp.daemon.starting import start_and_connect

        return start_and_connect(here)


def connect_running(home: paths.Home | None = None) -> Connection:
    """Connect to the running daemon for LSP. Raises NotRunningError if there is no daemon."""
    return attempt(home or paths.home(), "lsp")


def request_status(home: paths.Home | None = None) -> dict[str, Any]:
    """Return the status of the daemon and its engine. Raises NotRunningError if there is no daemon."""
    with attempt(home or paths.home(), "status") as connection:
        status = connection.answer.get("status")
        return status if isinstance(status, dict) else {}


def request_stop(timeout: float = STOP_SECONDS, home: paths.Home | None = None) -> bool:
    """Stop the daemon and wait until its process has ended. Return False if there was no daemon.

    A daemon that does not answer or has not ended in `timeout` seconds is ended by a signal, which loses nothing that
    was shown. Raises MuxError if even that fails.
    """
    here = home or paths.home()
    try:
        with attempt(here, "stop") as connection:
            connection.wait_for_end(timeout)
        return True
    except (NotRunningError, NoAnswerError, TimeoutError):
        if not is_alive(here):
            return False
    from mux_lsp.daemon.ending import end_process

    end_process(here, timeout)
    return True
