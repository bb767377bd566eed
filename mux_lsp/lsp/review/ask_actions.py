"""Offer code actions that start agents: on other servers' diagnostics, on a selection, and on TODO comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lsprotocol import types

from mux_lsp.core.sanitize import printable
from mux_lsp.core.text import split_lines
from mux_lsp.lsp.review import code_action, command_links
from mux_lsp.lsp.review.diagnostics import SOURCE
from mux_lsp.lsp.review.places import last_line, one_line
from mux_lsp.lsp.wire.documents import uri_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mux_lsp.lsp.wire.documents import Document

MAX_TITLE: Final = 80
"""Maximum number of characters of a diagnostic or a comment in a title."""

MAX_MESSAGE: Final = 4000
"""Maximum number of characters of a diagnostic in a prompt."""

MAX_OFFERED: Final = 5
"""Maximum number of diagnostics, and of comments, for which agents are offered."""

_COMMENT: Final = re.compile(r"#|//|/\*|\*|--|;|%|<!--|\"\"\"|'''")
"""The beginnings of comments in most languages."""

_TODO: Final = re.compile(r"\b(?:TODO|FIXME)\b(?!\.\w)")
"""A word that marks a comment as a task. It is searched for after the comment sign: one pattern for both would be slow
on the lines of minified files."""

_WORDS: Final = ("TODO", "FIXME")

_COMMENT_END: Final = re.compile(r"(?:\*/|-->|\"\"\"|''')$")

_SEVERITIES: Final = {
    types.DiagnosticSeverity.Error: "error",
    types.DiagnosticSeverity.Warning: "warning",
    types.DiagnosticSeverity.Information: "note",
    types.DiagnosticSeverity.Hint: "hint",
}


@dataclass(frozen=True, slots=True)
class Begin:
    """The command with which code actions start a task, and the reason why none can be started, if any."""

    command: str = "mux.task.start"
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The document that agents would work on."""

    uri: str
    folder: str
    """The URI of the folder in which agents would start."""
    path: str
    """The document's path relative to that folder."""
    lines: Sequence[str]

    @classmethod
    def of(cls, document: Document, folders: Iterable[Path]) -> Subject:
        """Return the subject for a document of a client that has these folders open."""
        file = document.path
        folder = next((one for one in folders if file.is_relative_to(one)), file.parent)
        path = one_line(file.relative_to(folder).as_posix())
        return cls(document.uri, uri_of(folder), path, split_lines(document.content))


def foreign(diagnostics: Iterable[types.Diagnostic]) -> list[types.Diagnostic]:
    """Return the diagnostics that are not ours, without duplicates."""
    found: dict[tuple[str, int], types.Diagnostic] = {}
    for one in diagnostics:
        if one.source != SOURCE and one.message.strip():
            found.setdefault((one.message, one.range.start.line), one)
    return list(found.values())[:MAX_OFFERED]


def is_selection(range_: types.Range, complaints: Iterable[types.Diagnostic]) -> bool:
    """Return whether the person selected a range: some editors send a diagnostic's range when they ask about it."""
    return range_.start != range_.end and all(one.range != range_ for one in complaints)


def may_have_todos(content: str) -> bool:
    """Return whether a text may contain TODO comments, so that its lines are worth reading."""
    return any(word in content for word in _WORDS)


def fixes(subject: Subject, complaints: Iterable[types.Diagnostic], begin: Begin) -> list[types.CodeAction]:
    """Return an action for each diagnostic of another language server: let agents fix it."""
    asks = [_Ask(f"fix: {_short(one.message)}", _complaint(subject, one), one.range) for one in complaints]
    return _actions(subject, asks, code_action.ASK_TO_FIX, begin)


def todo(subject: Subject, line: int, begin: Begin) -> list[types.CodeAction]:
    """Return an action for the TODO comment in a line, if there is one: let agents do it."""
    asks = [
        _Ask(f"do: {_short(words)}", _todo(subject, words, line), _line(subject, line))
        for _, words in _todos(subject.lines[line : line + 1], line)
    ]
    return _actions(subject, asks, code_action.ASK, begin)


def work(subject: Subject, range_: types.Range, begin: Begin) -> list[types.CodeAction]:
    """Return actions for a selection: do its TODO comments, or if it has none finish and correct what is there."""
    first, last = range_.start.line, last_line(range_)
    todos = _todos(subject.lines[first : last + 1], first)[:MAX_OFFERED]
    asks = [_Ask(f"do: {_short(words)}", _todo(subject, words, line), range_) for line, words in todos]
    where = f"line {first + 1}" if first == last else f"lines {first + 1}-{last + 1}"
    prompt = (
        f"Work on {where} of {subject.path}: finish what is not finished there, correct what is wrong, and make clear "
        "what is not. Change other places only where that makes it necessary."
    )
    return _actions(subject, asks or [_Ask("work on the selection", prompt, range_)], code_action.ASK, begin)


class _Ask(NamedTuple):
    what: str
    prompt: str
    range: types.Range


def _actions(subject: Subject, asks: Iterable[_Ask], kind: str, begin: Begin) -> list[types.CodeAction]:
    made = []
    for ask in asks:
        argument: dict[str, Any] = {
            "prompt": ask.prompt,
            "context": [{"uri": subject.uri, "range": _wire(ask.range)}],
            "repository": subject.folder,
        }
        title = f"Ask agents to {ask.what}"
        one = code_action.action(command_links.command(title, begin.command, argument), kind)
        made.append(code_action.disabled(one, begin.refusal) if begin.refusal else one)
    return made


def _line(subject: Subject, line: int) -> types.Range:
    """Return the range of one line without its end."""
    # UTF-16 is never shorter than the client's units, and a position after the end counts as the end.
    end = len(subject.lines[line].rstrip("\r\n").encode("utf-16-le")) // 2
    return types.Range(types.Position(line, 0), types.Position(line, end))


def _wire(range_: types.Range) -> dict[str, dict[str, int]]:
    return {
        name: {"line": position.line, "character": position.character}
        for name, position in (("start", range_.start), ("end", range_.end))
    }


def _complaint(subject: Subject, one: types.Diagnostic) -> str:
    """Return a prompt with everything known about a diagnostic, because the person is not asked for more."""
    line = one.range.start.line
    what = _SEVERITIES.get(one.severity, "problem") if one.severity else "problem"
    by = one_line(one.source) if one.source else "a language server"
    code = f" ({one_line(str(one.code))})" if one.code is not None else ""
    said = printable(one.message).strip()
    prompt = f"Fix this {what} that {by}{code} reports in {subject.path}, line {line + 1}:\n\n{said[:MAX_MESSAGE]}\n"
    if line < len(subject.lines) and subject.lines[line].strip():
        prompt += f"\nThe line is:\n\n{subject.lines[line].rstrip()[:MAX_MESSAGE]}\n"
    return prompt


def _todos(lines: Iterable[str], first: int) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(lines, first):
        comment = _COMMENT.search(line)
        if comment and (match := _TODO.search(line, comment.end())):
            words = _COMMENT_END.sub("", line[match.start() :].rstrip()).rstrip()[:MAX_MESSAGE]
            if re.sub(r"\W", "", words) not in _WORDS:
                found.append((number, words))
    return found


def _todo(subject: Subject, words: str, line: int) -> str:
    return f"{words}\n\nThis comment stands in {subject.path}, line {line + 1}. Do what it asks, then take it away.\n"


def _short(words: str) -> str:
    words = one_line(words)
    return words if len(words) <= MAX_TITLE else f"{words[: MAX_TITLE - 1]}…"
