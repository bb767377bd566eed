"""Admit clients as the person, or as a caller with fewer permissions."""

from __future__ import annotations

import asyncio
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from mux_lsp.callers import Agent, Person
from mux_lsp.daemon.identify import INSTEAD, LookContext, Target, Traces, decide, identify
from mux_lsp.daemon.process_tables import machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mux_lsp.callers import Caller
    from mux_lsp.daemon.peer import Peer
    from mux_lsp.daemon.process_tables import Table

MAX_PARALLEL_LOOKS = 2
"""Maximum number of clients that are identified at a time.

These are separate threads, so that nobody waits for the git of a large repository.
"""


class KnownRuns(Protocol):
    """The part of the engine that admission uses."""

    def starter(self, names: Iterable[str], /) -> str | None:
        """Return the first of these names that is one of its runs, checks or set-ups, or None."""

    def sessions(self) -> Mapping[int, str]:
        """Return the process sessions of its runs, checks and set-ups, with the name of each."""


class Admission:
    """The identification of clients, a limited number at a time."""

    def __init__(self, state: str) -> None:
        self._state = os.path.realpath(state)
        self._table = machine()
        self._threads = ThreadPoolExecutor(MAX_PARALLEL_LOOKS, "look")

    async def asker(self, request: dict[str, Any], peer: Peer, runs: KnownRuns, person_key: str) -> Caller:
        """Identify the sender of a handshake.

        Call it before the answer is sent: a client that waits for it is still alive.
        """
        ground = LookContext(os.getpid(), self._state, runs.sessions())
        loop = asyncio.get_running_loop()
        traces = await loop.run_in_executor(self._threads, _look, self._table, peer, ground)
        claimed, key = request.get("run"), request.get("person")
        return decide(
            traces,
            claimed if isinstance(claimed, str) else None,
            runs.starter,
            key=isinstance(key, str) and are_same(key, person_key),
        )


def agent_around() -> str | None:
    """Return the person's own agent that started this process, as a daemon would detect it, or None."""
    return identify(machine(), Target(os.getpid(), lambda: True), LookContext(-1, "/nowhere", {})).tool


def refusal_to_end(asker: Caller) -> tuple[str, str] | None:
    """Return the reason why this caller may not stop the daemon, as a code and a sentence, or None if it may."""
    only = "only a person can end the mux-lsp daemon"
    match asker:
        case Person():
            return None
        case Agent(starter=starter):
            return "inside", f"{only}, and this was started by {starter or 'an agent'}"
        case _:
            return "inside", f"{only}, and {asker.reason}"


def words(asker: Caller | None) -> str:
    """Describe a client for the log; empty for the person."""
    match asker:
        case None | Person():
            return ""
        case Agent(starter=starter):
            return f", started by {starter or 'an agent'}"
        case _:
            return f", not taken for the person: {asker.reason.removesuffix(f': {INSTEAD}')}"


def are_same(said: str, secret: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(said.encode(errors="replace"), secret.encode())


def _look(table: Table, peer: Peer, ground: LookContext) -> Traces:
    target = peer.target(table)
    if target is not None:
        return identify(table, target, ground)
    if peer.ends is None:
        return Traces(failure="the program that asks had ended before it could be looked at")
    return Traces(hidden="it cannot be told over TCP which program asks")
