"""What mux-lsp knows of one command-line agent, and what it is asked to start it for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from mux_lsp.core.permissions import RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mux_lsp.agents.backend import Outcome
    from mux_lsp.agents.events import Event
    from mux_lsp.core.permissions import Rules

_SESSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Commands:
    """What an agent may run without asking anybody: nobody is there to be asked.

    A command is meant by its beginning, word by word; None stands for every command. Deny wins over allow.
    """

    allow: tuple[str | None, ...] = ()
    deny: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What an agent is to be started for."""

    run: str
    prompt: str
    worktree: Path
    folder: Path
    """Where it starts: `worktree` or a folder in it."""
    run_folder: Path
    """For files that only this run needs."""
    environment: Mapping[str, str]
    """The whole of what it finds in its environment, but for what `Launch.environment` adds."""
    model: str | None = None
    session: str | None = None
    """The agent's own name for the conversation that is to go on; None for a new one."""
    moved: bool = False
    """Whether that conversation was held in another folder than `folder`."""
    trusted: bool = False
    """Whether the hooks and servers that the repository brings may run."""
    commands: Commands = field(default_factory=Commands)


@dataclass(frozen=True, slots=True)
class Launch:
    """How a program is started."""

    arguments: tuple[str, ...]
    """Behind the program's name."""
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts of files that are put into the run's folder before."""
    reads_input: bool = True
    """Whether it reads the prompt from its standard input: where an argument would do, one may be too long for it."""
    session: str | None = None
    """The session's name, where it was chosen for the agent."""
    forgets: bool = False
    """Whether a conversation was to go on and cannot: it begins anew."""


class Parser(Protocol):
    """Reads what an agent prints, line by line. No line makes it raise. It keeps what it needs between lines."""

    def begin_turn(self) -> None:
        """Another message follows: forget how the last one ended."""
        ...

    def feed(self, line: str) -> list[Event]:
        """What a line says, which is without its newline."""
        ...

    def finish(self) -> list[Event]:
        """What is left to say when there are no more lines."""
        ...

    def outcome(self, exit_status: int | None) -> Outcome:
        """How the agent ended, by its exit status and by its own words."""
        ...


@dataclass(frozen=True, slots=True)
class Preset:
    """One agent."""

    name: str
    """What people call it, and the `kind` of configured ones."""
    program: str
    """The program's name on PATH."""
    install: str
    """How a person gets it."""
    launch: Callable[[LaunchRequest], Launch]
    """The command line of an request. Raises UsageError where there can be none."""
    parser: Callable[[], Parser]
    keys: tuple[str, ...] = ()
    """Variables by any of which it has a key."""
    logins: tuple[str, ...] = ()
    """Files of which one is there when its person is logged in. `~` is the home folder, `$NAME` a variable."""
    dropped: frozenset[str] = frozenset()
    """Variables that it must not find: those by which it would take itself for a part of another one."""


def commands_of(rules: Rules, checks: Iterable[str] = ()) -> Commands:
    """What the person's rules say of commands, and the task's checks, which may run in any case."""
    return Commands(
        (*(rule.subject for rule in rules.allow if rule.tool in {RUN, "*"}), *checks),
        tuple(rule.subject for rule in rules.deny if rule.tool in {RUN, "*"}),
    )


def is_session(text: str) -> bool:
    """Whether a text can be a session's name. An agent told it, and it is to stand in a command line and in paths."""
    return _SESSION.fullmatch(text) is not None
