"""Test for each command who may call it, and whether it is completed when its client disconnects."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import pytest

from mux_lsp.callers import Agent, Caller, Guest, Nobody, Person
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import authority
from mux_lsp.lsp.commands.dispatch import IMPLEMENTATIONS, run
from mux_lsp.lsp.effects import Effect, OnCancel

if TYPE_CHECKING:
    from mux_lsp.engine.engine import Engine
    from mux_lsp.lsp.commands.caller import CallerSession

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
"""Each kind of caller, with the run that its command names."""

AGENTS: Final = frozenset(name for name in CALLERS if name.startswith("agent"))
OWN: Final = frozenset(name for name in CALLERS if name.startswith("agent, own"))


class Row(NamedTuple):
    """The rules for one command."""

    allowed: frozenset[str]
    completes: bool
    """True if the command goes on when its client cancels the request or disconnects."""
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
"""The rules for every command. Add a new command here by hand: its effect is a decision without a default."""


def engine() -> Engine:
    """Return an engine whose run k3f-1, which works in /worktree, has started the tasks tw5 and abc."""
    runs = {"k3f-1": SimpleNamespace(id="k3f-1", task="k3f", worktree="w1")}
    worktrees = SimpleNamespace(reopen=lambda _: SimpleNamespace(folder=Path("/worktree")))
    return cast(
        "Engine",
        SimpleNamespace(
            registry=SimpleNamespace(
                find_run=runs.get,
                ancestors=lambda task: ("k3f-1",) if task in REPOSITORIES else (),
                task=lambda task: SimpleNamespace(repository=REPOSITORIES.get(task, "/repository")),
            ),
            repositories=SimpleNamespace(get=lambda _: SimpleNamespace(worktrees=worktrees)),
        ),
    )


def refusal(name: str, caller: str) -> str | None:
    """Return the message that refuses a command to a caller; None if it is allowed."""
    asker, run = CALLERS[caller]
    try:
        authority.refuse(engine(), asker, protocol.COMMANDS[name], protocol.RunParams(run=run))
    except UsageError as error:
        return str(error)
    return None


def expected(row: Row, caller: str) -> str | None:
    """Return the message that a row of the table gives to a caller."""
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
    assert (protocol.COMMANDS[name].effect.on_cancel is OnCancel.COMPLETE) == ROWS[name].completes


def test_every_command_has_an_implementation_and_each_implementation_a_command() -> None:
    assert list(IMPLEMENTATIONS) == list(protocol.COMMANDS)
    assert len(set(IMPLEMENTATIONS.values())) == len(IMPLEMENTATIONS)


@pytest.mark.parametrize("name", protocol.COMMANDS)
def test_an_implementation_has_the_declared_types(name: str) -> None:
    command, implementation = protocol.COMMANDS[name], IMPLEMENTATIONS[name]
    _, argument = inspect.signature(implementation).parameters.values()
    assert argument.annotation == f"protocol.{command.params.__name__}"
    assert inspect.signature(implementation).return_annotation == f"protocol.{command.result.__name__}"
    assert inspect.iscoroutinefunction(implementation)


def test_every_function_that_is_named_like_a_command_is_one() -> None:
    """A function of a command that is not in the table would be dead and untested."""
    names = {name.removeprefix("mux.").replace(".", "_") for name in protocol.COMMANDS}
    assert {one.__name__ for one in IMPLEMENTATIONS.values()} == names
    for module in {inspect.getmodule(one) for one in IMPLEMENTATIONS.values()}:
        own = [
            one
            for _, one in inspect.getmembers(module, inspect.iscoroutinefunction)
            if one.__module__ == getattr(module, "__name__", "")
        ]
        assert {one.__name__ for one in own if not one.__name__.startswith("_")} <= names, module


def test_a_command_has_no_effect_by_default() -> None:
    with pytest.raises(TypeError, match="effect"):
        protocol.Command(protocol.NoParams, protocol.StatusResult)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        protocol.Command(protocol.NoParams, protocol.StatusResult, Effect.READS)  # type: ignore[call-arg]
    for command in protocol.COMMANDS.values():
        assert isinstance(command, protocol.Command)
        assert isinstance(command.effect, Effect)


def test_a_refusal_says_what_is_refused() -> None:
    """A command whose argument names no run and no task has its own message: the default would name nothing."""
    for name, command in protocol.COMMANDS.items():
        if command.effect is not Effect.READS and not command.params.model_fields.keys() & {"run", "task", "id"}:
            assert command.refusal, name


async def test_a_command_that_is_not_declared_is_refused_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """This includes a command with an implementation."""
    called: list[str] = []

    async def implementation(*_: object) -> protocol.Shape:
        called.append("called")
        return protocol.IdResult(id="k3f")

    monkeypatch.setitem(cast("dict[str, Any]", IMPLEMENTATIONS), "mux.new.command", implementation)
    for asker, _ in CALLERS.values():
        client = cast("CallerSession", SimpleNamespace(engine=engine(), asker=asker))
        with pytest.raises(UsageError, match=r"There is no command 'mux\.new\.command' in mux-lsp"):
            await run(client, "mux.new.command", protocol.NoParams())
    assert called == []
