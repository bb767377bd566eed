"""Refuse what only the person may do to everybody else, by the right that each command needs.

A program that an agent has started speaks for no person, and decides about no runs but those that it has started
itself. What checks and set-ups have started decides about none, and starts none. Other askers decide about none either.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.log import printable
from mux_lsp.callers import Agent, Guest, Person
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from mux_lsp.callers import Caller
    from mux_lsp.core.model import Run
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp import protocol


class Right(enum.Enum):
    """The right that a command needs."""

    LOOK = "look"
    """Anybody has it."""
    START = "start"
    """To have commands run: agents of runs and guests have it."""
    DECIDE = "decide"
    """To decide about runs: agents have it for those that they have started."""
    WRITE = "write"
    """To bring results into somebody's files: agents have it for runs that they have started, in their own worktree."""
    PERSON = "person"
    """No agent has it."""


RIGHTS: Final = {
    "mux.task.start": Right.START,
    "mux.task.list": Right.LOOK,
    "mux.task.get": Right.LOOK,
    "mux.task.compare": Right.LOOK,
    "mux.task.cancel": Right.DECIDE,
    "mux.task.pause": Right.DECIDE,
    "mux.task.resume": Right.DECIDE,
    "mux.task.prioritize": Right.PERSON,
    "mux.task.discard": Right.DECIDE,
    "mux.task.restore": Right.DECIDE,
    "mux.task.delete": Right.DECIDE,
    "mux.id.find": Right.LOOK,
    "mux.run.get": Right.LOOK,
    "mux.run.log": Right.LOOK,
    "mux.run.diff": Right.LOOK,
    "mux.run.cancel": Right.DECIDE,
    "mux.run.continue": Right.DECIDE,
    "mux.run.retry": Right.DECIDE,
    "mux.review.list": Right.LOOK,
    "mux.review.places": Right.LOOK,
    "mux.variant.show": Right.LOOK,
    "mux.versions.show": Right.LOOK,
    "mux.hunk.accept": Right.WRITE,
    "mux.hunk.reject": Right.DECIDE,
    "mux.file.accept": Right.WRITE,
    "mux.file.reject": Right.DECIDE,
    "mux.run.accept": Right.WRITE,
    "mux.run.reject": Right.DECIDE,
    "mux.run.pick": Right.WRITE,
    "mux.permission.list": Right.LOOK,
    "mux.permission.reply": Right.PERSON,
    "mux.document.get": Right.LOOK,
    "mux.document.show": Right.LOOK,
    "mux.history.list": Right.LOOK,
    "mux.repository.get": Right.LOOK,
    "mux.repository.trust": Right.PERSON,
    "mux.repository.distrust": Right.PERSON,
    "mux.repository.list": Right.LOOK,
    "mux.agent.list": Right.LOOK,
    "mux.status": Right.LOOK,
    "mux.verify": Right.START,
}
"""The right that each command needs. A command that is missing here is the person's alone."""

_ONLY: Final = {
    "mux.permission.reply": "Only a person can answer that",
    "mux.task.prioritize": "Only a person can say what goes first",
    "mux.task.start": "Only a person or an agent of theirs can start a task",
    "mux.repository.trust": "Only a person can trust a repository",
    "mux.repository.distrust": "Only a person can trust a repository no more",
    "mux.verify": "Only a person can verify what is in their files",
}
"""Beginnings of refusals of commands that name no run."""


def refuse(engine: Engine, asker: Caller, name: str, argument: protocol.Params) -> None:
    """Raise UsageError where a command is not for this asker."""
    right = RIGHTS.get(name, Right.PERSON)
    if right is Right.LOOK or isinstance(asker, Person):
        return
    named = _named(argument)
    only = _ONLY.get(name) or f"Only a person can decide about {printable(named)}"
    if isinstance(asker, Agent):
        _refuse_agent(engine, asker, right, only, named)
    elif right is not Right.START or not isinstance(asker, Guest):
        raise UsageError(f"{only}, and {asker.reason}.")


def _refuse_agent(engine: Engine, agent: Agent, right: Right, only: str, named: str) -> None:
    if right is Right.PERSON:
        raise UsageError(f"{only}, and this was started by {_agent_origin(agent)}.")
    inside = None if agent.starter is None else engine.registry.find_run(agent.starter)
    if inside is None and agent.starter is not None:
        raise UsageError(f"Checks and set-ups start and decide nothing, and this was started by {agent.starter}.")
    if inside is None:
        raise UsageError(f"{only}, and this was started by {_agent_origin(agent)}, and it cannot be told of which run.")
    if right is Right.START:
        return
    task_id = named.partition("-")[0]
    if inside.id not in engine.registry.ancestors(task_id):
        raise UsageError(f"{only}, and this was started by {inside.id}.")
    if right is Right.WRITE:
        refuse_outside(engine, agent, Path(engine.registry.task(task_id).repository), "accept changes")


def refuse_outside(engine: Engine, asker: Caller, folder: Path, what: str) -> None:
    """Raise UsageError where a folder is neither the person's who asks nor in the worktree of the agent that does."""
    if isinstance(asker, Person):
        return
    if not isinstance(asker, Agent):
        raise UsageError(f"Only a person can {what} in their files, and {asker.reason}.")
    inside = None if asker.starter is None else engine.registry.find_run(asker.starter)
    worktree = None if inside is None else _worktree(engine, inside)
    if worktree is None or not folder.resolve().is_relative_to(worktree):
        starter = _agent_origin(asker)
        raise UsageError(f"Only a person can {what} outside the worktree of {starter}, which started this.")


def _named(argument: protocol.Params) -> str:
    """The run or task that a command names."""
    said = argument.model_dump()
    return next((str(said[key]) for key in ("run", "task", "id") if said.get(key) is not None), "that")


def _agent_origin(agent: Agent) -> str:
    return agent.starter or "an agent"


def _worktree(engine: Engine, run: Run) -> Path | None:
    if run.worktree is None:
        return None
    return (
        engine.repositories.of(Path(engine.registry.task(run.task).repository))
        .worktrees.reopen(run.worktree)
        .folder.resolve()
    )
