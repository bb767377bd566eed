"""The wire contract: every command, notification and type, declared once (`editor-clients/PROTOCOL.md` follows it).

Actions are `workspace/executeCommand` commands with exactly one object as argument. Lines and characters are LSP's, in
the negotiated position encoding. Times are seconds since the epoch, durations seconds, paths relative to the root of
the repository with `/` between components.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PROTOCOL_VERSION = 1
"""Sent both ways at initialize. It changes when a client of the old version would misread the new one."""

REQUEST_FAILED = -32803
"""LSP's RequestFailed: the request was well-formed and could not be done. `data` is an `ErrorData`."""


class Params(BaseModel):
    """The one argument of a command. Unknown keys are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(BaseModel):
    """Something the server sends."""

    model_config = ConfigDict(frozen=True)


Text = Annotated[str, StringConstraints(min_length=1)]


class AgentChoice(Params):
    """An agent by its configured name, or an inline command as `sh:COMMAND`."""

    agent: Text
    count: Annotated[int, Field(ge=1, le=100)] = 1
    model: str | None = None


class Position(Params):
    line: Annotated[int, Field(ge=0)]
    character: Annotated[int, Field(ge=0)]


class Range(Params):
    start: Position
    end: Position


class ContextPlace(Params):
    """A place that the prompt is about; the whole file without `range`."""

    uri: Text
    range: Range | None = None


class TaskStartParams(Params):
    """`unsaved`: whose unsaved buffers go into the snapshot: this client's (`own`), those of every connected client
    (`all`: refused where two clients hold different unsaved texts of one file), or nobody's (`none`)."""

    prompt: Text
    agents: list[AgentChoice] | None = None
    checks: list[Text] | None = None
    context: list[ContextPlace] = []
    repository: str | None = None
    unsaved: Literal["own", "all", "none"] = "own"


class TaskListParams(Params):
    """`repository`: the URI of any folder in it; all repositories without."""

    repository: str | None = None


class TaskParams(Params):
    task: Text


class IdParams(Params):
    """A task's or a run's id."""

    id: Text


class RunParams(Params):
    run: Text


class RunReviewParams(RunParams):
    """`paths`: only these files, and those in these folders; the whole run without."""

    paths: list[Text] | None = None


class RunLogParams(Params):
    """`offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.

    `check`: the output of the run's check of that number, counted from 0, instead of the agent's.
    """

    run: Text
    check: Annotated[int, Field(ge=0)] | None = None
    stream: Literal["stdout", "stderr"] = "stdout"
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 262_144
    follow: bool = False


class RunDiffParams(Params):
    run: Text
    paths: list[Text] = []


class RunContinueParams(Params):
    run: Text
    message: Text


class ReviewListParams(Params):
    """`uri`: one document. `run`: one run. Both: that run in that document. One of them is needed."""

    uri: str | None = None
    run: str | None = None


class HunkParams(Params):
    """Hunks of one run by their ids."""

    run: Text
    hunks: Annotated[list[Text], Field(min_length=1)]


class HunkRejectParams(HunkParams):
    """`shared`: also where other runs of the task have the same hunks."""

    shared: bool = False


class FileParams(Params):
    run: Text
    path: Text


class NoParams(Params):
    pass


class FileSummary(Shape):
    """`added` and `removed` are lines, null for a file that is not text. `old_path` is where a renamed or copied file was
    in the snapshot."""

    path: str
    old_path: str | None
    change: Literal["added", "modified", "deleted", "renamed", "copied"]
    added: int | None
    removed: int | None


class CheckResult(Shape):
    command: str
    state: Literal["running", "passed", "failed"]
    exit_status: int | None
    seconds: float | None


class LeftOutPath(Shape):
    """Something that a snapshot or a result could not take, and why."""

    path: str
    reason: str


class RunShape(Shape):
    """One agent's attempt. `reason` says in words why it is in this state."""

    id: str
    task: str
    agent: str
    model: str | None
    state: Literal[
        "queued", "preparing", "running", "waiting", "checking", "finished", "failed", "cancelled", "interrupted"
    ]
    reason: str | None
    files: list[FileSummary]
    hunks: int
    checks: list[CheckResult]
    left_out: list[LeftOutPath]
    worktree: str | None
    exit_status: int | None
    cost_usd: float | None
    tokens: int | None
    started: float | None
    finished: float | None


class TaskShape(Shape):
    """`repository` is the URI of the repository's root, `snapshot` a commit of the shadow store."""

    id: str
    prompt: str
    state: Literal["running", "ended"]
    repository: str
    snapshot: str | None
    left_out: list[LeftOutPath]
    created: float
    runs: list[RunShape]


