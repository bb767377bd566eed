"""What there is to review in one open document, as code lenses, code actions, diagnostics and hover."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from mux_lsp.agents.log import printable
from mux_lsp.core import diff, text
from mux_lsp.core.model import ChangeKind, HunkStatus
from mux_lsp.lsp import convert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mux_lsp.engine.review import Item, LiveText

SOURCE = "mux"
"""The source of our diagnostics."""

ACCEPT_HUNK = "quickfix.mux.accept"
REJECT_HUNK = "quickfix.mux.reject"
ACCEPT_FILE = "refactor.rewrite.mux.file"
ACCEPT_RUN = "refactor.rewrite.mux.run"
KINDS = (ACCEPT_HUNK, REJECT_HUNK, ACCEPT_FILE, ACCEPT_RUN)
"""The kinds of our code actions."""

HOVER_LINES = 200
"""A hover shows this many lines of a diff at the most."""


@dataclass(frozen=True, slots=True)
class Shows:
    """What a client can show of code actions and hovers."""

    literals: bool = False
    """Code actions; commands without."""
    lazily: bool = False
    """Code actions whose edit is asked for when they are chosen."""
    disabled: bool = False
    """Code actions that cannot be chosen, with the reason."""
    preferred: bool = False
    markdown: bool = True

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities) -> Shows:
        """Read them from what the client said at initialize."""
        document = capabilities.text_document or types.TextDocumentClientCapabilities()
        action = document.code_action or types.CodeActionClientCapabilities()
        resolves = action.resolve_support.properties if action.resolve_support else ()
        formats = (document.hover and document.hover.content_format) or [types.MarkupKind.Markdown]
        return cls(
            literals=action.code_action_literal_support is not None,
            lazily="edit" in resolves and bool(action.data_support),
            disabled=bool(action.disabled_support),
            preferred=bool(action.is_preferred_support),
            markdown=formats[0] == types.MarkupKind.Markdown,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """One change that one or several runs would make at one place of a document, as it stands to its text."""

    item: Item
    runs: tuple[str, ...]
    """The runs that share it, the first of them being the item's."""
    range: types.Range
    of: int = 1
    """How many runs there are in that task that have changed something."""

    @property
    def hunk_id(self) -> str | None:
        """The id that the runs' hunks share, None for a change without hunks."""
        return self.item.hunk.id if self.item.hunk else None

    @property
    def what(self) -> str:
        """The change in a few characters: lines added and removed, or `delete the file` and the like."""
        if self.item.hunk is not None:
            if self.item.review.change.kind is ChangeKind.DELETED:
                return "delete the file"
            return f"+{len(self.item.hunk.added)} −{len(self.item.hunk.removed)}"  # noqa: RUF001  a minus sign
        return "whole file" if self.item.review.whole else "file mode"

    @property
    def who(self) -> str:
        """Whose change it is."""
        agreed = f" ({len(self.runs)}/{self.of} agree)" if self.of > 1 else ""
        return f"{self.runs[0]}{agreed}"


@dataclass(frozen=True, slots=True)
class View:
    """All places of a document at one version of its text."""

    version: int
    live: LiveText
    places: tuple[Place, ...]

    def shown(self) -> list[Place]:
        """The places that wait for a decision."""
        return [place for place in self.places if place.item.status in {HunkStatus.PENDING, HunkStatus.CONFLICT}]


def view(
    version: int,
    live: LiveText,
    items: Iterable[Item],
    runs_of_task: dict[str, int],
    encoding: text.PositionEncoding,
) -> View:
    """Put equal changes together, in the order of the text. `runs_of_task` counts the runs with a result."""
    grouped: dict[tuple[str, str, HunkStatus], list[Item]] = {}
    for item in items:
        task = item.review.run.rpartition("-")[0]
        key = item.hunk.id if item.hunk else f"{item.review.change.new_mode:o} {item.review.change.new_object}"
        grouped.setdefault((task, key, item.status), []).append(item)
    places = [
        Place(
            same[0],
            tuple(item.review.run for item in same),
            convert.item_range(same[0], encoding),
            runs_of_task.get(task, 1),
        )
        for (task, _, _), same in grouped.items()
    ]
    return View(version, live, tuple(sorted(places, key=lambda place: (place.item.start, -len(place.runs)))))


