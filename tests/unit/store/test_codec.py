"""Test that stored values are read back unchanged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.model import Check, Run, RunState, Snapshot, Task
from mux_lsp.store.codec import dumps, loads


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    colour: Colour = Colour.RED


@dataclass(frozen=True, slots=True)
class Outer:
    number: int
    share: float
    sure: bool
    inner: Inner
    maybe: Inner | None = None
    many: tuple[Inner, ...] = ()
    words: tuple[str, ...] = ()


WHOLE = {"number": 1, "share": 0.5, "sure": True, "inner": {"name": "x"}}


FINITE = st.none() | st.floats(allow_nan=False, allow_infinity=False)
CHECKS = st.builds(Check, seconds=FINITE)
RUNS = st.builds(
    Run,
    checks=st.lists(CHECKS, max_size=2).map(tuple),
    cost_usd=FINITE,
    pid_created=FINITE,
    started=FINITE,
    finished=FINITE,
)
TASKS = st.builds(
    Task,
    created=st.floats(allow_nan=False, allow_infinity=False),
    runs=st.lists(RUNS, max_size=2).map(tuple),
    # With the surrogates by which Python represents names that are not UTF-8.
    repository=st.binary().map(lambda name: name.decode("utf-8", "surrogateescape")),
)


@given(TASKS)
def test_any_task_comes_back(task: Task) -> None:
    text = dumps(task)
    assert text.isascii()
    assert loads(Task, text) == task


@given(RUNS)
def test_any_run_comes_back(run: Run) -> None:
    assert loads(Run, dumps(run)) == run


def test_what_comes_back_has_its_types() -> None:
    run = Run(id="k3f-1", task="k3f", agent="a", model=None, state=RunState.RUNNING, started=3)
    read = loads(Run, dumps(run))
    assert isinstance(read.state, RunState)
    assert isinstance(read.started, float)
    assert isinstance(read.checks, tuple)


def test_missing_fields_take_their_defaults() -> None:
    assert loads(Outer, json.dumps(WHOLE)) == Outer(1, 0.5, True, Inner("x"))


def test_fields_of_a_newer_version_are_passed_over() -> None:
    assert loads(Outer, json.dumps({**WHOLE, "new": [1], "inner": {"name": "x", "new": None}})) == Outer(
        1, 0.5, True, Inner("x")
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"number": "1"}, "Outer.number: int expected, not str"),
        ({"number": True}, "Outer.number: int expected, not bool"),
        ({"number": None}, "Outer.number: int expected, not NoneType"),
        ({"sure": 1}, "Outer.sure: bool expected, not int"),
        ({"share": "half"}, "Outer.share: number expected, not str"),
        ({"share": True}, "Outer.share: number expected, not bool"),
        ({"inner": {}}, "Outer.inner.name: missing"),
        ({"inner": []}, "Outer.inner: object expected, not list"),
        ({"inner": {"name": "x", "colour": "green"}}, "Outer.inner.colour: 'green' is no Colour"),
        ({"inner": {"name": "x", "colour": ["red"]}}, r"Outer.inner.colour: \['red'\] is no Colour"),
        ({"many": {}}, "Outer.many: list expected, not dict"),
        ({"words": ["a", 2]}, "Outer.words: str expected, not int"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        loads(Outer, json.dumps(WHOLE | change))


def test_what_cannot_be_stored_is_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be stored"):
        dumps({"a": object()})
    with pytest.raises(ValueError, match="Out of range"):
        dumps(float("nan"))
    with pytest.raises(ValueError, match="Snapshot"):
        loads(Snapshot, "[]")
