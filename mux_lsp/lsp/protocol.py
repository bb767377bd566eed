"""Declare every command, notification and type of the wire contract, once (`editor-clients/PROTOCOL.md` follows it).

Actions are `workspace/executeCommand` commands with exactly one object as argument. Lines and characters are LSP's, in
the negotiated position encoding. Times are in seconds since the epoch, durations in seconds. Paths are relative to the
root of the repository, with `/` between components.

The file is long on purpose: it holds the whole contract and nothing else. So it reads from top to bottom like the
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
"""Version of the protocol, exchanged at `initialize`. It changes when an old client would misread the new version."""

REQUEST_FAILED = -32803
"""LSP's RequestFailed: the request was well-formed but could not be carried out. `data` is an `ErrorData`."""


class Params(BaseModel):
    """The one argument of a command. Unknown keys are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(BaseModel):
    """A value that the server sends."""

    model_config = ConfigDict(frozen=True)


# Every text and every list that a client sends has a limit, which depends on its kind.
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Name = Annotated[str, StringConstraints(max_length=1000)]
Words = Annotated[str, StringConstraints(max_length=1_000_000)]
CommandLine = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
# A path has up to 4,096 bytes, and each byte may be written as `\\xff`, or as `%FF` in a URI.
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
    """A place that the prompt is about. Without `range`, the whole file."""

    uri: Uri
    range: Range | None = None


class TaskStartParams(Params):
    """`unsaved` selects the unsaved buffers that go into the snapshot: this client's (`own`), those of every connected
    client (`all`: refused if two clients hold different unsaved texts of one file), or nobody's (`none`).

    Runs of tasks with a higher `priority` leave the queue first. When `stop_after` runs have equal results that passed
    every check, the remaining runs are ended. `max_cost_usd` and `max_tokens` limit all runs together and replace the
    settings' `task_usd` and `task_tokens`. `parent` is the run whose agent asks, if the client knows it: the task's
    spending is charged to that run too. A `parent` that the server does not know is ignored. If the server recognizes
    the calling agent itself, that takes precedence.
    """

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
    """`repository` is the URI of any folder in the repository. Without it, the tasks of all repositories."""

    repository: Uri | None = None


class TaskParams(Params):
    task: Id


class IdParams(Params):
    """The id of a task or a run."""

    id: Id


class DiscardParams(IdParams):
    """`keep` lists the runs of the task that are not discarded."""

    keep: Ids = []


class RunParams(Params):
    run: Id


class RunReviewParams(RunParams):
    """`paths` limits the command to these files and the files in these folders. Without it, the whole run."""

    paths: Paths | None = None


class RunAcceptParams(RunReviewParams):
    """`mode` resolves collisions, as in `HunkAcceptParams`. `result` is the result of the run that the person reviewed;
    if the run's newest result differs from it in these files, nothing is accepted."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"
    result: Commit | None = None