class TaskResult(Shape):
    task: TaskShape


class TaskListResult(Shape):
    tasks: list[TaskShape]


class RunResult(Shape):
    run: RunShape


class ComparedFile(Shape):
    """`runs` are those that change the file; `hunks` says for every hunk which runs share it."""

    path: str
    runs: list[str]
    hunks: dict[str, list[str]]


class TaskCompareResult(Shape):
    """`equal` groups the runs whose whole results are the same."""

    task: TaskShape
    files: list[ComparedFile]
    equal: list[list[str]]


class RunLogResult(Shape):
    """`text` has what could drive a terminal made harmless. `offset` is where to read on."""

    text: str
    offset: int
    ended: bool


class RunDiffResult(Shape):
    """A patch for `git apply`. Where it is not UTF-8, `base64` has its exact bytes and `patch` a readable copy."""

    patch: str
    base64: str | None


class ReviewItem(Shape):
    """A hunk as it stands to the asking client's live text. `hunk` is null for a change that is not text, which is
    accepted with its file. `range` is where it lands, or what it collides with."""

    run: str
    agent: str
    path: str
    uri: str
    hunk: str | None
    status: Literal["pending", "applied", "conflict", "rejected"]
    reason: str | None
    range: Range
    removed: str
    added: str


class ReviewListResult(Shape):
    items: list[ReviewItem]


class AcceptResult(Shape):
    """`accepted` counts the hunks that were placed, `already` those that were there, `files` names what was changed."""

    accepted: int
    already: int
    files: list[str]


class RejectResult(Shape):
    """`rejected` counts the hunks that were not rejected before. `applied` are in the text: a no takes nothing out."""

    rejected: int
    applied: int


class AgentShape(Shape):
    name: str
    kind: str
    command: str


class AgentListResult(Shape):
    agents: list[AgentShape]
    defaults: list[str]


class RepositoryStatus(Shape):
    """`disk_bytes` is what the shadow store and the hidden worktrees take up."""

    repository: str
    worktrees: int
    disk_bytes: int


class StatusResult(Shape):
    version: str
    pid: int
    unfinished_runs: int
    repositories: list[RepositoryStatus]


class DeleteResult(Shape):
    deleted: list[str]


class TaskChangedParams(Shape):
    """`mux/taskChanged`"""

    task: TaskShape
    deleted: bool


class RunChangedParams(Shape):
    """`mux/runChanged`"""

    run: RunShape
    previous: str


class RunOutputParams(Shape):
    """`mux/runOutput`"""

    run: str
    stream: Literal["stdout", "stderr"]
    offset: int
    text: str


class ReviewChangedParams(Shape):
    """`mux/reviewChanged`: what there is to review in these documents is different now."""

    uris: list[str]


class ErrorData(Shape):
    """`data` of an error response. `kind` is for programs; the message is for people."""

    kind: Literal["failed", "usage", "conflict"]


COMMANDS: dict[str, tuple[type[Params], type[Shape]]] = {
    "mux.task.start": (TaskStartParams, TaskResult),
    "mux.task.list": (TaskListParams, TaskListResult),
    "mux.task.get": (TaskParams, TaskResult),
    "mux.task.compare": (TaskParams, TaskCompareResult),
    "mux.task.cancel": (TaskParams, TaskResult),
    "mux.task.delete": (IdParams, DeleteResult),
    "mux.run.get": (RunParams, RunResult),
    "mux.run.log": (RunLogParams, RunLogResult),
    "mux.run.diff": (RunDiffParams, RunDiffResult),
    "mux.run.cancel": (RunParams, RunResult),
    "mux.run.continue": (RunContinueParams, RunResult),
    "mux.run.retry": (RunParams, RunResult),
    "mux.review.list": (ReviewListParams, ReviewListResult),
    "mux.hunk.accept": (HunkParams, AcceptResult),
    "mux.hunk.reject": (HunkRejectParams, RejectResult),
    "mux.file.accept": (FileParams, AcceptResult),
    "mux.file.reject": (FileParams, RejectResult),
    "mux.run.accept": (RunReviewParams, AcceptResult),
    "mux.run.reject": (RunReviewParams, RejectResult),
    "mux.agent.list": (NoParams, AgentListResult),
    "mux.status": (NoParams, StatusResult),
}
"""Every command with the type of its argument and of its answer."""

NOTIFICATIONS: dict[str, type[Shape]] = {
    "mux/taskChanged": TaskChangedParams,
    "mux/runChanged": RunChangedParams,
    "mux/runOutput": RunOutputParams,
    "mux/reviewChanged": ReviewChangedParams,
}
"""The notifications beside LSP's own. They go to clients that name a mux protocol at initialize."""
