"""Complete or undo an interrupted accept: all of it is in the working tree afterwards, or none of it."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.engine.working_tree import staging
from mux_lsp.engine.working_tree.backup import new_folder, put
from mux_lsp.engine.working_tree.steps import Looks, State, Steps
from mux_lsp.engine.working_tree.tree import alone_in, opened
from mux_lsp.errors import ConflictError, MuxError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mux_lsp.core.transaction import Intent

log = logging.getLogger(__name__)


class RecoveryOutcome(Enum):
    """Outcome of recovering an accept."""

    FORWARD = auto()
    """All of it is written."""
    BACK = auto()
    """None of it is, except in files that the person has changed after they were written."""
    ABSENT = auto()
    """The working tree does not exist."""
    REPLACED = auto()
    """Another folder is in the working tree's place."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Result of recovering an accept."""

    outcome: RecoveryOutcome
    stays: frozenset[str] = frozenset()
    """Files that keep the accepted content although the rest was undone."""
    touched: frozenset[str] = frozenset()
    """Files that the person had changed before they were written: the reason why it was not completed."""
    copies: Path | None = None
    """Folder with copies of the previous content of files that could not be put back."""


def recover(intent: Intent, kept: Path, *, back: bool) -> Recovered:
    """Roll an accept forward, or back if `back` is set or the person has touched a file before it was written.

    Call it in a thread. Raises OSError if the disk fails.
    """
    try:
        with alone_in(Path(intent.root)), opened(Path(intent.root)) as tree:
            if tree.identity != intent.identity:
                return Recovered(RecoveryOutcome.REPLACED)
            with staging.staged(tree, intent.id, intent.stages) as folders:
                steps = Steps(tree, intent, folders)
                whole = staging.is_whole(folders)
                states = {} if back else {step.path: steps.state(number) for number, step in enumerate(intent.steps)}
                touched = frozenset(path for path, state in states.items() if state is State.TOUCHED and not whole)
                stands = not back and not touched and State.LOST not in states.values()
                if not back and (whole or (stands and _roll_forward(steps, len(intent.steps)))):
                    return Recovered(RecoveryOutcome.FORWARD)
                return _roll_back(steps, intent, kept, touched)
    except ConflictError:
        return Recovered(RecoveryOutcome.ABSENT)


def roll_back(intent: Intent, kept: Path) -> Recovered:
    """Undo an accept. Raises OSError if the disk fails, ConflictError if there is no working tree."""
    root = Path(intent.root)
    with alone_in(root), opened(root) as tree, staging.staged(tree, intent.id, intent.stages) as folders:
        return _roll_back(Steps(tree, intent, folders), intent, kept, frozenset())


def written_late(intent: Intent, looks: Mapping[int, Looks], kept: Path) -> Path | None:
    """Copy what a program has written to files that it had open when they were replaced; None if there is nothing.

    It would be removed with the staging folders. Call it in a thread.
    """
    copies = None
    with (
        contextlib.suppress(ConflictError, OSError),
        opened(Path(intent.root)) as tree,
        staging.staged(tree, intent.id, intent.stages) as folders,
    ):
        steps = Steps(tree, intent, folders)
        for number in steps.changed_since(looks):
            if (content := steps.content(number)) is not None:
                copies = copies or new_folder(kept, intent.run)
                put(copies, intent.steps[number].path, content)
    return copies


def sweep(roots: Iterable[Path], prefix: str, but: Collection[str]) -> None:
    """Remove our staging folders that no recorded accept needs: those left by an interruption."""
    for root in roots:
        with contextlib.suppress(ConflictError, OSError), opened(root) as tree:
            for folder, name in staging.found_in(tree, prefix):
                if name not in but:
                    staging.remove(tree, name, (folder,))
            staging.remove_empty(tree)


def _roll_forward(steps: Steps, count: int) -> bool:
    try:
        for number in range(count):
            steps.complete(number)
    except MuxError as error:
        log.warning("an accept cannot be completed: %s", error)
        return False
    return True


def _roll_back(steps: Steps, intent: Intent, kept: Path, touched: frozenset[str]) -> Recovered:
    left = set(steps.undo_all())
    if not left:
        return Recovered(RecoveryOutcome.BACK, touched=touched)
    had = {step.path for number, step in enumerate(intent.steps) if steps.was_done(number)}
    copies = None
    for number, step in enumerate(intent.steps):
        content = steps.content(number) if step.path in left and step.before is not None else None
        if content is not None:
            copies = copies or new_folder(kept, intent.run)
            put(copies, step.path, content)
    stays = frozenset(step.path for step in intent.steps if step.path in left & had and step.after is not None)
    return Recovered(RecoveryOutcome.BACK, stays, touched - stays, copies)
