"""The parties that may be at the other end of a connection: the person, or somebody who may do less.

A leaf, so that the daemon, which finds out, and the protocol, which refuses, share the types.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Agent", "Caller", "Guest", "Nobody", "Person"]


@dataclass(frozen=True, slots=True)
class Person:
    """The person: nothing says otherwise, and the client has brought their key."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A program that was started by an agent of a run, or by the commands of checks or of a set-up."""

    starter: str | None
    """The run's id or the name of the checks or the set-up. None where only their being one of ours can be told: it may
    look, and nothing else."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A program that may look and start tasks, and decides nothing: that of an agent which the person uses outside of
    mux-lsp, or a client without the person's key."""

    reason: str
    """Why it is not taken for the person, and what the person does instead, as a clause."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """A program that could not be looked at. It may look, and nothing else."""

    reason: str
    """See `Guest`."""


Caller = Person | Agent | Guest | Nobody
