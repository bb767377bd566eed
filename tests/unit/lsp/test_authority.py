"""Test which callers have the right that the effect of a command requires."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from mux_lsp.callers import Agent, Caller, Guest, Nobody, Person
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import authority
from mux_lsp.lsp.effects import Effect, Right

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.engine.engine import Engine

GUEST, NOBODY = Guest("a guest asks: do it yourself"), Nobody("it has gone: do it yourself")
RUN, CHECKS, STRAY = Agent("k3f-1"), Agent("setup.abc"), Agent(None)


def engine() -> Engine:
    """Return an engine whose run k3f-1 has started the task tw5."""
    runs = {"k3f-1": SimpleNamespace(id="k3f-1", worktree=None)}
    return cast(
        "Engine",
        SimpleNamespace(
            registry=SimpleNamespace(
                find_run=runs.get,
                ancestors=lambda task: ("k3f-1",) if task == "tw5" else (),
                task=lambda _: SimpleNamespace(repository="/repository"),
            )
        ),
    )


def refused(asker: Caller, effect: Effect, run: str = "tw5-1") -> bool:
    command = protocol.Command(protocol.RunParams, protocol.RunResult, effect=effect)
    try:
        authority.refuse(engine(), asker, command, protocol.RunParams(run=run))
    except UsageError as error:
        assert str(error).endswith("."), error
        assert "\n" not in str(error)
        return True
    return False


@pytest.mark.parametrize("effect", Effect)
def test_who_has_the_right(effect: Effect) -> None:
    right = effect.right
    assert not refused(Person(), effect)
    assert refused(GUEST, effect) == (right not in {Right.READ, Right.START})
    for asker in (NOBODY, CHECKS, STRAY):
        assert refused(asker, effect) == (right is not Right.READ), asker
    # A run without a worktree can write nothing in it.
    assert refused(RUN, effect) == (right in {Right.PERSON, Right.WRITE})
    assert refused(RUN, effect, "other-1") == (right not in {Right.READ, Right.START})


@pytest.mark.parametrize("asker", [GUEST, NOBODY, CHECKS, STRAY])
def test_nobody_else_verifies_the_persons_files(asker: Caller, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Only a person can verify what is"):
        authority.refuse_outside(engine(), asker, tmp_path, "verify what is")
