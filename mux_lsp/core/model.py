"""The words of mux-lsp as plain data: tasks, runs, snapshots, changes and hunks.

Paths are `str` relative to the repository's root with `/` between components. Bytes that are not UTF-8 are kept by
`surrogateescape` (`os.fsencode` gives them back). Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mux_lsp.core.permissions import Rule  # noqa: TC001  # the journal reads the types of fields


class RunState(StrEnum):
    """Where a run stands: `queued → preparing → running ⇄ waiting → checking → finished`, or one of the other ends."""

    QUEUED = "queued"
    """Waits for its turn."""
    PREPARING = "preparing"
    """Its worktree is being made."""
    RUNNING = "running"
    """Its agent works."""
    WAITING = "waiting"
    """Needs a person: a permission or a question."""
    CHECKING = "checking"
    """Its agent has ended; the checks judge the result."""
    FINISHED = "finished"
    """Done; the result is in the shadow store. Checks may have failed: that is a finding, not a failure of the run."""
    FAILED = "failed"
    """The agent could not start or ended with an error. What it had changed is kept as its result."""
    CANCELLED = "cancelled"
    """A person ended it, a limit, or that others had done its work: `reason` says so. What it had changed until then is
    kept as its result."""
    INTERRUPTED = "interrupted"
    """The daemon or machine stopped under it and it could not be taken up again."""

    @property
    def ended(self) -> bool:
        """Whether the run has come to an end, whichever."""
        return self in {RunState.FINISHED, RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED}


class HunkStatus(StrEnum):
    """What a hunk is to one live text. Only `rejected` is stored; the rest are facts about the text."""

    PENDING = "pending"
    """The live text has what the snapshot had: the hunk can be placed exactly."""
    APPLIED = "applied"
    """The live text already holds it, however it came there."""
    CONFLICT = "conflict"
    """The live text differs here from both snapshot and result."""
    REJECTED = "rejected"
    """The person said no."""


class ChangeKind(StrEnum):
    """How a run's result differs from the snapshot at one path."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    """The file at `old_path` has gone and stands here, maybe with other content."""
    COPIED = "copied"
    """A new file that was made from the one at `old_path`, which stays."""


class CheckState(StrEnum):
    """How a check stands."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something the person sees that a snapshot could not take, with the reason in words."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A commit in the shadow store: the repository as its person saw it at one moment."""

    commit: str
    tree: str
    head: str | None
    """The person's HEAD commit then, or None in a repository without commits."""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Hunk:
    """One contiguous change of one file between snapshot and result, in lines of the snapshot's text.

    `removed` are the lines `[start, start + len(removed))` of the snapshot with their line ends; `added` stand in their
    place in the result. `id` is derived from the content, so equal hunks of several runs have equal ids.
    """

    id: str
    start: int
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def end(self) -> int:
        """The first line of the snapshot after the hunk."""
        return self.start + len(self.removed)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that a result changes. Modes are git's (0 where there is no file), object names the shadow store's."""

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
    """Where the file was in the snapshot, if it was renamed or copied."""

    @property
    def base_path(self) -> str:
        """Where the file that changes is in the snapshot; the path itself for a new one, a copy too."""
        return self.old_path if self.kind is ChangeKind.RENAMED and self.old_path is not None else self.path

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path at which something is different afterwards: both of a rename."""
        return (self.path,) if self.base_path == self.path else (self.base_path, self.path)


TESTS_NAMED = 50
"""How many tests are named where tests are told apart."""


@dataclass(frozen=True, slots=True)
class Tests:
    """What a check's report says of its tests. They are told apart from those of the same check on the snapshot.

    The names of at most `TESTS_NAMED` of each kind are kept; the counts are of all.
    """

    __test__ = False  # for pytest: no test itself

    passed: int
    failed: int
    skipped: int = 0
    newly_passing: int = 0
    """Those that pass and did not on the snapshot, the ones that it had not included."""
    added: int = 0
    """How many of those it had not: an attempt can add as many tests of its own as it likes."""
    newly_failing: int = 0
    """Those that passed on the snapshot and fail, or are gone."""
    names_passing: tuple[str, ...] = ()
    names_failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A command that judges a result by its exit status, and how that went."""

    command: str
    state: CheckState
    exit_status: int | None = None
    seconds: float | None = None
    baseline_state: CheckState | None = None
    """How it went on the snapshot itself; None where that is not known yet."""
    tests: Tests | None = None
    """Where it wrote a report of its tests."""

    @property
    def missing_report(self) -> bool:
        """Whether it ended well and counts as failed: it says nothing of its tests, and on the snapshot it does."""
        return self.state is CheckState.FAILED and self.exit_status == 0


@dataclass(frozen=True, slots=True)
class AgentChoice:
    """What a prompt asks for: an agent by name (or `sh:COMMAND`), how many runs of it, and with which model."""

    agent: str
    count: int = 1
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """A place in the repository that a prompt is about. Lines are 0-based and half-open; None means the whole file."""

    path: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class RootIdentity:
    """Identify a working tree, to tell it from another one that has its name later.

    Without device numbers, which another boot may give anew.
    """

    inode: int
    git_inode: int | None
    """The inode of `.git`; None where that is no folder."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a worktree is made ready before an agent begins."""

    commands: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """Patterns of the files on which it depends what the commands make. Empty: the files that are known for that."""