class RunPickParams(RunParams):
    """`mode` and `result` are as in `RunAcceptParams`."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"
    result: Commit | None = None


class RunLogParams(Params):
    """`offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.

    `check` selects the output of the run's check with that number, counted from 0, in place of the agent's output. `on`
    selects the tree that was checked: the run's `result`, its result with the protected files `restored`, or the
    `snapshot`. `setup` selects the output of the set-up of the run's worktree, all of it in `stdout`. The stream
    `transcript` is the conversation and the tool calls as JSON lines, one event per line, with `kind` and `at`.
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
    """`up_to_date`: first merge the person's current files into the run's: with this client's unsaved buffers (`own`),
    with those of every connected client (`all`), or as they are on disk (`saved`)."""

    run: Id
    message: Prompt
    up_to_date: Literal["own", "all", "saved"] | None = None


class ReviewListParams(Params):
    """`uri` selects one document, `run` one run, both that run in that document. At least one is required.

    `paths` limits the run to these files and the files in these folders.
    """

    uri: Uri | None = None
    run: Id | None = None
    paths: Paths | None = None


class HunkParams(Params):
    """Hunks of one run by their ids."""

    run: Id
    hunks: Annotated[Ids, Field(min_length=1)]


class HunkAcceptParams(HunkParams):
    """`mode` resolves the collisions of a hunk: refuse (`exact`), remove the competing hunks of other runs of the task
    (`instead`), replace the lines in the text with the run's lines (`take`), or put both between conflict markers
    (`mark`)."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"


class HunkRejectParams(HunkParams):
    """`shared`: also reject the same hunks in other runs of the task."""

    shared: bool = False


class FileParams(Params):
    """`what`: every change of the run to the file (`all`), or only the change that is not part of a hunk (`file`): its
    name, its mode, or a content that is replaced as a whole."""

    run: Id
    path: Path
    what: Literal["all", "file"] = "all"


class FileAcceptParams(FileParams):
    """`mode` resolves collisions, as in `HunkAcceptParams`. `result` is as in `RunAcceptParams`."""

    mode: Literal["exact", "instead", "take", "mark"] = "exact"
    result: Commit | None = None


class PermissionReplyParams(Params):
    """`answer`: allow the action this once (`once`), for the runs that ask (`run`), for their task (`task`), or for the
    repository from now on (`always`); or refuse it (`refuse`), with a `reason` that the agent reads."""

    id: Id
    answer: Literal["once", "run", "task", "always", "refuse"]
    reason: Words | None = None


class DocumentParams(Params):
    """A read-only document by its `mux:` URI."""

    uri: Uri


class DocumentShowParams(DocumentParams):
    """`take_focus`: true if the client shall move its cursor there. Without it, the client decides."""

    take_focus: bool | None = None


class HistoryListParams(Params):
    """`uri` limits the list to one file; `start` and `end` limit it further to changes that touch these lines, counted
    from 0, both included. `repository` is the URI of any folder in the repository. Without both, the whole history.
    `limit` is the maximum number of entries, newest first."""

    uri: Uri | None = None
    repository: Uri | None = None
    start: Annotated[int, Field(ge=0)] | None = None
    end: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=100_000)] = 1000


class VerifyParams(Params):
    """`unsaved` selects the live text to verify: as this client has it (`own`), with the unsaved buffers of every
    connected client (`all`), or as it is on disk (`none`). With `run`, changes of this run are placed on that text, as
    accepting would place them: the `hunks`, those in `paths`, or all. Without `checks`, the checks of the repository's
    newest task are run, or else those of the settings."""

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
    """A change at a place of an open document. `hunk` is null for a change without hunks. The variant that is `step`
    places after it among the open variants of the place is shown to this client from now on."""

    uri: Uri
    run: Id
    hunk: Id | None = None
    step: int = 0


class VersionsShowParams(Params):
    """A file that a run changes."""

    run: Id
    path: Path


class RepositoryNameParams(Params):
    """The repository that contains a folder. Without `repository`, the one that the client has open."""

    repository: Uri | None = None


class RepositoryParams(RepositoryNameParams):
    """`unsaved` selects the unsaved buffers from which its `mux.toml` may be read, as in `TaskStartParams`."""

    unsaved: Literal["own", "all", "none"] = "own"


class RepositoryTrustParams(RepositoryParams):
    """`digest` is the digest of the settings that the person was shown. Refused if the file has changed since."""

    digest: Id


class NoParams(Params):
    pass


class FileSummary(Shape):
    """`added` and `removed` count lines, null for a file that is not text. `old_path` is the path of a renamed file in
    the snapshot, or the file that a copied one was made from; lines are counted against that file."""

    path: str
    old_path: str | None
    change: Literal["added", "modified", "deleted", "renamed", "copied"]
    added: int | None
    removed: int | None


class TestsShape(Shape):
    """The tests in a check's report, compared with the report of the same check on the snapshot. `added` of the
    `newly_passing` tests did not exist there; `newly_failing` includes tests that passed there and are gone. At most 50
    names of each kind are listed."""

    passed: int
    failed: int
    skipped: int
    newly_passing: int
    added: int
    newly_failing: int
    names_passing: list[str]
    names_failing: list[str]


class CheckResult(Shape):
    """`baseline_state` is the check's state on the snapshot itself, null while unknown. `tests` is null if the check
    wrote no report."""

    command: str
    state: Literal["running", "passed", "failed"]
    exit_status: int | None
    seconds: float | None
    baseline_state: Literal["running", "passed", "failed"] | None
    tests: TestsShape | None


class LeftOutPath(Shape):
    """A path that a snapshot or a result could not include, and the reason."""

    path: str
    reason: str


MAX_RUN_FILES = 200
"""Maximum number of files of a run, or of documents, in messages about many runs and in frequent messages."""


MAX_TASK_RUNS = 200
"""Maximum number of queued runs that a message names."""


class RunShape(Shape):
    """One agent's attempt. `reason` explains its state in words.

    `files` has at most 200 entries, and all of them in the answer of `mux.run.get`. `file_count`, `added` and `removed`
    are over all files, the last two in lines of the files that are text. `result` is the commit of what the run has
    made, in the shadow store; it changes whenever the content does.

    `tampered` lists the tests and the configuration of checks that the run changed or deleted; `restored_checks` are
    the check results with these files as the snapshot had them. `queue_place` counts from 1. `rank` counts from 1 among
    the task's runs that have ended; `reasons` explain it, one sentence each, and `tied` lists the runs with the same
    rank. `discarded` is when the run was discarded, `kept_until` when it can no longer be restored.
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
    """`repository` is the URI of the repository's root, `snapshot` a commit of the shadow store. `baseline` has the
    check results on the snapshot itself: all `running` while the checks run, empty before that and if no baseline could
    be found. `cost_usd` and `tokens` are the sums over all runs, null if no agent reported any. `parent` is the run
    whose agent started the task, null if a person did. `notices` are sentences for the person who started it, for
    example that a `mux.toml` is not trusted."""

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
    """A run with the values by which it was ranked. `grade` sums up the checks, with the snapshot's protected files.

    `agreement` is the mean fraction, from 0 to 1, of its lines that another run has too. `sharing` of the `total` other
    runs have some of its lines; `shared` is the fraction of its lines that at least one of them has. `fixed` counts
    tests that pass and failed on the snapshot, `broken` those that passed there and no longer do. `outside` lists
    changed files that the prompt was not about, at most 200. `seconds` is how long the agent worked. `reasons` and
    `tied` are those of the run.
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
    """The change of a run to a file. Lines are null if the file is not text."""

    change: Literal["added", "modified", "deleted", "renamed", "copied"]
    added: int | None
    removed: int | None


class ComparedVariant(Shape):
    """One change at a place. `runs` are all the runs that share it, best first. `gist` is its first line that is not
    trivial, with its sign in front."""

    hunk: str
    runs: list[str]
    added: int
    removed: int
    gist: str


class ComparedPlace(Shape):
    """Lines `[start, end)` of the snapshot's file that runs change, with the variants of the change, best first.
    `differs` is true if not all runs that have changed anything make the same change here."""

    start: int
    end: int
    differs: bool
    variants: list[ComparedVariant]


class ComparedFile(Shape):
    """`runs` are the runs that change the file; `hunks` maps every hunk to the runs that share it. A file that runs
    rename is compared under its path in the snapshot; `renamed` maps each new path to the runs that have the file
    there. `changes` maps each run to its change of the file. `places` are the places of the changes, at most 200."""

    path: str
    runs: list[str]
    hunks: dict[str, list[str]]
    renamed: dict[str, list[str]]
    changes: dict[str, ComparedChange]
    places: list[ComparedPlace]


class TaskCompareResult(Shape):
    """`ranking` has the runs that have ended, best first. `files` has at most 200 entries; `more` counts the others.
    `equal` groups the runs with the same result. Discarded runs are in none of these."""

    task: TaskShape
    ranking: list[RankedRun]
    files: list[ComparedFile]
    more: int
    equal: list[list[str]]


class RunLogResult(Shape):
    """`text` is the output, made harmless to a terminal. `offset` is where to continue reading."""

    text: str
    offset: int
    ended: bool


class RunDiffResult(Shape):
    """A patch for `git apply`. If it is not UTF-8, `base64` has its exact bytes and `patch` a readable copy."""

    patch: str
    base64: str | None


class ReviewItem(Shape):
    """A hunk with its status on the live text of the asking client. `hunk` is null for a change that is not text, which
    is accepted together with its file. `path` and `old_path` are the file's (see `FileSummary`). `uri` is where its
    text is now; for a renamed file that is one of the two paths. `range` is where the hunk lands, or what it collides
    with. `resolutions` are the values of `mode` with which a conflict can still be accepted."""

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
    """One change at a place. `runs` are all the runs that share it: `agreed` of the `total` runs that have changed
    anything. `what` summarizes it in a few characters. `hunk` is null for a change that is not text, which is accepted
    together with its file. `resolutions` are the values of `mode` with which it can be accepted now; `lost` are the
    person's lines that `take` would overwrite."""

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
    """A place where changes of one task compete, best first. Code lenses and hint diagnostics show `variants[shown]`.
    `open` is true if there is anything to decide. Once a variant is applied it is false, and other variants can be
    accepted with `instead`."""

    task: str
    range: Range
    open: bool
    shown: int
    variants: list[VariantShape]


class ReviewPlacesResult(Shape):
    """The places in the order of the text, at this version of the document, without places where all was rejected."""

    uri: str
    version: int
    places: list[PlaceShape]


class VariantShowResult(Shape):
    """The variant that is shown now. `shown` is its index, from 0, among the `total` open variants of the place."""

    run: str
    hunk: str | None
    shown: int
    total: int


class VersionsShowResult(Shape):
    """The read-only documents that were opened beside the person's own."""

    uris: list[str]


class ClientDiffParams(Shape):
    """`mux.client.diff`: show a change of an open document as a diff. `diff` is a read-only document with it."""

    uri: str
    run: str
    hunk: str | None
    diff: str


class ClientMergeParams(Shape):
    """`mux.client.merge`: open a merge for the person. `base` and `theirs` are read-only documents: the file in the
    snapshot, and the file as the run has it."""

    uri: str
    run: str
    hunk: str | None
    base: str
    theirs: str


class ClientAskParams(Shape):
    """`mux.client.ask`: let the person select agents, and start a task with them. The fields are those of
    `mux.task.start`."""

    prompt: str
    context: list[ContextPlace]
    repository: str


class AcceptResult(Shape):
    """`accepted` counts the hunks that were placed, `already` those that were in the text before. `files` lists the
    changed files. `instead_of` are the runs whose hunks were removed. `marked` counts the conflicts put between
    markers, `rejected` the hunks that were left out because they are rejected. `kept` is the folder with copies of the
    person's files that `take` overwrote, null if nothing was copied."""

    accepted: int
    already: int
    instead_of: list[str]
    marked: int
    rejected: int
    kept: str | None
    files: list[str]


class PickResult(AcceptResult):
    """The result of accepting the picked run. `discarded` are the runs that were discarded."""

    discarded: list[str]


class DiscardResult(Shape):
    """The runs that this command discarded, and when they can no longer be restored (null if no run was)."""

    discarded: list[str]
    kept_until: float | None


class RestoreResult(Shape):
    """The runs that were restored."""

    restored: list[str]


class IdResult(Shape):
    """The id of a task or a run."""

    id: str


class RejectResult(Shape):
    """`rejected` counts the hunks that were not rejected before. `applied` counts those that are in the text: rejecting
    a hunk does not remove it."""

    rejected: int
    applied: int


class DocumentResult(Shape):
    """`language` is LSP's identifier of its language, null if the file name at the end of the URI determines it."""

    text: str
    language: str | None


class DocumentShowResult(Shape):
    """`uri` is the URI that the client was asked to show: the `mux:` URI, or that of a read-only file."""

    uri: str


class AcceptanceShape(Shape):
    """A hunk that became part of a person's text. The record is permanent: it stays when its task is deleted.

    `cause` is `accept` if the hunk was accepted through mux-lsp, `text` if the text had it otherwise: typed, or brought
    in by another tool. `message` is the message with which the run was continued. `agreed` are the other runs of the
    task that had the same hunk, `total` is the number of runs that had changed anything. `line` is where the hunk was
    placed, in the text of `client`. `range` is where it is now in the text of the asking client, null if that is
    unknown or no `uri` was given; `partial` is true if only some of its lines are left. For very long hunks `added` and
    `removed` are null. `withdrawn` is when the text lost the hunk again, null while the text has it.
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
    """The acceptances, newest first."""

    acceptances: list[AcceptanceShape]


class AgentShape(Shape):
    """An agent by the name that tasks use. `command` is the command that it runs, with `PROMPT` in the prompt's place.
    `configured` is true if config.toml defines it. Unknown values are null. `install` explains how to install it.
    `logged_in` is true if there is a key or a file of credentials for it; neither is read.
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
    """The settings in a repository's own `mux.toml` (`file`); a setting that it does not have is null. They apply only
    while `trusted`: the person trusts exactly these settings, identified by `digest`, which is null without settings.
    `problem` is the reason why the file cannot be read. `hooks_trusted` is true if the person's config.toml lets agents
    run the hooks and servers that the repository contains.
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
    """`at` is when the person last granted the trust."""

    repository: str
    at: float


class TrustListResult(Shape):
    trusted: list[TrustedRepository]


class AgentListResult(Shape):
    agents: list[AgentShape]
    defaults: list[str]


class SpentShape(Shape):
    """US dollars, as far as agents reported a cost, and tokens."""

    cost_usd: float
    tokens: int


class VerdictShape(Shape):
    """The check results on the live text of a repository; if `run` is given, with changes of it placed on that text:
    its `hunks`, those in `paths`, or all. `baseline_state` of a check is its state on the snapshot of the newest task
    that has these checks. `stale` is true if the text is neither what it was then nor what was checked. `left_out` are
    paths that could not be included. `seconds` is the duration, `at` the start."""

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
    """`printed` is the end of each check's output, standard output before standard error."""

    verdict: VerdictShape
    printed: list[str]


class VerdictChangedParams(Shape):
    """`mux/verdictChanged`: there is a new verdict, or the text now differs from the checked one, or matches again."""

    verdict: VerdictShape


class RepositoryStatus(Shape):
    """`disk_bytes` is the size of the shadow store and the hidden worktrees, `spent` today's spending in this
    repository. `verdict` is the last verdict of `mux.verify`."""

    repository: str
    worktrees: int
    disk_bytes: int
    spent: SpentShape
    verdict: VerdictShape | None


class StatusResult(Shape):
    """`queued_runs` counts the unfinished runs that are in the queue, those of paused tasks included. `spent` is
    today's spending as reported by all agents; `day_usd` and `day_tokens` are the limits per day. `notices` are
    sentences for the person that apply until this daemon ends, for example that its journal has lost its last changes.
    """

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
    """`mux/taskChanged`: a task was started, has changed, or was `deleted`."""

    task: TaskShape
    deleted: bool


class RunChangedParams(Shape):
    """`mux/runChanged`: a run's state or result has changed. `previous` is its state before."""

    run: RunShape
    previous: str


class RunOutputParams(Shape):
    """`mux/runOutput`: a run's agent has printed. `offset` is the position of `text` in the stream, in bytes."""

    run: str
    stream: Literal["stdout", "stderr"]
    offset: int
    text: str


class PermissionShape(Shape):
    """An action that agents request permission for. `subject` is a command, path or URL. All `runs` ask for it."""

    id: str
    task: str
    runs: list[str]
    tool: str
    subject: str
    title: str


class PermissionListResult(Shape):
    permissions: list[PermissionShape]


class PermissionRequestedParams(Shape):
    """`mux/permissionRequested`: an agent asks permission. Sent again when another run asks for the same action."""

    permission: PermissionShape


class PermissionSettledParams(Shape):
    """`mux/permissionSettled`: the question was answered, it timed out, or the runs that asked are gone."""

    id: str
    task: str
    answer: str


class ReviewChangedParams(Shape):
    """`mux/reviewChanged`: the reviewable changes of these documents are different now.

    `uris` has at most 200 entries, spelt as the client spells those that it has open; `more` counts the others.
    """

    uris: list[str]
    more: int


class QueueChangedParams(Shape):
    """`mux/queueChanged`: the order of the queued runs has changed. Runs of paused tasks are left out.

    `runs` has at most 200 entries; `more` counts the others. A run that left has its slot, is paused or has ended.
    """

    runs: list[str]
    more: int


class LimitReachedParams(Shape):
    """`mux/limitReached`: 80 % of a spending limit is used up; or all of it, and the work that it limits was `stopped`.

    `scope` is what the limit applies to; `repository` is a day in one repository. `of` is the run, the task or the URI
    of the repository, null for a day. `most` is the limit. `message` explains it in words.
    """

    scope: Literal["run", "task", "day", "repository"]
    of: str | None
    unit: Literal["usd", "tokens"]
    spent: float
    most: float
    stopped: bool
    message: str


class ErrorData(Shape):
    """`data` of an error response. `kind` is for programs, the message for people."""

    kind: Literal["failed", "usage", "conflict"]


class VersionErrorData(ErrorData):
    """`data` if `initialize` is refused because of the client's protocol version; `protocol` is the server's."""

    protocol: int


@dataclass(frozen=True, slots=True)
class Command:
    """Declaration of a command: the types of its argument and its answer, and its effect, which has no default."""

    params: type[Params]
    result: type[Shape]
    _: KW_ONLY
    effect: Effect
    refusal: str | None = None
    """Beginning of the sentence that refuses it; None for the default, which names the run or the task."""


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
"""All commands by name."""

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
"""The notifications beyond LSP's own. They are sent to clients that announce a mux protocol at `initialize`."""

CLIENT_COMMANDS: dict[str, type[Shape]] = {
    "mux.client.ask": ClientAskParams,
    "mux.client.diff": ClientDiffParams,
    "mux.client.merge": ClientMergeParams,
}
"""Commands that a client may implement, with the type of their one argument. The client announces them at `initialize`;
they are sent as the commands of code lenses and code actions."""
