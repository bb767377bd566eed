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


class RunAcceptParams(RunReviewParams):
    """`how` says what to do where something collides, as for hunks."""

    how: Literal["exact", "instead", "take", "mark"] = "exact"


class RunLogParams(Params):
    """`offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.

    `check`: the output of the run's check of that number, counted from 0, instead of the agent's. `transcript`: the
    conversation and the tool calls as JSON lines, one event to a line, with `kind` and `at`.
    """

    run: Text
    check: Annotated[int, Field(ge=0)] | None = None
    stream: Literal["stdout", "stderr", "transcript"] = "stdout"
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 262_144
    follow: bool = False


class RunDiffParams(Params):
    run: Text
    paths: list[Text] = []


class RunContinueParams(Params):
    """`up_to_date`: first merge into the run's files what the person has by now: with this client's unsaved buffers
    (`own`), those of every connected client (`all`), or what is on disk (`saved`)."""

    run: Text
    message: Text
    up_to_date: Literal["own", "all", "saved"] | None = None


class ReviewListParams(Params):
    """`uri`: one document. `run`: one run. Both: that run in that document. One of them is needed.

    `paths`: of the run only these files, and those in these folders.
    """

    uri: str | None = None
    run: str | None = None
    paths: list[Text] | None = None


class HunkParams(Params):
    """Hunks of one run by their ids."""

    run: Text
    hunks: Annotated[list[Text], Field(min_length=1)]


class HunkAcceptParams(HunkParams):
    """`how` says what to do where a hunk collides: refuse (`exact`), take out what other runs of the task have there
    (`instead`), have the run's lines in place of those that are there (`take`), or both between conflict markers
    (`mark`)."""

    how: Literal["exact", "instead", "take", "mark"] = "exact"


class HunkRejectParams(HunkParams):
    """`shared`: also where other runs of the task have the same hunks."""

    shared: bool = False


class FileParams(Params):
    """`what`: all that the run does to the file, or only what is in none of its hunks (`file`): its name, its mode, or
    a content that goes as a whole."""

    run: Text
    path: Text
    what: Literal["all", "file"] = "all"


class FileAcceptParams(FileParams):
    """`how` says what to do where something collides, as for hunks."""

    how: Literal["exact", "instead", "take", "mark"] = "exact"


class PermissionReplyParams(Params):
    """`answer`: allow it this once, for the runs that ask (`run`), for their task, or for the repository from now on
    (`always`); or refuse it, with a `reason` that the agent reads."""

    id: Text
    answer: Literal["once", "run", "task", "always", "refuse"]
    reason: str | None = None


class DocumentParams(Params):
    """A read-only document by its `mux:` URI."""

    uri: Text


class DocumentShowParams(DocumentParams):
    """`take_focus`: whether the client moves its cursor there; its own choice if left out."""

    take_focus: bool | None = None


class HistoryListParams(Params):
    """`uri`: one file, and of it only what touches its lines `start` to `end` if given, counted from 0, both included.
    `repository`: the URI of any folder in it. Everything without either. `limit`: only the newest so many."""

    uri: str | None = None
    repository: str | None = None
    start: Annotated[int, Field(ge=0)] | None = None
    end: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000


class ReviewPlacesParams(Params):
    """A document that the client has open."""

    uri: Text


class VariantShowParams(Params):
    """A change at a place of an open document: `hunk` is null for one without hunks. The one that is `step` further on
    among the variants that wait there is shown from now on, to this client."""

    uri: Text
    run: Text
    hunk: Text | None = None
    step: int = 0


class VersionsShowParams(Params):
    """A file that a run changes."""

    run: Text
    path: Text


class NoParams(Params):
    pass


class FileSummary(Shape):
    """`added` and `removed` are lines, null for a file that is not text. `old_path` is where a renamed file was in the
    snapshot, or the file that a copied one was made from; lines are counted against that."""

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


FILES_TOLD = 200
"""How many files of a run, or documents, are named where many runs are told of or one again and again."""