@dataclass(frozen=True, slots=True)
class Run:
    """One agent's attempt at a task, in one worktree."""

    id: str
    task: str
    agent: str
    model: str | None
    state: RunState
    reason: str | None = None
    """Why the run is in this state, in words, where that is not obvious."""
    base: str | None = None
    """The snapshot commit that its result is compared with."""
    result: str | None = None
    """The commit of its newest result in the shadow store."""
    files: tuple[FileChange, ...] = ()
    hunks: int = 0
    checks: tuple[Check, ...] = ()
    tampered: tuple[str, ...] = ()
    """What judges it and was changed by it: tests that the snapshot had, and the configuration of checks."""
    hidden_config: tuple[str, ...] = ()
    """Configuration of checks that stands in its worktree and in no result: it has written rules that ignore it."""
    restored_checks: tuple[Check, ...] = ()
    """How the checks go with what it tampered with as the snapshot had it. Empty where there is no such thing."""
    left_out: tuple[LeftOut, ...] = ()
    worktree: str | None = None
    """The slot whose worktree it has, while it has one."""
    setup: str | None = None
    """Which set-up its worktree was made ready by; None where there was none."""
    port: int | None = None
    pid: int | None = None
    pid_created: float | None = None
    """When the process `pid` started, to tell it from a later process with the same number."""
    exit_status: int | None = None
    message: str | None = None
    """What it was last told to go on with; None for the task's own prompt."""
    result_complete: bool = False
    """Whether its result was taken whole after its agent had ended. Its worktree is not given back before."""
    turn: int = 0
    """How many messages followed the task's prompt."""
    session: str | None = None
    """The agent's own name for its conversation."""
    merge_conflicts: tuple[str, ...] = ()
    """Where its changes and the person's collided when it was last brought up to date."""
    cost_usd: float | None = None
    tokens: int | None = None
    started: float | None = None
    finished: float | None = None
    work_seconds: float | None = None
    """Seconds that its agent has worked, on all messages together: without queues, set-up and checks."""
    cancel_requested: bool = False
    """Whether it is to end early, or did. On record before its first process is signalled: the next daemon goes on."""
    cancel_reason: str | None = None
    """Why, in words; None where its person ended it."""
    discarded: float | None = None
    """When the person threw it away; it can be brought back for a while."""
    allowed: tuple[Rule, ...] = ()
    """What the person has allowed it for good, exactly as it asked."""

    @property
    def effective_checks(self) -> tuple[Check, ...]:
        """The checks as they count: with what judges as the snapshot had it."""
        return self.restored_checks or self.checks


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt against one snapshot."""

    id: str
    prompt: str
    repository: str
    """The root folder of the person's working tree."""
    folder: str
    """The folder below it that was opened, `""` for the root: agents start in the same one."""
    created: float
    snapshot: Snapshot | None = None
    identity: RootIdentity | None = None
    """Nothing is accepted into another folder that has the root's name later. None in tasks of older versions."""
    setup: Setup = Setup()
    checks: tuple[str, ...] = ()
    check_seconds: float | None = None
    """How long one check may take; None for as long as the daemon's settings say."""
    protected: tuple[str, ...] = ()
    """Patterns of files that judge results, beside those that are known to."""
    notices: tuple[str, ...] = ()
    """What its person should know of how it was started: sentences."""
    baseline: tuple[Check, ...] = ()
    """How the checks go on the snapshot itself: all of them running while they are at it; empty before, and where it
    could not be told."""
    context: tuple[Context, ...] = ()
    runs: tuple[Run, ...] = ()
    runs_created: int = 0
    """How many runs it has ever had, deleted ones included: no number is given twice."""
    priority: int = 0
    """Runs of tasks with a higher one leave the queue first."""
    paused: bool = False
    """Whether those of its runs that are queued stay so."""
    stop_after: int | None = None
    """So many equal results that passed every check end the runs that are left; None for no such thing."""
    parent: str | None = None
    """The run whose agent started it; None where a person did."""
    max_cost_usd: float | None = None
    """What all of its runs may cost together."""
    max_tokens: int | None = None
    allowed: tuple[Rule, ...] = ()
    """What the person has allowed all of its runs, exactly as they asked."""

    @property
    def active_runs(self) -> tuple[Run, ...]:
        """The runs that the person has not thrown away: those that compete and agree."""
        return tuple(run for run in self.runs if run.discarded is None)

    @property
    def ended(self) -> bool:
        """Whether every run has ended."""
        return all(run.state.ended for run in self.runs)
