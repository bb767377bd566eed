"""Make code actions for the changes at the cursor or in the selection, for the file, and for the runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from lsprotocol import types

from mux_lsp.core import text
from mux_lsp.core.agreement import equal_runs
from mux_lsp.core.ids import task_of
from mux_lsp.core.model import ChangeKind, HunkStatus
from mux_lsp.core.phrases import count
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.lsp.review import command_links
from mux_lsp.lsp.review.diagnostics import SOURCE
from mux_lsp.lsp.review.overwrite import lost_lines
from mux_lsp.lsp.review.places import MAX_NAMES, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mux_lsp.core.model import FileChange
    from mux_lsp.engine.review.items import Item
    from mux_lsp.lsp.review.places import DocumentReview, ReviewPlace, ReviewVariant
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities

ACCEPT: Final = "quickfix.mux.accept"
INSTEAD: Final = "quickfix.mux.instead"
TAKE: Final = "quickfix.mux.take"
MARK: Final = "quickfix.mux.mark"
MERGE: Final = "quickfix.mux.merge"
NEXT: Final = "quickfix.mux.next"
DIFF: Final = "quickfix.mux.diff"
REJECT: Final = "quickfix.mux.reject"
ASK_TO_FIX: Final = "quickfix.mux.ask"
SELECTION: Final = "refactor.rewrite.mux.selection"
FILE: Final = "refactor.rewrite.mux.file"
RUN: Final = "refactor.rewrite.mux.run"
ASK: Final = "refactor.mux.ask"
KINDS: Final = (
    ACCEPT, INSTEAD, TAKE, MARK, MERGE, NEXT, DIFF, REJECT, ASK_TO_FIX, SELECTION, FILE, RUN, ASK,
)  # fmt: skip
"""The kinds of our code actions."""

_KINDS: Final = {AcceptMode.EXACT: ACCEPT, AcceptMode.INSTEAD: INSTEAD, AcceptMode.TAKE: TAKE, AcceptMode.MARK: MARK}

MAX_RUNS: Final = 8
"""Maximum number of runs whose file and result are offered, those of the shown variants first."""

MAX_EXCERPT: Final = 40
"""Maximum number of characters of a line that would be lost."""


def actions_at(
    review: DocumentReview, range_: types.Range, context: types.CodeActionContext, capabilities: ClientCapabilities
) -> list[types.CodeAction]:
    """Return the actions for the changes at a range."""
    here = review.at(range_)
    made: list[types.CodeAction] = []
    for place in here:
        made += _at(review, place, context, capabilities)
    if capabilities.preferred:
        # Prefer the first action that accepts: the shown variant of the first place.
        accepts = [one for one in made if one.kind == ACCEPT and one.disabled is None]
        for one in accepts:
            one.is_preferred = one is accepts[0]
    if range_.start != range_.end:
        made += _selection(review, here, range_)
    made += _files_and_runs(review, here or review.waiting())
    return made


def menu(
    made: Iterable[types.CodeAction], only: Sequence[str] | None, capabilities: ClientCapabilities
) -> list[types.CodeAction | types.Command]:
    """Return the actions of the requested kinds, in a form that the client supports."""
    wanted = [
        action
        for action in made
        if (only is None or any(_is_kind(action.kind, kind) for kind in only))
        and (action.disabled is None or (capabilities.disabled and capabilities.literals))
    ]
    if capabilities.literals:
        return list(wanted)
    return [action.command for action in wanted if action.command is not None]


def _is_kind(kind: str | None, wanted: str) -> bool:
    return kind is not None and (kind == wanted or kind.startswith(f"{wanted}."))


def action(command: types.Command, kind: str) -> types.CodeAction:
    """Return a code action that executes a command."""
    return types.CodeAction(command.title, kind=kind, command=command)


def disabled(made: types.CodeAction, reason: str) -> types.CodeAction:
    """Return the action as one that cannot be selected, with the reason."""
    made.command = made.data = None
    made.disabled = types.CodeActionDisabled(reason)
    return made


def _at(
    review: DocumentReview, place: ReviewPlace, context: types.CodeActionContext, capabilities: ClientCapabilities
) -> Iterator[types.CodeAction]:
    """Yield all actions for one place."""
    for variant in place.in_order:
        if variant.status is HunkStatus.PENDING:
            title = f"Accept {variant.what} from {variant.who}"
            yield _accept(variant, title, AcceptMode.EXACT, capabilities, context)
        elif variant is place.shown:
            yield from _conflicting(review, variant, context, capabilities)
    for variant in place.others:
        if out := review.offers(variant).instead:
            yield _accept(variant, _instead(variant, out), AcceptMode.INSTEAD, capabilities)
    if not place.is_open:
        return
    variant = place.shown
    if len(place.open_variants) > 1:
        following = place.next()
        title = f"Show the next of {len(place.open_variants)} variants: {following.what} from {following.run}"
        yield action(command_links.show(review, following, title), NEXT)
    if diff := command_links.diff(review, variant, f"Show the diff of {variant.run}", capabilities):
        yield action(diff, DIFF)
    yield action(command_links.reject(variant, f"Reject {variant.what} from {variant.who}"), REJECT)


def _accept(
    variant: ReviewVariant,
    title: str,
    how: AcceptMode,
    capabilities: ClientCapabilities,
    context: types.CodeActionContext | None = None,
) -> types.CodeAction:
    """Return an action that accepts a change in a mode. `codeAction/resolve` makes its edit if the client can."""
    made = action(command_links.accept(variant, title, how), _KINDS[how])
    if context is not None:
        made.diagnostics = [one for one in context.diagnostics if one.source == SOURCE and one.code == variant.hunk_id]
    is_edit = variant.hunk_id is not None and variant.item.review.edits
    if is_edit and capabilities.lazily and capabilities.literals:
        made.command, made.data = None, command_links.accept_argument(variant, how)
    return made


def _conflicting(
    review: DocumentReview, variant: ReviewVariant, context: types.CodeActionContext, capabilities: ClientCapabilities
) -> Iterator[types.CodeAction]:
    """Yield a disabled action with the reason for the conflict, and actions that resolve it."""
    refused = _accept(variant, f"Accept {variant.what} from {variant.who}", AcceptMode.EXACT, capabilities, context)
    yield disabled(refused, f"conflict: {variant.reason}")
    offered = review.offers(variant)
    if offered.instead:
        yield _accept(variant, _instead(variant, offered.instead), AcceptMode.INSTEAD, capabilities)
    if offered.take:
        yield _accept(variant, _take(variant, lost_lines(variant.item, offered.take)), AcceptMode.TAKE, capabilities)
    if offered.mark:
        yield _accept(variant, f"Insert conflict markers: yours and {variant.run}'s", AcceptMode.MARK, capabilities)
    if merge := command_links.merge(review, variant, "Open the three versions", capabilities):
        yield action(merge, MERGE)


def _instead(variant: ReviewVariant, out: Iterable[Item]) -> str:
    theirs = " and ".join(f"{run}'s" for run in dict.fromkeys(item.review.run for item in out))
    return f"Use {variant.run}'s instead of {theirs}"


def _take(variant: ReviewVariant, lost: Sequence[str]) -> str:
    if variant.hunk_id is None:
        return f"Take {variant.run}'s file over yours (loses yours)"
    first = next((line for line in map(one_line, lost) if line), "")
    more = " …" if len(lost) > 1 or len(first) > MAX_EXCERPT else ""
    what = f"{count(len(lost), 'line')}: “{first[:MAX_EXCERPT]}”{more}" if first else count(len(lost), "line")
    if variant.item.review.change.kind is ChangeKind.DELETED:
        return f"Delete the file as {variant.run} does (loses {what})"
    return f"Take {variant.run}'s lines over yours (loses {what})"


def _selection(review: DocumentReview, here: Sequence[ReviewPlace], range_: types.Range) -> Iterator[types.CodeAction]:
    """Yield actions that accept and reject all changes of a run in the selection, if there is more than one."""
    hunks_of: dict[str, list[str]] = {}
    for place in here:
        for variant in place.open_variants:
            # If a run has several changes at a place, some may be outside the selection.
            is_in = review.touched(variant.range, range_)
            if is_in and variant.status is HunkStatus.PENDING and variant.hunk_id is not None:
                for run in variant.runs:
                    hunks_of.setdefault(run, []).append(variant.hunk_id)
    alike: dict[tuple[str, ...], list[str]] = {}
    for run, own in hunks_of.items():
        alike.setdefault(tuple(own), []).append(run)
    several = [(hunks, runs) for hunks, runs in alike.items() if len(hunks) > 1][:MAX_RUNS]
    for verb, name, more in (("Accept", "mux.hunk.accept", {}), ("Reject", "mux.hunk.reject", {"shared": True})):
        for hunks, (run, *same) in several:
            title = f"{verb} {run}'s {len(hunks)} changes in the selection{_equal(same)}"
            argument = {"run": run, "hunks": list(hunks), **more}
            yield action(command_links.command(title, name, argument), SELECTION)


def _files_and_runs(review: DocumentReview, places: Iterable[ReviewPlace]) -> Iterator[types.CodeAction]:
    """Yield actions that accept a run's whole file and whole result. Of equal runs one is offered."""
    changes = {item.review.run: item.review.change for item in review.items}
    equal = {run: group for task in review.tasks.values() for group in equal_runs(task.active_runs) for run in group}
    results = {run.id: run.result for task in review.tasks.values() for run in task.runs}
    conflicts = Counter(item.review.run for item in review.items if item.status is HunkStatus.CONFLICT)
    done: set[tuple[str, str]] = set()
    runs = [run for place in places for variant in (place.in_order or place.others) for run in variant.runs]
    for run in dict.fromkeys(runs):
        if len({one for _, one in done}) >= MAX_RUNS and (RUN, run) not in done:
            break
        change = changes[run]
        same_file = [one for one, other in changes.items() if _is_same(other, change) and task_of(one) == task_of(run)]
        path = text.shown_path(change.path)
        looked_at = {"run": run, "result": results.get(run)}
        for kind, same, where, name, argument in (
            (FILE, same_file, " in this file", "mux.file.accept", {**looked_at, "path": path}),
            (RUN, equal.get(run, []), "", "mux.run.accept", looked_at),
        ):
            if (kind, run) in done:
                continue
            done |= {(kind, one) for one in (run, *same)}
            title = f"Accept all of {run}{_equal([one for one in same if one != run])}{where}"
            made = action(command_links.command(title, name, argument), kind)
            if colliding := conflicts[run]:
                made = disabled(
                    made,
                    f"{count(colliding, 'change')} of it in this file {'is' if colliding == 1 else 'are'} in conflict",
                )
            yield made


def _is_same(one: FileChange, other: FileChange) -> bool:
    return (one.path, one.new_object, one.new_mode) == (other.path, other.new_object, other.new_mode)


def _equal(same: Sequence[str]) -> str:
    """Return a suffix that names the other runs to which an action applies as well."""
    if not same:
        return ""
    more = f" and {len(same) - MAX_NAMES} more" if len(same) > MAX_NAMES else ""
    return f" (= {', '.join(same[:MAX_NAMES])}{more})"
