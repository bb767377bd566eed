"""Define the effects of commands. An effect determines who may call a command and whether it can be cancelled."""

from __future__ import annotations

import enum


class Right(enum.Enum):
    """The callers that may call a command, besides the person, who may call every command."""

    READ = "anybody"
    START = "agents of runs, and guests"
    DECIDE = "agents of runs, for tasks that their run has started"
    WRITE = "agents of runs, for tasks that their run has started, inside its own worktree"
    PERSON = "nobody"


class OnCancel(enum.Enum):
    """Fate of a command whose client cancels the request or disconnects."""

    STOP = "it stops"
    COMPLETE = "it is completed"


@enum.unique
class Effect(enum.Enum):
    """Effect of a command. Each member states everything that the server must know to allow or refuse a caller.

    A command whose rules match no member needs a new member, never an exception for its name.
    """

    READS = ("Reads state, or shows it in the caller's own client.", Right.READ, OnCancel.STOP)
    VERIFIES = ("Runs checks on the caller's files, and changes none.", Right.START, OnCancel.STOP)
    STARTS = ("Starts agents on a new task.", Right.START, OnCancel.COMPLETE)
    CONTROLS = ("Cancels, pauses or resumes runs. Their results stay.", Right.DECIDE, OnCancel.STOP)
    DECIDES = ("Decides about results, or has runs begin again.", Right.DECIDE, OnCancel.COMPLETE)
    WRITES = ("Writes results into files and open texts.", Right.WRITE, OnCancel.COMPLETE)
    OVERSEES = ("Answers agents' questions, or orders the queue.", Right.PERSON, OnCancel.STOP)
    TRUSTS = ("Grants or revokes the trust in a repository.", Right.PERSON, OnCancel.COMPLETE)

    def __init__(self, meaning: str, right: Right, on_cancel: OnCancel) -> None:
        self.meaning = meaning
        self.right = right
        self.on_cancel = on_cancel

    @property
    def word(self) -> str:
        """The name of the effect in documents."""
        return self.name.lower()
