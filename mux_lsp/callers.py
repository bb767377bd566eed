"""Define the callers at the other end of a connection: the person, and callers with fewer permissions.

It imports nothing of ours, so that the daemon, which identifies callers, and the protocol, which refuses them, share
the types.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Agent", "Caller", "Guest", "Nobody", "Person"]


@dataclass(frozen=True, slots=True)
class Person:
    """The user: nothing indicates otherwise, and the client has sent the person's key."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A program that was started by an agent of a run, or by the commands of checks or of a set-up."""

    starter: str | None
    """The run's id, or the name of the checks or the set-up.

    None if it is only known to be one of ours: then it may read, and nothing else.
    """


@dataclass(frozen=True, slots=True)
class Guest:
    """A program that may read and start tasks, but not decide.

    It was started by an agent that the person runs outside of mux-lsp, or is a client without the person's key.
    """

    reason: str
    """Reason why it does not count as the person, and what the person can do instead, as a clause."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """A program that could not be identified. It may read, and nothing else."""

    reason: str
    """See `Guest`."""


Caller = Person | Agent | Guest | Nobody
