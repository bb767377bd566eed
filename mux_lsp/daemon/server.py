"""Run the daemon: one process per user, any number of clients, over one engine.

It knows neither what the engine does nor how LSP works: both are passed in (`interfaces`). This module contains its
life cycle: start, idle time, end. `clients` accepts connections and isolates them from each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mux_lsp import __version__, paths, storage
from mux_lsp.daemon import lifecycle, logs
from mux_lsp.daemon.clients import DRAIN_SECONDS, Connections
from mux_lsp.errors import MuxError
from mux_lsp.orphans import adopt_orphans, reap_adopted

if TYPE_CHECKING:
    from collections.abc import Callable

    from mux_lsp.callers import Caller
    from mux_lsp.daemon.connection import ClientReader, ClientWriter
    from mux_lsp.daemon.interfaces import CreateEngine, ServeClient, ServedEngine

log = logging.getLogger(__name__)

COLLECTED_AFTER = (50_000, 20, 50)
"""The thresholds of Python's garbage collector in the daemon."""

MAX_OPEN_FILES = 10_240
"""Files that the daemon may have open, if the system allows it. Each run that is at work needs some."""


IDLE_SECONDS = 600.0
"""Seconds for which the daemon keeps running without a client or an unfinished run."""

CLOSE_SECONDS = 10.0
"""Seconds for the engine to close."""

REAP_SECONDS = 60.0
"""Seconds between an event and the next removal of agents' ended orphans from the system's process table."""

SHUTDOWN_SECONDS = DRAIN_SECONDS + CLOSE_SECONDS + 10
"""Seconds after which the process ends in any case, with every thread's stack in the log."""


def main(arguments: list[str]) -> int:
    """Run the command `mux-lsp daemon`, with the real engine and the real LSP. Return the exit status."""
    starter = lifecycle.Starter(_ready_descriptor(arguments))
    if starter.waits:
        lifecycle.detach()
    # A view of a text with fifty runs is ten thousand small objects, created again with every key and never in cycles.
    # By default, the collector would traverse all of the daemon's objects for every few hundred of them.
    gc.set_threshold(*COLLECTED_AFTER)
    adopt_orphans()
    _allow_open_files()

    def create_engine(home: paths.Home) -> contextlib.AbstractAsyncContextManager[ServedEngine]:
        import mux_lsp.lsp.session  # noqa: F401  (half a second for which no client should wait)
        from mux_lsp.engine.engine import Engine as RealEngine

        return RealEngine.open(Path(home.state), Path(home.config_file))

    async def serve_client(reader: ClientReader, writer: ClientWriter, engine: Any, asker: Caller) -> None:
        from mux_lsp.lsp.session import serve_client as serve

        await serve(reader, writer, engine, asker)

    def idle_seconds(home: paths.Home) -> float:
        from mux_lsp import config

        return config.load(Path(home.config_file)).daemon.idle_seconds

    return run_daemon(create_engine, serve_client, starter=starter, idle_seconds=idle_seconds)


def _allow_open_files() -> None:
    """Raise the limit of open files: many systems begin with 256 or 1024, for programs that cannot handle more."""
    if sys.platform == "win32":
        return  # no such limit there
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a further limit, which it does not report here
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _ready_descriptor(arguments: list[str]) -> int | None:
    if not arguments:
        return None
    if len(arguments) == 2 and arguments[0] == "--ready-fd" and arguments[1].isdigit():
        return int(arguments[1])
    sys.stderr.write("usage: mux-lsp daemon\n")
    sys.exit(2)


def run_daemon(
    create_engine: CreateEngine,
    serve_client: ServeClient,
    *,
    home: paths.Home | None = None,
    starter: lifecycle.Starter | None = None,
    idle_seconds: Callable[[paths.Home], float] = lambda _: IDLE_SECONDS,
) -> int:
    """Run the daemon until it is stopped or has been idle long enough. Return the exit status.

    Call it in the main thread, with no event loop running. Errors during the start are reported to `starter`.
    """
    here = home or paths.home()
    starter = starter or lifecycle.Starter(None)
    try:
        paths.make_private_folder(here.state)
        paths.make_private_folder(os.path.dirname(here.log))  # noqa: PTH120  (paths deals in strings)
        logs.set_up(here.log, detached=starter.waits)
        with lifecycle.only_daemon(here):
            # All slow imports are done before the event loop starts.
            engine = create_engine(here)
            asyncio.run(_run(here, engine, serve_client, idle_seconds(here), starter))
        log.info("ended")
        return 0
    except lifecycle.AlreadyRunningError as error:
        log.info("not started: %s", error)
        starter.ready()
        return 0
    except MuxError as error:
        _say_failure(str(error), starter)
    except OSError as error:
        refused = storage.explained(error, here.state)
        if refused is None and error.filename is None:
            raise
        _say_failure(str(refused or paths.unusable(os.fspath(error.filename), error)), starter)
    except Exception as error:
        log.exception("a bug ended the daemon")
        starter.failed(
            f"the mux-lsp daemon failed ({type(error).__name__}: {error}), which is a bug: "
            f"please report it with {here.log}"
        )
    return 1


