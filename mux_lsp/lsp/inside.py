"""What is refused to a program that an agent has started: it speaks for no person, and decides about no runs but those
that it has started itself. What checks and set-ups have started decides about none, and starts none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.log import printable
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.core.model import Run
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp import protocol

PERSONS: Final = {
    "mux.permission.reply": "Only a person can answer that",
    "mux.task.prioritize": "Only a person can say what goes first",
    "mux.repository.trust": "Only a person can trust a repository",
    "mux.repository.distrust": "Only a person can trust a repository no more",
}
"""What no agent may do at all."""

WRITING: Final = frozenset({"mux.hunk.accept", "mux.file.accept", "mux.run.accept", "mux.run.pick"})
"""What brings a result into somebody's files: an agent may do so in its own worktree."""

DECIDING: Final = WRITING | {
    "mux.hunk.reject",
    "mux.file.reject",
    "mux.run.reject",
    "mux.run.cancel",
    "mux.run.continue",
    "mux.run.retry",
    "mux.task.cancel",
    "mux.task.delete",
    "mux.task.discard",
    "mux.task.pause",
    "mux.task.restore",
    "mux.task.resume",
}
"""What an agent may do with runs that it has started, and with no others."""

STARTING: Final = frozenset({"mux.task.start", "mux.verify"})
"""What has commands run."""


def refuse(engine: Engine, starter: str, name: str, argument: protocol.Params) -> None:
    """Raise UsageError where a command is not for a program that this run's agent, or these checks, have started."""
    if name in PERSONS:
        raise UsageError(f"{PERSONS[name]}, and {starter} has started what asks for it.")
    inside = engine.find_run(starter)
    if inside is None and name in DECIDING | STARTING:
        raise UsageError(f"Checks and set-ups start and decide nothing, and {starter} has started what asks for it.")
    if inside is None or name not in DECIDING:
        return
    said = argument.model_dump()
    named = next(str(said[key]) for key in ("run", "task", "id") if key in said)
    task_id = named.partition("-")[0]
    if inside.id not in engine.ancestors(task_id):
        raise UsageError(
            f"Only a person can decide about {printable(named)}, and {inside.id} has started what asks for it."
        )
    if name in WRITING:
        refuse_outside(engine, starter, Path(engine.task(task_id).repository), "accept changes")


def refuse_outside(engine: Engine, starter: str, folder: Path, what: str) -> None:
    """Raise UsageError where a folder is not in the worktree of the run that has started who wants to do `what`."""
    inside = engine.find_run(starter)
    worktree = None if inside is None else _worktree(engine, inside)
    if worktree is None or not folder.resolve().is_relative_to(worktree):
        raise UsageError(
            f"Only a person can {what} outside the worktree of {starter}, which has started what asks for it."
        )


def _worktree(engine: Engine, run: Run) -> Path | None:
    if run.worktree is None:
        return None
    return engine.room(Path(engine.task(run.task).repository)).worktrees.reopen(run.worktree).folder.resolve()