class RunShape(Shape):
    """One agent's attempt. `reason` says in words why it is in this state.

    `files` names 200 at the most, all of them in the answer of `mux.run.get`. `file_count`, `added` and `removed` are
    of all files, the last two in lines of those that are text.
    """

    id: str
    task: str
    agent: str
    model: str | None
    state: Literal[
        "queued", "preparing", "running", "waiting", "checking", "finished", "failed", "cancelled", "interrupted"
    ]
    reason: str | None
    files: list[FileSummary]
    file_count: int
    added: int
    removed: int
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
    """`runs` are those that change the file; `hunks` says for every hunk which runs share it. A file that runs rename
    is compared at its path in the snapshot; `renamed` says which runs have it at which path."""

    path: str
    runs: list[str]
    hunks: dict[str, list[str]]
    renamed: dict[str, list[str]] = {}


class TaskCompareResult(Shape):
    """`files` are 200 at the most, `more` counts the others. `equal` groups the runs with the same result."""

    task: TaskShape
    files: list[ComparedFile]
    more: int
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
    accepted with its file. `path` and `old_path` are the file's (see `FileSummary`), `uri` is where its text is now: of
    a renamed file at one of the two. `range` is where it lands, or what it collides with. `ways` are the values of
    `how` with which a conflict can be accepted all the same."""

    run: str
    agent: str
    path: str
    old_path: str | None
    uri: str
    hunk: str | None
    status: Literal["pending", "applied", "conflict", "rejected"]
    reason: str | None
    ways: list[Literal["exact", "instead", "take", "mark"]]
    range: Range
    removed: str
    added: str


class ReviewListResult(Shape):
    items: list[ReviewItem]


class VariantShape(Shape):
    """One change at a place, of all the `runs` that share it: `agreed` of the `of` runs that have changed something.
    `what` says in a few characters what it does. `hunk` is null for a change that is not text, which is accepted with
    its file. `ways` are the values of `how` with which it can be accepted now; `lost` are the person's lines that
    `take` would cost."""

    run: str
    runs: list[str]
    agreed: int
    of: int
    agent: str
    path: str
    hunk: str | None
    what: str
    status: Literal["pending", "applied", "conflict", "rejected"]
    reason: str | None
    range: Range
    removed: str
    added: str
    ways: list[Literal["exact", "instead", "take", "mark"]]
    lost: list[str]


class PlaceShape(Shape):
    """Where changes of one task compete, best first. `variants[shown]` is what lenses and hints are about. `waits` is
    whether there is anything to decide; where a variant is applied there is not, and others may be taken `instead`."""

    task: str
    range: Range
    waits: bool
    shown: int
    variants: list[VariantShape]


class ReviewPlacesResult(Shape):
    """The places in the order of the text, at this version of the document, without those where all was rejected."""

    uri: str
    version: int
    places: list[PlaceShape]


class VariantShowResult(Shape):
    """What is shown now, and which of how many that wait at the place it is, counted from 0."""

    run: str
    hunk: str | None
    shown: int
    of: int


class VersionsShowResult(Shape):
    """The read-only documents that were opened beside the person's own."""

    uris: list[str]


class ClientDiffParams(Shape):
    """`mux.client.diff`: show a change of an open document as a diff. `diff` is a read-only document that has it."""

    uri: str
    run: str
    hunk: str | None
    diff: str


class ClientMergeParams(Shape):
    """`mux.client.merge`: have the person merge. `base` and `theirs` are read-only documents: the file in the snapshot,
    and as the run has it."""

    uri: str
    run: str
    hunk: str | None
    base: str
    theirs: str


class AcceptResult(Shape):
    """`accepted` counts the hunks that were placed, `already` those that were there, `files` names what was changed.
    `instead_of` are the runs whose hunks were taken out, `marked` counts the conflicts put between markers, `rejected`
    those that were left out because they were rejected. `kept` is the folder with copies of the person's files that
    `take` went over, null where there are none."""

    accepted: int
    already: int
    instead_of: list[str]
    marked: int
    rejected: int
    kept: str | None
    files: list[str]


class RejectResult(Shape):
    """`rejected` counts the hunks that were not rejected before. `applied` are in the text: a no takes nothing out."""

    rejected: int
    applied: int


class DocumentResult(Shape):
    """`language` is LSP's name for it, null where the file name at the end of the URI says it."""

    text: str
    language: str | None


class DocumentShowResult(Shape):
    """`uri` is what the client was asked to show: the `mux:` URI, or that of a read-only file."""

    uri: str