def _say_failure(sentence: str, starter: lifecycle.Starter) -> None:
    log.error("not started: %s", sentence)
    starter.failed(sentence)


async def _run(
    home: paths.Home,
    opening: contextlib.AbstractAsyncContextManager[ServedEngine],
    serve_client: ServeClient,
    idle_seconds: float,
    starter: lifecycle.Starter,
) -> None:
    """Open the engine, serve clients, and close the engine within `CLOSE_SECONDS`."""
    opened = contextlib.AsyncExitStack()
    engine = await opened.enter_async_context(opening)
    try:
        await _Daemon(home, engine, serve_client, idle_seconds).serve(starter)
    finally:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await opened.aclose()
        except TimeoutError:
            log.error("the engine has not closed in %g s", CLOSE_SECONDS)


class _Daemon:
    """The life cycle of the running daemon, from its start to its end."""

    def __init__(self, home: paths.Home, engine: ServedEngine, serve_client: ServeClient, idle_seconds: float) -> None:
        self._home = home
        self._engine = engine
        self._idle_seconds = idle_seconds
        self._clients = Connections(home, engine, serve_client, self)
        self._stopping = asyncio.Event()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._reap_timer: asyncio.TimerHandle | None = None
        self._ended_orphans: frozenset[int] = frozenset()

    async def serve(self, starter: lifecycle.Starter) -> None:
        """Serve clients until the daemon is stopped or has been idle long enough."""
        sock, address = lifecycle.listen(self._home)
        try:
            record = lifecycle.publish(self._home, address, __version__)
            accepting = asyncio.create_task(self._clients.accept(sock, record))
            with contextlib.ExitStack() as signals:
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
                    signals.callback(asyncio.get_running_loop().remove_signal_handler, number)
                log.info("mux-lsp %s listens on %s (pid %d)", __version__, address, record.pid)
                signals.callback(self._engine.subscribe(self._watch_idle))
                signals.callback(self._engine.subscribe(self._reap_later))
                self._watch_idle()
                starter.ready()
                await self._stopping.wait()
            faulthandler.dump_traceback_later(SHUTDOWN_SECONDS, exit=True)
            accepting.cancel()
            await asyncio.wait([accepting])
        finally:
            lifecycle.withdraw(self._home, address)
            sock.close()
        await self._clients.drain()

    def _on_signal(self, number: signal.Signals) -> None:
        self.stop(number.name)

    def stop(self, reason: str) -> None:
        """Stop the daemon. The reason goes to the log."""
        if not self._stopping.is_set():
            log.info("ending: %s", reason)
            self._stopping.set()

    def is_stopping(self) -> bool:
        """Return whether it is stopping."""
        return self._stopping.is_set()

    def on_clients_changed(self) -> None:
        """Handle that a client connected or disconnected."""
        self._watch_idle()

    # Orphans of agents, which are children of this process

    def _reap_later(self, _: object = None) -> None:
        if self._reap_timer is None:
            self._reap_timer = asyncio.get_running_loop().call_later(REAP_SECONDS, self._reap)

    def _reap(self) -> None:
        self._reap_timer = None
        self._ended_orphans = reap_adopted(self._engine.sessions(), self._ended_orphans)
        if self._ended_orphans:
            self._reap_later()

    # Idle time. The timer runs only while there is neither a client nor work.

    def _watch_idle(self, _: object = None) -> None:
        if self._clients or self._engine.busy():
            if self._idle_timer is not None:
                self._idle_timer.cancel()
                self._idle_timer = None
        elif self._idle_timer is None:
            self._idle_timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._on_idle)

    def _on_idle(self) -> None:
        self.stop(f"no client and no unfinished run for {self._idle_seconds:g} s")
