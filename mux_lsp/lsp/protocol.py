"""The wire contract: every command, notification and type, declared once (`editor-clients/PROTOCOL.md` follows it).

Actions are `workspace/executeCommand` commands with exactly one object as argument. Lines and characters are LSP's, in
the negotiated position encoding. Times are seconds since the epoch, durations seconds, paths relative to the root of
the repository with `/` between components.

The file is long on purpose: it is the whole contract and nothing else, so that it reads from top to bottom like the
document, and its types may use each other in any order. The document's tables, the Lua annotations and the TypeScript
types are generated from it (`tests/support/protocol_*.py`).
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mux_lsp.lsp.effects import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOL_VERSION = 2
"""Sent both ways at initialize. It changes when a client of the old version would misread the new one."""

REQUEST_FAILED = -32803
"""LSP's RequestFailed: the request was well-formed and could not be done. `data` is an `ErrorData`."""


class Params(BaseModel):
    """The one argument of a command. Unknown keys are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(BaseModel):
    """Something the server sends."""

    model_config = ConfigDict(frozen=True)


# Every text and every list that a client sends has a bound, by the kind of thing that it is.
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Name = Annotated[str, StringConstraints(max_length=1000)]
Words = Annotated[str, StringConstraints(max_length=1_000_000)]
CommandLine = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
# A path of 4,096 bytes, of which each may be written as `\\xff`, or as `%FF` in a URI.
Path = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
Commit = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Ids = Annotated[list[Id], Field(max_length=100_000)]
Paths = Annotated[list[Path], Field(max_length=100_000)]
Checks = Annotated[list[CommandLine], Field(max_length=100)]
Priority = Annotated[int, Field(ge=-1000, le=1000)]


class RequestedAgent(Params):
    """An agent by its configured name, or an inline command as `sh:COMMAND`."""

    agent: CommandLine
    count: Annotated[int, Field(ge=1, le=500)] = 1
    model: Name | None = None


class Position(Params):
    line: Annotated[int, Field(ge=0)]
    character: Annotated[int, Field(ge=0)]


class Range(Params):
    start: Position
    end: Position


class ContextPlace(Params):
    """A place that the prompt is about; the whole file without `range`."""

    uri: Uri
    range: Range | None = None


class TaskStartParams(Params):
    """`unsaved`: whose unsaved buffers go into the snapshot: this client's (`own`), those of every connected client
    (`all`: refused where two clients hold different unsaved texts of one file), or nobody's (`none`).

    Runs of tasks with a higher `priority` leave the queue first. `stop_after` equal results that passed every check end
    the runs that are left. `max_cost_usd` and `max_tokens` are for all runs together, in place of the settings'
    `task_usd` and `task_tokens`. `parent` is the run whose agent asks, where the client knows: what the task spends
    counts for it too. One that the server does not know counts for nothing, and it looks for itself."""

    prompt: Prompt
    agents: Annotated[list[RequestedAgent], Field(max_length=500)] | None = None
    checks: Checks | None = None
    context: Annotated[list[ContextPlace], Field(max_length=1000)] = []
    repository: Uri | None = None
    unsaved: Literal["own", "all", "none"] = "own"
    priority: Priority = 0
    stop_after: Annotated[int, Field(ge=1)] | None = None
    max_cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    parent: Name | None = None


class TaskPrioritizeParams(Params):
    """Runs of tasks with a higher `priority` leave the queue first."""

    task: Id
    priority: Priority


class TaskListParams(Params):
    """`repository`: the URI of any folder in it; all repositories without."""

    repository: Uri | None = None


class TaskParams(Params):
    task: Id


class IdParams(Params):
    """A task's or a run's id."""

    id: Id


class DiscardParams(IdParams):
    """`keep`: runs of the task that stay."""

    keep: Ids = []


class RunParams(Params):
    run: Id


class RunReviewParams(RunParams):
    """`paths`: only these files, and those in these folders; the whole run without."""

    paths: Paths | None = None


class RunAcceptParams(RunReviewParams):
    """`mode` says what to do where something collides, as for hunks. `result`: the result of the run that was looked
    at; where its newest has something else in these files, nothing is accepted."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"
    result: Commit | None = None


