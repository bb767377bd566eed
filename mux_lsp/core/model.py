"""Define the data model of mux-lsp: tasks, runs, snapshots, changes and hunks.

Paths are `str` relative to the repository's root with `/` between components. Bytes that are not UTF-8 are kept by
`surrogateescape` (`os.fsencode` restores them). Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mux_lsp.core.permissions import Rule  # noqa: TC001  # the journal reads the types of fields


class RunState(StrEnum):
    """State of a run: `queued → preparing → running ⇄ waiting → checking → finished`, or one of the other ends."""

    QUEUED = "queued"
    """Waits for its turn."""
    PREPARING = "preparing"
    """Its worktree is being prepared."""
    RUNNING = "running"
    """Its agent works."""
    WAITING = "waiting"
    """Waits for a person's answer: to a permission request or a question."""
    CHECKING = "checking"
    """Its agent has ended; the checks run on the result."""
    FINISHED = "finished"
    """Done; the result is in the shadow store. Checks may have failed: that does not make it a failed run."""
    FAILED = "failed"
    """The agent could not start or ended with an error. What it had changed is kept as its result."""
    CANCELLED = "cancelled"
    """A person or a limit ended it, or other runs had done its work: see `reason`. Its changes until then are kept."""
    INTERRUPTED = "interrupted"
    """The daemon or machine stopped during it, and it could not be recovered."""

    @property
    def ended(self) -> bool:
        """True if the run has ended, in whichever way."""
        return self in {RunState.FINISHED, RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED}


class HunkStatus(StrEnum):
    """Status of a hunk in one live text. Only `rejected` is stored; the rest are facts about the text."""

    PENDING = "pending"
    """The live text is as in the snapshot here: the hunk can be placed exactly."""
    APPLIED = "applied"
    """The live text already holds it, however it came there."""
    CONFLICT = "conflict"
    """The live text differs here from both snapshot and result."""
    REJECTED = "rejected"
    """The person rejected it."""


class ChangeKind(StrEnum):
    """Kind of difference between a run's result and the snapshot at one path."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    """The file at `old_path` has moved here, maybe with other content."""
    COPIED = "copied"
    """A new file made from the one at `old_path`, which stays."""


class CheckState(StrEnum):
    """State of a check."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """File that a snapshot could not include, with the reason in words."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Commit in the shadow store: the repository as its person saw it at one moment."""

    commit: str
    tree: str
    head: str | None
    """The person's HEAD commit at that time, or None in a repository without commits."""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Hunk:
    """One contiguous change of one file between snapshot and result, in lines of the snapshot's text.

    `removed` are the lines `[start, start + len(removed))` of the snapshot with their line ends; `added` replace
    them in the result. `id` is derived from the content, so equal hunks of several runs have equal ids.
    """

    id: str
    start: int
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def end(self) -> int:
        """First line of the snapshot after the hunk."""
        return self.start + len(self.removed)


@dataclass(frozen=True, slots=True)
class FileChange:
    """Path that a result changes. Modes are git's (0 if there is no file), object names the shadow store's."""

    path: str
    kind: ChangeKind
    old_mode: int
    new_mode: int
    old_object: str
    new_object: str
    lines_added: int | None = None
    """None for binary files."""
    lines_removed: int | None = None
    old_path: str | None = None
    """Path of the file in the snapshot, if it was renamed or copied."""

    @property
    def base_path(self) -> str:
        """Path in the snapshot of the file that changes; for a new file, copies included, the path itself."""
        return self.old_path if self.kind is ChangeKind.RENAMED and self.old_path is not None else self.path

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that differs afterwards: both paths of a rename."""
        return (self.path,) if self.base_path == self.path else (self.base_path, self.path)


MAX_TESTS_NAMED = 50
"""Maximum number of tests named per kind where two reports are compared."""


@dataclass(frozen=True, slots=True)
class Tests:
    """Counts from a check's test report, compared with those of the same check on the snapshot.

    At most `MAX_TESTS_NAMED` names of each kind are kept; the counts are of all.
    """

    __test__ = False  # for pytest: this is not a test

    passed: int
    failed: int
    skipped: int = 0
    newly_passing: int = 0
    """Number that pass now and did not on the snapshot, tests missing there included."""
    added: int = 0
    """Number of those that the snapshot does not have: an attempt can add as many tests of its own as it likes."""
    newly_failing: int = 0
    """Number that passed on the snapshot and fail now, or are gone."""
    names_passing: tuple[str, ...] = ()
    names_failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Command that checks a result by its exit status, and its outcome."""

    command: str
    state: CheckState
    exit_status: int | None = None
    seconds: float | None = None
    baseline_state: CheckState | None = None
    """Its state on the snapshot itself; None while that is unknown."""
    tests: Tests | None = None
    """Counts of its test report, if it wrote one."""

    @property
    def missing_report(self) -> bool:
        """True if it exited with 0 and still failed: it has no test report, and on the snapshot it has one."""
        return self.state is CheckState.FAILED and self.exit_status == 0


