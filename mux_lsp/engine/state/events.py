"""Define the engine's events: a closed union of frozen dataclasses."""

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
    """A task was added, deleted or changed: its fields, its runs, their ranks, or which of them are discarded."""

    task: Task
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run's state or result has changed. `previous` is its state before."""

    run: Run
    previous: RunState


@dataclass(frozen=True, slots=True)
class RunOutput:
    """A run's agent has printed something. `offset` is the position of `text` in the stream, in bytes."""

    run: str
    stream: Literal["stdout", "stderr"]
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptGrown:
    """A run's transcript has new entries. For listeners within the daemon that show it."""

    run: str


@dataclass(frozen=True, slots=True)
class ReviewChanged:
    """The hunks to review in these paths of a repository have changed."""

    repository: str
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class PermissionRequested:
    """Runs of a task wait for a person's permission, or the set of runs that wait for it has changed."""

    id: str
    task: str
    runs: tuple[str, ...]
    request: PermissionRequest


@dataclass(frozen=True, slots=True)
class PermissionSettled:
    """A permission request was answered, or no run waits for it any more."""

    id: str
    task: str
    answer: str


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """The order of the runs that wait for a slot has changed. Runs of paused tasks are not included."""

    runs: tuple[str, ...]


Scope = Literal["run", "task", "day", "repository"]
"""The scope of a limit; `repository` means one day in one repository."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit is nearly reached, or it is reached and the runs it covers were `stopped`.

    `of` is the run, the task or the root of the repository; None for a day. `message` says all of this in words.
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
    """A repository has a new verdict, or its verdict has become stale or valid again."""

    verdict: Verdict
    stale: bool


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice was added, which the person's first client shows (`Notices.take`)."""


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """A background task has ended: the engine may be idle now (`Engine.busy`)."""


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
"""Events that are sent to clients."""

Untold = TranscriptGrown | Noticed | WorkEnded
"""Events that stay within the daemon."""

Event = Told | Untold
