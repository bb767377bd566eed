"""Define a preset, the description of one command-line agent, and the request to launch it."""

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
    """The commands that an agent may run. All others are refused, since there is nobody to ask.

    A command is given by its first words; None stands for every command. Deny takes precedence over allow.
    """

    allow: tuple[str | None, ...] = ()
    deny: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """The inputs of a launch."""

    run: str
    prompt: str
    worktree: Path
    folder: Path
    """The working directory: `worktree` or a folder in it."""
    run_folder: Path
    """The folder for files that only this run needs."""
    environment: Mapping[str, str]
    """The agent's complete environment, except for additions in `Launch.environment`."""
    model: str | None = None
    session: str | None = None
    """The agent's own name for the conversation to continue; None for a new one."""
    moved: bool = False
    """True if that conversation was held in a folder other than `folder`."""
    trusted: bool = False
    """True if the hooks and servers of the repository may run."""
    commands: Commands = field(default_factory=Commands)


@dataclass(frozen=True, slots=True)
class Launch:
    """The arguments, environment and files with which a program is started."""

    arguments: tuple[str, ...]
    """The arguments after the program's name."""
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts of files that are written to the run's folder before the start, by their names."""
    reads_input: bool = True
    """True if it reads the prompt from its standard input. Arguments are limited in length, so this is preferred."""
    session: str | None = None
    """The session's name, if it was chosen for the agent."""
    forgets: bool = False
    """True if a conversation cannot be continued as requested, so that a new one begins."""


class Parser(Protocol):
    """Parser of an agent's output, line by line. No line makes it raise. It keeps its state between lines."""

    def begin_turn(self) -> None:
        """Begin another turn: forget how the last one ended."""
        ...

    def feed(self, line: str) -> list[Event]:
        """Return the events of a line, given without its newline."""
        ...

    def finish(self) -> list[Event]:
        """Return the remaining events. Call it after the last line."""
        ...

    def outcome(self, exit_status: int | None) -> Outcome:
        """Return the outcome, from the exit status and the agent's own messages."""
        ...


@dataclass(frozen=True, slots=True)
class Preset:
    """The description of one agent."""

    name: str
    """The name people use, and the `kind` in the configuration."""
    program: str
    """The program's file name on PATH."""
    install: str
    """Instructions for installing it."""
    launch: Callable[[LaunchRequest], Launch]
    """The function that builds the command line for a request. Raises UsageError if the request cannot be run safely.
    """
    parser: Callable[[], Parser]
    keys: tuple[str, ...] = ()
    """Variables that hold a key. One of them is enough."""
    logins: tuple[str, ...] = ()
    """Files that show that its person is logged in; one of them is enough. `~` is the home folder, `$NAME` a variable.
    """
    dropped: frozenset[str] = frozenset()
    """Variables to remove from its environment, because it would take itself for a part of another agent."""


def commands_of(rules: Rules, checks: Iterable[str] = ()) -> Commands:
    """Return the commands that the person's rules allow and deny. The task's checks are always allowed."""
    return Commands(
        (*(rule.subject for rule in rules.allow if rule.tool in {RUN, "*"}), *checks),
        tuple(rule.subject for rule in rules.deny if rule.tool in {RUN, "*"}),
    )


def is_session(text: str) -> bool:
    """Return whether a text can be a session's name. Agents choose it, and it is used in command lines and paths."""
    return _SESSION.fullmatch(text) is not None