@dataclass(frozen=True, slots=True)
class AgentChoice:
    """Agent that a prompt asks for: by name (or `sh:COMMAND`), with the number of runs and the model."""

    agent: str
    count: int = 1
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Place in the repository that a prompt is about. Lines are 0-based and half-open; None means the whole file."""

    path: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """Identity of a working tree, to distinguish it from another one that later has its name.

    Device numbers are not part of it, because they may change at the next boot.
    """

    inode: int
    git_inode: int | None
    """Inode of `.git`; None if that is not a folder."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Commands that prepare a worktree before an agent begins."""

    commands: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """Patterns of the files that the commands' output depends on. If empty, the known dependency files are used."""


@dataclass(frozen=True, slots=True)
class Run:
    """One agent's attempt at a task, in one worktree."""

    id: str
    task: str
    agent: str
    model: str | None
    state: RunState
    reason: str | None = None
    """Reason for this state, in words, if it is not obvious."""
    base: str | None = None
    """Snapshot commit that its result is compared with."""
    result: str | None = None
    """Commit of its newest result in the shadow store."""
    files: tuple[FileChange, ...] = ()
    hunks: int = 0
    checks: tuple[Check, ...] = ()
    tampered: tuple[str, ...] = ()
    """Protected files that it changed: tests that the snapshot had, and the configuration of checks."""
    hidden_config: tuple[str, ...] = ()
    """Configuration of checks in its worktree that is in no result, because the agent wrote ignore rules for it."""
    restored_checks: tuple[Check, ...] = ()
    """Results of the checks with the tampered files restored from the snapshot. Empty if there are no such files."""
    left_out: tuple[LeftOut, ...] = ()
    worktree: str | None = None
    """Slot of its worktree, while it has one."""
    setup: str | None = None
    """Digest of the set-up that prepared its worktree; None without a set-up."""
    port: int | None = None
    pid: int | None = None
    pid_created: float | None = None
    """Start time of the process `pid`, to distinguish it from a later process with the same number."""
    exit_status: int | None = None
    message: str | None = None
    """Last message that it was continued with; None for the task's own prompt."""
    result_complete: bool = False
    """True if its whole result was taken after its agent had ended. Until then its worktree is not released."""
    turn: int = 0
    """Number of messages after the task's prompt."""
    session: str | None = None
    """The agent's own id for its conversation."""
    merge_conflicts: tuple[str, ...] = ()
    """Paths where its changes and the person's collided when it was last brought up to date."""
    cost_usd: float | None = None
    tokens: int | None = None
    started: float | None = None
    finished: float | None = None
    work_seconds: float | None = None
    """Seconds that its agent has worked, on all messages together: without queues, set-up and checks."""
    cancel_requested: bool = False
    """True if its cancellation was requested. Recorded before its first process is signalled, for the next daemon."""
    cancel_reason: str | None = None
    """Reason for the cancellation, in words; None if a person cancelled it."""
    discarded: float | None = None
    """Time at which the person discarded it; it can be restored for a while."""
    allowed: tuple[Rule, ...] = ()
    """Requests that the person has allowed it permanently, exactly as it made them."""

    @property
    def effective_checks(self) -> tuple[Check, ...]:
        """The checks that count: those with restored protected files, if there are any."""
        return self.restored_checks or self.checks


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt against one snapshot."""

    id: str
    prompt: str
    repository: str
    """Root folder of the person's working tree."""
    folder: str
    """Folder below it that was opened, `""` for the root: agents start in the same one."""
    created: float
    snapshot: Snapshot | None = None
    identity: RootIdentity | None = None
    """Nothing is accepted into another folder that later has the root's name. None in tasks of older versions."""
    setup: Setup = Setup()
    checks: tuple[str, ...] = ()
    check_seconds: float | None = None
    """Maximum seconds for one check; None for the limit in the daemon's settings."""
    protected: tuple[str, ...] = ()
    """Patterns of protected files, in addition to the known ones."""
    notices: tuple[str, ...] = ()
    """Sentences for its person about how it was started."""
    baseline: tuple[Check, ...] = ()
    """Results of the checks on the snapshot itself: all `running` while they run.

    Empty before, and if they could not be determined.
    """
    context: tuple[Context, ...] = ()
    runs: tuple[Run, ...] = ()
    runs_created: int = 0
    """Number of runs that it ever had, deleted ones included: no number is given twice."""
    priority: int = 0
    """Runs of tasks with a higher priority leave the queue first."""
    paused: bool = False
    """True if its queued runs stay queued."""
    stop_after: int | None = None
    """Number of equal results with passing checks after which the remaining runs are ended; None for no early stop."""
    parent: str | None = None
    """Run whose agent started it; None if a person did."""
    max_cost_usd: float | None = None
    """Maximum cost of all its runs together."""
    max_tokens: int | None = None
    allowed: tuple[Rule, ...] = ()
    """Requests that the person has allowed all of its runs, exactly as they were made."""

    @property
    def active_runs(self) -> tuple[Run, ...]:
        """The runs that the person has not discarded: only these are compared and ranked."""
        return tuple(run for run in self.runs if run.discarded is None)

    @property
    def ended(self) -> bool:
        """True if every run has ended."""
        return all(run.state.ended for run in self.runs)
