"""Test the right that each command requires, and who has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from mux_lsp.callers import Agent, Caller, Guest, Nobody, Person
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import authority
from mux_lsp.lsp.commands.authority import RIGHTS, Right

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
            find_run=runs.get,
            ancestors=lambda task: ("k3f-1",) if task == "tw5" else (),
            task=lambda _: SimpleNamespace(repository="/repository"),
        ),
    )


def refused(asker: Caller, name: str, run: str = "tw5-1") -> bool:
    try:
        authority.refuse(engine(), asker, name, protocol.RunParams(run=run))
    except UsageError as error:
        assert str(error).endswith("."), error
        assert "\n" not in str(error)
        return True
    return False


def test_every_command_of_the_protocol_names_its_right() -> None:
    assert set(RIGHTS) == set(protocol.COMMANDS)


@pytest.mark.parametrize("name", RIGHTS)
def test_who_has_it(name: str) -> None:
    right = RIGHTS[name]
    assert not refused(Person(), name)
    assert refused(GUEST, name) == (right not in {Right.LOOK, Right.START})
    for asker in (NOBODY, CHECKS, STRAY):
        assert refused(asker, name) == (right is not Right.LOOK), asker
    # A run without a worktree can write nothing in it.
    assert refused(RUN, name) == (right in {Right.PERSON, Right.WRITE})
    assert refused(RUN, name, "other-1") == (right not in {Right.LOOK, Right.START})


def test_a_command_that_names_none_is_the_persons() -> None:
    assert not refused(Person(), "mux.new.command")
    for asker in (GUEST, NOBODY, CHECKS, STRAY, RUN):
        assert refused(asker, "mux.new.command")


@pytest.mark.parametrize("asker", [GUEST, NOBODY, CHECKS, STRAY])
def test_nobody_else_verifies_the_persons_files(asker: Caller, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Only a person can verify what is"):
        authority.refuse_outside(engine(), asker, tmp_path, "verify what is")