def _reach(found: View, range_: types.Range) -> types.Range:
    """From where a place can be reached: one behind the last line from that line; not every cursor gets further."""
    last = max(0, len(found.live.lines or ()) - 1)
    if range_.start.line <= last:
        return range_
    return types.Range(types.Position(last, 0), types.Position(last, 0))


def diagnostics(places: Iterable[Place]) -> list[types.Diagnostic]:
    """A hint over each place that waits for a decision."""
    return [
        types.Diagnostic(
            range=place.range,
            severity=types.DiagnosticSeverity.Hint,
            source=SOURCE,
            code=place.hunk_id,
            message=_sentence(place),
        )
        for place in places
    ]


def _sentence(place: Place) -> str:
    if place.item.status is HunkStatus.CONFLICT:
        return f"{place.who}: {place.what}, conflict: {place.item.reason or 'cannot be placed exactly'}"
    return f"{place.who}: {place.what}"


def lenses(shown: View) -> list[types.CodeLens]:
    """Accept and Reject above each place; a conflict says why it cannot be accepted."""
    found: list[types.CodeLens] = []
    for place in shown.shown():
        line = types.Position(_reach(shown, place.range).start.line, 0)
        range_ = types.Range(line, line)
        if place.item.status is HunkStatus.CONFLICT:
            title = f"⚠ {_sentence(place)}"
            found.append(types.CodeLens(range_, command(title, "mux.review.list", _list_argument(place))))
        else:
            found.append(types.CodeLens(range_, accept_command(place, f"Accept {place.what} · {place.who}")))
        found.append(types.CodeLens(range_, reject_command(place)))
    return found


def _list_argument(place: Place) -> dict[str, Any]:
    return {"run": place.runs[0]}


def command(title: str, name: str, argument: dict[str, Any]) -> types.Command:
    """One of the protocol's commands with its argument."""
    return types.Command(title=title, command=name, arguments=[argument])


def accept_command(place: Place, title: str) -> types.Command:
    """What accepts a place's change."""
    if place.hunk_id is None:
        argument = {"run": place.runs[0], "path": text.shown_path(place.item.review.change.path)}
        return command(title, "mux.file.accept", argument)
    return command(title, "mux.hunk.accept", {"run": place.runs[0], "hunks": [place.hunk_id]})


def reject_command(place: Place, title: str = "Reject") -> types.Command:
    """What rejects a place's change, for all runs that share it."""
    if place.hunk_id is None:
        argument = {"run": place.runs[0], "path": text.shown_path(place.item.review.change.path)}
        return command(title, "mux.file.reject", argument)
    return command(title, "mux.hunk.reject", {"run": place.runs[0], "hunks": [place.hunk_id], "shared": True})


def actions(
    found: View, range_: types.Range, context: types.CodeActionContext, shows: Shows
) -> list[types.CodeAction | types.Command]:
    """The code actions at a range: for each change there, for the file, and for each run that has something here."""
    waiting = found.shown()
    here = [place for place in waiting if _touched(found, place, range_)]
    preferred = next((place for place in here if place.item.status is HunkStatus.PENDING), None)
    made: list[types.CodeAction] = []
    for place in here:
        accept = _accept_action(place, context, shows)
        if accept is not None:
            if shows.preferred:
                accept.is_preferred = place is preferred
            made.append(accept)
        title = f"Reject {place.what} from {place.who}"
        made.append(types.CodeAction(title, kind=REJECT_HUNK, command=reject_command(place, title)))
    # Of runs that agree, one is offered; away from any place, those that have one somewhere in the file.
    firsts = {place.runs[0]: place for place in reversed(here or waiting)}
    for run, place in reversed(firsts.items()):
        path = text.shown_path(place.item.review.change.path)
        for title, kind, name, argument in (
            (f"Accept all of {run} in this file", ACCEPT_FILE, "mux.file.accept", {"run": run, "path": path}),
            (f"Accept all of {run}", ACCEPT_RUN, "mux.run.accept", {"run": run}),
        ):
            made.append(types.CodeAction(title, kind=kind, command=command(title, name, argument)))
    if context.only is not None:
        made = [action for action in made if any(_is_kind(action.kind, kind) for kind in context.only)]
    if shows.literals:
        return list(made)
    return [action.command for action in made if action.command is not None]


