"""Decide what an agent may do without asking, by rules of tool and subject.

A rule is `TOOL` or `TOOL:SUBJECT`. For the tool `run` the subject is the beginning of a command, word by word:
`run:git diff` allows `git diff --stat` and not `git difftool`. For every other tool it is a path pattern:
`write:docs/*`.

Deny wins over allow, and a request that no rule matches is asked. A command is allowed only if every command in it
is understood and allowed by itself: behind `&&`, `|` or `;` there may be anything, and the first word does not show
what a substitution, a redirection or a wrapper such as `sudo` or `sh -c` would run. Rules spare a person questions;
they are not a sandbox, since an allowed program can start any other.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

RUN: Final = "run"
"""The tool whose subjects are command lines."""

WRITE: Final = "write"
"""The tool whose subjects are files. Paths inside the worktree are relative."""


WORKTREE: Final = "$MUX_WORKTREE"
"""Placeholder in requests for the run's own worktree folder, named like the shell variable with that path.

So the runs of a task that request the same, each in its own folder, ask one question, and its answer applies to all.
"""


class Ruling(StrEnum):
    """Outcome of the rules for a request."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """Action that an agent wants to take. `subject` is a command, a path or a URL; `title` describes it in one line."""

    tool: str
    subject: str
    title: str
    unasked: bool = False
    """True if no person needs to be asked: it is done unless a rule denies it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of an allow or deny list."""

    tool: str
    subject: str | None = None

    def __str__(self) -> str:
        return self.tool if self.subject is None else f"{self.tool}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Rules:
    """An allow list and a deny list."""

    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()

    def rule_on(self, request: PermissionRequest) -> Ruling:
        """Return the ruling of these rules on a request."""
        if request.tool == RUN:
            return _judge_command(request.subject, self)
        if any(_speaks_of(rule, request) for rule in self.deny):
            return Ruling.DENY
        return Ruling.ALLOW if any(_speaks_of(rule, request) for rule in self.allow) else Ruling.ASK

    def and_also(self, other: Rules) -> Rules:
        """Return rules with the entries of both."""
        return Rules((*self.allow, *other.allow), (*self.deny, *other.deny))


_RULE: Final = re.compile(r"(?P<tool>[a-z][a-z_-]*|\*)(?::(?P<subject>.*\S.*))?", re.DOTALL)


def parse_rule(text: str) -> Rule:
    """Parse `TOOL` or `TOOL:SUBJECT`. Raises UsageError if the text is neither."""
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a rule: write TOOL or TOOL:SUBJECT, as in 'run:npm test' or 'write:docs/*'.")
    subject = match["subject"]
    if match["tool"] in {RUN, "*"} and subject is not None and not _words(subject):
        raise UsageError(f"{text!r} is not a rule: its command has an open quote or holds more than one command.")
    return Rule(match["tool"], subject and subject.strip())


def rules(allow: Iterable[str] = (), deny: Iterable[str] = ()) -> Rules:
    """Parse two lists of rules. Raises UsageError for a text that is not a rule."""
    return Rules(tuple(map(parse_rule, allow)), tuple(map(parse_rule, deny)))


def rule_for(request: PermissionRequest) -> Rule:
    """Return the narrowest rule that would have allowed this request."""
    return Rule(request.tool, request.subject)


def in_any_worktree(request: PermissionRequest, folder: str) -> PermissionRequest:
    """Return the request with the path of the run's own worktree `folder` replaced by `WORKTREE`."""
    there = re.compile(rf"{re.escape(folder)}(?![\w.-])")
    subject, title = (there.sub(lambda _: WORKTREE, text) for text in (request.subject, request.title))
    return replace(request, subject=subject, title=title)


def _speaks_of(rule: Rule, request: PermissionRequest) -> bool:
    if rule.tool not in {request.tool, "*"}:
        return False
    return rule.subject is None or rule.subject == request.subject or fnmatchcase(request.subject, rule.subject)


_UNCLEAR: Final = re.compile(r"[`\n\r]|\$\(|\$\{|[<>]\(|\$'|<<")
"""Matches what can run or hide a command inside a word."""

