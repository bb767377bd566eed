"""Identify the process at the other end of a connection: the person, or a caller with fewer permissions.

A process is identified by its parents, which it can lose but not choose, by its session, by the environment that it and
these were started with, and by its open files. Each of these is read at a different moment, while processes end, fork
and lose their parents. So each link of the chain is read again after the next process, and an incomplete check
identifies nobody.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mux_lsp.callers import Agent, Guest, Nobody, Person
from mux_lsp.daemon.interactive import by_environment, by_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mux_lsp.callers import Caller
    from mux_lsp.daemon.process_tables import Facts, Table

MAX_ROUNDS: Final = 20
"""Maximum number of times a check is repeated because a parent has ended meanwhile."""

MAX_ANCESTORS: Final = 1000
"""Maximum number of ancestors of a process. No process of a user has more, and the check must end."""

HIDDEN: Final = "what has started it may not be looked at (is /proc mounted with hidepid?)"

INSTEAD: Final = "run it yourself, in a terminal of your own; nothing was changed"


@dataclass(frozen=True, slots=True)
class LookContext:
    """The marks by which a daemon recognizes its own agents."""

    daemon: int
    """The daemon's pid. On Linux, orphans of its agents become its children."""
    state: str
    """The daemon's state folder, without links in the path."""
    sessions: Mapping[int, str]
    """The sessions of the supervisors of its runs, checks and set-ups, with the name of each."""


@dataclass(frozen=True, slots=True)
class Target:
    """The process to check, held so that a reuse of its pid is noticed."""

    pid: int
    alive: Callable[[], bool]
    """A function that returns whether it is still the process that connected, and has not ended."""
    before: float | None = None
    """Time by which it must have been started, as in `Facts.created`, if it was held only after it had connected."""


@dataclass(slots=True)
class Traces:
    """The result of a check."""

    names: tuple[str, ...] = ()
    """Names of runs, checks and set-ups that it may belong to, the most reliable one first."""
    ours: bool = False
    """True if it was started by a process of this daemon, even without a name."""
    tool: str | None = None
    """The user's own agent that started it."""
    failure: str | None = None
    """Reason why the check is not complete."""
    hidden: str | None = None
    """Reason why no process that connects in this way can be checked."""


def identify(table: Table, target: Target, ground: LookContext) -> Traces:
    """Check a process, its parents, and the leaders of their sessions. Call it in a thread."""
    found = _Found(ground)
    found.traces.failure = _identify(table, target, found)
    found.traces.names = tuple(dict.fromkeys([*reversed(found.names), *found.of_sessions]))
    return found.traces


def decide(traces: Traces, claimed: str | None, starter: Callable[[Iterable[str]], str | None], *, key: bool) -> Caller:
    """Return the caller, by what was found, the run that it claims, and whether it has sent the person's key.

    `starter` returns the first of several names that is one of this daemon's.
    """
    known = starter(traces.names if claimed is None else (*traces.names, claimed))
    if known is not None or traces.ours:
        return Agent(known)
    if traces.failure is not None:
        return Nobody(f"{traces.failure}: {INSTEAD}")
    if traces.tool is not None:
        why: str | None = f"this was started by {traces.tool}"
    else:
        why = traces.hidden or (None if key else "the program that asks has not shown the person's key")
    return Person() if why is None else Guest(f"{why}: {INSTEAD}")


@dataclass
class _Found:
    """The findings of several rounds together: what was seen once counts."""

    ground: LookContext
    traces: Traces = field(default_factory=Traces)
    names: list[str] = field(default_factory=list)
    """Innermost first."""
    of_sessions: list[str] = field(default_factory=list)
    hidden: bool = False
    """True if a parent exists that may not be checked."""

    def take(self, facts: Facts) -> None:
        """Check one process of the chain, or one that leads a session of the chain."""
        ground = self.ground
        environment = facts.environment or {}
        if (run := environment.get("MUX_RUN")) and run not in self.names:
            self.names.append(run)
        if _is_ours(environment.get("MUX_WORKTREE", ""), ground.state):
            self.traces.ours = True
        self.take_files(facts.streams)
        for number in (facts.session, facts.group):
            if (name := ground.sessions.get(number)) is not None:
                self.traces.ours = True
                self.of_sessions.append(name)
        self.traces.tool = self.traces.tool or by_environment(environment) or by_program(facts.arguments)

    def take_files(self, files: Iterable[str]) -> None:
        if any(_is_ours(file, self.ground.state) for file in files):
            self.traces.ours = True


def _identify(table: Table, target: Target, found: _Found) -> str | None:
    """Collect the findings. Return the reason why they are incomplete, as a clause, or None."""
    for _ in range(MAX_ROUNDS):
        if not target.alive():
            return "the program that asks had ended before it could be looked at"
        if (failure := _look_at_itself(table, target, found)) is not None:
            return failure
        if _follow(table, target, found):
            # Only now it is certain that all of this was read from the process that connected.
            return None if target.alive() else "the program that asks ended while it was looked at"
        if found.hidden:
            return HIDDEN
    return "the program that asks was started by processes that change faster than they can be looked at"


def _look_at_itself(table: Table, target: Target, found: _Found) -> str | None:
    facts, files = table.facts(target.pid), table.files(target.pid)
    if facts is None:
        return "the program that asks had ended before it could be looked at"
    if target.before is not None and facts.created >= target.before:
        return "the program that asks had ended before it could be looked at, and another process has its number"
    found.take(facts)
    found.take_files(files or ())
    if facts.environment is None or files is None:
        return "the program that asks may not be looked at"
    return None


def _follow(table: Table, target: Target, found: _Found) -> bool:
    """Follow the parents. Return False if one has ended meanwhile, so that the chain has changed."""
    facts = table.facts(target.pid)
    sessions = set()
    for _ in range(MAX_ANCESTORS):
        if facts is None:
            return False
        found.take(facts)
        sessions.add(facts.session)
        # If the daemon is process 1, all orphans are its children.
        if facts.parent == found.ground.daemon != 1:
            found.traces.ours = True
            break
        if facts.parent == 0 or facts.pid == 1:
            break
        parent = table.facts(facts.parent)
        hidden = parent is None and table.hides(facts.parent)
        # A parent is older than its child; and when it is read again, the child must still have this parent.
        if parent is not None and parent.created > facts.created:
            return False
        if table.parent(facts.pid) != (facts.created, facts.parent):
            return False
        if hidden and facts.parent == 1:
            # Process 1 needs no check: it has no parent.
            break
        if parent is None:
            found.hidden = hidden
            return False
        facts = parent
    else:
        return False
    for leader in map(table.facts, sorted(sessions)):
        if leader is not None:
            found.take(leader)
    return True


def _is_ours(file: str, state: str) -> bool:
    """Return whether a path is where runs keep their files, or where agents work.

    A process's working folder does not count: the person's own shell may be in a worktree.
    """
    if not file.startswith(f"{state}/"):
        return False
    first, *more = os.path.normpath(file[len(state) + 1 :]).split("/")
    return first == "runs" or (first == "repos" and more[1:2] in [["worktrees"], ["gitdirs"]])
