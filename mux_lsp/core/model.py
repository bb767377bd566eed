"""The words of mux-lsp as plain data: tasks, runs, snapshots, changes and hunks.

Paths are `str` relative to the repository's root with `/` between components. Bytes that are not UTF-8 are kept by
`surrogateescape` (`os.fsencode` gives them back). Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    """A person ended it. What it had changed until then is kept as its result."""
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


@dataclass(frozen=True, slots=True)
class Check:
    """A command that judges a result by its exit status, and how that went."""

    command: str
    state: CheckState
    exit_status: int | None = None
    seconds: float | None = None


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
    left_out: tuple[LeftOut, ...] = ()
    worktree: str | None = None
    """The slot whose worktree it has, while it has one."""
    port: int | None = None
    pid: int | None = None
    pid_created: float | None = None
    """When the process `pid` started, to tell it from a later process with the same number."""
    exit_status: int | None = None
    message: str | None = None
    """What it was last told to go on with; None for the task's own prompt."""
    taken: bool = False
    """Whether its result was taken whole after its agent had ended. Its worktree is not given back before."""
    turn: int = 0
    """How many messages followed the task's prompt."""
    session: str | None = None
    """The agent's own name for its conversation."""
    collided: tuple[str, ...] = ()
    """Where its changes and the person's collided when it was last brought up to date."""
    cost_usd: float | None = None
    tokens: int | None = None
    started: float | None = None
    finished: float | None = None


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
    checks: tuple[str, ...] = ()
    context: tuple[Context, ...] = ()
    runs: tuple[Run, ...] = ()
    numbered: int = 0
    """How many runs it has ever had, deleted ones included: no number is given twice."""

    @property
    def ended(self) -> bool:
        """Whether every run has ended."""
        return all(run.state.ended for run in self.runs)
