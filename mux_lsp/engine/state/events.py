"""What the engine tells its clients: a closed set of frozen events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mux_lsp.core.model import Run, RunState, Task
    from mux_lsp.core.permissions import PermissionRequest
    from mux_lsp.core.spending import Unit
    from mux_lsp.engine.state.verdict import Verdict


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task is another one: it began, got a run, lost or threw away some, was paused; or was deleted."""

    task: Task
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run's state or result is another one now. `previous` is its state before."""

    run: Run
    previous: RunState


@dataclass(frozen=True, slots=True)
class RunOutput:
    """A run's agent has printed. `offset` is where `text` begins in the stream, in bytes."""

    run: str
    stream: Literal["stdout", "stderr"]
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptGrown:
    """There is more of a run's conversation to read: for those within the daemon who show it."""

    run: str


@dataclass(frozen=True, slots=True)
class ReviewChanged:
    """What there is to review in these paths of a repository is different now."""

    repository: str
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class PermissionRequested:
    """Runs of a task wait for a person to allow something, or others do than did before."""

    id: str
    task: str
    runs: tuple[str, ...]
    request: PermissionRequest


@dataclass(frozen=True, slots=True)
class PermissionSettled:
    """A question has its answer, or nobody waits for one any more."""

    id: str
    task: str
    answer: str


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """Runs wait for a place in this order now. Those of paused tasks are not among them."""

    runs: tuple[str, ...]


Scope = Literal["run", "task", "day", "repository"]
"""What a limit is for; `repository` is a day in one repository."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit is near, or it is spent and what it was for was `stopped`.

    `of` is the run, the task or the root of the repository, None for a day. `message` says it all in words.
    """

    scope: Scope
    of: str | None
    unit: Unit
    spent: float
    most: float
    stopped: bool
    message: str


@dataclass(frozen=True, slots=True)
class VerdictChanged:
    """A repository has a new verdict, or the text has moved on from it, or back to it."""

    verdict: Verdict
    stale: bool


@dataclass(frozen=True, slots=True)
class Noticed:
    """There is a sentence for the person, which the first client of theirs shows (`Notices.take`)."""


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """Some work in the background is over: the engine may be idle now (`Engine.busy`)."""


Told = (
    TaskChanged
    | RunChanged
    | RunOutput
    | ReviewChanged
    | PermissionRequested
    | PermissionSettled
    | QueueChanged
    | LimitReached
    | VerdictChanged
)
"""What clients are told."""

Untold = TranscriptGrown | Noticed | WorkEnded
"""What is for the daemon alone."""

Event = Told | Untold
