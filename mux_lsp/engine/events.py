"""What the engine tells its clients: a closed set of frozen events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mux_lsp.core.model import Run, RunState, Task
    from mux_lsp.core.permissions import PermissionRequest


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task began, got another run, or was deleted."""

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
class ReviewChanged:
    """What there is to review in these paths of a repository is different now."""

    repository: str
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class PermissionRequested:
    """Runs of a task wait for a person to allow something, or another run has come to wait for the same."""

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


Event = TaskChanged | RunChanged | RunOutput | ReviewChanged | PermissionRequested | PermissionSettled
