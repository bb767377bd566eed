"""Refuse a command to a caller that lacks the right that the command's effect requires.

A program that an agent has started does not act for a person, and decides only about runs that it has started itself.
Programs that checks and set-ups have started decide about no run and start none. Other callers decide about none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.callers import Agent, Guest, Person
from mux_lsp.core.ids import task_of
from mux_lsp.core.sanitize import printable
from mux_lsp.errors import UsageError
from mux_lsp.lsp.effects import Right

if TYPE_CHECKING:
    from mux_lsp.callers import Caller
    from mux_lsp.core.model import Run
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp import protocol


def refuse(engine: Engine, asker: Caller, command: protocol.Command, argument: protocol.Params) -> None:
    """Raise UsageError if this caller has no right to the effect of a command."""
    right = command.effect.right
    if right is Right.READ or isinstance(asker, Person):
        return
    named = _named(argument)
    only = command.refusal or f"Only a person can decide about {printable(named)}"
    if isinstance(asker, Agent):
        _refuse_agent(engine, asker, right, only, named)
    elif right is not Right.START or not isinstance(asker, Guest):
        raise UsageError(f"{only}, and {asker.reason}.")


def _refuse_agent(engine: Engine, agent: Agent, right: Right, only: str, named: str) -> None:
    if right is Right.PERSON:
        raise UsageError(f"{only}, and this was started by {_agent_origin(agent)}.")
    origin = None if agent.starter is None else engine.registry.find_run(agent.starter)
    if origin is None and agent.starter is not None:
        raise UsageError(f"Checks and set-ups start and decide nothing, and this was started by {agent.starter}.")
    if origin is None:
        raise UsageError(f"{only}, and this was started by {_agent_origin(agent)}, and it cannot be told of which run.")
    if right is Right.START:
        return
    task_id = task_of(named)
    if origin.id not in engine.registry.ancestors(task_id):
        raise UsageError(f"{only}, and this was started by {origin.id}.")
    if right is not Right.DECIDE:
        refuse_outside(engine, agent, Path(engine.registry.task(task_id).repository), "accept changes")


def refuse_outside(engine: Engine, asker: Caller, folder: Path, what: str) -> None:
    """Raise UsageError unless the caller is a person, or a folder is in the worktree of the calling agent."""
    if isinstance(asker, Person):
        return
    if not isinstance(asker, Agent):
        raise UsageError(f"Only a person can {what} in their files, and {asker.reason}.")
    origin = None if asker.starter is None else engine.registry.find_run(asker.starter)
    worktree = None if origin is None else _worktree(engine, origin)
    if worktree is None or not folder.resolve().is_relative_to(worktree):
        raise UsageError(
            f"Only a person can {what} outside the worktree of {_agent_origin(asker)}, which started this."
        )


def _named(argument: protocol.Params) -> str:
    """Return the run or task that a command names."""
    said = argument.model_dump()
    return next((str(said[key]) for key in ("run", "task", "id") if said.get(key) is not None), "that")


def _agent_origin(agent: Agent) -> str:
    return agent.starter or "an agent"


def _worktree(engine: Engine, run: Run) -> Path | None:
    if run.worktree is None:
        return None
    return (
        engine.repositories.get(Path(engine.registry.task(run.task).repository))
        .worktrees.reopen(run.worktree)
        .folder.resolve()
    )
