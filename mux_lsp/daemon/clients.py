"""Serve the connections of the daemon: accept, shake hands, refuse, and run a session for each client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from mux_lsp import __version__
from mux_lsp.callers import Person
from mux_lsp.core.phrases import count
from mux_lsp.daemon import handshake
from mux_lsp.daemon.admission import Admission, are_same, refusal_to_end, words
from mux_lsp.daemon.connection import ClientReader, ClientWriter, Turnstile
from mux_lsp.daemon.peer import peer_of
from mux_lsp.keys import ACCOUNTS

if TYPE_CHECKING:
    import socket

    from mux_lsp import paths
    from mux_lsp.callers import Caller
    from mux_lsp.daemon import lifecycle
    from mux_lsp.daemon.interfaces import ServeClient, ServedEngine
    from mux_lsp.daemon.peer import Peer

log = logging.getLogger(__name__)

MAX_CLIENTS = 2000
"""Maximum number of clients. It is lower if the system does not allow the daemon that many open files."""

MAX_UNIDENTIFIED = 200
"""Maximum number of accepted connections that have not sent a handshake yet."""

RETRY_SECONDS = 1.0
"""Seconds until the next attempt to accept a connection for which the system had no room."""

DRAIN_SECONDS = 5.0
"""Seconds for sessions to end by themselves when the daemon ends. After that they are cancelled."""


@dataclass(eq=False)
class _Client:
    """One connection that speaks LSP."""

    name: str
    pid: int | None
    reader: ClientReader
    task: asyncio.Task[None]
    since: float = field(default_factory=time.time)


class Daemon(Protocol):
    """The operations of the daemon's life cycle that connections need."""

    def stop(self, reason: str, /) -> None:
        """Stop the daemon. The reason goes to the log."""

    def is_stopping(self) -> bool:
        """Return whether the daemon is stopping: no session begins any more."""

    def on_clients_changed(self) -> None:
        """Handle that a client connected or disconnected."""