def _accept_action(place: Place, context: types.CodeActionContext, shows: Shows) -> types.CodeAction | None:
    """The action that accepts a place's change, or says why it cannot be; None where a client has no way to show that.

    The edit is left to `codeAction/resolve` for clients that can, and is a command's work for others.
    """
    action = types.CodeAction(
        f"Accept {place.what} from {place.who}",
        kind=ACCEPT_HUNK,
        diagnostics=[one for one in context.diagnostics if one.source == SOURCE and one.code == place.hunk_id],
    )
    if place.item.status is HunkStatus.CONFLICT:
        action.disabled = types.CodeActionDisabled(f"conflict: {place.item.reason or 'cannot be placed exactly'}")
        return action if shows.disabled else None
    is_edit = place.hunk_id is not None and place.item.review.change.kind is ChangeKind.MODIFIED
    if is_edit and shows.lazily and shows.literals:
        action.data = {"run": place.runs[0], "hunks": [place.hunk_id]}
    else:
        action.command = accept_command(place, action.title)
    return action


def _is_kind(kind: str | None, wanted: str) -> bool:
    return kind is not None and (kind == wanted or kind.startswith(f"{wanted}."))


def _touched(found: View, place: Place, range_: types.Range) -> bool:
    return touches(place.range, range_) or touches(_reach(found, place.range), range_)


def touches(one: types.Range, other: types.Range) -> bool:
    """Whether two ranges share a place. A range that ends at the start of a line does not reach into that line."""
    last = one.end.line - (1 if one.end.character == 0 and one.end.line > one.start.line else 0)
    return one.start.line <= other.end.line and other.start.line <= last


def hover(found: View, position: types.Position, shows: Shows) -> types.Hover | None:
    """The diffs of the changes at a position."""
    at = types.Range(position, position)
    here = [place for place in found.shown() if _touched(found, place, at)]
    if not here:
        return None
    parts = []
    for place in here:
        state = f", conflict: {place.item.reason}" if place.item.status is HunkStatus.CONFLICT else ""
        title = f"{', '.join(place.runs)} · {place.item.review.agent}{state}"
        parts += [_escaped(title), _fenced(_diff(place))] if shows.markdown else [_line(title), _plain(_diff(place))]
    kind = types.MarkupKind.Markdown if shows.markdown else types.MarkupKind.PlainText
    return types.Hover(types.MarkupContent(kind, "\n\n".join(parts)), here[0].range)


def _diff(place: Place) -> str:
    if place.item.hunk is None:
        return place.what
    lines = diff.unified([place.item.hunk], place.item.review.base).splitlines(keepends=True)
    more = f"… {len(lines) - HOVER_LINES} more lines\n" if len(lines) > HOVER_LINES else ""
    return "".join(lines[:HOVER_LINES]) + more


def _plain(code: str) -> str:
    return printable(code).rstrip("\n")


def _fenced(code: str) -> str:
    """A block that shows what it holds and nothing else: its fence is longer than any run of backticks inside."""
    code = _plain(code)
    longest = max(map(len, re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{code}\n{fence}"


def _line(words: str) -> str:
    return printable(words).replace("\n", " ")


def _escaped(words: str) -> str:
    """A line of text in which nothing is Markdown."""
    return "".join(
        f"\\{character}" if character in r"\`*_{}[]()<>#+-.!|~&:" else character for character in _line(words)
    )
