"""Choosing what to accept of a run, and what that means for each path. How it gets there is the client's affair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.agents.log import printable
from mux_lsp.core import text
from mux_lsp.core.model import FileChange, HunkStatus, Run
from mux_lsp.engine import disk, review
from mux_lsp.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from mux_lsp.engine.engine import Engine
    from mux_lsp.engine.request import Client
    from mux_lsp.engine.review import Item, LiveText, PathPlan
    from mux_lsp.engine.reviews import Reviews

    LiveOf = Callable[[str], LiveText]
    """Gives the live text of a path, for the client that asks."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a client chose of one run, placed on its live texts."""

    run: Run
    root: Path
    plans: tuple[PathPlan, ...]
    chosen: tuple[tuple[str, frozenset[str]], ...]
    """By path, the ids of the hunks that are accepted; "" stands for a change without hunks."""
    already: int
    """How many of them were there before."""

    @property
    def accepted(self) -> int:
        """How many hunks are placed."""
        return sum(plan.accepted for plan in self.plans)


def changes_of(run: Run, paths: Collection[str] | None) -> tuple[FileChange, ...]:
    """The changed files of a run, or those at or below the given paths. Raises UsageError where a path names none."""
    if paths is None:
        return run.files
    wanted = tuple(path.strip("/") for path in paths)
    for path in wanted:
        if not any(_below(change.path, path) for change in run.files):
            raise UsageError(
                f"{run.id} does not change {printable(path)!r}; `mux-lsp show {run.id}` lists what it changes."
            )
    return tuple(change for change in run.files if any(_below(change.path, path) for path in wanted))


def _below(path: str, folder: str) -> bool:
    names = {path, text.shown_path(path)}
    return folder in {"", "."} or any(name == folder or name.startswith(folder + "/") for name in names)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A changed file of a run, with all that it takes to judge it apart from the live text. For use in any thread."""

    root: Path
    run: Run
    change: FileChange
    rejected: frozenset[str]
    reviews: Reviews

    @property
    def path(self) -> str:
        """The changed file."""
        return self.change.path

    def items(self, live_of: LiveOf) -> list[Item]:
        """How its hunks stand to a live text. Slow the first time."""
        return review.judge(self.reviews.of(self.run, self.change), live_of(self.path), self.rejected)


def warm(candidates: Iterable[Candidate]) -> None:
    """Have their hunks in memory, so that judging them is quick."""
    for candidate in candidates:
        candidate.reviews.of(candidate.run, candidate.change)


def candidates(engine: Engine, run: Run, changes: Iterable[FileChange]) -> list[Candidate]:
    """Changed files of a run, ready to be judged."""
    root = Path(engine.task(run.task).repository)
    reviews = engine.reviews(root)
    return [Candidate(root, run, change, engine.rejections(run.id, change.path), reviews) for change in changes]


def candidates_at(engine: Engine, file: Path) -> list[Candidate]:
    """What any run changes in a file."""
    return [candidate for run, change in engine.runs_at(file) for candidate in candidates(engine, run, [change])]


def select(
    engine: Engine,
    run_id: str,
    live_of: LiveOf,
    *,
    paths: Collection[str] | None = None,
    hunks: Collection[str] | None = None,
) -> Selection:
    """Place hunks of a run on live texts: those named, or all of these paths that were not rejected.

    Raises UsageError for a path or hunk that the run does not have, ConflictError where one cannot be placed.
    """
    run = engine.run(run_id)
    root = Path(engine.task(run.task).repository)
    plans: list[PathPlan] = []
    chosen: list[tuple[str, frozenset[str]]] = []
    wanted: list[tuple[FileChange, list[Item]]] = []
    for candidate in candidates(engine, run, changes_of(run, paths)):
        # Of hundreds of files only those that have one of the hunks are worth a look at their texts.
        if hunks is not None and not ids_of(candidate, hunks):
            continue
        found = [item for item in candidate.items(live_of) if _wanted(item, hunks)]
        if found:
            wanted.append((candidate.change, found))
    if hunks is not None:
        refuse_unknown(run, hunks, {item.hunk.id for _, found in wanted for item in found if item.hunk})
    # All complaints at once, before the first plan is made.
    review.refuse_conflicts(item for _, found in wanted for item in found)
    already = 0
    for change, found in wanted:
        already += sum(item.place is HunkStatus.APPLIED for item in found)
        planned = review.plan(root, change.path, found, engine.reviews(root))
        if planned is not None:
            plans.append(planned)
        chosen.append((change.path, frozenset(item.hunk.id if item.hunk else "" for item in found)))
    return Selection(run, root, tuple(plans), tuple(chosen), already)


def _wanted(item: Item, hunks: Collection[str] | None) -> bool:
    if hunks is None:
        return item.status is not HunkStatus.REJECTED
    return item.hunk is not None and item.hunk.id in hunks


def ids_of(candidate: Candidate, hunks: Collection[str]) -> frozenset[str]:
    """The ids among `hunks` that a changed file's hunks have."""
    found = candidate.reviews.of(candidate.run, candidate.change)
    return frozenset(hunk.id for hunk in found.hunks if hunk.id in hunks)


def refuse_unknown(run: Run, hunks: Collection[str], found: Collection[str]) -> None:
    """Raise UsageError where the run does not have one of the hunks."""
    unknown = sorted(set(hunks) - set(found))
    if unknown:
        raise UsageError(
            f"{run.id} has no hunk {printable(unknown[0])!r} (it may have changed while the agent works); "
            f"`mux-lsp show {run.id}` lists its hunks."
        )


def write(engine: Engine, selection: Selection, plans: Sequence[PathPlan], client: Client) -> Callable[[], None]:
    """Carry plans of a selection out on disk, all or none of them, for a client that cannot apply them.

    Returns what takes them back. Raises ConflictError where another client holds unsaved changes of one of the files,
    or the disk has moved on.
    """
    paths = {plan.path for plan in plans}
    for other in engine.clients:
        if other is client:
            continue
        texts, missing = other.unsaved(selection.root)
        for path in sorted(paths & {*texts, *(left.path for left in missing)}):
            raise ConflictError(
                f"{path} has unsaved changes in {other.name}: save it there, or accept from there. Nothing was written."
            )
    return disk.write_all(selection.root, [disk.Write(plan.path, plan.live.entry, plan.entry) for plan in plans])


def note(engine: Engine, selection: Selection) -> None:
    """Journal what was accepted."""
    engine.accepted(selection.run.id, dict(selection.chosen))
