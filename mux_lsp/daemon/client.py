"""Connect to the daemon, start it where none runs, and ask it for its status or its end.

For the bridge and the command line. Standard library only: editors wait for this.
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
    """A connection for LSP to the person's daemon, which is started if there is none.

    An older daemon is replaced, and the new one takes its runs up. Raises MuxError with the reason when there is no
    daemon to be had, as where a newer one runs.
    """
    here = home or paths.home()
    try:
        return attempt(here, "lsp")
    except (NotRunningError, OtherVersionError):
        from mux_lsp.daemon.starting import start_and_connect

        return start_and_connect(here)


def connect_running(home: paths.Home | None = None) -> Connection:
    """A connection for LSP to the daemon that runs. Raises NotRunningError if none does."""
    return attempt(home or paths.home(), "lsp")


def request_status(home: paths.Home | None = None) -> dict[str, Any]:
    """What the daemon says of itself and its engine. Raises NotRunningError if none runs."""
    with attempt(home or paths.home(), "status") as connection:
        status = connection.answer.get("status")
        return status if isinstance(status, dict) else {}


def request_stop(timeout: float = STOP_SECONDS, home: paths.Home | None = None) -> bool:
    """Ends the daemon and waits until its process has ended. False if none ran.

    One that does not answer or has not ended in `timeout` seconds is ended by signal, which loses nothing that was
    shown. Raises MuxError if not even that helps.
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