class Connections:
    """The connections of the running daemon. Owns their tasks."""

    def __init__(self, home: paths.Home, engine: ServedEngine, serve_client: ServeClient, daemon: Daemon) -> None:
        self._home = home
        self._engine = engine
        self._serve_client = serve_client
        self._daemon = daemon
        self._clients: set[_Client] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._most_clients = _most_clients()
        self._strangers = asyncio.Semaphore(MAX_UNIDENTIFIED)
        self._newcomers = Turnstile()
        self._room = asyncio.Event()
        self._number = 0
        self._admission = Admission(home.state)
        self._record: lifecycle.Record

    def __bool__(self) -> bool:
        """Return whether there is a client."""
        return bool(self._clients)

    async def accept(self, listening: socket.socket, record: lifecycle.Record) -> None:
        """Accept connections while not too many of them are waiting for a handshake.

        Other connections wait in the system's queue. None is closed without a message.
        """
        self._record = record
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
                # At once, while the process that connected still exists.
                peer = peer_of(connection)
            except OSError as error:
                log.info("%s: connection lost: %s", name, error)
                connection.close()
                self._strangers.release()
                continue
            task = asyncio.create_task(self._connection(connection, peer, name))
            self._connections.add(task)
            task.add_done_callback(self._ended)

    async def drain(self) -> None:
        """Let the sessions end, and cancel those that do not."""
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

    async def _wait_for_room(self) -> None:
        """Wait until a connection ends, or for `RETRY_SECONDS`, since other files are closed without a notification."""
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self._room.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        self._room.set()

    async def _connection(self, connection: socket.socket, peer: Peer, name: str) -> None:
        """Serve one connection from its first byte to its last. Errors stay within it."""
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
                # Never closed: the client takes the end of this connection for the end of this process.
                os.dup(writer.get_extra_info("socket").fileno())
                self._daemon.stop(f"{request['want']} asked for by {name} (mux-lsp {str(request.get('version'))[:40]})")
        except OSError as error:
            log.info("%s: connection lost: %s", name, error)
        except (Exception, SystemExit):  # a session that calls sys.exit must not end the daemon
            log.exception("a bug ended the session of %s", name)
        finally:
            stranger.close()
            out.close()
            await out.closed(DRAIN_SECONDS)

    async def _shake_hands(
        self, reader: asyncio.StreamReader, out: ClientWriter, peer: Peer, name: str
    ) -> tuple[dict[str, Any], Caller] | None:
        """Shake hands.

        Return the client's request and the caller, or None if it was refused or needs no more than the answer.
        """
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
            # Before the answer: a client that waits for it can still be identified.
            asker = await self._admission.asker(request, peer, self._engine, self._record.person_key)
            if want != "lsp":
                refusal = refusal_to_end(asker)
        answer: dict[str, object] = {"mux": handshake.PROTOCOL, "version": __version__}
        if refusal is None:
            answer |= {"ok": True}
            if want == "status":
                answer["status"] = self.status()
            log.info("%s: %s%s%s", name, want, f" (pid {peer.pid})" if peer.pid else "", words(asker))
        else:
            code, sentence = refusal
            answer |= {"ok": False, "code": code, "error": sentence}
            log.warning("%s refused: %s", name, sentence)
        out.write(handshake.line(answer))
        return (request, asker) if refusal is None and asker is not None else None

    def _refusal(self, request: dict[str, Any], peer: Peer) -> tuple[str, str] | None:
        """Return the reason why the request is refused, as a code and a sentence, or None."""
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
        return self._refusal_to_hand_over(version) if want == "handover" else None

    def _refusal_to_serve(self, request: dict[str, Any], version: str) -> tuple[str, str] | None:
        if version != __version__ or request.get("mux") != handshake.PROTOCOL:
            is_newer = handshake.is_newer(version, __version__)
            return "version", _replaceable(version) if is_newer else _not_newer(version)
        if len(self._clients) < self._most_clients:
            return None
        return "full", (
            f"the mux-lsp daemon serves {count(len(self._clients), 'client')}, the most that it can: close one of the "
            "editors, then try again. Nothing was changed"
        )

    def _refusal_to_hand_over(self, version: str) -> tuple[str, str] | None:
        if not handshake.is_newer(version, __version__):
            return "version", _not_newer(version)
        if self._engine.can_hand_over():
            return None
        runs = self._engine.status().get("unfinished_runs")
        busy = f" with {count(runs, 'unfinished run')}" if isinstance(runs, int) else ""
        return "busy", (
            f"the mux-lsp daemon {__version__} is at work{busy} and cannot hand it over to mux-lsp {version} now: "
            "try again when it is done, or run `mux-lsp stop` first"
        )

    def status(self) -> dict[str, object]:
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
        if task is None or self._daemon.is_stopping():
            return
        client = _Client(name, pid, reader, task)
        self._clients.add(client)
        self._daemon.on_clients_changed()
        try:
            await self._serve_client(client.reader, out, self._engine, asker)
        finally:
            self._clients.discard(client)
            self._daemon.on_clients_changed()
            log.info("%s: ended", name)


def _most_clients() -> int:
    """Return the maximum number of clients. They get half of the files, and their work the other half."""
    if sys.platform == "win32":
        return MAX_CLIENTS
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CLIENTS if allowed == resource.RLIM_INFINITY else min(MAX_CLIENTS, allowed // 2)


def _replaceable(version: str) -> str:
    return (
        f"the mux-lsp daemon that runs is {__version__}, older than this mux-lsp {version}: the next editor or command "
        "that needs a daemon replaces it, and its runs go on"
    )


def _not_newer(version: str) -> str:
    return (
        f"the mux-lsp daemon that runs is {__version__} and gives way only to a newer one, but this is mux-lsp "
        f"{version}: update this one, or end that daemon with `mux-lsp stop` and try again"
    )


def _take_keys(keys: object, name: str) -> None:
    """Add keys to models that the daemon was started without, sent by a client. They are kept in memory only.

    The address of their server is added too, and only if the daemon has no variable of that account: a key is never
    sent to another server.
    """
    brought = keys if isinstance(keys, dict) else {}
    for account in ACCOUNTS:
        if any(os.environ.get(variable) for variable in account):
            continue
        for variable in account:
            if isinstance(value := brought.get(variable), str):
                with contextlib.suppress(ValueError):  # a value that no variable can have
                    os.environ[variable] = value
                    log.info("%s has brought %s", name, variable)
