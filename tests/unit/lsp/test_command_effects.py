"""Who may call each command, and which commands are carried to their end, command by command."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import pytest

from mux_lsp.callers import Agent, Caller, Guest, Nobody, Person
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import authority
from mux_lsp.lsp.commands.dispatch import CHANGES

if TYPE_CHECKING:
    from mux_lsp.engine.engine import Engine

REPOSITORIES: Final = {"tw5": "/worktree/nested", "abc": "/repository"}
"""The tasks that the run k3f-1 has started, one in its worktree and one in the person's repository."""

CALLERS: Final[dict[str, tuple[Caller, str]]] = {
    "person": (Person(), "abc-1"),
    "guest": (Guest("a guest asks: do it yourself"), "abc-1"),
    "unknown": (Nobody("it has gone: do it yourself"), "abc-1"),
    "checks": (Agent("setup.abc"), "abc-1"),
    "stray": (Agent(None), "abc-1"),
    "agent, own task, in its worktree": (Agent("k3f-1"), "tw5-1"),
    "agent, own task, outside its worktree": (Agent("k3f-1"), "abc-1"),
    "agent, another's task": (Agent("k3f-1"), "other-1"),
}
"""Each kind of caller, with the run that it names."""

AGENTS: Final = frozenset(name for name in CALLERS if name.startswith("agent"))
OWN: Final = frozenset(name for name in CALLERS if name.startswith("agent, own"))


class Row(NamedTuple):
    """The rules for one command."""

    allowed: frozenset[str]
    completes: bool
    """Whether it goes on where its client takes the request back or goes away."""
    refusal: str = "Only a person can decide about {run}"


ANYBODY: Final = Row(frozenset(CALLERS), completes=False)
CONTROL: Final = Row(OWN | {"person"}, completes=False)
DECIDE: Final = Row(OWN | {"person"}, completes=True)
WRITE: Final = Row(frozenset({"person", "agent, own task, in its worktree"}), completes=True)
STARTERS: Final = AGENTS | {"person", "guest"}
PERSON: Final = frozenset({"person"})

ROWS: Final = {
    "mux.task.start": Row(STARTERS, True, "Only a person or an agent of theirs can start a task"),
    "mux.task.list": ANYBODY,
    "mux.task.get": ANYBODY,
    "mux.task.compare": ANYBODY,
    "mux.task.cancel": CONTROL,
    "mux.task.pause": CONTROL,
    "mux.task.resume": CONTROL,
    "mux.task.prioritize": Row(PERSON, False, "Only a person can say what goes first"),
    "mux.task.discard": DECIDE,
    "mux.task.restore": DECIDE,
    "mux.task.delete": DECIDE,
    "mux.id.find": ANYBODY,
    "mux.run.get": ANYBODY,
    "mux.run.log": ANYBODY,
    "mux.run.diff": ANYBODY,
    "mux.run.cancel": CONTROL,
    "mux.run.continue": DECIDE,
    "mux.run.retry": DECIDE,
    "mux.review.list": ANYBODY,
    "mux.review.places": ANYBODY,
    "mux.variant.show": ANYBODY,
    "mux.versions.show": ANYBODY,
    "mux.hunk.accept": WRITE,
    "mux.hunk.reject": DECIDE,
    "mux.file.accept": WRITE,
    "mux.file.reject": DECIDE,
    "mux.run.accept": WRITE,
    "mux.run.reject": DECIDE,
    "mux.run.pick": WRITE,
    "mux.permission.list": ANYBODY,
    "mux.permission.reply": Row(PERSON, False, "Only a person can answer that"),
    "mux.document.get": ANYBODY,
    "mux.document.show": ANYBODY,
    "mux.history.list": ANYBODY,
    "mux.repository.get": ANYBODY,
    "mux.repository.trust": Row(PERSON, True, "Only a person can trust a repository"),
    "mux.repository.distrust": Row(PERSON, True, "Only a person can trust a repository no more"),
    "mux.repository.list": ANYBODY,
    "mux.agent.list": ANYBODY,
    "mux.status": ANYBODY,
    "mux.verify": Row(STARTERS, False, "Only a person can verify what is in their files"),
}
"""The rules for every command. A new command is added here by hand: its effect is a decision and not a default."""


def engine() -> Engine:
    """One whose run k3f-1, which works in /worktree, has started the tasks tw5 and abc."""
    runs = {"k3f-1": SimpleNamespace(id="k3f-1", task="k3f", worktree="w1")}
    worktrees = SimpleNamespace(reopen=lambda _: SimpleNamespace(folder=Path("/worktree")))
    return cast(
        "Engine",
        SimpleNamespace(
            find_run=runs.get,
            ancestors=lambda task: ("k3f-1",) if task in REPOSITORIES else (),
            task=lambda task: SimpleNamespace(repository=REPOSITORIES.get(task, "/repository")),
            room=lambda _: SimpleNamespace(worktrees=worktrees),
        ),
    )


def refusal(name: str, caller: str) -> str | None:
    """The sentence that refuses a command to a caller; None where it is allowed."""
    asker, run = CALLERS[caller]
    try:
        authority.refuse(engine(), asker, name, protocol.RunParams(run=run))
    except UsageError as error:
        return str(error)
    return None


def expected(row: Row, caller: str) -> str | None:
    """The sentence that a row of the table means for a caller."""
    if caller in row.allowed:
        return None
    asker, run = CALLERS[caller]
    only = row.refusal.format(run=run)
    if not isinstance(asker, Agent):
        return f"{only}, and {cast('Guest | Nobody', asker).reason}."
    started = f"{only}, and this was started by {asker.starter or 'an agent'}"
    if row.allowed == PERSON:
        return f"{started}."
    if row == WRITE and caller in OWN:
        return "Only a person can accept changes outside the worktree of k3f-1, which started this."
    return {
        "checks": "Checks and set-ups start and decide nothing, and this was started by setup.abc.",
        "stray": f"{started}, and it cannot be told of which run.",
    }.get(caller, f"{started}.")


def test_the_table_has_every_command() -> None:
    assert list(ROWS) == list(protocol.COMMANDS)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", ROWS)
def test_who_may_call_it(name: str, caller: str) -> None:
    assert refusal(name, caller) == expected(ROWS[name], caller)


@pytest.mark.parametrize("name", ROWS)
def test_which_are_carried_to_their_end(name: str) -> None:
    assert (name in CHANGES) == ROWS[name].completes
