"""The daemon: one process per person, any number of clients, over one engine.

It knows neither what the engine does nor how LSP is spoken: both are handed in. Its own work is to be found, to let in
whom it should, to keep clients apart from each other, and to end in order.
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
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from mux_lsp import __version__, paths, storage
from mux_lsp.callers import Caller, Person
from mux_lsp.daemon import handshake, lifecycle, logs
from mux_lsp.daemon.admission import Admission, are_same, refusal_to_end, words
from mux_lsp.daemon.connection import ClientReader, ClientWriter, Turnstile
from mux_lsp.daemon.peer import Peer, peer_of
from mux_lsp.errors import MuxError
from mux_lsp.keys import ACCOUNTS
from mux_lsp.orphans import adopt_orphans, reap_adopted

if TYPE_CHECKING:
    import socket

log = logging.getLogger(__name__)

COLLECTED_AFTER = (50_000, 20, 50)
"""The thresholds of Python's garbage collector in the daemon."""

OPEN_FILES = 10_240
"""Files that the daemon may have open, where its system lets it. Each run that is at work has some."""

CLIENTS = 2000
"""Maximum number of clients. Fewer where the system does not let the daemon have so many files."""

STRANGERS = 200
"""Maximum number of connections that are let in and have not said yet what they want."""

RETRY_SECONDS = 1.0
"""Until when it is tried again to let a connection in where the system had no room for it."""

IDLE_SECONDS = 600.0
"""How long the daemon stays with no client and no unfinished run."""

DRAIN_SECONDS = 5.0
"""How long sessions have to end by themselves when the daemon ends; after that they are cancelled."""

CLOSE_SECONDS = 10.0
"""How long the engine has to close."""

REAP_SECONDS = 60.0
"""After which orphans of agents that have ended leave the system's table of processes, while anything happens."""

SHUTDOWN_SECONDS = DRAIN_SECONDS + CLOSE_SECONDS + 10
"""After which the process ends whatever still holds it, with every thread's stack in the log."""


class Engine(Protocol):
    """What the daemon needs of the engine."""

    def busy(self) -> bool:
        """Whether there is work that must not be left: the daemon does not end idle meanwhile."""

    def can_hand_over(self) -> bool:
        """Whether a daemon of another version could take everything over without loss."""

    def status(self) -> dict[str, object]:
        """What it would tell the person of itself, as JSON. `unfinished_runs` is how many there are."""

    def starter(self, names: Iterable[str], /) -> str | None:
        """Which of its runs or checks has started a client that says it belongs to these; None where a person has."""

    def sessions(self) -> Mapping[int, str]:
        """The sessions that belong to its runs, checks and set-ups, with the name of each."""

    def subscribe(self, listener: Callable[[Any], None], /) -> Callable[[], None]:
        """Has a function called, in the event loop, whenever something happens: `busy` may say otherwise after it."""


CreateEngine = Callable[[paths.Home], contextlib.AbstractAsyncContextManager[Engine]]
"""Returns what opens an engine over the person's folders when it is entered, and brings it to rest at its end.

What runs on its own goes on then. To enter it raises MuxError with the reason if the engine cannot be opened.
"""

ServeClient = Callable[[ClientReader, ClientWriter, Any, Caller], Awaitable[None]]
"""Speaks LSP with one client over the engine, until the reader ends. It may be cancelled."""