class RunPickParams(RunParams):
    """`mode` and `result` as for accepting it."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"
    result: Commit | None = None


class RunLogParams(Params):
    """`offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.

    `check`: the output of the run's check of that number, counted from 0, instead of the agent's; `on` its result, its
    result with what judges `restored`, or the `snapshot`. `setup`: that of the set-up by which its worktree was made
    ready, all of it in `stdout`. `transcript`: the conversation and the tool calls as JSON lines, one event to a line,
    with `kind` and `at`.
    """

    run: Id
    check: Annotated[int, Field(ge=0)] | None = None
    on: Literal["result", "restored", "snapshot"] = "result"
    setup: bool = False
    stream: Literal["stdout", "stderr", "transcript"] = "stdout"
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 262_144
    follow: bool = False


class RunDiffParams(Params):
    run: Id
    paths: Paths = []


class RunContinueParams(Params):
    """`up_to_date`: first merge into the run's files what the person has by now: with this client's unsaved buffers
    (`own`), those of every connected client (`all`), or what is on disk (`saved`)."""

    run: Id
    message: Prompt
    up_to_date: Literal["own", "all", "saved"] | None = None


class ReviewListParams(Params):
    """`uri`: one document. `run`: one run. Both: that run in that document. One of them is needed.

    `paths`: of the run only these files, and those in these folders.
    """

    uri: Uri | None = None
    run: Id | None = None
    paths: Paths | None = None


class HunkParams(Params):
    """Hunks of one run by their ids."""

    run: Id
    hunks: Annotated[Ids, Field(min_length=1)]


class HunkAcceptParams(HunkParams):
    """`mode` says what to do where a hunk collides: refuse (`exact`), take out what other runs of the task have there
    (`instead`), have the run's lines in place of those that are there (`take`), or both between conflict markers
    (`mark`)."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"


class HunkRejectParams(HunkParams):
    """`shared`: also where other runs of the task have the same hunks."""

    shared: bool = False


class FileParams(Params):
    """`what`: all that the run does to the file, or only what is in none of its hunks (`file`): its name, its mode, or
    a content that goes as a whole."""

    run: Id
    path: Path
    what: Literal["all", "file"] = "all"


class FileAcceptParams(FileParams):
    """`mode` says what to do where something collides, as for hunks; `result` is as for a whole run."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"
    result: Commit | None = None


class PermissionReplyParams(Params):
    """`answer`: allow it this once, for the runs that ask (`run`), for their task, or for the repository from now on
    (`always`); or refuse it, with a `reason` that the agent reads."""

    id: Id
    answer: Literal["once", "run", "task", "always", "refuse"]
    reason: Words | None = None


class DocumentParams(Params):
    """A read-only document by its `mux:` URI."""

    uri: Uri


class DocumentShowParams(DocumentParams):
    """`take_focus`: whether the client moves its cursor there; its own choice if left out."""

    take_focus: bool | None = None


class HistoryListParams(Params):
    """`uri`: one file, and of it only what touches its lines `start` to `end` if given, counted from 0, both included.
    `repository`: the URI of any folder in it. Everything without either. `limit`: only the newest so many."""

    uri: Uri | None = None
    repository: Uri | None = None
    start: Annotated[int, Field(ge=0)] | None = None
    end: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000


class VerifyParams(Params):
    """What to verify: the live text of the repository as this client has it (`own`), with the unsaved buffers of every
    connected client (`all`), or as it is on disk (`none`). `run`: that text with changes of this run placed on it, as
    accepting would place them: all of them, those of `paths`, or `hunks`. Without `checks` those of the repository's
    newest task count, else those of the settings."""

    repository: Uri | None = None
    run: Id | None = None
    paths: Paths | None = None
    hunks: Annotated[Ids, Field(min_length=1)] | None = None
    checks: Annotated[Checks, Field(min_length=1)] | None = None
    unsaved: Literal["own", "all", "none"] = "own"


class ReviewPlacesParams(Params):
    """A document that the client has open."""

    uri: Uri


class VariantShowParams(Params):
    """A change at a place of an open document: `hunk` is null for one without hunks. The one that is `step` further on
    among the variants that wait there is shown from now on, to this client."""

    uri: Uri
    run: Id
    hunk: Id | None = None
    step: int = 0


class VersionsShowParams(Params):
    """A file that a run changes."""

    run: Id
    path: Path


class RepositoryNameParams(Params):
    """The repository at a folder; without a name the one that the client has open."""

    repository: Uri | None = None


class RepositoryParams(RepositoryNameParams):
    """`unsaved`: in whose unsaved buffers its `mux.toml` may be, as at `mux.task.start`."""

    unsaved: Literal["own", "all", "none"] = "own"


class RepositoryTrustParams(RepositoryParams):
    """`digest` is that of what the person was shown. It is refused where the file says something else by now."""

    digest: Id


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


class TestsShape(Shape):
    """What a check's report says of its tests, told apart from the same check on the snapshot. `added` of the
    `newly_passing` were not there; `newly_failing` counts those too that passed there and are gone. Of each kind 50
    names at the most are told."""

    passed: int
    failed: int
    skipped: int
    newly_passing: int
    added: int
    newly_failing: int
    names_passing: list[str]
    names_failing: list[str]


class CheckResult(Shape):
    """`before` is how the check went on the snapshot itself, null while that is not known. `tests` is null where it
    wrote no report."""

    command: str
    state: Literal["running", "passed", "failed"]
    exit_status: int | None
    seconds: float | None
    baseline_state: Literal["running", "passed", "failed"] | None
    tests: TestsShape | None


class LeftOutPath(Shape):
    """Something that a snapshot or a result could not take, and why."""

    path: str
    reason: str


MAX_RUN_FILES = 200
"""How many files of a run, or documents, are named where many runs are told of or one again and again."""


MAX_TASK_RUNS = 200
"""How many waiting runs are named."""


class RunShape(Shape):
    """One agent's attempt. `reason` says in words why it is in this state.

    `files` names 200 at the most, all of them in the answer of `mux.run.get`. `file_count`, `added` and `removed` are
    of all files, the last two in lines of those that are text. `result` is the commit of what it has made, in the
    shadow store: another one whenever that is different.

    `tampered` are the tests and configuration of checks that it changed or deleted, `restored_checks` how the checks go
    with those as the snapshot had them. `queue_place` counts from 1. `rank` counts from 1 among the task's runs that
    have ended, with the reasons in words, each a sentence; `tied` are those that share it. `discarded` is when it was
    thrown away, `kept_until` when it can be brought back no more.
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
    result: str | None
    checks: list[CheckResult]
    tampered: list[str]
    restored_checks: list[CheckResult]
    left_out: list[LeftOutPath]
    worktree: str | None
    exit_status: int | None
    cost_usd: float | None
    tokens: int | None
    started: float | None
    finished: float | None
    discarded: float | None
    kept_until: float | None
    queue_place: int | None
    rank: int | None
    tied: list[str]
    reasons: list[str]


class TaskShape(Shape):
    """`repository` is the URI of the repository's root, `snapshot` a commit of the shadow store. `baseline` is how the
    checks go on the snapshot itself: all of them `running` while they are at it, empty before, and where it could not
    be told. `cost_usd` and `tokens` are those of all runs, null where no agent told any. `parent` is the run whose
    agent started it, null where a person did. `notices` are sentences for the person who started it: a `mux.toml` that
    is not trusted, for one."""

    id: str
    prompt: str
    state: Literal["running", "ended"]
    repository: str
    snapshot: str | None
    left_out: list[LeftOutPath]
    created: float
    notices: list[str]
    setup: list[str]
    baseline: list[CheckResult]
    priority: int
    paused: bool
    stop_after: int | None
    parent: str | None
    max_cost_usd: float | None
    max_tokens: int | None
    cost_usd: float | None
    tokens: int | None
    runs: list[RunShape]


class TaskResult(Shape):
    task: TaskShape


class TaskListResult(Shape):
    tasks: list[TaskShape]


class RunResult(Shape):
    run: RunShape


class RankedRun(Shape):
    """A run by what it was ranked for. `grade` is what the checks say, with what judges as the snapshot had it.

    `agreement` is how much of its lines another run has too, in the mean, from 0 to 1; `sharing` of the `of` others
    have some of them, and `shared` is how much of them any has. `fixed` tests pass that failed on the snapshot,
    `broken` ones passed there. `outside` are the files that it changes and that the prompt was not about, 200 at the
    most. `seconds` is how long its agent worked. `reasons` and `tied` are those of the run.
    """

    run: str
    rank: int
    tied: list[str]
    grade: Literal["passes", "as_before", "unchecked", "own_tests", "fails", "unfinished", "empty"]
    reasons: list[str]
    agreement: float
    shared: float
    sharing: int
    total: int
    fixed: int
    broken: int
    lines: int
    outside: list[str]
    cost_usd: float | None
    seconds: float | None


class ComparedChange(Shape):
    """What a run does to a file. Lines are null where it is not text."""

    change: Literal["added", "modified", "deleted", "renamed", "copied"]
    added: int | None
    removed: int | None


class ComparedVariant(Shape):
    """A change at a place, of all the `runs` that share it, best first. `gist` is the first line that says something,
    with its sign in front."""

    hunk: str
    runs: list[str]
    added: int
    removed: int
    gist: str


class ComparedPlace(Shape):
    """Lines `[start, end)` of the snapshot's file that runs change, with the variants there are, best first. `differs`
    says that not all runs that have changed anything do the same here."""

    start: int
    end: int
    differs: bool
    variants: list[ComparedVariant]


class ComparedFile(Shape):
    """`runs` are those that change the file; `hunks` says for every hunk which runs share it. A file that runs rename
    is compared at its path in the snapshot; `renamed` says which runs have it at which path. `changes` has what each of
    the runs does to it, `places` where; 200 of them at the most."""

    path: str
    runs: list[str]
    hunks: dict[str, list[str]]
    renamed: dict[str, list[str]]
    changes: dict[str, ComparedChange]
    places: list[ComparedPlace]


class TaskCompareResult(Shape):
    """`ranking` has the runs that have ended, best first. `files` are 200 at the most, `more` counts the others.
    `equal` groups the runs with the same result. Runs that were thrown away are in none of them."""

    task: TaskShape
    ranking: list[RankedRun]
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
    a renamed file at one of the two. `range` is where it lands, or what it collides with. `resolutions` are the values
    of `mode` with which a conflict can be accepted all the same."""

    run: str
    agent: str
    path: str
    old_path: str | None
    uri: str
    hunk: str | None
    status: Literal["pending", "applied", "conflict", "rejected"]
    reason: str | None
    resolutions: list[Literal["exact", "instead", "take", "mark"]]
    range: Range
    removed: str
    added: str


class ReviewListResult(Shape):
    items: list[ReviewItem]


class VariantShape(Shape):
    """One change at a place, of all the `runs` that share it: `agreed` of the `of` runs that have changed something.
    `what` says in a few characters what it does. `hunk` is null for a change that is not text, which is accepted with
    its file. `resolutions` are the values of `mode` with which it can be accepted now; `lost` are the person's lines
    that `take` would cost."""

    run: str
    runs: list[str]
    agreed: int
    total: int
    agent: str
    path: str
    hunk: str | None
    what: str
    status: Literal["pending", "applied", "conflict", "rejected"]
    reason: str | None
    range: Range
    removed: str
    added: str
    resolutions: list[Literal["exact", "instead", "take", "mark"]]
    lost: list[str]


class PlaceShape(Shape):
    """Where changes of one task compete, best first. `variants[shown]` is what lenses and hints are about. `open` is
    whether there is anything to decide; where a variant is applied there is not, and others may be taken `instead`."""

    task: str
    range: Range
    open: bool
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
    total: int


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


class ClientAskParams(Shape):
    """`mux.client.ask`: have the person pick agents, and start a task with them. The fields are those of
    `mux.task.start`."""

    prompt: str
    context: list[ContextPlace]
    repository: str


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


class PickResult(AcceptResult):
    """What was accepted, and which runs were thrown away."""

    discarded: list[str]


class DiscardResult(Shape):
    """The runs that were not thrown away before, and when they can be brought back no more (null where none)."""

    discarded: list[str]
    kept_until: float | None


class RestoreResult(Shape):
    """The runs that were brought back."""

    restored: list[str]


class IdResult(Shape):
    """The id of a task or a run."""

    id: str


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


class AcceptanceShape(Shape):
    """A hunk that became part of a person's text, on record for good: also when its task was deleted.

    `cause` says whether it was accepted through mux-lsp, or the text just had it: typed, or brought in by another tool.
    `message` is what the run was told to go on with. `agreed` are the other runs of the task that had the same hunk,
    `total` is the number of runs that had changed anything. `line` is where it came to stand then, in the text of
    `client`. `range` is where it stands now in that of the client that asks, null where that cannot be told or no `uri`
    was asked about; `partial` that only some of its lines are left. Of very long hunks `added` and `removed` are null.
    `withdrawn` is when the text lost it again, null while it stands.
    """

    id: int
    at: float
    withdrawn: float | None
    client: str
    person: str
    cause: Literal["accept", "text"]
    repository: str
    task: str
    run: str
    agent: str
    model: str | None
    prompt: str
    message: str | None
    agreed: list[str]
    total: int
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

    acceptances: list[AcceptanceShape]


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


class RepositoryResult(Shape):
    """What a repository's own `mux.toml` (`file`) says; null for what it leaves open. It counts only while `trusted`:
    its person trusts exactly this, whose `digest` is null where it says nothing. `problem` is why it cannot be read.
    `hooks_trusted`: whether the person's config.toml lets agents run the hooks and servers that the repository brings.
    """

    repository: str
    file: str
    digest: str | None
    trusted: bool
    problem: str | None
    agents: list[str] | None
    checks: list[str] | None
    setup: list[str] | None
    setup_inputs: list[str] | None
    protected: list[str] | None
    check_timeout_seconds: float | None
    hooks_trusted: bool


class TrustedRepository(Shape):
    """`at` is when its person last said so."""

    repository: str
    at: float


class TrustListResult(Shape):
    trusted: list[TrustedRepository]


class AgentListResult(Shape):
    agents: list[AgentShape]
    defaults: list[str]


class SpentShape(Shape):
    """Dollars as far as agents told any, and tokens."""

    cost_usd: float
    tokens: int


class VerdictShape(Shape):
    """How checks went on the live text of a repository; where `run` is given, with changes of it placed on that: its
    `hunks`, those of `paths`, or all. `before` of a check is how it goes on the snapshot of the newest task that has
    these checks. `stale`: the text is neither what it was nor what was checked any more. `left_out` could not be taken.
    `seconds` is how long it took, `at` when it began."""

    repository: str
    passed: bool
    checks: list[CheckResult]
    run: str | None
    hunks: list[str]
    paths: list[str]
    left_out: list[LeftOutPath]
    at: float
    seconds: float
    stale: bool


class VerifyResult(Shape):
    """`printed` is the end of what each check printed, standard output before standard error."""

    verdict: VerdictShape
    printed: list[str]


class VerdictChangedParams(Shape):
    """`mux/verdictChanged`: a new verdict, or the text has moved on from it, or back to it."""

    verdict: VerdictShape


class RepositoryStatus(Shape):
    """`disk_bytes` is what the shadow store and the hidden worktrees take up, `spent` what was spent here today.
    `verdict` is the last one of `mux.verify`."""

    repository: str
    worktrees: int
    disk_bytes: int
    spent: SpentShape
    verdict: VerdictShape | None


class StatusResult(Shape):
    """`queued_runs` are those of the unfinished that wait for their turn, also in paused tasks. `spent` is what all
    agents told to have spent today, `day_usd` and `day_tokens` are the limits of a day. `notices` are sentences for the
    person that hold as long as this daemon runs: that its journal has lost its last changes, say."""

    version: str
    pid: int
    unfinished_runs: int
    queued_runs: int
    spent: SpentShape
    day_usd: float | None
    day_tokens: int | None
    notices: list[str]
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

    `uris` names 200 at the most, as the client names those that it has open; `more` counts the others.
    """

    uris: list[str]
    more: int


class QueueChangedParams(Shape):
    """`mux/queueChanged`: runs wait for their turn in this order now, without those of paused tasks.

    `runs` names 200 at the most; `more` counts the others. Those that are not named, and waited before, have their
    turn, are paused or have ended.
    """

    runs: list[str]
    more: int


class LimitReachedParams(Shape):
    """`mux/limitReached`: four fifths of what may be spent are, or all of it and what it was for was `stopped`.

    `scope` is what the limit is for; `repository` is a day in one repository. `of` is the run, the task or the URI of
    the repository, null for a day. `message` says it in words.
    """

    scope: Literal["run", "task", "day", "repository"]
    of: str | None
    unit: Literal["usd", "tokens"]
    spent: float
    most: float
    stopped: bool
    message: str


class ErrorData(Shape):
    """`data` of an error response. `kind` is for programs; the message is for people."""

    kind: Literal["failed", "usage", "conflict"]


class VersionErrorData(ErrorData):
    """`data` where `initialize` is refused for the client's protocol version; `protocol` is the server's."""

    protocol: int


@dataclass(frozen=True, slots=True)
class Command:
    """Declaration of a command: the types of its argument and of its answer, and its effect, which has no default."""

    params: type[Params]
    result: type[Shape]
    _: KW_ONLY
    effect: Effect
    refusal: str | None = None
    """The beginning of the sentence that refuses it; None for the default, which names the run or the task."""


COMMANDS: Final[Mapping[str, Command]] = {
    "mux.task.start": Command(
        TaskStartParams,
        TaskResult,
        effect=Effect.STARTS,
        refusal="Only a person or an agent of theirs can start a task",
    ),
    "mux.task.list": Command(TaskListParams, TaskListResult, effect=Effect.READS),
    "mux.task.get": Command(TaskParams, TaskResult, effect=Effect.READS),
    "mux.task.compare": Command(TaskParams, TaskCompareResult, effect=Effect.READS),
    "mux.task.cancel": Command(TaskParams, TaskResult, effect=Effect.CONTROLS),
    "mux.task.pause": Command(TaskParams, TaskResult, effect=Effect.CONTROLS),
    "mux.task.resume": Command(TaskParams, TaskResult, effect=Effect.CONTROLS),
    "mux.task.prioritize": Command(
        TaskPrioritizeParams, TaskResult, effect=Effect.OVERSEES, refusal="Only a person can say what goes first"
    ),
    "mux.task.discard": Command(DiscardParams, DiscardResult, effect=Effect.DECIDES),
    "mux.task.restore": Command(IdParams, RestoreResult, effect=Effect.DECIDES),
    "mux.task.delete": Command(IdParams, DeleteResult, effect=Effect.DECIDES),
    "mux.id.find": Command(IdParams, IdResult, effect=Effect.READS),
    "mux.run.get": Command(RunParams, RunResult, effect=Effect.READS),
    "mux.run.log": Command(RunLogParams, RunLogResult, effect=Effect.READS),
    "mux.run.diff": Command(RunDiffParams, RunDiffResult, effect=Effect.READS),
    "mux.run.cancel": Command(RunParams, RunResult, effect=Effect.CONTROLS),
    "mux.run.continue": Command(RunContinueParams, RunResult, effect=Effect.DECIDES),
    "mux.run.retry": Command(RunParams, RunResult, effect=Effect.DECIDES),
    "mux.review.list": Command(ReviewListParams, ReviewListResult, effect=Effect.READS),
    "mux.review.places": Command(ReviewPlacesParams, ReviewPlacesResult, effect=Effect.READS),
    "mux.variant.show": Command(VariantShowParams, VariantShowResult, effect=Effect.READS),
    "mux.versions.show": Command(VersionsShowParams, VersionsShowResult, effect=Effect.READS),
    "mux.hunk.accept": Command(HunkAcceptParams, AcceptResult, effect=Effect.WRITES),
    "mux.hunk.reject": Command(HunkRejectParams, RejectResult, effect=Effect.DECIDES),
    "mux.file.accept": Command(FileAcceptParams, AcceptResult, effect=Effect.WRITES),
    "mux.file.reject": Command(FileParams, RejectResult, effect=Effect.DECIDES),
    "mux.run.accept": Command(RunAcceptParams, AcceptResult, effect=Effect.WRITES),
    "mux.run.reject": Command(RunReviewParams, RejectResult, effect=Effect.DECIDES),
    "mux.run.pick": Command(RunPickParams, PickResult, effect=Effect.WRITES),
    "mux.permission.list": Command(NoParams, PermissionListResult, effect=Effect.READS),
    "mux.permission.reply": Command(
        PermissionReplyParams, PermissionListResult, effect=Effect.OVERSEES, refusal="Only a person can answer that"
    ),
    "mux.document.get": Command(DocumentParams, DocumentResult, effect=Effect.READS),
    "mux.document.show": Command(DocumentShowParams, DocumentShowResult, effect=Effect.READS),
    "mux.history.list": Command(HistoryListParams, HistoryListResult, effect=Effect.READS),
    "mux.repository.get": Command(RepositoryParams, RepositoryResult, effect=Effect.READS),
    "mux.repository.trust": Command(
        RepositoryTrustParams, RepositoryResult, effect=Effect.TRUSTS, refusal="Only a person can trust a repository"
    ),
    "mux.repository.distrust": Command(
        RepositoryNameParams,
        TrustListResult,
        effect=Effect.TRUSTS,
        refusal="Only a person can trust a repository no more",
    ),
    "mux.repository.list": Command(NoParams, TrustListResult, effect=Effect.READS),
    "mux.agent.list": Command(NoParams, AgentListResult, effect=Effect.READS),
    "mux.status": Command(NoParams, StatusResult, effect=Effect.READS),
    "mux.verify": Command(
        VerifyParams, VerifyResult, effect=Effect.VERIFIES, refusal="Only a person can verify what is in their files"
    ),
}
"""Every command by its name."""

NOTIFICATIONS: dict[str, type[Shape]] = {
    "mux/taskChanged": TaskChangedParams,
    "mux/runChanged": RunChangedParams,
    "mux/runOutput": RunOutputParams,
    "mux/reviewChanged": ReviewChangedParams,
    "mux/permissionRequested": PermissionRequestedParams,
    "mux/permissionSettled": PermissionSettledParams,
    "mux/queueChanged": QueueChangedParams,
    "mux/limitReached": LimitReachedParams,
    "mux/verdictChanged": VerdictChangedParams,
}
"""The notifications beside LSP's own. They go to clients that name a mux protocol at initialize."""

CLIENT_COMMANDS: dict[str, type[Shape]] = {
    "mux.client.ask": ClientAskParams,
    "mux.client.diff": ClientDiffParams,
    "mux.client.merge": ClientMergeParams,
}
"""Commands that a client may have itself, with the type of their one argument. It names those that it has at
initialize, as `initializationOptions.mux.commands`; they come as the commands of lenses and code actions."""