_HARMLESS_REDIRECTION: Final = re.compile(r"(?<!\S)(?:\d?>&\d|&?\d?>>? ?/dev/null)(?=\s|$)")
MAX_COMMAND_CHARACTERS: Final = 100_000
"""Maximum length of a line that is split into words, in characters: a million take a second. No shell is given more."""

_SEPARATORS: Final = frozenset({"&&", "||", "|", ";", "&", "|&"})
_WRAPPERS: Final = frozenset(
    {
        ".", "ash", "bash", "builtin", "command", "dash", "doas", "env", "eval", "exec", "fish", "ionice", "ksh",
        "nice", "nohup", "parallel", "setsid", "sh", "source", "stdbuf", "sudo", "su", "time", "timeout",
        "watch", "xargs", "zsh",
    }
)  # fmt: skip
"""Programs whose arguments are a command themselves."""


def _judge_command(line: str, by: Rules) -> Ruling:
    exact = Ruling.ALLOW if any(rule.tool in {RUN, "*"} and rule.subject == line for rule in by.allow) else None
    commands = _commands(line)
    denying = [rule for rule in by.deny if rule.tool in {RUN, "*"}]
    if any(rule.subject is None for rule in denying):
        return Ruling.DENY
    # This also applies to a line that is only partly understood: a denied command in plain sight is denied.
    plain = commands if commands is not None else _rough_commands(line)
    if any(_begins(words, rule) for words in plain for rule in denying):
        return Ruling.DENY
    if exact:
        return exact
    allowing = [rule for rule in by.allow if rule.tool in {RUN, "*"}]
    if any(rule.subject is None for rule in allowing):
        return Ruling.ALLOW
    if not commands or any(_is_wrapped(words) for words in commands):
        return Ruling.ASK
    clear = all(_goes_home(words) or any(_starts_with(words, rule) for rule in allowing) for words in commands)
    return Ruling.ALLOW if clear else Ruling.ASK


def _begins(words: list[str], rule: Rule) -> bool:
    """Return whether a command is a denied one: also by its path, behind assignments, or inside a wrapper."""
    denied = _words(rule.subject or "") or []
    for at in range(len(words)):
        named = [words[at].rpartition("/")[2], *words[at + 1 :]]
        if named[: len(denied)] == denied:
            return True
        if not (_is_assignment(words[at]) or _is_wrapper(words[at]) or (at and _is_wrapper(words[0]))):
            return False
    return False


def _goes_home(words: list[str]) -> bool:
    """Return whether a command only changes into its own worktree: agents prepend that needlessly."""
    if len(words) != 2 or words[0] != "cd":
        return False
    first, *rest = words[1].split("/")
    return first == WORKTREE and ".." not in rest


def _starts_with(words: list[str], rule: Rule) -> bool:
    allowed = _words(rule.subject or "")
    return bool(allowed) and words[: len(allowed or ())] == allowed


def _is_assignment(word: str) -> bool:
    return re.match(r"[A-Za-z_][A-Za-z0-9_]*\+?=", word) is not None


def _is_wrapper(word: str) -> bool:
    return word.rpartition("/")[2] in _WRAPPERS


def _is_wrapped(words: list[str]) -> bool:
    return _is_assignment(words[0]) or _is_wrapper(words[0])


def _words(command: str) -> list[str] | None:
    """Return the words of one plain command, or None if it is not one."""
    commands = _commands(command)
    return commands[0] if commands is not None and len(commands) == 1 else None


def _commands(line: str) -> list[list[str]] | None:
    """Return the words of each command of a shell line, or None if the line is more than words and separators."""
    if len(line) > MAX_COMMAND_CHARACTERS or _UNCLEAR.search(line):
        return None
    lexer = shlex.shlex(_HARMLESS_REDIRECTION.sub(" ", line), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return None
    commands: list[list[str]] = [[]]
    for token in tokens:
        if token in _SEPARATORS:
            commands.append([])
        elif token and not set(token) - set("();<>|&"):
            return None
        else:
            commands[-1].append(token)
    return [words for words in commands if words]


def _rough_commands(line: str) -> list[list[str]]:
    """Return possible commands in a line that is not understood: for finding denied ones, not for allowing any."""
    pieces = re.split(r"&&|\|\||[;|&\n\r(){}`]|\$\(", line)
    return [words for piece in pieces if (words := piece.replace('"', " ").replace("'", " ").split())]