def main(arguments: list[str]) -> int:
    """The command `mux-lsp daemon`: the real engine and the real LSP. Returns the exit status."""
    starter = lifecycle.Starter(_ready_descriptor(arguments))
    if starter.waits:
        lifecycle.detach()
    # A view of a text with fifty runs is ten thousand small objects, made anew with every key and never in cycles: by
    # default the collector would look through all that the daemon has for each few hundred of them.
    gc.set_threshold(*COLLECTED_AFTER)
    adopt_orphans()
    _allow_open_files()

    def create_engine(home: paths.Home) -> contextlib.AbstractAsyncContextManager[Engine]:
        import mux_lsp.lsp.session  # noqa: F401  (half a second that no client should find the others waiting for)
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
    """Many systems begin with 256 or 1024, which is for programs that cannot do with more."""
    if sys.platform == "win32":
        return  # no such limit there
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has one limit more, and does not tell of it here
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _most_clients() -> int:
    """How many clients there may be: the other half of the files is for the work that they ask for."""
    if sys.platform == "win32":
        return CLIENTS
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CLIENTS if allowed == resource.RLIM_INFINITY else min(CLIENTS, allowed // 2)


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
    """Runs the daemon until it is told to stop or has been idle long enough. Returns the exit status.

    To be called in the main thread, with no event loop running. Whatever goes wrong at the start is said to `starter`.
    """
    here = home or paths.home()
    starter = starter or lifecycle.Starter(None)
    try:
        paths.make_private_folder(here.state)
        paths.make_private_folder(os.path.dirname(here.log))  # noqa: PTH120  (paths deals in strings)
        logs.set_up(here.log, detached=starter.waits)
        with lifecycle.only_daemon(here):
            # All that takes long to import is there before the event loop is.
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


@dataclass(eq=False)
class _Client:
    """One connection that speaks LSP."""

    name: str
    pid: int | None
    reader: ClientReader
    task: asyncio.Task[None]
    since: float = field(default_factory=time.time)


async def _run(
    home: paths.Home,
    opening: contextlib.AbstractAsyncContextManager[Engine],
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
    """The state of the running daemon. Owns the tasks of its connections."""

    def __init__(self, home: paths.Home, engine: Engine, serve_client: ServeClient, idle_seconds: float) -> None:
        self._home = home
        self._engine = engine
        self._serve_client = serve_client
        self._idle_seconds = idle_seconds
        self._clients: set[_Client] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._most_clients = _most_clients()
        self._strangers = asyncio.Semaphore(STRANGERS)
        self._newcomers = Turnstile()
        self._room = asyncio.Event()
        self._number = 0
        self._stopping = asyncio.Event()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._reap_timer: asyncio.TimerHandle | None = None
        self._ended_orphans: frozenset[int] = frozenset()
        self._admission = Admission(home.state)
        self._record: lifecycle.Record

    async def serve(self, starter: lifecycle.Starter) -> None:
        """Serve clients until the daemon is told to stop or has been idle long enough."""
        sock, address = lifecycle.listen(self._home)
        try:
            self._record = lifecycle.publish(self._home, address, __version__)
            accepting = asyncio.create_task(self._accept(sock))
            with contextlib.ExitStack() as signals:
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
                    signals.callback(asyncio.get_running_loop().remove_signal_handler, number)
                log.info("mux-lsp %s listens on %s (pid %d)", __version__, address, self._record.pid)
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
        await self._drain()

    def _on_signal(self, number: signal.Signals) -> None:
        self._stop(number.name)

    def _stop(self, reason: str) -> None:
        if not self._stopping.is_set():
            log.info("ending: %s", reason)
            self._stopping.set()

    async def _drain(self) -> None:
        """Lets the sessions end, and cancels those that do not."""
        sessions = {client.task for client in self._clients}
        for client in self._clients:
            client.reader.end()
        for task in self._connections - sessions:
            task.cancel()
        if not self._connections:
            return
        _, late = await asyncio.wait(self._connections, timeout=DRAIN_SECONDS)
        if late:
            log.warning("%d of %d sessions did not end in %g s: cancelled", len(late), len(sessions), DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.wait(late)  # the watchdog bounds it

    # Orphans of agents, which are children of this process

    def _reap_later(self, _: object = None) -> None:
        if self._reap_timer is None:
            self._reap_timer = asyncio.get_running_loop().call_later(REAP_SECONDS, self._reap)

    def _reap(self) -> None:
        self._reap_timer = None
        self._ended_orphans = reap_adopted(self._engine.sessions(), self._ended_orphans)
        if self._ended_orphans:
            self._reap_later()

    # Idle time. The timer runs exactly while there is neither a client nor work.

    def _watch_idle(self, _: object = None) -> None:
        if self._clients or self._engine.busy():
            if self._idle_timer is not None:
                self._idle_timer.cancel()
                self._idle_timer = None
        elif self._idle_timer is None:
            self._idle_timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._on_idle)

    def _on_idle(self) -> None:
        self._stop(f"no client and no unfinished run for {self._idle_seconds:g} s")

    # Connections

    async def _accept(self, listening: socket.socket) -> None:
        """Lets connections in, as long as there are not too many that have not said yet what they want.

        Those that are not let in wait where they are. None is turned away without a word.
        """
        while True:
            await self._strangers.acquire()
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listening)
            except OSError as error:
                self._strangers.release()
                log.warning("no connection can be let in: %s", error)
                await self._wait_for_room()
                continue
            self._number += 1
            name = f"client {self._number}"
            try:
                # At once: whoever has connected is still there to be looked at.
                peer = peer_of(connection)
            except OSError as error:
                log.info("%s: connection lost: %s", name, error)
                connection.close()
                self._strangers.release()
                continue
            task = asyncio.create_task(self._connection(connection, peer, name))
            self._connections.add(task)
            task.add_done_callback(self._ended)

    async def _wait_for_room(self) -> None:
        """Waits until a connection ends, or for a second: files are closed elsewhere too, of which nobody tells."""
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self._room.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        self._room.set()

    async def _connection(self, connection: socket.socket, peer: Peer, name: str) -> None:
        """One connection from its first byte to its last. Whatever goes wrong in it stays in it."""
        stranger = contextlib.ExitStack()
        stranger.callback(self._strangers.release)
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
        except OSError as error:
            log.info("%s: connection lost: %s", name, error)
            connection.close()
            stranger.close()
            return
        out = ClientWriter(writer, name)
        try:
            try:
                granted = await self._shake_hands(reader, out, peer, name)
            finally:
                peer.close()
                stranger.close()
            if granted is None:
                return
            request, asker = granted
            if request["want"] == "lsp":
                if isinstance(asker, Person) and peer.ends is None:
                    _take_keys(request.get("keys"), name)
                await self._session(ClientReader(reader, out, self._newcomers, name), out, peer.pid, name, asker)
            else:
                # Never closed: the client takes its end for the end of this process.
                os.dup(writer.get_extra_info("socket").fileno())
                self._stop(f"{request['want']} asked for by {name}")
        except OSError as error:
            log.info("%s: connection lost: %s", name, error)
        except (Exception, SystemExit):  # a session that calls sys.exit must not take the daemon with it
            log.exception("a bug ended the session of %s", name)
        finally:
            stranger.close()
            out.close()
            await out.closed(DRAIN_SECONDS)

    async def _shake_hands(
        self, reader: asyncio.StreamReader, out: ClientWriter, peer: Peer, name: str
    ) -> tuple[dict[str, Any], Caller] | None:
        """What the client said, and who it is, where it was granted and there is more to do than to answer."""
        try:
            async with asyncio.timeout(handshake.SECONDS):
                said = await reader.readline()
        except TimeoutError:
            log.warning("%s dropped: it said nothing for %g s", name, handshake.SECONDS)
            return None
        except ValueError:
            said = b""
        await self._newcomers.turn()
        request = handshake.parse(said) or {}
        want, refusal, asker = request.get("want"), self._refusal(request, peer), None
        if refusal is None and want != "status":
            # Before it is answered: whoever waits for the answer is still there to be looked at.
            asker = await self._admission.asker(request, peer, self._engine, self._record.person_key)
            if want != "lsp":
                refusal = refusal_to_end(asker)
        answer: dict[str, object] = {"mux": handshake.PROTOCOL, "version": __version__}
        if refusal is None:
            answer |= {"ok": True}
            if want == "status":
                answer["status"] = self._status()
            log.info("%s: %s%s%s", name, want, f" (pid {peer.pid})" if peer.pid else "", words(asker))
        else:
            code, sentence = refusal
            answer |= {"ok": False, "code": code, "error": sentence}
            log.warning("%s refused: %s", name, sentence)
        out.write(handshake.line(answer))
        return (request, asker) if refusal is None and asker is not None else None

    def _refusal(self, request: dict[str, Any], peer: Peer) -> tuple[str, str] | None:
        """Why the request is not granted, as a code and a sentence."""
        if peer.uid not in {None, os.geteuid()}:
            return "user", f"this mux-lsp daemon serves another user than you (uid {peer.uid})"
        token = request.get("token")
        if not isinstance(token, str) or not are_same(token, self._record.token):
            return "token", f"the connection did not begin with the token that {self._home.daemon_record} holds"
        want = request.get("want")
        if want not in {"lsp", "stop", "status", "handover"}:
            return "want", f"mux-lsp {__version__} does not know how to serve {str(want)[:40]!r}"
        version = str(request.get("version"))[:40]
        if want == "lsp":
            return self._refusal_to_serve(request, version)
        if want == "handover" and (self._clients or not self._engine.can_hand_over()):
            return "busy", self._other_version(version)
        return None

    def _refusal_to_serve(self, request: dict[str, Any], version: str) -> tuple[str, str] | None:
        if version != __version__ or request.get("mux") != handshake.PROTOCOL:
            return "version", self._other_version(version)
        if len(self._clients) < self._most_clients:
            return None
        return "full", (
            f"the mux-lsp daemon serves {_count(len(self._clients), 'client')}, the most that it can: close one of the "
            "editors, then try again. Nothing was changed"
        )

    def _other_version(self, version: str) -> str:
        runs = self._engine.status().get("unfinished_runs")
        busy = f" with {_count(len(self._clients), 'client')}"
        if isinstance(runs, int):
            busy += f" and {_count(runs, 'unfinished run')}"
        return (
            f"mux-lsp {__version__} is still running{busy}, and this is mux-lsp {version}: "
            "close the other editors or run `mux-lsp stop`, then try again"
        )

    def _status(self) -> dict[str, object]:
        process = psutil.Process()
        return self._engine.status() | {
            "version": __version__,
            "pid": process.pid,
            "uptime_seconds": round(time.time() - self._record.created, 1),
            "memory_bytes": process.memory_info().rss,
            "address": self._record.address,
            "state": self._home.state,
            "log": self._home.log,
            "clients": [
                {"name": client.name, "pid": client.pid, "since": client.since}
                for client in sorted(self._clients, key=lambda client: client.since)
            ],
        }

    async def _session(
        self, reader: ClientReader, out: ClientWriter, pid: int | None, name: str, asker: Caller
    ) -> None:
        task = asyncio.current_task()
        if task is None or self._stopping.is_set():
            return
        client = _Client(name, pid, reader, task)
        self._clients.add(client)
        self._watch_idle()
        try:
            await self._serve_client(client.reader, out, self._engine, asker)
        finally:
            self._clients.discard(client)
            self._watch_idle()
            log.info("%s: ended", name)


def _take_keys(keys: object, name: str) -> None:
    """Keys to models that the daemon was started without, from whoever has them: they are kept in memory alone.

    With the address of their server, and only where nothing of the account is known here: a key goes to no other one.
    """
    brought = keys if isinstance(keys, dict) else {}
    for account in ACCOUNTS:
        if any(os.environ.get(variable) for variable in account):
            continue
        for variable in account:
            if isinstance(value := brought.get(variable), str):
                with contextlib.suppress(ValueError):  # what no variable can hold
                    os.environ[variable] = value
                    log.info("%s has brought %s", name, variable)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