class Acceptance(Shape):
    """A hunk that became part of a person's text, on record for good: also when its task was deleted.

    `how` says whether it was accepted by way of mux-lsp, or the text just had it: typed, or brought in by another tool.
    `message` is what the run was told to go on with. `agreed` are the other runs of the task that had the same hunk,
    `of` is how many runs had changed anything. `line` is where it came to stand then, in the text of `client`. `range`
    is where it stands now in that of the client that asks, null where that cannot be told or no `uri` was asked about;
    `partial` that only some of its lines are left. Of very long hunks `added` and `removed` are null. `withdrawn` is
    when the text lost it again, null while it stands."""

    id: int
    at: float
    withdrawn: float | None
    client: str
    person: str
    how: Literal["accept", "text"]
    repository: str
    task: str
    run: str
    agent: str
    model: str | None
    prompt: str
    message: str | None
    agreed: list[str]
    of: int
    path: str
    uri: str
    hunk: str | None
    line: int
    removed: str | None
    removed_lines: int
    added: str | None
    added_lines: int
    range: Range | None
    partial: bool


class HistoryListResult(Shape):
    """The newest first."""

    acceptances: list[Acceptance]


class AgentShape(Shape):
    """An agent by the name a task takes. `command` is what it runs, with `PROMPT` in the prompt's place; `configured`
    says that config.toml names it. What cannot be known of it is null. `install` says how to get it; `logged_in`
    whether there is a key or a file of credentials for it, neither of which is read.
    """

    name: str
    kind: str
    command: str
    configured: bool
    installed: bool | None
    install: str | None
    version: str | None
    logged_in: bool | None


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


class PermissionShape(Shape):
    """What agents wait for leave to do: `subject` is a command, a path or a URL. `runs` ask for the same thing."""

    id: str
    task: str
    runs: list[str]
    tool: str
    subject: str
    title: str


class PermissionListResult(Shape):
    permissions: list[PermissionShape]


class PermissionRequestedParams(Shape):
    """`mux/permissionRequested`: also when another run comes to wait for the same."""

    permission: PermissionShape


class PermissionSettledParams(Shape):
    """`mux/permissionSettled`: answered, timed out, or the runs that asked are gone."""

    id: str
    task: str
    answer: str


class ReviewChangedParams(Shape):
    """`mux/reviewChanged`: what there is to review in these documents is different now.

    `uris` names 200 at the most; `more` counts the others.
    """

    uris: list[str]
    more: int


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
    "mux.review.places": (ReviewPlacesParams, ReviewPlacesResult),
    "mux.variant.show": (VariantShowParams, VariantShowResult),
    "mux.versions.show": (VersionsShowParams, VersionsShowResult),
    "mux.hunk.accept": (HunkAcceptParams, AcceptResult),
    "mux.hunk.reject": (HunkRejectParams, RejectResult),
    "mux.file.accept": (FileAcceptParams, AcceptResult),
    "mux.file.reject": (FileParams, RejectResult),
    "mux.run.accept": (RunAcceptParams, AcceptResult),
    "mux.run.reject": (RunReviewParams, RejectResult),
    "mux.permission.list": (NoParams, PermissionListResult),
    "mux.permission.reply": (PermissionReplyParams, PermissionListResult),
    "mux.document.get": (DocumentParams, DocumentResult),
    "mux.document.show": (DocumentShowParams, DocumentShowResult),
    "mux.history.list": (HistoryListParams, HistoryListResult),
    "mux.agent.list": (NoParams, AgentListResult),
    "mux.status": (NoParams, StatusResult),
}
"""Every command with the type of its argument and of its answer."""

NOTIFICATIONS: dict[str, type[Shape]] = {
    "mux/taskChanged": TaskChangedParams,
    "mux/runChanged": RunChangedParams,
    "mux/runOutput": RunOutputParams,
    "mux/reviewChanged": ReviewChangedParams,
    "mux/permissionRequested": PermissionRequestedParams,
    "mux/permissionSettled": PermissionSettledParams,
}
"""The notifications beside LSP's own. They go to clients that name a mux protocol at initialize."""

CLIENT_COMMANDS: dict[str, type[Shape]] = {
    "mux.client.diff": ClientDiffParams,
    "mux.client.merge": ClientMergeParams,
}
"""Commands that a client may have itself, with the type of their one argument. It names those that it has at
initialize, as `initializationOptions.mux.commands`; they come as the commands of lenses and code actions."""
